"""Randomised smoothing: exact for a linear model, a lower bound that holds, abstention."""

import math

import pytest
import torch
from torch import nn

from lecturekit.robustness import smoothing


def halfspace(weights, bias):
    """A network of two classes with logits 0 and w.x + b."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(weights.numel(), 2)).requires_grad_(False)
    model[1].weight[0], model[1].weight[1] = 0, weights.flatten()
    model[1].bias[0], model[1].bias[1] = 0, bias
    return model


WEIGHTS = torch.randn(1, 4, 5, generator=torch.Generator().manual_seed(0))
IMAGES = torch.rand(12, 1, 4, 5, generator=torch.Generator().manual_seed(1))
MODEL = halfspace(WEIGHTS, -0.3)
SCORES = (IMAGES * WEIGHTS).flatten(1).sum(1) - 0.3
MARGINS = SCORES.abs() / WEIGHTS.norm()


def test_the_true_probability_of_a_linear_model_certifies_its_margin():
    sigma = 0.4
    for score, margin in zip(SCORES, MARGINS):
        probability = 0.5 * (1 + torch.erf(score.abs() / (sigma * WEIGHTS.norm()) / 2 ** 0.5)).double().item()
        assert smoothing.radius(probability, sigma) == pytest.approx(margin.item(), abs=1e-4)


def test_certificates_of_a_linear_model_are_below_its_margin_and_come_near_it():
    found = smoothing.certify(MODEL, IMAGES, 0.4, samples=20000)
    sure = found.answers != smoothing.ABSTAIN
    assert sure.sum() >= 8 and (found.answers[sure] == (SCORES > 0).long()[sure]).all()
    reachable = MARGINS < 0.8   # beyond it 20,000 samples hold no counterexample
    assert (found.radii <= MARGINS + 1e-6)[reachable].all()
    assert (found.radii >= 0.9 * MARGINS - 0.03)[sure & reachable].all()
    few = smoothing.certify(MODEL, IMAGES, 0.4, samples=100)
    assert (few.radii[sure] < found.radii[sure] + 0.05).all() and few.radii.mean() < found.radii.mean()


def test_the_largest_radius_is_bounded_by_the_samples():
    found = smoothing.certify(halfspace(torch.zeros(20), 5.0), IMAGES, 0.5, samples=1000)
    expected = smoothing.radius(0.001 ** (1 / 1000), 0.5)   # every sample the same answer
    assert torch.allclose(found.radii, torch.tensor(expected)) and (found.answers == 1).all()


def test_lower_bound_is_clopper_pearson():
    assert smoothing.lower_bound(100, 100, 0.001) == pytest.approx(0.001 ** 0.01)
    assert smoothing.lower_bound(0, 100) == 0
    p = smoothing.lower_bound(60, 100, 0.05)   # the p for which 60 or more of 100 have probability alpha
    tail = sum(math.comb(100, k) * p ** k * (1 - p) ** (100 - k) for k in range(60, 101))
    assert tail == pytest.approx(0.05, rel=1e-6)


def test_predict_abstains_on_the_boundary_and_nowhere_far_from_it():
    model = halfspace(torch.ones(4), -2.0)
    images = torch.stack([torch.full((1, 2, 2), value) for value in (0.5, 1.0, 0.0)])
    assert smoothing.predict(model, images, 0.2, samples=200).tolist() == [smoothing.ABSTAIN, 1, 0]


def test_votes_count_every_sample_and_follow_the_seed():
    counts = [smoothing.votes(MODEL, IMAGES, 0.4, 57, torch.Generator().manual_seed(seed), batch=100)
              for seed in (0, 0, 1)]
    assert (counts[0].sum(1) == 57).all()
    assert torch.equal(counts[0], counts[1]) and not torch.equal(counts[0], counts[2])


def test_certified_accuracy_falls_with_the_radius():
    found = smoothing.certify(MODEL, IMAGES, 0.4)
    labels = (SCORES > 0).long()
    curve = [found.accuracy(labels, radius) for radius in (0, 0.2, 0.5, 1, 10)]
    assert curve == sorted(curve, reverse=True) and curve[0] > 0.5 and curve[-1] == 0
    assert found.accuracy(1 - labels) == 0


@pytest.mark.parametrize("wrong, message", [
    (lambda: smoothing.certify(MODEL, IMAGES, 0), "sigma: got 0"),
    (lambda: smoothing.certify(MODEL, IMAGES, 0.1, samples=0), "samples: got 0"),
    (lambda: smoothing.certify(MODEL, 3 * IMAGES, 0.1), "images: got values"),
    (lambda: smoothing.lower_bound(11, 10), "count, alpha: got 11 of 10")])
def test_bad_input(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
