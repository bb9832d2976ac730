"""The one place where pictures are converted: files, PIL images, arrays (H,W,3), float tensors (N,3,H,W) in [0,1].

A value counts by the range that its picture declares, never by the values that happen to be there: 255 for 8 bits, 65535
for 16, 1 for floating point. Colours come out as sRGB.
"""

import io
import numbers
import warnings

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps
from torch.nn import functional as F

from lecturekit import devices, validate

LONGEST = 4096   # px; a longer side is scaled down, with a warning, so that one file cannot fill the memory
SRGB = ImageCms.createProfile("sRGB")
BITS, LARGEST = 258, 341   # the TIFF tags for how many bits a value has, and for the largest of the range
SOURCES = "It takes a path, an open file or its bytes, a PIL image, an array (H,W,3) or a tensor (3,H,W)."
HIGHEST = {"uint8": 255, "uint16": 65535, "bool": 1}   # by the array's or tensor's dtype; floating point has 1


def open_image(source):
    """An RGB PIL image from a path, an open binary file or its bytes, a PIL image, or what `to_tensor` takes.

    EXIF rotation is applied, a colour profile is converted to sRGB; grey, palette, CMYK, 16-bit, float and transparent
    pictures (on white) become 8-bit RGB. Raises FileNotFoundError, or ValueError for what is no picture, is cut short or
    leaves its declared range, TypeError for what is nothing of these.
    """
    if isinstance(source, (np.ndarray, torch.Tensor)):
        return to_pil(to_tensor(source))
    if isinstance(source, str) and "://" in source:
        raise ValueError(f"source: got the address {source!r}. It takes a file that is here: download it first.")
    shown = f"{len(source)} bytes" if isinstance(source, bytes) else repr(str(source))
    try:
        return _to_rgb(source) if isinstance(source, Image.Image) else _read(source)
    except FileNotFoundError:
        raise FileNotFoundError(f"source: got {shown}, and there is no such file.") from None
    except (AttributeError, TypeError):
        raise TypeError(f"source: got {type(source).__name__}. {SOURCES}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"source: got {shown}, which cannot be read ({error}). "
                         "It takes a whole picture file, such as JPEG or PNG.") from None


def _read(source):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            if max(image.size) > LONGEST:
                image.draft("RGB", (LONGEST, LONGEST))
            return _to_rgb(image)


def _to_rgb(image):
    profile, highest = image.info.get("icc_profile"), _highest(image)
    image = _shrink(ImageOps.exif_transpose(image))
    if highest is not None:
        image = Image.fromarray((_shares(np.asarray(image), highest) * 255).round().astype(np.uint8))
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return _in_srgb(image, profile)


def _highest(image):
    """The value that stands for white where a picture has more than 8 bits, as it declares it; else None."""
    if image.mode != "F" and not image.mode.startswith("I"):
        return None
    declared = getattr(image, "tag_v2", {})
    if LARGEST in declared:
        return float(np.max(declared[LARGEST]))
    if image.mode == "F":
        return 1.0
    if declared.get(BITS, (16,))[0] > 16:
        raise ValueError("whole numbers of 32 bits, whose range is not declared")
    return 2.0 ** declared.get(BITS, (16,))[0] - 1


def _shares(values, highest):
    """Values from 0 to `highest` as shares of it; ValueError for others."""
    values = np.asarray(values, dtype=np.float64)
    if values.size and not (np.isfinite(values).all() and -1e-4 * highest <= values.min() <= values.max() <= 1.0001 * highest):
        raise ValueError(f"values from {values.min():.4g} to {values.max():.4g}, where 0 to {highest:g} are declared")
    return (values / highest).clip(0, 1)


def _in_srgb(image, profile):
    """The picture as 8-bit RGB, its colours converted from those of its profile, where it has one that can be read."""
    rgb = image.convert("RGB") if image.mode not in ("CMYK", "L") else image
    if profile:
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(own).lower():
                return ImageCms.profileToProfile(rgb, own, SRGB, outputMode="RGB")
        except (OSError, ImageCms.PyCMSError):
            warnings.warn("The picture's colour profile cannot be read; its colours are taken for sRGB.", stacklevel=4)
    return rgb.convert("RGB")


def _shrink(image):
    if max(image.size) <= LONGEST:
        return image
    scale = LONGEST / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    warnings.warn(f"The picture of {image.width}x{image.height} px was scaled down to {size[0]}x{size[1]} px.")
    return image.resize(size, Image.Resampling.BOX)


