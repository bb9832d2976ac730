"""Corruptions: range, order of severity, seeds; the errors as ratios; shape bias; tables by cell."""

import math

import pytest
import torch

from lecturekit.pictures import datasets
from lecturekit.networks import models
from lecturekit.robustness import corruptions

IMAGES = datasets.tabletop("test")[:4].images
SMALL = IMAGES[:, :, ::2, ::2]


@pytest.mark.parametrize("name", corruptions.CORRUPTIONS)
def test_every_corruption_stays_in_range_and_grows_with_the_severity(name):
    before = SMALL.clone()
    seen = [corruptions.corrupt(SMALL, name, severity) for severity in corruptions.SEVERITIES]
    assert all(images.shape == SMALL.shape and images.min() >= 0 and images.max() <= 1 for images in seen)
    changes = [(images - SMALL).square().mean().item() for images in seen]
    assert changes[0] > 0 and changes == sorted(changes) and torch.equal(SMALL, before)


@pytest.mark.parametrize("name", corruptions.CORRUPTIONS)
def test_a_corruption_follows_its_seed(name):
    a, b, other = (corruptions.corrupt(SMALL, name, 3, seed) for seed in (0, 0, 1))
    random = name in ("Gaussian noise", "shot noise", "motion blur", "fog")
    assert torch.equal(a, b) and torch.equal(a, other) != random


def test_known_changes():
    grey = torch.full((1, 3, 32, 32), 0.4)
    for name in ("defocus blur", "motion blur", "contrast", "pixelate"):
        torch.testing.assert_close(corruptions.corrupt(grey, name, 5), grey)
    torch.testing.assert_close(corruptions.corrupt(grey, "brightness", 2), grey + 0.2)
    noisy = corruptions.corrupt(torch.full((1, 3, 128, 128), 0.5), "Gaussian noise", 2) - 0.5
    assert noisy.std().item() == pytest.approx(0.07, rel=0.02) and abs(noisy.mean().item()) < 0.002
    shot = corruptions.corrupt(torch.full((1, 3, 128, 128), 0.5), "shot noise", 1)
    assert shot.var().item() == pytest.approx(0.5 / 200, rel=0.03)   # Poisson: the mean over the photons


def test_blur_keeps_the_mean_of_a_point_and_spreads_it():
    point = torch.zeros(1, 1, 64, 64)
    point[..., 32, 32] = 1
    for name in ("defocus blur", "motion blur"):
        spread = corruptions.corrupt(point, name, 3)
        assert spread.sum().item() == pytest.approx(1, abs=1e-5) and spread.max() < 0.5


def test_jpeg_of_one_channel_and_of_none():
    digits = datasets.digits()[0][:3]
    assert corruptions.jpeg(digits, 90).shape == digits.shape and corruptions.jpeg(digits[:0], 90).shape == (0, 1, 8, 8)
    worse = [(corruptions.jpeg(IMAGES, quality) - IMAGES).abs().mean().item() for quality in (95, 50, 5)]
    assert worse == sorted(worse) and worse[0] < 0.02


def test_errors_and_their_ratio_to_the_reference():
    model = models.load("alexnet_s")
    images, _, labels = datasets.for_model(datasets.tabletop("test")[:12], model, 64)
    found = corruptions.errors(model, images, labels, ["contrast"], (1, 5))
    assert list(found) == ["contrast"] and len(found["contrast"]) == 2 and found["contrast"][1] > 0.5
    table = {"a": [0.1, 0.3], "b": [0.5, 0.5]}
    assert corruptions.mean_corruption_error(table, table) == pytest.approx(1)
    half = {"a": [0.1, 0.1], "b": [0.5, 0.5]}
    assert corruptions.corruption_errors(half, table) == pytest.approx({"a": 0.5, "b": 1.0})
    assert corruptions.mean_corruption_error(half, table) == pytest.approx(0.75)


def test_shape_bias():
    shapes, textures = [0, 0, 1, 2], [1, 2, 2, 0]
    assert corruptions.shape_bias([0, 2, 2, 5], shapes, textures) == (pytest.approx(1 / 3), 3)
    assert corruptions.shape_bias(shapes, shapes, textures) == (1, 4)
    assert corruptions.shape_bias(textures, shapes, textures) == (0, 4)
    assert math.isnan(corruptions.shape_bias([9] * 4, shapes, textures)[0])


def test_by_cell():
    table = corruptions.by_cell([True, False, True, True], [0, 0, 0, 1], [0, 0, 1, 2])
    assert table[0, :2].tolist() == [0.5, 1.0] and table[1, 2] == 1 and table.shape == (2, 3) and table[1, 0].isnan()


@pytest.mark.parametrize("wrong, message", [
    (lambda: corruptions.corrupt(IMAGES, "snow"), "name: got 'snow'.*It takes one of: Gaussian noise"),
    (lambda: corruptions.corrupt(IMAGES, "fog", 0), "severity: got 0"),
    (lambda: corruptions.corrupt(IMAGES * 2, "fog"), "images: got values"),
    (lambda: corruptions.corruption_errors({"a": [1]}, {"b": [1]}), "reference: got b"),
    (lambda: corruptions.corruption_errors({"a": [1]}, {"a": [0.0]}), "reference: got no error"),
    (lambda: corruptions.shape_bias([0], [0], [0]), "textures: got one that is also the shape")])
def test_bad_input(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
