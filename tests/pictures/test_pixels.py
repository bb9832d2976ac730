"""Every kind of picture file comes in as (1,3,H,W) in [0,1], or is refused with a reason."""

import io
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from lecturekit.pictures import pixels


def gradient(height=20, width=30):
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 255 // (height - 1), columns * 255 // (width - 1), np.full_like(rows, 77)], -1).astype(np.uint8)


def stored(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    buffer.seek(0)
    return buffer


def test_round_trip_is_exact():
    array = gradient()
    tensor = pixels.to_tensor(array)
    assert tensor.shape == (1, 3, 20, 30) and tensor.dtype == torch.float32
    assert (pixels.to_array(tensor) == array).all()
    assert (np.array(pixels.to_pil(tensor[0])) == array).all()


def test_path_and_png(tmp_path):
    Image.fromarray(gradient()).save(tmp_path / "a.png")
    assert torch.equal(pixels.load(tmp_path / "a.png"), pixels.to_tensor(gradient()))


def test_grey_and_sixteen_bit_agree():
    grey = gradient()[..., 1]
    eight = pixels.load(stored(Image.fromarray(grey), "PNG"))
    sixteen = pixels.load(stored(Image.fromarray(grey.astype(np.uint16) * 257), "PNG"))
    assert torch.equal(eight, sixteen)
    assert torch.equal(eight[:, 0], eight[:, 2])


def test_cmyk_comes_in_as_rgb():
    red = pixels.load(stored(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    assert red[0, 0].mean() > 0.9 and red[0, 1:].mean() < 0.1


def test_transparency_falls_on_white():
    clear = pixels.load(stored(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "PNG"))
    assert (clear == 1).all()


def test_palette_with_transparency():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([200, 0, 0] + [0] * 765)
    assert (pixels.load(stored(image, "PNG", transparency=0)) == 1).all()


def test_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6   # the camera was turned: rotate by 90 degrees
    turned = pixels.load(stored(Image.fromarray(gradient()), "PNG", exif=exif))
    assert torch.equal(turned, pixels.to_tensor(np.rot90(gradient(), -1).copy()))


def test_twenty_thousand_pixels_wide_is_scaled_down_with_a_warning():
    with pytest.warns(UserWarning, match="20000x40"):
        wide = pixels.load(stored(Image.new("RGB", (20000, 40), "red"), "PNG"))
    assert wide.shape == (1, 3, 8, pixels.LONGEST)


@pytest.mark.parametrize("size", [(1, 50), (50, 1), (1, 1)])
def test_one_pixel_wide(size):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pixels.load(stored(Image.new("RGB", size, "blue"), "PNG"), size=16).shape == (1, 3, 16, 16)


def test_truncated_file():
    whole = stored(Image.fromarray(gradient(200, 200)), "JPEG").getvalue()
    with pytest.raises(ValueError, match="source: .*cannot be read"):
        pixels.load(io.BytesIO(whole[:len(whole) // 2]))


@pytest.mark.parametrize("content", [b"", b"not a picture at all", b"\x89PNG\r\n\x1a\n" + b"0" * 40])
def test_no_picture(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ValueError, match="a.jpg.*cannot be read"):
        pixels.load(tmp_path / "a.jpg")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.png"):
        pixels.load(tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match="cannot be read"):
        pixels.load(tmp_path)


def test_wrong_types():
    with pytest.raises(TypeError, match="picture: got an array of float64"):
        pixels.to_tensor(np.zeros((4, 4, 3)))
    with pytest.raises(TypeError, match="picture: got list"):
        pixels.to_tensor([1, 2])
    with pytest.raises(ValueError, match="image: got a batch of 2"):
        pixels.to_array(torch.zeros(2, 3, 4, 4))


def test_resize_and_center_square():
    images = torch.rand(2, 3, 40, 60)
    assert pixels.resize(images, 20).shape == (2, 3, 20, 30)
    assert pixels.resize(images, (7, 9)).shape == (2, 3, 7, 9)
    assert torch.equal(pixels.center_square(images), images[..., 10:50])
    assert torch.allclose(pixels.resize(torch.full((1, 3, 9, 9), 0.3), 4), torch.tensor(0.3))
    with pytest.raises(ValueError, match="size: got 0"):
        pixels.resize(images, 0)