def to_tensor(picture):
    """Float tensor (1,3,H,W) in [0,1] from a PIL image, an array (H,W), (H,W,3) or (H,W,4), or a tensor (C,H,W) or
    (1,C,H,W) of one or three channels.

    Whole numbers count by their dtype (uint8, uint16, bool), floating point from 0 to 1. Raises TypeError for another
    kind or dtype, ValueError for another shape or range.
    """
    if isinstance(picture, torch.Tensor):
        return _from_tensor(picture)
    if isinstance(picture, np.ndarray) and picture.dtype != np.uint8:
        return _from_tensor(_from_array(picture))
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(_pictorial(picture))
    if not isinstance(picture, Image.Image):
        raise TypeError(f"picture: got {type(picture).__name__}. It takes a PIL image, an array (H,W,3) or a tensor (3,H,W).")
    array = np.array(_to_rgb(picture))
    return torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255


def _pictorial(array):
    """An array of a picture's shape, (H,W), (H,W,3) or (H,W,4)."""
    kind, takes = f"an array of {array.dtype}, shape {array.shape}", "It takes (H,W), (H,W,3) or (H,W,4)"
    if array.dtype.name not in HIGHEST and array.dtype.kind != "f":
        raise TypeError(f"picture: got {kind}. {takes} of {', '.join(HIGHEST)}, or of floating point in [0,1].")
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.ndim not in (2, 3) or array.ndim == 3 and array.shape[2] not in (3, 4) or not array.size:
        hint = " array.transpose(1, 2, 0) puts the channels last." if array.ndim == 3 and len(array) in (1, 3) else ""
        raise ValueError(f"picture: got {kind}. {takes}.{hint}")
    return array


def _from_array(array):
    """A float tensor (C,H,W) in [0,1] of an array, transparency on white."""
    array = _pictorial(array)
    try:
        shares = torch.from_numpy(_shares(array, HIGHEST.get(array.dtype.name, 1))).float()
    except ValueError as error:
        raise ValueError(f"picture: got {error}.") from None
    if shares.ndim == 2:
        return shares[None]
    opaque = shares[..., 3:] if shares.shape[2] == 4 else torch.ones(1)
    return (shares[..., :3] * opaque + 1 - opaque).permute(2, 0, 1)


def _from_tensor(tensor):
    """The same tensor as float (1,3,H,W)."""
    name = str(tensor.dtype).removeprefix("torch.")
    if name in HIGHEST:
        tensor = tensor.float() / HIGHEST[name]
    tensor = tensor[None] if tensor.ndim == 3 else tensor
    if len(validate.images(tensor, "picture")) != 1 or tensor.shape[1] not in (1, 3):
        raise ValueError(f"picture: got shape {tuple(tensor.shape)}. It takes one picture (C,H,W) of one or three channels.")
    return tensor.detach().float().expand(-1, 3, -1, -1).clamp(0, 1)


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
    if isinstance(size, numbers.Number):
        scale = validate.positive("size", size, whole=True) / min(images.shape[-2:])
        size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise TypeError(f"size: got {size!r}. It takes a whole number, the shorter side, or a pair (height, width).")
    height, width = (int(validate.positive("size", side, whole=True)) for side in size)
    return F.interpolate(images, (height, width), mode="bilinear", antialias=True, align_corners=False)


def gaussian_blur(images, size, sigma):
    """Images (N,C,H,W) under a Gaussian window of size x size px and deviation `sigma` px, mirrored at the borders: as
    torchvision.transforms.functional.gaussian_blur, which takes seconds to import. `size` is odd."""
    half = (validate.positive("size", size, whole=True) - 1) / 2
    along = torch.exp(-0.5 * (torch.linspace(-half, half, size).to(images) / validate.positive("sigma", sigma)).square())
    along = along / along.sum()
    window = (along[:, None] @ along[None]).expand(images.shape[1], 1, size, size)
    return F.conv2d(F.pad(images, [size // 2] * 4, mode="reflect"), window, groups=images.shape[1])


def center_square(images):
    """The largest central square of images (N,C,H,W)."""
    height, width = images.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return images[..., top:top + side, left:left + side]


def load(source, size=None):
    """Float tensor (1,3,H,W) in [0,1] of a picture file, or of what else `open_image` takes; with `size`, its central
    square resized to size x size."""
    image = to_tensor(source if isinstance(source, (np.ndarray, torch.Tensor)) else open_image(source))
    return (image if size is None else resize(center_square(image), size).clamp(0, 1)).to(devices.chosen())
