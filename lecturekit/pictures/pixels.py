"""The one place where pictures are converted: PIL images, uint8 arrays (H,W,3), float tensors (N,3,H,W) in [0,1]."""

import warnings

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.nn import functional as F

from lecturekit import devices, validate

LONGEST = 4096   # px; a longer side is scaled down, with a warning, so that one file cannot fill the memory


def open_image(source):
    """An RGB PIL image from a path, an open binary file or a PIL image.

    EXIF rotation is applied; grey, palette, CMYK, 16-bit and transparent pictures (on white) become 8-bit RGB.
    Raises FileNotFoundError, or ValueError for what is no picture or is cut short.
    """
    if isinstance(source, Image.Image):
        return _to_rgb(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(source) as image:
                if max(image.size) > LONGEST:
                    image.draft("RGB", (LONGEST, LONGEST))
                return _to_rgb(image)
    except FileNotFoundError:
        raise FileNotFoundError(f"source: got {str(source)!r}, and there is no such file.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"source: got {str(source)!r}, which cannot be read ({error}). "
                         "It takes a whole picture file, such as JPEG or PNG.") from None


def _to_rgb(image):
    image = _shrink(ImageOps.exif_transpose(image))
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        highest = 65535 if values.max() > 255 else 255
        image = Image.fromarray((values / highest * 255).clip(0, 255).round().astype(np.uint8))
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _shrink(image):
    if max(image.size) <= LONGEST:
        return image
    scale = LONGEST / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    warnings.warn(f"The picture of {image.width}x{image.height} px was scaled down to {size[0]}x{size[1]} px.")
    return image.resize(size, Image.Resampling.BOX)


def to_tensor(picture):
    """Float tensor (1,3,H,W) in [0,1] from a PIL image or a uint8 array (H,W), (H,W,3) or (H,W,4)."""
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
            raise TypeError(f"picture: got an array of {picture.dtype}, shape {picture.shape}. "
                            "It takes a PIL image or a uint8 array (H,W) or (H,W,3).")
        picture = Image.fromarray(picture)
    if not isinstance(picture, Image.Image):
        raise TypeError(f"picture: got {type(picture).__name__}. It takes a PIL image or a uint8 array.")
    array = np.array(_to_rgb(picture))
    return torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255


def to_array(image):
    """uint8 array (H,W,3), or (H,W) for one channel, from a tensor (C,H,W) or (1,C,H,W) in [0,1]."""
    image = image[None] if image.ndim == 3 else image
    if len(validate.images(image, "image")) != 1:
        raise ValueError(f"image: got a batch of {len(image)}. It takes one image.")
    array = (image[0].detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return array[..., 0] if array.shape[-1] == 1 else array


def to_pil(image):
    """PIL image from a tensor (C,H,W) or (1,C,H,W) in [0,1]."""
    return Image.fromarray(to_array(image))


def resize(images, size):
    """Images (N,C,H,W) resized to `size` (an int: the shorter side; a pair: height, width), bilinear, antialiased."""
    validate.images(images, in_range=False)
    if isinstance(size, int):
        scale = validate.positive("size", size, whole=True) / min(images.shape[-2:])
        size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    return F.interpolate(images, tuple(size), mode="bilinear", antialias=True, align_corners=False)


def center_square(images):
    """The largest central square of images (N,C,H,W)."""
    height, width = images.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return images[..., top:top + side, left:left + side]


def load(source, size=None):
    """Float tensor (1,3,H,W) in [0,1] of a picture file; with `size`, its central square resized to size x size."""
    image = to_tensor(open_image(source))
    return (image if size is None else resize(center_square(image), size).clamp(0, 1)).to(devices.chosen())
