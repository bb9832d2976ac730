"""Gram matrices and their losses; the describing network; the network that paints in one pass."""

import shutil

import numpy as np
import pytest
import torch
from torch import nn

from lecturekit import files
from lecturekit.pictures import datasets
from lecturekit.networks import hooks, models
from lecturekit.moving import objectives, style_nets
from lecturekit.moving.style_nets import CONTENT_LAYER, STYLE_LAYERS, STYLES

PHOTOS = ("chelsea", "astronaut", "coffee", "china")


def features(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def permutation(count, seed=1):
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


# Gram matrices


def test_gram_forgets_where():
    f = features(2, 5, 4, 6)
    shuffled = f.flatten(2)[..., permutation(24)].view_as(f)
    assert torch.allclose(objectives.gram(shuffled), objectives.gram(f))
    assert not torch.allclose(objectives.gram(f.flatten(1)[:, permutation(120)].view_as(f)), objectives.gram(f))


def test_gram_permutes_and_scales_with_the_channels():
    f, order = features(1, 5, 4, 6), permutation(5)
    p = torch.eye(5, dtype=f.dtype)[order]
    assert torch.allclose(objectives.gram(f[:, order])[0], p @ objectives.gram(f)[0] @ p.T)
    assert torch.allclose(objectives.gram(3 * f), 9 * objectives.gram(f))


@pytest.mark.parametrize("channels, side, rank", [(6, 5, 6), (12, 2, 4)])
def test_gram_is_positive_semidefinite_with_the_energy_as_trace(channels, side, rank):
    f = features(1, channels, side, side)
    g = objectives.gram(f)[0]
    assert torch.allclose(g, g.T) and torch.linalg.eigvalsh(g).min() > -1e-12
    assert torch.linalg.matrix_rank(g) == rank
    assert torch.allclose(g.trace() * channels * side ** 2, f.square().sum())


def test_gram_less_the_means_is_the_covariance():
    f = features(1, 5, 6, 6)
    mean = f.mean((2, 3))[0]
    assert torch.allclose(5 * objectives.gram(f)[0] - mean[:, None] * mean, torch.cov(f.flatten(2)[0], correction=0))


def test_gram_distance_is_a_mean_discrepancy_with_a_squared_kernel():
    """Li et al. 2017: |G - A|^2 is the squared MMD of the features at the positions, kernel (x.y)^2."""
    x, y = features(1, 4, 3, 3), features(1, 4, 3, 3, seed=7)

    def kernel(a, b):
        return ((a.flatten(2)[0].T @ b.flatten(2)[0]) ** 2).mean()

    distance = (4 * (objectives.gram(x) - objectives.gram(y))).square().sum()
    assert torch.allclose(distance, kernel(x, x) + kernel(y, y) - 2 * kernel(x, y))


def test_the_gradient_that_gatys_derived():
    n, m = 4, 15
    f, a = features(1, n, 3, 5).requires_grad_(), n * m * objectives.gram(features(1, n, 3, 5, seed=2))
    g = n * m * objectives.gram(f)
    gradient, = torch.autograd.grad((g - a).square().sum() / (4 * n ** 2 * m ** 2), f)
    assert torch.allclose(gradient, ((g - a) @ f.flatten(2) / (n ** 2 * m ** 2)).view_as(f))


def test_content_loss_is_zero_for_the_same_and_one_for_nothing():
    f = features(3, 5, 4, 6)
    assert torch.equal(objectives.content_loss(f, f), torch.zeros(3, dtype=f.dtype))
    assert torch.allclose(objectives.content_loss(0 * f, f), torch.ones(3, dtype=f.dtype))


def test_style_loss_weighs_layers_alike_whatever_their_size():
    f = {"low": features(2, 3, 4, 4).float(), "high": features(2, 5, 2, 2).float()}
    grams = {layer: objectives.gram(features(1, *values.shape[1:], seed=9).float()) for layer, values in f.items()}
    loss = objectives.style_loss(f, grams)
    louder = objectives.style_loss(f | {"high": 10 * f["high"]}, grams | {"high": 100 * grams["high"]})
    assert loss.shape == (2,) and torch.allclose(louder, loss, rtol=1e-4)
    own = {layer: objectives.gram(values) for layer, values in f.items()}
    assert objectives.style_loss(f, own).abs().max() < 1e-9


# The describing network


@pytest.fixture(scope="module")
def describer():
    return style_nets.smoothed(models.load(style_nets.DESCRIBER))


def test_codes_are_the_layers_outputs_and_differentiable(describer):
    image = datasets.photo("chelsea", 64).requires_grad_()
    codes = objectives.codes(describer, image, ["relu1_1", CONTENT_LAYER])
    assert torch.allclose(codes[CONTENT_LAYER], hooks.features(describer, image.detach(), CONTENT_LAYER), atol=1e-5)
    assert codes["relu1_1"].shape == (1, 24, 64, 64)
    assert torch.autograd.grad(codes[CONTENT_LAYER].sum(), image)[0].abs().sum() > 0
    assert not any(module._forward_hooks for module in describer.modules())


def test_codes_take_layers_in_any_order(describer):
    picture = torch.rand(1, 3, 32, 32)
    found, other = (objectives.codes(describer, picture, names) for names in (["relu4_1", "relu1_1"], ["relu1_1", "relu4_1"]))
    assert all(torch.equal(found[name], other[name]) for name in other)
    with pytest.raises(ValueError, match="layer: got 'relu9'"):
        objectives.codes(describer, torch.rand(1, 3, 32, 32), ["relu9"])


def test_smoothing_leaves_the_network_alone():
    model = models.load("resnet_s", weights="random")
    picture = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    before = model(picture)
    smooth = style_nets.smoothed(model)
    assert torch.equal(model(picture), before) and not torch.equal(smooth(picture), before)
    assert not any(isinstance(module, nn.MaxPool2d) for module in smooth.modules())
    assert hooks.features(smooth, picture, "pool1").shape == hooks.features(model, picture, "pool1").shape


def test_a_smoothed_network_sees_no_frame(describer):
    flat = torch.full((1, 3, 64, 64), 0.7)
    for layer in STYLE_LAYERS:
        values = hooks.features(describer, flat, layer)
        assert torch.allclose(values, values.mean((2, 3), keepdim=True), atol=1e-4)


def test_a_style_of_one_pixel_is_refused(describer):
    with pytest.raises(ValueError, match=r"style: got shape \(1, 3, 1, 1\). It takes pictures of at least 32x32 px"):
        style_nets.describe(describer, torch.rand(1, 3, 1, 1))
    smallest = style_nets.describe(describer, style_nets.style_picture("mosaic", 32))
    assert all(torch.isfinite(values).all() for values in smallest.values())


def test_the_goal_is_the_sum_of_its_losses_whatever_the_order_of_layers(describer, photos):
    photo, image, picture = photos[:1], photos[1:2], style_nets.style_picture("mosaic", 64)
    later = ["bn4_1", "conv5_1"]   # after the content layer, but before it in the alphabet
    grams = dict(reversed(style_nets.describe(describer, picture, later).items()))
    codes = objectives.codes(describer, torch.cat([photo, image]), [CONTENT_LAYER, *later])
    content = objectives.content_loss(codes[CONTENT_LAYER][1:], codes[CONTENT_LAYER][:1])
    style = objectives.style_loss({layer: codes[layer][1:] for layer in later}, grams)
    smooth = 0.5 * objectives.total_variation(2)(image) / image.numel()
    loss = -style_nets.goal(describer, photo, grams, weight=7.0)(image)
    torch.testing.assert_close(loss, content + 7 * style + smooth, rtol=1e-4, atol=1e-5)


def test_the_goal_wants_layers_that_exist(describer, targets, photos):
    with pytest.raises(ValueError, match="layer: got 'relu3_3'. Did you mean"):
        style_nets.goal(describer, photos, targets["mosaic"], layer="relu3_3")
    with pytest.raises(ValueError, match="layer: got 'relu9'"):
        style_nets.goal(describer, photos, {"relu9": torch.eye(3)[None]})


def test_transfer_brings_the_style_and_a_larger_weight_more_of_it(describer, targets):
    photo, grams = datasets.photo("coffee", 48), targets["mosaic"]
    losses = []
    for weight in (0.5, 40.0):
        moved = style_nets.transfer(describer, photo, grams, weight, rounds=1, inner=12, quiet=True)
        assert moved.images.shape == photo.shape and 0 <= moved.images.min() and moved.images.max() <= 1
        losses.append(-objectives.near_style(describer, grams)(moved.images).item())
    assert losses[1] < losses[0] < -objectives.near_style(describer, grams)(photo).item()


def test_too_many_pixels_are_scaled_down_with_a_warning(describer, targets, monkeypatch):
    large = torch.rand(2, 3, 60, 120, generator=torch.Generator().manual_seed(0))
    with pytest.warns(UserWarning, match="images: 2 of 60x120 px need too much memory; they were scaled down to 30x60"):
        fewer = style_nets.affordable(large, most=2 * 30 * 60)
    assert fewer.shape == (2, 3, 30, 60) and style_nets.affordable(large) is large
    monkeypatch.setattr(style_nets, "MOST", 32 * 32)
    with pytest.warns(UserWarning, match="scaled down to 32x32 px"):
        moved = style_nets.transfer(describer, datasets.photo("coffee", 48), targets["mosaic"], rounds=1, inner=2,
                                    quiet=True)
    assert moved.images.shape == (1, 3, 32, 32)


# The painting network


@pytest.fixture(scope="module")
def network():
    return style_nets.load()


@pytest.fixture(scope="module")
def photos():
    return torch.cat([datasets.photo(name, 128) for name in PHOTOS])


@pytest.fixture(scope="module")
def targets(describer):
    """{style: {layer: Gram matrix}}."""
    return {name: {layer: objectives.gram(values) for layer, values in objectives.codes(
        describer, style_nets.style_picture(name, 256), STYLE_LAYERS).items()} for name in STYLES}


@pytest.mark.parametrize("style, factor", [("brush_strokes", 10), ("mosaic", 10), ("primaries", 2)])
def test_paints_the_style_and_keeps_the_content(network, describer, photos, targets, style, factor):
    layers = [CONTENT_LAYER, *STYLE_LAYERS]
    painted, before = (objectives.codes(describer, x, layers) for x in (network(photos, style), photos))
    losses = [objectives.style_loss(f, targets[style]) for f in (before, painted)]
    assert (losses[1] < losses[0] / factor).all()
    own = objectives.content_loss(painted[CONTENT_LAYER], before[CONTENT_LAYER])
    other = objectives.content_loss(painted[CONTENT_LAYER], before[CONTENT_LAYER].roll(1, 0))
    assert (own < other).all() and own.mean() < 0.7 * other.mean()


@pytest.mark.parametrize("style", STYLES)
def test_each_style_is_nearest_to_its_own_picture(network, describer, photos, targets, style):
    painted = objectives.codes(describer, network(photos, style), STYLE_LAYERS)
    losses = {name: objectives.style_loss(painted, grams).mean() for name, grams in targets.items()}
    assert min(losses, key=losses.get) == style


@pytest.mark.parametrize("height, width", [(97, 130), (8, 8), (64, 33), (51, 200)])
def test_same_size_and_range_back(network, height, width):
    painted = network(torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)), "mosaic")
    assert painted.shape == (1, 3, height, width) and 0 <= painted.min() and painted.max() <= 1
    assert torch.isfinite(painted).all()


