"""Occlusion and LIME: closed forms on linear models, captum's maps, bad input, models left as they were."""

import copy

import pytest
import torch
from captum.attr import Occlusion
from torch import nn

from lecturekit import attribution
from lecturekit.networks import models
from lecturekit.pictures import datasets
from lecturekit.attribution import class_scores, fill_picture, lime, occlusion, sliding_scores, spans
from networks import golden, linear


def reads(top, bottom, left, right):
    """A nonlinear model that reads only a region."""
    class Region(nn.Module):
        def forward(self, images):
            seen = images[:, :, top:bottom, left:right].flatten(1)
            return torch.stack([seen.square().sum(1), seen.sin().sum(1)], 1)
    return Region()


IMAGES = torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(1))


def captum(model, images, target, window, stride, baseline):
    window, stride = [v if isinstance(v, tuple) else (v, v) for v in (window, stride)]
    channels = images.shape[1]
    return Occlusion(model).attribute(images, (channels, *window), (channels, *stride), baselines=baseline,
                                      target=target)[:, 0]


@pytest.mark.parametrize("name", ["resnet_s", "alexnet_s", "vgg_s"])
def test_equals_captum_on_networks(name):
    model, images = models.load(name, weights="random"), torch.rand(2, 3, 64, 64)
    target = torch.tensor([3, 17])
    ours = occlusion(model, images, target, 28, 20, 0.3)
    assert ours.abs().max() > 0
    torch.testing.assert_close(ours, captum(model, images, target, 28, 20, 0.3), rtol=0, atol=1e-5)


def test_bfloat16_keeps_the_order_of_the_pixels():
    model = models.load("resnet_s")
    images, _, target = datasets.for_model(datasets.tabletop("test")[:1], model, 64)
    exact, coarse = (occlusion(model, images, target, 16, 8, precision=name) for name in ("float32", "bfloat16"))
    assert not torch.equal(exact, coarse) and coarse.dtype == torch.float32
    ranks = torch.stack([maps.flatten().argsort().argsort().float() for maps in (exact, coarse)])
    assert torch.corrcoef(ranks)[0, 1] > 0.95
    with pytest.raises(ValueError, match="precision: got 'half'"):
        occlusion(model, images, target, precision="half")


@pytest.mark.parametrize("window, stride", [
    (1, 1), (3, 2), (4, 4), (5, 3), ((2, 5), (1, 4)), ((8, 3), (8, 2)), ((8, 10), 9)])
def test_equals_captum_for_every_window(window, stride):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Tanh(), nn.Flatten(), nn.Linear(240, 3)).requires_grad_(False)
    ours = occlusion(model, IMAGES, 1, window, stride, 0.5, batch=7)
    torch.testing.assert_close(ours, captum(model, IMAGES, 1, window, stride, 0.5), rtol=0, atol=1e-5)


@pytest.mark.parametrize("window, stride", [(1, 1), (2, 1), (3, 2)])
def test_equals_captum_on_golden_net(window, stride):
    images = torch.arange(16.0).view(1, 1, 4, 4) / 16
    assert class_scores(golden(), images, 0).item() == 54
    ours = occlusion(golden(), images, 0, window, stride, 0.0)
    torch.testing.assert_close(ours, captum(golden(), images, 0, window, stride, 0.0), rtol=0, atol=1e-5)


def test_linear_drop_is_the_sum_over_the_window():
    model, weights = linear()
    fall = (weights[2] * (IMAGES - 0.25)).sum(1)   # (N,H,W)
    drops = class_scores(model, IMAGES, 2)[:, None, None] - sliding_scores(model, IMAGES, 2, 2, 2, 0.25, "logit")
    torch.testing.assert_close(drops, nn.functional.avg_pool2d(fall, 2) * 4, rtol=0, atol=1e-5)


