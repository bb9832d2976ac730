"""Gradients and maps made of them: closed forms, completeness, units, bad input, models left as they were."""

import copy

import pytest
import torch
from torch import nn

from lecturekit import attribution
from lecturekit.networks import models
from lecturekit.representation import receptive
from lecturekit.attribution import (class_scores, gradient, gradient_x_input, integrated_gradients, reduced, saliency,
                                    smooth_grad, unit_gradient)
from networks import Forms, golden, linear

IMAGES = torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(1))
GOLDEN_IMAGE = torch.arange(16.0).view(1, 1, 4, 4) / 16
METHODS = [saliency, gradient_x_input, smooth_grad, integrated_gradients]


def smooth():
    """A nonlinear model with a gradient everywhere."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.Tanh(), nn.Flatten(), nn.Linear(240, 3)).double().eval()


def test_golden_net():
    assert class_scores(golden(), GOLDEN_IMAGE, 0).item() == 54
    assert (gradient(golden(), GOLDEN_IMAGE, 0) / 16)[0, 0].tolist() == [[0, 1, 1, 1]] * 3 + [[0] * 4]


def test_gradient_is_the_slope_of_the_score():
    model, images = smooth(), IMAGES.double()
    slopes, step = gradient(model, images, 1), 1e-5
    for place in ((0, 0, 0), (1, 4, 5), (2, 7, 9)):
        moved = images.clone()
        moved[:, *place] += step
        change = (class_scores(model, moved.clamp(0, 1), 1) - class_scores(model, images, 1)) / step
        torch.testing.assert_close(slopes[:, *place], change, rtol=1e-4, atol=1e-7)


def test_class_probabilities_gradients_sum_to_zero():
    model = models.load("resnet_s")
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).expand(20, -1, -1, -1)
    slopes = gradient(model, images, torch.arange(20), score="probability")
    assert slopes.sum(0).abs().max() < 1e-5 * slopes.abs().max() * 20
    assert gradient(model, images, torch.arange(20)).sum(0).abs().max() > 1e-3


def test_reductions():
    slopes = torch.tensor([[1.0, -2.0], [3.0, 1.0], [-5.0, 0.5]]).view(1, 3, 1, 2)
    assert [reduced(slopes, how)[0, 0].tolist() for how in ("max", "abs_sum", "sum")] == [[5, 2], [9, 3.5], [-1, -0.5]]


def test_smooth_grad_of_a_linear_model_is_the_gradient():
    model, weights = linear()
    for how in ("max", "sum"):
        expected = reduced(weights[2:3].expand(2, -1, -1, -1), how)
        torch.testing.assert_close(smooth_grad(model, IMAGES, 2, reduce=how, samples=3), expected)


def test_smooth_grad_is_the_mean_over_noisy_copies():
    model, drawn = Forms("reused"), torch.Generator().manual_seed(5)
    spread = 0.3 * (IMAGES.amax((1, 2, 3), True) - IMAGES.amin((1, 2, 3), True))
    copies = [IMAGES + spread * torch.randn(IMAGES.shape, generator=drawn) for _ in range(4)]
    mean = torch.stack([attribution.gradients.class_gradient(model, noisy, 1)[1] for noisy in copies]).mean(0)
    torch.testing.assert_close(smooth_grad(model, IMAGES, 1, 0.3, 4, "sum", seed=5), mean.sum(1))
    assert torch.equal(*(smooth_grad(model, IMAGES, 1, seed=3) for _ in range(2)))
    assert not torch.equal(*(smooth_grad(model, IMAGES, 1, seed=seed) for seed in (3, 4)))


@pytest.mark.parametrize("fill", [0.0, 0.7, "mean", "blur", torch.tensor([0.1, 0.2, 0.3])])
def test_integrated_gradients_are_complete(fill):
    model = smooth()
    maps = integrated_gradients(model, IMAGES.double(), 2, fill, steps=12)
    under = attribution.fill_picture(IMAGES.double(), fill)
    difference = class_scores(model, IMAGES.double(), 2) - class_scores(model, under, 2)
    torch.testing.assert_close(maps.sum((1, 2)), difference, rtol=1e-6, atol=1e-8)


def test_two_nodes_are_exact_for_the_cube():
    class Cube(nn.Module):
        def forward(self, images):
            return images.pow(3).flatten(1).sum(1, keepdim=True)

    maps = integrated_gradients(Cube(), IMAGES, 0, steps=2)
    torch.testing.assert_close(maps, IMAGES.pow(3).sum(1))
    assert not torch.allclose(integrated_gradients(Cube(), IMAGES, 0, steps=1), IMAGES.pow(3).sum(1), rtol=1e-2)


def bias_free():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(72, 5, bias=False)).eval()


def test_without_biases_one_step_is_gradient_x_input_and_complete():
    model = bias_free()
    maps = gradient_x_input(model, IMAGES, 3)
    torch.testing.assert_close(maps.sum((1, 2)), class_scores(model, IMAGES, 3))
    torch.testing.assert_close(integrated_gradients(model, IMAGES, 3, 0.0, steps=1), maps)


def test_full_gradient_of_a_network_with_biases():
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 5))
    scores = model(IMAGES)[:, 2]
    biases = [model[0].bias, model[3].bias]
    from_biases = [sum((b * g).sum() for b, g in zip(biases, torch.autograd.grad(score, biases, retain_graph=True)))
                   for score in scores]
    total = gradient_x_input(model, IMAGES, 2).sum((1, 2)) + torch.stack(from_biases)
    torch.testing.assert_close(total, scores, rtol=1e-5, atol=1e-5)


def test_constant_shift_moves_gradient_x_input_but_not_the_gradient():
    model, weights = linear()
    shifted = copy.deepcopy(model)
    shifted[1].bias.data -= 0.2 * weights.sum((1, 2, 3))   # sees images that are brighter by 0.2 as the model sees images
    dim = IMAGES * 0.8
    torch.testing.assert_close(shifted(dim + 0.2), model(dim), rtol=0, atol=1e-5)
    assert torch.equal(gradient(shifted, dim + 0.2, 1), gradient(model, dim, 1))
    assert not torch.allclose(gradient_x_input(shifted, dim + 0.2, 1), gradient_x_input(model, dim, 1), atol=1e-2)
    torch.testing.assert_close(integrated_gradients(shifted, dim + 0.2, 1, 0.2), integrated_gradients(model, dim, 1, 0.0))


def test_unit_gradient_stays_within_the_receptive_field_and_equals_a_class_gradient_at_the_top():
    model = models.load("alexnet_s", weights="random")
    images = torch.rand(2, 3, 96, 96)
    rows, cols = torch.tensor([1, 2]), torch.tensor([2, 3])
    for rule in ("gradient", "guided"):
        slopes = unit_gradient(model, images, "relu2", 7, rows, cols, rule)
        for slope, row, col in zip(slopes, rows, cols):
            top, left, bottom, right = (max(edge, 0) for edge in receptive.field(model, "relu2").box(int(row), int(col)))
            outside = slope.clone()
            outside[:, top:bottom, left:right] = 0
            assert outside.abs().max() == 0
    one = Forms("functional")
    maps = unit_gradient(one, IMAGES, "conv1", 2, 3, 4)
    kernel = torch.zeros_like(IMAGES)
    kernel[:, :, 2:5, 3:6] = one.conv1.weight[2]
    torch.testing.assert_close(maps, kernel)


def test_batches_do_not_matter():
    model = Forms("in place")
    images = torch.rand(5, 3, 8, 10)
    target = torch.tensor([0, 3, 1, 2, 2])
    for method in METHODS:
        together = method(model, images, target)
        torch.testing.assert_close(method(model, images, target, batch=2), together)
        assert method(model, images[:0], target[:0]).shape == (0, 8, 10)
        assert method(model, images[:1], target[:1]).shape == (1, 8, 10)


def state(model):
    return (copy.deepcopy(model.state_dict()), [m.training for m in model.modules()],
            [p.requires_grad for p in model.parameters()], [p.grad for p in model.parameters()],
            sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules()))


def same(first, second):
    return all(torch.equal(first[0][key], second[0][key]) for key in first[0]) and first[1:] == second[1:]


def test_model_is_left_as_it_was_also_after_an_exception():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(True), nn.Dropout(), nn.Flatten(),
                          nn.Linear(192, 3)).train()
    model[3].eval()
    model[5].bias.requires_grad_(False)
    before = state(model)
    for method in METHODS:
        assert not method(model, IMAGES, 0).requires_grad
        with pytest.raises(ValueError):
            method(model, IMAGES, 7)
    for rule in ("guided", "deconvnet"):
        gradient(model, IMAGES, 0, rule=rule)
    with torch.no_grad():
        assert gradient(model, IMAGES, 0).abs().sum() > 0
    assert same(before, state(model)) and not IMAGES.requires_grad


@pytest.mark.parametrize("method, options, message", [
    (saliency, {"reduce": "mean"}, "reduce: got 'mean'.*max, abs_sum, sum"), (saliency, {"target": 4}, "target: got .*0 to 3"),
    (saliency, {"target": torch.tensor([0, 1, 2])}, "target: got shape"), (saliency, {"score": "loss"}, "score: got 'loss'"),
    (saliency, {"rule": "relu"}, "rule: got 'relu'"), (saliency, {"batch": 0}, "batch: got 0"),
    (saliency, {"images": IMAGES * 3}, "images: got values"), (gradient_x_input, {"images": IMAGES[0]}, r"images\[None\]"),
    (smooth_grad, {"samples": 0}, "samples: got 0"), (smooth_grad, {"noise": -1}, "noise: got -1"),
    (integrated_gradients, {"steps": 1.5}, "steps: got 1.5"), (integrated_gradients, {"fill": 2}, "fill: got values"),
    (saliency, {"images": IMAGES * float("nan")}, "images: got NaN")])
def test_bad_input(method, options, message):
    with pytest.raises(ValueError, match=message):
        method(linear()[0], **{"images": IMAGES, "target": 0, **options})


@pytest.mark.parametrize("options, message", [
    ({"layer": "conv9"}, "layer: got 'conv9'. Did you mean"), ({"layer": "fc"}, r"layer: got 'fc', whose output has shape \(2, 4\)"),
    ({"channel": 6}, "channel: got 6.*0 to 5"), ({"rows": 8}, r"rows: got \[8, 8\].*0 to 7"),
    ({"cols": torch.tensor([0, -1])}, r"cols: got \[0, -1\].*0 to 9")])
def test_bad_units(options, message):
    with pytest.raises(ValueError, match=message):
        unit_gradient(Forms("functional"), IMAGES, **{"layer": "conv1", "channel": 0, "rows": 0, "cols": 0, **options})


def test_a_model_without_a_gradient_is_refused():
    class Rounded(nn.Module):
        def forward(self, images):
            return images.detach().flatten(1)

    with pytest.raises(ValueError, match="model: the score does not depend on the images"):
        saliency(Rounded(), IMAGES, 0)
