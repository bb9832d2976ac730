"""The recipe of the robust network, on a handful of small pictures: the attack, the average, early stopping."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from recipes import recipe

train, attack = recipe("networks/train"), recipe("networks/attack")
EPS = 2.0


@pytest.fixture
def imagenette(tmp_path):
    """A folder of ten categories, random pictures of 40x48 px: four of each to train on, sixteen to validate."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 16)):
        for category in range(10):
            folder = tmp_path / split / f"n{category}"
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(rng.integers(256, size=(40, 48, 3), dtype=np.uint8)).save(folder / f"{number:02}.JPEG")
    return tmp_path


@pytest.fixture
def few(monkeypatch):
    """Thirty pictures in the place of tabletop's, two epochs at 32 px, the second one watched at 32 px."""
    pictures = torch.randint(256, (30, 3, 40, 40), generator=torch.Generator().manual_seed(0)).byte()
    monkeypatch.setattr(train, "tabletop_arrays", lambda split: (list(pictures), [10 + i % 10 for i in range(30)]))
    monkeypatch.setattr(train, "SIDE", 32)
    short = replace(train.RECIPES["resnet_s_robust"], phases=(train.Phase(2, 0.05, 0.0, pixels=32),), watch=2)
    monkeypatch.setitem(train.RECIPES, "resnet_s_robust", short)


def test_the_robust_network_is_its_average_and_resumes(imagenette, few, tmp_path):
    whole = train.Network("resnet_s_robust", imagenette)
    published = train.fitting.fit(whole, tmp_path / "whole")
    first, second = [json.loads(line) for line in (tmp_path / "whole/resnet_s_robust.log").read_text().splitlines()]
    assert first.keys() == {"epoch", "loss", "seconds"} and second.keys() == first.keys() | {"clean", "held"}
    assert 0 <= second["held"] <= second["clean"] <= 1
    assert whole.average.n_averaged == 2 and published is whole.average.module
    start = train.load("resnet_s").state_dict()
    moved, averaged = ((part.state_dict()["fc.weight"] - start["fc.weight"]).norm() for part in (whole.model, published))
    assert 0 < averaged < moved   # the first step is copied, the second hardly counts

    cut = train.Network("resnet_s_robust", imagenette)
    cut.stages = 1
    train.fitting.fit(cut, tmp_path / "cut")
    again = train.fitting.fit(train.Network("resnet_s_robust", imagenette), tmp_path / "cut").state_dict()
    assert all(torch.equal(value, again[key]) for key, value in published.state_dict().items())


def test_the_epoch_that_holds_best_is_published():
    network = object.__new__(train.Network)
    assert [network.score(row) for row in ({}, {"held": 0.6}, {"held": 0.5})] == [0, 0.6, 0.5]


def test_eps_shrinks_with_the_crops(imagenette, few, monkeypatch):
    network, seen = train.Network("resnet_s_robust", imagenette), []

    def attacked(model, images, labels, eps, steps):
        seen.append((eps, steps))
        return images

    monkeypatch.setattr(train, "attacked", attacked)
    for side in (24, 32):
        network.loss((torch.zeros(2, 3, side, side, dtype=torch.uint8), torch.tensor([0, 1])), 0.0)
    assert seen == [(pytest.approx(EPS * 24 / 32), 2), (pytest.approx(EPS), 2)]


def test_attack():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 5))
    images, labels = torch.rand(6, 3, 16, 16), torch.arange(6) % 5
    before = {key: value.clone() for key, value in model.state_dict().items()}
    moved = attack.attacked(model, images, labels, EPS, 3)
    assert (moved - images).flatten(1).norm(dim=1).max() <= EPS + 1e-4 and 0 <= moved.min() <= moved.max() <= 1
    assert model.training and all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    model.eval()
    clean, attacked = (F.cross_entropy(model(each), labels).item() for each in (images, moved))
    assert attacked > clean + 0.1
    shares = [attack.standing(model, images, attack.answers(model, images), EPS, 3, batch=4) for _ in range(2)]
    assert shares[0] == shares[1] and shares[0][0] == 1 and 0 <= shares[0][1] < 1
