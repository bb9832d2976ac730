"""First-layer filters, Gabor fits, what a layer costs: published counts and closed forms."""

import math

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from lecturekit.networks import models, nets
from lecturekit.representation import filters


def meta(name):
    with torch.device("meta"):
        return torchvision.models.get_model(name)


def stripes(size, angle, cycles, sigma=0.25, phase=0.3, colour=(1.0, 0.4, -0.2)):
    """A Gabor whose stripes stand at `angle` degrees anticlockwise from horizontal."""
    axis = (torch.arange(size) - (size - 1) / 2) / size
    y, x = torch.meshgrid(-axis, axis, indexing="ij")                    # y points up
    across = x * math.sin(math.radians(angle)) - y * math.cos(math.radians(angle))
    wave = (-(x ** 2 + y ** 2) / (2 * sigma ** 2)).exp() * (2 * math.pi * cycles * across + phase).cos()
    return torch.tensor(colour)[:, None, None] * wave


def test_convolution_is_a_matrix_product_and_so_are_its_gradients():
    """FACTS 1: unfold; dL/dk is a cross-correlation; dL/dx a full convolution with the flipped kernel."""
    x = torch.randn(1, 1, 9, 8, requires_grad=True)
    k = torch.randn(1, 1, 3, 4, requires_grad=True)
    y = F.conv2d(x, k)
    assert torch.allclose(y.flatten(2), k.flatten(1) @ F.unfold(x, (3, 4)), atol=1e-5)
    slope = torch.randn_like(y)
    dx, dk = torch.autograd.grad(y, (x, k), slope)
    assert torch.allclose(dk, F.conv2d(x, slope), atol=1e-5)
    assert torch.allclose(dx, F.conv2d(F.pad(slope, (3, 3, 2, 2)), k.flip(2, 3)), atol=1e-5)


@pytest.mark.parametrize("name, shape, parameters", [
    ("alexnet", (64, 3, 11, 11), 61_100_840), ("resnet18", (64, 3, 7, 7), 11_689_512),
    ("resnet101", (64, 3, 7, 7), None), ("densenet121", (64, 3, 7, 7), None)])
def test_first_layers_and_parameters(name, shape, parameters):
    network = meta(name)
    assert filters.first_layer(network).shape == shape
    if parameters:
        assert sum(cost.weights for cost in filters.costs(network)) == parameters


def test_costs_of_vgg16():
    costs = {cost.layer: cost for cost in filters.costs(meta("vgg16"))}
    first, fc6 = costs["features.0"], costs["classifier.0"]
    assert first.shape == (64, 224, 224) and first.values == 224 * 224 * 64
    assert first.weights == 1728 + 64 and fc6.weights == 102_760_448 + 4096
    assert sum(cost.weights for cost in costs.values()) == 138_357_544
    assert max(costs.values(), key=lambda cost: cost.weights) is fc6
    assert costs["classifier.6"].shape == (1000,) and costs["features.30"].kind == "MaxPool2d"


def test_costs_leave_the_network_as_it_was():
    network = nets.alexnet_s().train()
    costs = filters.costs(network, (3, 128, 128))
    assert [cost.layer for cost in costs][:2] == ["normalize", "conv1"] and costs[1].shape == (64, 32, 32)
    assert network.training and not any(module._forward_hooks for module in network.modules())
    with pytest.raises(RuntimeError):
        filters.costs(network, (2, 128, 128))
    assert not any(module._forward_hooks for module in network.modules())


def test_first_layer_needs_a_convolution():
    with pytest.raises(ValueError, match="model: got Linear without a Conv2d"):
        filters.first_layer(nn.Linear(2, 2))


@pytest.mark.parametrize("angle", [0, 30, 90, 135])
def test_a_gabor_is_recognised(angle):
    fit = filters.gabor(stripes(11, angle, 2.0)[None])
    assert fit.quality > 0.98
    assert abs((fit.orientation - angle + 90) % 180 - 90) < 4
    assert abs(fit.frequency - 2 / 11) < 0.02
    assert fit.patterns.shape == (1, 3, 11, 11)


def test_noise_is_no_gabor():
    fit = filters.gabor(torch.randn(16, 3, 7, 7, generator=torch.Generator().manual_seed(0)))
    assert fit.quality.max() < 0.5 and (fit.quality >= 0).all()
    assert filters.gabor(torch.zeros(1, 3, 5, 5)).quality == 0
    assert filters.gabor(torch.zeros(0, 3, 5, 5)).quality.shape == (0,)
    with pytest.raises(ValueError, match="filters: got shape"):
        filters.gabor(torch.zeros(3, 5, 5))


def test_nearest_ignores_sign_shift_scale_and_order():
    bank = torch.stack([stripes(11, angle, 2.0, sigma=0.12) for angle in (0, 45, 90, 135)])
    changed = -3 * bank.roll((1, -1), (2, 3))[[2, 0, 3, 1]]
    cosine, index = filters.nearest(bank, changed)
    assert index.tolist() == [1, 3, 0, 2] and (cosine > 0.95).all()
    cosine, index = filters.nearest(bank, bank, shift=0)
    assert torch.allclose(cosine, torch.ones(4), atol=1e-5) and index.tolist() == [0, 1, 2, 3]
    assert (filters.nearest(bank, F.interpolate(bank, 7, mode="bilinear"))[0] > 0.9).all()


def test_independent_components_of_pictures():
    source = torch.Generator().manual_seed(0)
    pictures = torch.rand(2, 3, 40, 40, generator=source)
    found = filters.patch_filters(pictures, size=5, count=6)
    assert found.shape == (6, 3, 5, 5) and torch.equal(found, filters.patch_filters(pictures, size=5, count=6))
    with pytest.raises(TypeError, match="images"):
        filters.patch_filters(pictures.numpy())


def test_random_weights_have_random_filters():
    weights = filters.first_layer(models.load("resnet_s", "random"))
    assert weights.shape == (64, 3, 7, 7) and not weights.requires_grad
