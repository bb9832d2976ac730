"""Pictures that differ in a rectangle: the same logits as from whole passes, by less work; whole passes where that fails."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lecturekit.attribution import sliding_scores
from lecturekit.attribution import incremental, perturbation
from lecturekit.networks import models, running


def changed(images, size, corners):
    """(pictures, numbers of their images): grey rectangles in the images, one picture for each corner and image."""
    pictures, numbers = [], []
    for number, image in enumerate(images):
        for top, left in zip(*corners):
            picture = image.clone()
            picture[:, top:top + size[0], left:left + size[1]] = 0.5
            pictures.append(picture)
            numbers.append(number)
    return torch.stack(pictures), torch.tensor(numbers)


def both_ways(model, height, width, size, count=1):
    """(logits from crops, logits from whole passes, layers that crops went through)."""
    images = torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0)).double()
    down, right = height - size[0], width - size[1]
    corners = torch.tensor([0, 0, down, down, down // 2, 7]), torch.tensor([0, right, 0, right, right // 3, right - 5])
    pictures, numbers = changed(images, size, corners)
    passes = incremental.Incremental(model, images, size)
    found = passes.logits(pictures, numbers, [starts.repeat(count) for starts in corners])
    return found, running.logits(model, pictures), [stage.name for stage in passes.stages]


def assert_equal(ours, whole):
    torch.testing.assert_close(ours, whole, rtol=0, atol=1e-9 * float(whole.abs().max()))


@pytest.mark.parametrize("name, far", [("resnet_s", "layer2.0"), ("vgg_s", "pool4"), ("alexnet_s", "pool1"),
                                       ("squeezenet1_1", "features.8"), ("resnet18", "network.layer1.1"),
                                       ("densenet121", "network.features.pool0"),
                                       ("mobilenet_v3_small", "network.features.0.2")])
def test_the_same_as_from_whole_passes(name, far):
    ours, whole, stages = both_ways(models.load(name, "random").double(), 128, 128, (16, 16))
    assert_equal(ours, whole)
    assert stages[-1] == far


@pytest.mark.parametrize("height, width, size", [(96, 128, (10, 13)), (117, 101, (12, 12)), (126, 90, (15, 9))])
@pytest.mark.parametrize("name", ["resnet_s", "squeezenet1_1"])
def test_pictures_of_any_shape_several_at_once(name, height, width, size):
    ours, whole, stages = both_ways(models.load(name, "random").double(), height, width, size, 2)
    assert_equal(ours, whole)
    assert stages


class Odd(nn.Module):
    """Two convolutions that a network uses in a way of which a chain of layers does not tell all."""

    def __init__(self, form):
        super().__init__()
        self.form, self.first, self.second = form, nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.side, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(4, 5)

    def forward(self, images):
        maps = self.second(self.first(images))
        if self.form == "past the image":
            maps = maps + self.side(images)
        if self.form == "past a layer":
            maps = maps + self.first(images)
        if self.form == "by the mean":
            maps = maps * images.mean((1, 2, 3), keepdim=True)
        if self.form == "function between":
            maps = self.second(F.max_pool2d(maps, 2))
        return self.fc(maps.square().mean((2, 3)))


@pytest.mark.parametrize("form, chain", [("plain", ["second"]), ("past the image", []), ("past a layer", []),
                                         ("by the mean", []), ("function between", ["first"])])
def test_what_a_chain_does_not_tell_is_found_out(form, chain):
    torch.manual_seed(0)
    ours, whole, stages = both_ways(Odd(form).double(), 64, 64, (8, 8))
    assert_equal(ours, whole)
    assert stages[-1:] == chain


def test_the_network_is_left_as_it_was():
    model = models.load("resnet_s", "random").double()
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    both_ways(model, 64, 64, (8, 8))
    assert before == {name: set(vars(module)) for name, module in model.named_modules()}
    assert not any(module._forward_hooks for module in model.modules())


def test_occlusion_goes_this_way(monkeypatch):
    model, images = models.load("resnet_s").double(), torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    ours = sliding_scores(model, images.double(), 1, 16, 8)
    monkeypatch.setattr(perturbation, "FEWEST", 10 ** 9)
    torch.testing.assert_close(ours, sliding_scores(model, images.double(), 1, 16, 8), rtol=0, atol=1e-10)