def test_tiles_of_a_linear_model_sum_to_the_fall_to_the_fill():
    model, _ = linear()
    maps = occlusion(model, IMAGES, 1, (3, 4), (3, 4), 0.5)   # tiles, those at the border cut off
    tiles = torch.stack([maps[:, y, x] for y in (0, 3, 6) for x in (0, 4, 8)], 1)
    whole, empty = (class_scores(model, images, 1) for images in (IMAGES, torch.full_like(IMAGES, 0.5)))
    torch.testing.assert_close(tiles.sum(1), whole - empty, rtol=0, atol=1e-5)


def test_window_of_one_pixel_is_integrated_gradients_for_a_linear_model():
    model, weights = linear()
    integrated = (weights[3] * (IMAGES - 0.1)).sum(1)
    torch.testing.assert_close(occlusion(model, IMAGES, 3, 1, 1, 0.1), integrated, rtol=0, atol=1e-5)


def test_own_value_as_fill_changes_nothing():
    assert occlusion(linear()[0], IMAGES, 0, 3, 2, fill=IMAGES).abs().max() < 1e-6   # of a batch of another size, a product may round otherwise


def test_zero_outside_what_the_model_reads():
    maps = occlusion(reads(2, 5, 3, 6), IMAGES, 0, 2, 1, 0.9)
    near = torch.zeros(8, 10, dtype=torch.bool)
    near[1:6, 2:7] = True   # a square of 2 px that touches the region reaches 1 px beyond it
    assert maps[:, ~near].abs().max() == 0 and maps[:, 2:5, 3:6].abs().min() > 0


def test_probability():
    model = linear()[0]
    slid = sliding_scores(model, IMAGES, torch.tensor([0, 1]), 4, 2)
    hidden = IMAGES.clone()
    hidden[:, :, 2:6, 4:8] = 0.5
    expected = model(hidden).softmax(1)[[0, 1], [0, 1]]
    assert slid.shape == (2, 3, 4)
    torch.testing.assert_close(slid[:, 1, 2], expected)


def test_fills():
    colour = torch.tensor([0.1, 0.2, 0.3])
    assert torch.equal(fill_picture(IMAGES, colour)[1, :, 3, 3], colour)
    assert torch.allclose(fill_picture(IMAGES, "mean")[0, :, 0, 0], IMAGES[0].mean((1, 2)))
    blurred = fill_picture(torch.full((1, 3, 8, 8), 0.4), "blur")
    assert torch.allclose(blurred, torch.tensor(0.4)) and fill_picture(IMAGES, "blur").std() < IMAGES.std() / 2
    assert torch.equal(fill_picture(IMAGES, IMAGES[:1])[1], IMAGES[0])
    for fill in (0, 1.0, colour, IMAGES[:1], "mean", "blur"):
        assert [fill_picture(IMAGES[:count], fill).shape for count in (0, 1, 2)] == [(n, 3, 8, 10) for n in (0, 1, 2)]


@pytest.mark.parametrize("method", [occlusion, lime])
def test_batches_of_none_and_one(method):
    model, images = models.load("resnet_s", weights="random"), torch.rand(2, 3, 32, 32)
    options = {"window": 16, "stride": 16} if method is occlusion else {"segments": 6, "samples": 8}
    both = method(model, images, 1, **options)
    assert method(model, images[:0], 1, **options).shape == (0, 32, 32)
    for i in range(2):
        torch.testing.assert_close(method(model, images[i:i + 1], 1, **options), both[i:i + 1])


def test_model_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(192, 3)).train()
    model[2].eval()
    before = copy.deepcopy(model.state_dict())
    first = occlusion(model, IMAGES, 0, 4, 4)
    assert torch.equal(first, occlusion(model, IMAGES, 0, 4, 4)) and not first.requires_grad
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert [m.training for m in model] == [True, True, False, True, True]
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


