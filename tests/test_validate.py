"""Each error names the argument, what it got and what it takes."""

import pytest
import torch
from torch import nn

from lecturekit import validate


@pytest.mark.parametrize("got, error, says", [
    ([1, 2], TypeError, "images: got list"),
    (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), TypeError, "got dtype torch.uint8"),
    (torch.zeros(3, 4, 4), ValueError, r"got shape \(3, 4, 4\).*images\[None\]"),
    (torch.full((1, 3, 4, 4), float("nan")), ValueError, "NaN"),
    (torch.full((1, 3, 4, 4), 255.0), ValueError, "values from 255 to 255"),
    (torch.full((1, 3, 4, 4), -0.5), ValueError, "values from -0.5"),
])
def test_images(got, error, says):
    with pytest.raises(error, match=says):
        validate.images(got)


def test_images_lets_good_ones_through():
    for images in (torch.zeros(0, 3, 4, 4), torch.rand(2, 1, 4, 4)):
        assert validate.images(images) is images
    assert validate.images(torch.full((1, 3, 2, 2), 9.0), in_range=False).max() == 9


@pytest.mark.parametrize("got, error", [
    (10, ValueError), (-1, ValueError), (1.0, TypeError), ("mug", TypeError), (torch.tensor([1, 2]), ValueError),
    (torch.tensor([True, False, True]), TypeError), (torch.zeros(3, 1, dtype=torch.long), ValueError)])
def test_targets_refuses(got, error):
    with pytest.raises(error, match="target: got .*0 to 9"):
        validate.targets(got, 3, 10)


def test_targets():
    assert validate.targets(4, 3, 10).tolist() == [4, 4, 4]
    assert validate.targets([1, 2, 3], 3, 10).tolist() == [1, 2, 3]
    assert validate.targets(4, 0, 10).tolist() == []


def test_layer_lists_the_nearest():
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2)), nn.ReLU())
    assert validate.layer(model, "0.0") is model[0][0]
    for name in ("0.1", "", "fc"):
        with pytest.raises(ValueError, match="layer: got .*takes one of: 0, 0.0, 1"):
            validate.layer(model, name)


def test_one_of_suggests():
    with pytest.raises(ValueError, match="split: got 'tset'. Did you mean 'test'"):
        validate.one_of("split", "tset", ["train", "test"])


@pytest.mark.parametrize("got", [0, -1, "3", None, float("nan"), True])
def test_positive(got):
    with pytest.raises(ValueError, match="window: got"):
        validate.positive("window", got)
    with pytest.raises(ValueError, match="whole number"):
        validate.positive("window", 1.5, whole=True)
