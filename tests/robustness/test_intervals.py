"""Interval bounds: exact for one layer, never too narrow for several, proofs that no attack contradicts."""

import pytest
import torch
from torch import nn

from lecturekit.robustness import attacks, intervals, robust_training


def images(count=6, seed=0):
    return torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(seed))


def network(**options):
    return intervals.perceptron(**{"hidden": (12, 12), "inputs": 16, "classes": 3, **options}).requires_grad_(False)


def test_for_a_linear_layer_the_bounds_are_reached():
    net, x = network(hidden=()), 0.3 + 0.4 * images()
    low, high = intervals.logits(net, x, 0.1)
    for k in range(3):
        signs = net[1].weight[k].sign().view(1, 1, 4, 4)
        assert torch.allclose(net(x - 0.1 * signs)[:, k], low[:, k], atol=1e-5)
        assert torch.allclose(net(x + 0.1 * signs)[:, k], high[:, k], atol=1e-5)


def test_the_bounds_hold_whatever_the_change():
    net, x = network(), images()
    low, high = intervals.logits(net, x, 0.2)
    for seed in range(50):
        moved = (x + 0.2 * (2 * images(seed=seed + 1) - 1)).clamp(0, 1)
        assert (net(moved) >= low - 1e-5).all() and (net(moved) <= high + 1e-5).all()
    assert all(torch.allclose(bound, net(x), atol=1e-5) for bound in intervals.logits(net, x, 0))


def test_what_is_certified_stands_and_training_for_it_certifies_more():
    x = images(90)
    labels = (x[:, 0, 0, :3].argmax(1))
    trained = {name: robust_training.fit(network(), x, labels, loss, 30) for name, loss in
               (("plain", None), ("bounds", intervals.training(0.05)))}
    proved = {name: intervals.certified(net, x, labels, 0.05) for name, net in trained.items()}
    for name, net in trained.items():
        assert not (attacks.fooled(net, attacks.pgd(net, x, labels, 0.05), labels) & proved[name]).any()
    assert proved["bounds"].sum() > proved["plain"].sum() + 9


def test_errors_name_what_it_takes():
    with pytest.raises(ValueError, match="network: got a Tanh. It takes an nn.Sequential of nn.Flatten"):
        intervals.logits(nn.Sequential(nn.Flatten(), nn.Tanh()), images(), 0.1)
    with pytest.raises(ValueError, match="labels"):
        intervals.certified(network(), images(), torch.zeros(5).long(), 0.1)
