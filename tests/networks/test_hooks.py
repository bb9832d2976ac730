"""Hooks see what a layer really gave, and leave nothing behind."""

import pytest
import torch
from torch import nn

from lecturekit.networks import hooks


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 5))


def count(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules())


def test_record_is_safe_against_in_place_layers(model):
    images = torch.rand(2, 3, 8, 8)
    with hooks.record(model, ["0", "1"]) as activations:
        model.eval()(images)
    assert torch.equal(activations["0"], model[0](images))
    assert activations["0"].min() < 0 and activations["1"].min() == 0
    assert activations["0"].requires_grad
    assert count(model) == 0


def test_record_cleans_up_after_an_exception(model):
    with pytest.raises(RuntimeError):
        with hooks.record(model, "1"):
            model(torch.rand(1, 3, 5, 5))
    assert count(model) == 0
    with pytest.raises(ValueError, match="layer: got 'conv9'"):
        with hooks.record(model, ["0", "conv9"]):
            pass
    assert count(model) == 0


def test_forward_to_stops_there(model):
    calls = []
    model[3].register_forward_hook(lambda *_: calls.append(1))
    images = torch.rand(1, 3, 8, 8)
    assert torch.equal(hooks.forward_to(model.eval(), images, "0"), model[0](images))
    assert calls == [] and count(model) == 1


def test_forward_to_refuses_what_is_never_reached():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.idle = nn.ReLU()

        def forward(self, x):
            return x

    with pytest.raises(ValueError, match="'idle', which the forward pass never reaches"):
        hooks.forward_to(Idle(), torch.rand(1, 3, 4, 4), "idle")


@pytest.mark.parametrize("number", [0, 1, 5])
def test_features_in_batches_equal_one_pass(model, number):
    images = torch.rand(number, 3, 8, 8)
    batched = hooks.features(model.eval(), images, "2", batch=2)
    assert not batched.requires_grad
    assert torch.allclose(batched, model[:3](images), atol=1e-6)


def test_preserved_restores_everything_also_after_an_exception(model):
    model.train()
    model[2].eval()
    model[4].weight.requires_grad_(False)
    model(torch.rand(2, 3, 8, 8)).sum().backward()
    gradient = model[0].weight.grad.clone()
    with pytest.raises(KeyError):
        with hooks.preserved(model):
            model.eval().requires_grad_(True)
            model[0].register_forward_hook(lambda *_: None)
            model(torch.rand(2, 3, 8, 8)).sum().backward()
            raise KeyError
    assert [m.training for m in model] == [True, True, False, True, True]
    assert not model[4].weight.requires_grad and model[0].weight.requires_grad
    assert torch.equal(model[0].weight.grad, gradient) and model[4].weight.grad is None
    assert count(model) == 0