def test_paints_the_same_each_time_and_each_image_alone(network, photos):
    painted = network(photos, "brush_strokes")
    assert torch.equal(network(photos, "brush_strokes"), painted)
    assert torch.allclose(network(photos[2:3], "brush_strokes"), painted[2:3], atol=1e-4)


def test_styles_by_name_by_share_and_mixed(network, photos):
    one, three = (network(photos, style) for style in (STYLES[0], STYLES[2]))
    shares = torch.tensor([1.0, 0, 0])
    assert torch.allclose(network(photos, shares), one, atol=1e-5)
    each = network(photos, torch.eye(3)[[0, 2, 0, 2]])
    assert torch.allclose(each[1], three[1], atol=1e-4) and torch.allclose(each[2], one[2], atol=1e-4)
    between = network(photos, (shares + shares.flip(0)) / 2)
    distances = [(between - end).square().mean() for end in (one, three)]
    assert max(distances) < (one - three).square().mean()


def test_frozen_and_small(network):
    assert not any(p.requires_grad for p in network.parameters()) and not network.training
    assert (files.root() / "weights/style_net.safetensors").stat().st_size <= 0.9e6


def test_bad_input(network):
    image = torch.rand(1, 3, 16, 16)
    with pytest.raises(ValueError, match="style: got 'mosaik'. Did you mean 'mosaic'"):
        network(image, "mosaik")
    with pytest.raises(ValueError, match=r"style: got \(2,\).*brush_strokes.*shares"):
        network(image, torch.ones(2))
    with pytest.raises(ValueError, match="style: got int"):
        network(image, 1)
    with pytest.raises(ValueError, match="at least 8x8 px"):
        network(image[..., :1, :1], "mosaic")
    with pytest.raises(ValueError, match="images: got values from"):
        network(image * 255, "mosaic")


