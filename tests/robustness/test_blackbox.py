"""Queries are counted and have no gradient; attacks keep to their ball and budget; what they reach on digits."""

import numpy as np
import pytest
import torch
from torch import nn

from lecturekit.pictures import datasets
from lecturekit.robustness import attacks, blackbox, robust_training
from lecturekit.robustness.blackbox import Queries
from networks import linear

IMAGES = torch.rand(4, 3, 8, 10, generator=torch.Generator().manual_seed(1))
MODEL, WEIGHTS = linear()
GUESSES = MODEL(IMAGES).argmax(1)


@pytest.fixture(scope="module")
def digits():
    """A digit network, and 40 test digits that it knows."""
    images, labels = datasets.digits()
    network = robust_training.fit(robust_training.digit_net((64,)), images[:1300], labels[:1300], epochs=8)
    known = network(images[1300:]).argmax(1) == labels[1300:]
    return network, images[1300:][known][:40], labels[1300:][known][:40]


def test_queries_gives_probabilities_counts_and_has_no_gradient():
    queries = Queries(MODEL)
    asked = queries(IMAGES.clone().requires_grad_())
    torch.testing.assert_close(asked, MODEL(IMAGES).softmax(1))
    queries(IMAGES[:1])
    assert queries.count == 5 and not asked.requires_grad
    assert torch.equal(Queries(lambda images: MODEL(images))(IMAGES), asked)


def test_square_stays_in_the_ball_and_in_its_budget():
    found = blackbox.square(queries := Queries(MODEL), IMAGES, GUESSES, 0.02, limit=30)
    assert (found.images - IMAGES).abs().max() <= 0.02 + 1e-6 and found.images.min() >= 0 and found.images.max() <= 1
    assert queries.count == found.queries.sum() and found.queries.max() <= 30
    assert torch.equal(MODEL(found.images).argmax(1) != GUESSES, found.fooled)
    assert torch.equal(blackbox.square(Queries(MODEL), IMAGES, GUESSES, 0.02, limit=30).images, found.images)
    nothing = blackbox.square(Queries(MODEL), IMAGES, GUESSES, 0, limit=3)
    assert torch.equal(nothing.images, IMAGES) and not nothing.fooled.any()


def test_square_nears_the_optimum_of_a_linear_model():
    model, weights = linear(classes=2, seed=3)
    middle = torch.full((1, 3, 8, 10), 0.5)
    label = int(model(middle).argmax())
    slope = weights[1 - label] - weights[label]
    model[1].bias[label] += 8   # never fooled, so it goes on until the end
    best = 0.1 * slope.abs().sum()
    found = blackbox.square(Queries(model), middle, label, 0.1, limit=800)
    gained = ((found.images - middle) * slope).sum()
    assert 0.75 * best < gained <= best + 1e-4


def test_square_fools_digits_within_its_budget_and_noise_does_not(digits):
    network, images, labels = digits
    found = blackbox.square(Queries(network), images, labels, 0.2, limit=200)
    noise = (images + 0.2 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0)).sign()).clamp(0, 1)
    assert found.fooled.float().mean() > 0.8 and found.queries.float().mean() < 100
    assert (network(noise).argmax(1) != labels).float().mean() < 0.4
    aimed = blackbox.square(Queries(network), images[:10], labels[:10], 0.4, limit=200, target=8)
    assert torch.equal(aimed.fooled, network(aimed.images).argmax(1) == 8) and aimed.fooled.float().mean() > 0.6


def test_painted_pixels_are_where_they_are_said_to_be():
    genomes = torch.tensor([[2.7, 0.2, 0.1, 0.5, 1.0, 7.9, 9.9, 0, 0, 0]])   # two pixels
    painted = blackbox.painted(IMAGES[:1], genomes)
    assert painted[0, :, 2, 0].tolist() == pytest.approx([0.1, 0.5, 1.0]) and not painted[0, :, 7, 9].any()
    assert ((painted != IMAGES[:1]).any(1).sum() == 2) and (IMAGES[0, :, 7, 9] > 0).any()


