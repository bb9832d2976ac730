"""What a lesson's start costs: what takes seconds to import comes only where it is asked for."""

import ast
import subprocess
import sys

import pytest
import torch
import torchvision
from torchvision.transforms import functional

from lecturekit.course import lessons
from lecturekit.networks import models
from lecturekit.pictures import pixels

WHOLE = """
import importlib, pkgutil, sys, lecturekit
for wing in ("pictures", "networks", "show", "representation", "attribution", "moving", "robustness"):
    for info in pkgutil.iter_modules(importlib.import_module(f"lecturekit.{wing}").__path__):
        importlib.import_module(f"lecturekit.{wing}.{info.name}")
from lecturekit.networks import models
import lecturekit.course.checks
for name in models.ARCHITECTURES:
    models.load(name, "random")
assert models.local("resnet_s")
"""
SLOW = "torchvision", "torch._dynamo", "scipy.stats", "scipy.signal", "sklearn", "skimage.metrics", "dask", "nbgrader"


def slow_after(source):
    """What takes seconds to import and is there after a program has run."""
    told = f"{source}\nimport sys\nprint([name for name in {SLOW} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_neither_the_package_nor_its_networks_import_what_takes_seconds():
    assert slow_after(WHOLE) == "[]"


def test_no_lesson_begins_with_what_takes_seconds():
    """The imports of the lessons' first code cells, all in one program."""
    first = [next(cell.source for cell in lessons.read(number).cells if cell.cell_type == "code")
             for number in lessons.chosen()]
    imports = [ast.unparse(node) for source in first for node in ast.parse(source).body
               if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert slow_after("\n".join(imports)) == "[]"


def test_the_imagenet_names_are_torchvision_s():
    assert models.load("squeezenet1_1", "random").categories == (
        torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"])


@pytest.mark.parametrize("size, sigma, channels", [(5, 1.0, 3), (13, 3.0, 1), (1, 0.05, 3)])
def test_the_blur_is_torchvision_s(size, sigma, channels):
    images = torch.rand(2, channels, 20, 17, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pixels.gaussian_blur(images, size, sigma), functional.gaussian_blur(images, size, sigma),
                               rtol=0, atol=0)
