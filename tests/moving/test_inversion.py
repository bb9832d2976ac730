"""Inversion: least-norm pre-images and pairs of ReLUs in closed form, the normalised error, the decoder as conditional
mean, seeds."""

import pytest
import torch
from torch import nn

from lecturekit.networks import hooks, models
from lecturekit.moving import inversion, objectives, optimise
from lecturekit.moving.objectives import near_code
from lecturekit.moving.steps import ascent

GENERATOR = torch.Generator().manual_seed(2)
W = torch.randn(12, 48, generator=GENERATOR, dtype=torch.float64)   # of full row rank
X = torch.rand(5, 48, generator=GENERATOR, dtype=torch.float64)
IMAGES = torch.rand(2, 3, 32, 32, generator=GENERATOR)


@pytest.fixture(scope="module")
def network():
    return models.load("alexnet_s", weights="random")



def test_least_norm_pre_image_and_the_null_space():
    code, inverse = X @ W.T, torch.linalg.pinv(W)
    least = code @ inverse.T
    torch.testing.assert_close(least @ W.T, code)
    unseen = X - X @ W.T @ inverse.T
    torch.testing.assert_close((least + 3 * unseen) @ W.T, code)
    assert (unseen.norm(dim=1) > 0.5).all() and ((least + unseen).norm(dim=1) > least.norm(dim=1)).all()
    torch.testing.assert_close((least * unseen).sum(1), torch.zeros(5, dtype=torch.float64))


def test_descent_from_zero_finds_the_least_norm_pre_image_and_from_elsewhere_the_nearest():
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 12, bias=False)).double().requires_grad_(False)
    model[1].weight.copy_(W)
    code, inverse = X[:1] @ W.T, torch.linalg.pinv(W)
    rate = ascent(0.4 * code.square().sum().item() / torch.linalg.matrix_norm(W, 2).square().item())
    for start in (torch.zeros(1, 48, dtype=torch.float64), X[1:2]):
        found = optimise(start.view(1, 3, 4, 4), near_code(model, "1", code), 400, rate).images.flatten(1)
        torch.testing.assert_close(found, start + (code - start @ W.T) @ inverse.T, rtol=0, atol=1e-6)


def test_orthogonal_weights_with_pairs_of_relus_lose_nothing():
    q = torch.linalg.qr(torch.randn(48, 48, generator=GENERATOR, dtype=torch.float64)).Q
    seen = X @ q.T
    torch.testing.assert_close((seen.relu() - (-seen).relu()) @ q, X)
    half = seen.relu() @ q   # without the negative half
    torch.testing.assert_close((half - X).square().sum(1), (-seen).relu().square().sum(1))


def test_normalised_error_at_the_picture_and_where_the_code_is_zero():
    features = torch.randn(3, 4, 5, 5, generator=GENERATOR)
    assert objectives.content_loss(features, features).tolist() == [0] * 3
    assert objectives.content_loss(torch.zeros_like(features), features).tolist() == pytest.approx([1] * 3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 12, bias=False))
    picture = X[:1].float().view(1, 3, 4, 4)
    scores = near_code(model, "1", model(picture).detach())(torch.cat([picture, 0 * picture, 2 * picture]))
    assert scores.tolist() == pytest.approx([0, -1, -1])


def test_the_least_squares_decoder_is_the_conditional_mean():
    code = torch.randint(4, (60,), generator=GENERATOR)
    pictures = torch.rand(60, 48, generator=GENERATOR, dtype=torch.float64)
    seen = nn.functional.one_hot(code, 4).double()
    decoded = seen @ torch.linalg.lstsq(seen, pictures).solution
    means = torch.stack([pictures[code == k].mean(0) for k in range(4)])
    torch.testing.assert_close(decoded, means[code])
    loss = (pictures - decoded).square().mean()   # any other decoder is worse by its distance to the mean
    other = means[code] + 0.1 * torch.randn(4, 48, generator=GENERATOR, dtype=torch.float64)[code]
    torch.testing.assert_close((pictures - other).square().mean(), loss + (other - decoded).square().mean())


def test_smoothness_is_counted_per_pixel_and_scaled():
    checks = (torch.arange(6)[:, None] + torch.arange(8)).remainder(2).float().expand(1, 3, 6, 8)
    assert inversion.smooth(2, 5.0)(checks).item() == pytest.approx(5.0 * 3 * (5 * 8 + 6 * 7) / 48)
    assert inversion.smooth(1, 2.0)(torch.ones(1, 3, 6, 8)).item() == 0


def test_one_objective_for_each_image():
    both = inversion.one_each(list(inversion.PRIORS.values())[:2])(IMAGES)
    assert both[0] == 0 and both[1] == inversion.PRIORS["TV, beta = 1"](IMAGES[1:])[0]
    with pytest.raises(ValueError, match="zip"):
        inversion.one_each(list(inversion.PRIORS.values()))(IMAGES)


def test_a_full_run_is_reproducible_from_its_seed(network):
    code = hooks.features(network, IMAGES[:1], "relu2")
    runs = [inversion.invert(network, "relu2", code, inversion.noise(2, 32, seed), inversion.PRIORS["TV, beta = 2"], 6)
            for seed in (0, 0, 1)]
    assert torch.equal(runs[0].images, runs[1].images) and torch.equal(runs[0].scores, runs[1].scores)
    assert not torch.equal(runs[0].images, runs[2].images)


def test_inversion_comes_nearer_and_a_prior_makes_smoother(network):
    code = hooks.features(network, IMAGES[:1], "conv1")
    start, priors = inversion.noise(1, 32).expand(3, -1, -1, -1), inversion.PRIORS.values()
    found = inversion.invert(network, "conv1", code, start, inversion.one_each(priors), 30).images
    errors = -near_code(network, "conv1", code)(torch.cat([start[:1], found]))
    assert errors[1] < 0.1 and errors[2:].max() < 0.9 * errors[0] and errors[1] < errors[2:].min()
    variation = objectives.total_variation(2)(found)
    assert variation[0] > variation[1:].max() and 0 <= found.min() <= found.max() <= 1


def test_noise():
    drawn = inversion.noise(2, 40, seed=3)
    assert drawn.shape == (2, 3, 40, 40) and torch.equal(drawn, inversion.noise(2, 40, seed=3))
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.01) and drawn.std().item() == pytest.approx(0.05, abs=0.005)
    assert not torch.equal(drawn, inversion.noise(2, 40, seed=4)) and not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("layer, code, message", [
    ("conv9", torch.zeros(1, 64, 8, 8), "layer: got 'conv9'. Did you mean 'conv.*It takes one of: normalize, conv1"),
    ("conv1", torch.zeros(1, 64, 7, 7), r"code: got shape \(1, 64, 7, 7\). It takes .*\(1, 64, 8, 8\)"),
    ("conv1", torch.zeros(3, 64, 8, 8), r"code: got shape \(3, 64, 8, 8\)")])
def test_bad_input(network, layer, code, message):
    with pytest.raises(ValueError, match=message):
        inversion.invert(network, layer, code, inversion.noise(2, 32), quiet=True)


def test_a_code_of_zeros_stops_at_once(network):
    with pytest.warns(UserWarning, match="the score is (nan|inf) at step 0"):
        inversion.invert(network, "relu2", torch.zeros(1, 128, 3, 3), inversion.noise(1, 32), quiet=True)
    with pytest.raises(ValueError, match="count: got 0"):
        inversion.noise(0, 32)
