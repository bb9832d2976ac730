"""Every kind of picture file comes in as (1,3,H,W) in [0,1], or is refused with a reason."""

import io
import struct
import warnings

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, TiffImagePlugin

from lecturekit.pictures import pixels


def gradient(height=20, width=30):
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 255 // (height - 1), columns * 255 // (width - 1), np.full_like(rows, 77)], -1).astype(np.uint8)


def display_p3():
    """A small ICC profile with the primaries of Display P3, adapted to D50, and a gamma of 2.2."""
    fixed = lambda *values: b"".join(struct.pack(">i", round(value * 65536)) for value in values)   # noqa: E731
    xyz = lambda *values: b"XYZ \0\0\0\0" + fixed(*values)   # noqa: E731
    curve = b"curv\0\0\0\0" + struct.pack(">IH2x", 1, round(2.2 * 256))
    name = b"desc\0\0\0\0" + struct.pack(">I", 3) + b"P3\0" + 78 * b"\0"
    tags = {b"desc": name + 3 * b"\0", b"cprt": b"text\0\0\0\0none", b"wtpt": xyz(0.9642, 1, 0.8249),
            b"rXYZ": xyz(*P3[:, 0].tolist()), b"gXYZ": xyz(*P3[:, 1].tolist()), b"bXYZ": xyz(*P3[:, 2].tolist()),
            b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    table, data, start = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        table += tag + struct.pack(">II", start + len(data), len(value))
        data += value + (-len(value) % 4) * b"\0"
    head = (struct.pack(">I4sI4s4s4s", start + len(data), b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ") + 12 * b"\0"
            + b"acsp" + 28 * b"\0" + fixed(0.9642, 1, 0.8249))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


P3 = torch.tensor([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
SRGB = torch.tensor([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])   # to XYZ, D50


def in_srgb(colour):
    linear = torch.linalg.solve(SRGB, P3 @ colour ** 2.2)
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=0) ** (1 / 2.4) - 0.055, 12.92 * linear).clamp(0, 1)


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


def test_sixteen_bits_with_small_values_stay_dark():
    grey = gradient()[..., 1].astype(np.uint16)   # up to 255 of 65535
    for kind in ("PNG", "TIFF"):
        assert pixels.load(stored(Image.fromarray(grey), kind)).max() < 0.005
    assert torch.allclose(pixels.to_tensor(grey * 256), pixels.to_tensor(gradient()[..., 1]), atol=0.005)


def test_a_float_picture_counts_from_nought_to_one_or_as_it_declares():
    shares = gradient()[..., 1].astype(np.float32) / 255
    expected = pixels.to_tensor(gradient()[..., 1])
    assert torch.allclose(pixels.load(stored(Image.fromarray(shares), "TIFF")), expected, atol=1e-6)
    assert torch.allclose(pixels.to_tensor(Image.fromarray(shares)), expected, atol=1e-6)
    assert torch.allclose(pixels.to_tensor(shares), expected) and torch.allclose(pixels.load(shares), expected)
    declared = TiffImagePlugin.ImageFileDirectory_v2()
    declared[pixels.LARGEST] = 1000.0
    declared.tagtype[pixels.LARGEST] = 12   # double
    large = stored(Image.fromarray(1000 * shares), "TIFF", tiffinfo=declared)
    assert torch.allclose(pixels.load(large), expected, atol=0.003)


@pytest.mark.parametrize("values, message", [
    (np.full((4, 4), 200, np.float32), "values from 200 to 200, where 0 to 1 are declared"),
    (np.full((4, 4), -0.5, np.float32), "values from -0.5 to"), (np.full((4, 4), np.nan, np.float32), "values from nan"),
    (np.full((4, 4), 9, np.int32), "whole numbers of 32 bits")])
def test_values_outside_of_their_range_are_refused(values, message):
    with pytest.raises(ValueError, match=f"source: got .*{message}"):
        pixels.load(stored(Image.fromarray(values), "TIFF"))


def test_colours_of_a_profile_come_in_as_srgb():
    picture = Image.new("RGB", (4, 4), (64, 160, 96))
    seen = pixels.load(stored(picture, "PNG", icc_profile=display_p3()))[0, :, 0, 0]
    assert torch.allclose(seen, in_srgb(torch.tensor([64.0, 160, 96]) / 255), atol=0.01)
    plain = pixels.load(stored(picture, "PNG"))
    assert (seen - plain[0, :, 0, 0]).abs().max() > 0.08   # or the profile would not matter
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert torch.equal(pixels.load(stored(picture, "PNG", icc_profile=own)), plain)
    clear = picture.convert("RGBA")
    assert torch.allclose(pixels.load(stored(clear, "PNG", icc_profile=display_p3()))[0, :, 0, 0], seen)


def test_a_broken_profile_is_warned_of():
    picture = Image.new("RGB", (4, 4), (64, 160, 96))
    with pytest.warns(UserWarning, match="colour profile cannot be read"):
        seen = pixels.load(stored(picture, "PNG", icc_profile=b"no profile"))
    assert torch.equal(seen, pixels.load(stored(picture, "PNG")))


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
    with pytest.raises(TypeError, match="picture: got an array of int64"):
        pixels.to_tensor(np.zeros((4, 4, 3), int))
    with pytest.raises(TypeError, match="picture: got list"):
        pixels.to_tensor([1, 2])
    with pytest.raises(ValueError, match="image: got a batch of 2"):
        pixels.to_array(torch.zeros(2, 3, 4, 4))


RGB = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(0))
BYTES = (RGB * 255).round().to(torch.uint8)


@pytest.mark.parametrize("given, expected", [
    (RGB, RGB), (RGB[0], RGB), (RGB[:, :1], RGB[:, :1].expand_as(RGB)), (RGB.double(), RGB), (BYTES, BYTES / 255),
    (BYTES[0], BYTES / 255), (RGB[0].permute(1, 2, 0).numpy(), RGB), (BYTES[0].permute(1, 2, 0).numpy(), BYTES / 255),
    (RGB[0, 0].numpy(), RGB[:, :1].expand_as(RGB)), (RGB[0, :1].permute(1, 2, 0).numpy(), RGB[:, :1].expand_as(RGB)),
    (np.zeros((5, 7, 4)), torch.ones(1, 3, 5, 7)), (np.ones((5, 7), bool), torch.ones(1, 3, 5, 7))])
def test_arrays_and_tensors_come_in_by_what_they_are(given, expected):
    for read in (pixels.to_tensor, pixels.load):
        assert torch.allclose(read(given), expected, atol=1e-6) and read(given).dtype == torch.float32
    assert np.array(pixels.open_image(given)).shape == (5, 7, 3)


@pytest.mark.parametrize("given, error, message", [
    (None, TypeError, "source: got NoneType. It takes a path"), (7, TypeError, "source: got int. It takes"),
    ("https://example.org/cat.jpg", ValueError, "source: got the address .*download it first"),
    (b"nothing", ValueError, "source: got 7 bytes, which cannot be read"),
    (np.zeros((3, 5, 7), np.uint8), ValueError, r"shape \(3, 5, 7\).*transpose\(1, 2, 0\) puts the channels last"),
    (np.zeros((5, 7, 3)) + 3, ValueError, "picture: got values from 3 to 3, where 0 to 1 are declared"),
    (np.zeros((0, 7, 3)), ValueError, "picture: got an array of float64, shape"),
    (RGB * 255, ValueError, "picture: got values from"), (torch.cat([RGB, RGB]), ValueError, r"picture: got shape \(2, 3"),
    (RGB[:, :2], ValueError, r"picture: got shape \(1, 2"), (BYTES.long(), TypeError, "picture: got dtype torch.int64")])
def test_what_is_no_picture_is_refused_by_what_it_is(given, error, message):
    with pytest.raises(error, match=message):
        pixels.load(given)


def test_the_bytes_of_a_file_are_a_file():
    file = stored(Image.fromarray(gradient()), "PNG")
    assert torch.equal(pixels.load(file.getvalue()), pixels.load(file))


def test_numbers_of_numpy_are_sizes():
    assert pixels.load(RGB, np.int64(4)).shape == (1, 3, 4, 4)
    assert pixels.resize(RGB, (np.int64(4), np.int32(6))).shape == (1, 3, 4, 6)
    for wrong in ("8", 4.5, (1, 2, 3), None, True):
        with pytest.raises((TypeError, ValueError), match="size: got"):
            pixels.resize(RGB, wrong)


def test_resize_and_center_square():
    images = torch.rand(2, 3, 40, 60)
    assert pixels.resize(images, 20).shape == (2, 3, 20, 30)
    assert pixels.resize(images, (7, 9)).shape == (2, 3, 7, 9)
    assert torch.equal(pixels.center_square(images), images[..., 10:50])
    assert torch.allclose(pixels.resize(torch.full((1, 3, 9, 9), 0.3), 4), torch.tensor(0.3))
    with pytest.raises(ValueError, match="size: got 0"):
        pixels.resize(images, 0)