def test_altered_weights_are_refused(tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    path = shutil.copy(files.root() / "weights/style_net.safetensors", tmp_path / "weights")
    shutil.copy(files.root() / files.SUMS, tmp_path)
    monkeypatch.setenv("LECTUREKIT_DATA", str(tmp_path))
    with open(path, "r+b") as file:
        file.truncate(5000)
    with pytest.raises(ValueError, match="style_net.safetensors.*is not the published file"):
        style_nets.load()


def test_card_belongs_to_the_weights():
    card = (files.root() / "weights/style_net.md").read_text()
    assert files.sha256(files.root() / "weights/style_net.safetensors") in card


# The style pictures


@pytest.mark.parametrize("name", style_nets.PICTURES)
def test_style_pictures(name):
    picture, side = style_nets.style_picture(name), 320 if name in STYLES else 768
    assert picture.shape == (1, 3, side, side) and picture.std() > 0.15
    assert (files.root() / f"styles/{name}.jpg").stat().st_size < (150e3 if side == 320 else 500e3)
    assert style_nets.style_picture(name, 64).shape == (1, 3, 64, 64)


def test_the_grid_holds_its_five_colours():
    pixels = style_nets.style_picture("primaries")[0].permute(1, 2, 0).reshape(-1, 3).numpy()
    palette = np.array([[20, 18, 15], [243, 239, 226], [211, 32, 31], [23, 63, 156], [244, 207, 31]]) / 255
    distances = np.linalg.norm(pixels[:, None] - palette, axis=2)
    shares = np.bincount(distances.argmin(1), minlength=5) / len(pixels)
    assert (distances.min(1) < 0.2).mean() > 0.95 and shares.min() > 0.05


def test_unknown_style_picture():
    with pytest.raises(ValueError, match="name: got 'mosaics'. Did you mean 'mosaic'"):
        style_nets.style_picture("mosaics")