def test_one_pixel_finds_the_one_that_matters():
    class Spot(nn.Module):
        def forward(self, images):
            return torch.stack([images[:, 0, 3, 4] * 0 + 0.5, images[:, 0, 3, 4]], 1)   # class 1 if it is bright
    image = torch.zeros(1, 1, 8, 8)
    found = blackbox.one_pixel(Queries(Spot()), image, 0, generations=60)
    assert found.fooled.all() and found.images[0, 0, 3, 4] > 0.5 and (found.images != image).sum() == 1


def test_one_pixel_counts_and_sometimes_succeeds(digits):
    network, images, labels = digits
    queries = Queries(network)
    found = [blackbox.one_pixel(queries, images[i:i + 1], labels[i], generations=8) for i in range(15)]
    fooled = torch.cat([f.fooled for f in found])
    assert queries.count == sum(int(f.queries) for f in found) and max(int(f.queries) for f in found) <= 9 * 50
    assert 0 < fooled.float().mean() < 0.8
    assert torch.equal(attacks.fooled(network, torch.cat([f.images for f in found]), labels[:15]), fooled)


def test_the_boundary_walk_nears_the_boundary_of_a_linear_model():
    slopes = WEIGHTS[GUESSES][:, None] - WEIGHTS[None]   # (N,classes,...)
    gaps = MODEL(IMAGES).gather(1, GUESSES[:, None]) - MODEL(IMAGES)
    least = (gaps / slopes.flatten(2).norm(dim=2).clamp(min=1e-9)).scatter(1, GUESSES[:, None], np.inf).amin(1)
    pool = torch.rand(200, 3, 8, 10, generator=torch.Generator().manual_seed(2))
    starts = torch.stack([pool[MODEL(pool).argmax(1) != guess][0] for guess in GUESSES])
    before = blackbox._between(Queries(MODEL), IMAGES, GUESSES, starts)
    found = blackbox.boundary(queries := Queries(MODEL), IMAGES, GUESSES, starts, limit=600)
    reached, first = attacks.distance(found.images, IMAGES), attacks.distance(before, IMAGES)
    assert (reached >= least - 1e-5).all() and (reached <= first).all() and found.fooled.all()
    assert reached.mean() < 0.8 * first.mean() and queries.count == found.queries.sum() <= 4 * 600
    with pytest.raises(ValueError, match="starts: got images with the label itself"):
        blackbox.boundary(Queries(MODEL), IMAGES, GUESSES, IMAGES)


def test_a_substitute_agrees_and_its_attacks_transfer(digits):
    network, images, labels = digits
    queries = Queries(network)
    known = datasets.digits()[0][1000:1060]
    copy, asked, answers = blackbox.substitute(queries, known, robust_training.digit_net((32,), seed=5), epochs=12)
    assert queries.count == len(asked) == len(answers) == 60 * 16
    assert torch.equal(network(asked).argmax(1), answers) and torch.equal(asked[:60], known)
    adversarial = attacks.fgsm(copy, images, labels, 0.25)
    noise = (images + 0.25 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0)).sign()).clamp(0, 1)
    errors = blackbox.transfer({"copy": copy, "victim": network}, {"attack": adversarial, "noise": noise}, labels)
    assert errors.shape == (2, 2) and errors[0, 1] > errors[1, 1] + 0.2
    assert errors[0, 0].item() == pytest.approx(attacks.fooled(copy, adversarial, labels).float().mean().item())


@pytest.mark.parametrize("call, message", [
    (lambda q: blackbox.square(q, IMAGES, GUESSES, -0.1), "eps: got -0.1"),
    (lambda q: blackbox.square(q, IMAGES, GUESSES, 0.1, limit=0), "limit: got 0"),
    (lambda q: blackbox.square(q, IMAGES, [9] * 4, 0.1), "labels: got"),
    (lambda q: blackbox.square(q, IMAGES + 1, GUESSES, 0.1), "images: got values"),
    (lambda q: blackbox.one_pixel(q, IMAGES, 0), "image: got a batch of 4"),
    (lambda q: blackbox.substitute(q, IMAGES, MODEL, rounds=0), "rounds: got 0")])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(Queries(MODEL))