@pytest.mark.parametrize("options, message", [
    ({"window": 9}, "window: got 9 px.*at most the image's side of 8"),
    ({"window": (3, 11)}, "window: got 11 px"),
    ({"window": 2, "stride": 3}, "stride: got 3 px with a window of 2"),
    ({"window": 0}, "window: got 0"), ({"stride": 1.5}, "stride: got 1.5"), ({"window": (1, 2, 3)}, "window"),
    ({"fill": 1.5}, r"fill: got values from 1.5.*\[0,1\]"), ({"fill": -0.1}, "fill: got values from -0.1"),
    ({"fill": "grey"}, "fill: got 'grey'.*mean, blur"), ({"fill": [0.1, 0.2]}, "fill: got"),
    ({"fill": None}, "fill: got None"), ({"fill": float("nan")}, "fill: got values from nan"),
    ({"target": 4}, "target: got.*0 to 3"), ({"target": -1}, "target"),
    ({"target": torch.tensor([0])}, "target: got shape"),
    ({"score": "loss"}, "score: got 'loss'.*logit, probability"), ({"batch": 0}, "batch: got 0"),
    ({"images": IMAGES * 2}, "images: got values"), ({"images": IMAGES[0]}, r"images\[None\]")])
def test_bad_input(options, message):
    model = linear()[0]
    with pytest.raises(ValueError, match=message):
        occlusion(model, **{"images": IMAGES, "target": 0, "window": 3, "stride": 2, **options})


def test_captum_refuses_the_same_windows():
    for window, stride in ((9, 1), (2, 3)):
        with pytest.raises(AssertionError):
            captum(linear()[0], IMAGES, 0, window, stride, 0.0)


@pytest.mark.parametrize("target", ["mug", 1.0, None])
def test_target_of_a_wrong_type(target):
    for method in (occlusion, lime):
        with pytest.raises(TypeError, match="target: got"):
            method(linear()[0], IMAGES, target, 3, 3)


@pytest.mark.parametrize("length, window, stride, expected", [
    (7, 3, 2, [(0, 3), (2, 5), (4, 7)]), (8, 3, 2, [(0, 3), (2, 5), (4, 7), (6, 8)]), (4, 4, 9, [(0, 4)]),
    (2, 1, 1, [(0, 1), (1, 2)])])
def test_spans(length, window, stride, expected):
    assert spans(length, window, stride) == expected


def test_lime_gives_a_linear_model_s_drops():
    model, weights = linear()
    labels = (torch.arange(8)[:, None] // 4 * 2 + torch.arange(10) // 5).expand(2, 8, 10)
    maps = lime(model, IMAGES, torch.tensor([2, 0]), labels, samples=60, fill=0.5, ridge=1e-6)
    fall = (weights[[2, 0]] * (IMAGES - 0.5)).sum(1)
    for label in range(4):
        expected = (fall * (labels == label)).sum((1, 2))
        torch.testing.assert_close(maps[labels == label].view(2, -1)[:, 0], expected, rtol=0, atol=1e-4)


def test_ridge_shrinks_and_seed_decides():
    model = reads(0, 8, 0, 10)
    first, again, other = (lime(model, IMAGES, 1, 6, 30, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert lime(model, IMAGES, 1, 6, 30, ridge=1e4).abs().max() < first.abs().max() / 100


def test_superpixels():
    labels = attribution.superpixels(IMAGES, 6)
    assert labels.shape == (2, 8, 10) and labels.min() == 0 and attribution.superpixels(IMAGES[:0]).shape == (0, 8, 10)
    halves = torch.zeros(1, 3, 32, 32)
    halves[..., 16:] = 1
    split = attribution.superpixels(halves, 4)[0]
    assert not set(split[:, :16].unique().tolist()) & set(split[:, 16:].unique().tolist())


@pytest.mark.parametrize("options, message", [
    ({"segments": 0}, "segments: got 0"), ({"segments": torch.zeros(2, 8, 8).long()}, r"segments: got .*\(2, 8, 10\)"),
    ({"segments": torch.full((2, 8, 10), -1)}, "segments: got the label -1"), ({"samples": 0}, "samples: got 0"),
    ({"target": 9}, "target: got")])
def test_bad_input_of_lime(options, message):
    with pytest.raises(ValueError, match=message):
        lime(linear()[0], IMAGES, **{"target": 0, "segments": 4, "samples": 4, **options})
