"""Attacks beside those of foolbox and torchattacks, at equal steps and eps; many more by bench/attacks.py."""

import runpy
from pathlib import Path

import pytest
import torch

from lecturekit.pictures import datasets
from lecturekit.networks import models
from lecturekit.robustness import attacks

BENCH = runpy.run_path(str(Path(__file__).resolve().parents[2] / "bench" / "attacks.py"))
OURS, *PEERS = BENCH["ATTACKS"].values()


@pytest.fixture(scope="module")
def setting():
    model = models.load("alexnet_s")
    images, _, labels = datasets.for_model(datasets.tabletop("test")[:40], model, 96)
    right = ~attacks.fooled(model, images, labels)
    return model, images[right], labels[right]


@pytest.mark.filterwarnings("ignore")
def test_fgsm_is_theirs(setting):
    model, images, labels = setting
    found = OURS(*setting, "linf", 2 / 255, 1)
    for peer in PEERS:
        same = (peer(*setting, "linf", 2 / 255, 1) - found).abs() < 1e-6
        assert same.float().mean() > 0.999   # the sign of a gradient that is zero but for rounding


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("norm, eps", [("linf", 2 / 255), ("l2", 1.0)])
def test_pgd_is_as_strong_as_theirs(setting, norm, eps):
    torch.manual_seed(0)
    ours, *theirs = (BENCH["measured"](attack, *setting, norm, eps, 5) for attack in (OURS, *PEERS))
    assert 0 < ours <= min(theirs) < 1


@pytest.mark.filterwarnings("ignore")
def test_deepfool_is_as_near_as_theirs(setting):
    model, images, labels = setting
    ours, *theirs = (BENCH["measured"](attack, model, images[:6], labels[:6], "l2", None, 10) for attack in (OURS, *PEERS))
    assert 0 < ours <= min(theirs)
