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


def test_forward_to_stops_there_once_it_knows_how_often_the_layer_runs(model):
    calls = []
    model[3].register_forward_hook(lambda *_: calls.append(1))
    images = torch.rand(1, 3, 8, 8)
    for passes in (1, 1):   # the first pass runs to the end, no other does
        assert torch.equal(hooks.forward_to(model, images, "0"), model[0](images))
        assert len(calls) == passes and count(model) == 1


class Reused(nn.Module):
    """One ReLU, three times, and a linear layer that takes pictures of 8x8 px alone, by .view."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(64, 5)
        self.relu = nn.ReLU(inplace=True)

    def steps(self, x):
        yield "conv1", (x := self.conv1(x))
        yield "relu", (x := x.relu())
        yield "conv2", (x := self.conv2(x))
        yield "relu", (x := (x + 0.1).relu())
        yield "fc", (x := self.fc(x.flatten(1)))
        yield "relu", x.relu()

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x) + 0.1)
        return self.relu(self.fc(x.view(len(x), -1)))


@pytest.mark.parametrize("names", [["relu"], ["conv1"], ["conv2", "conv1"], ["relu", "conv1"]])
def test_the_last_call_of_a_layer_counts_in_any_order_of_names(names):
    model, images = Reused(), torch.rand(3, 3, 8, 8)
    last = dict(model.steps(images))
    for _ in range(2):   # before and after it is known how often each layer runs
        for name, output in hooks.features(model, images, names).items():
            assert torch.allclose(output, last[name], atol=1e-6)
            assert torch.allclose(hooks.forward_to(model, images, name), last[name], atol=1e-6)
            assert torch.allclose(hooks.features(model, images, name), last[name], atol=1e-6)


def test_what_fails_behind_a_layer_does_not_keep_it_from_being_reached():
    model, images = Reused(), torch.rand(2, 3, 9, 9)
    for _ in range(2):
        assert torch.allclose(hooks.features(model, images, "conv2"), dict(
            zip(("conv1", "relu", "conv2"), (output for _, output in model.steps(images))))["conv2"], atol=1e-6)
    with pytest.raises(RuntimeError, match="shapes"):
        hooks.features(model, images, "fc")
    assert count(model) == 0


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


def test_entered_restores_everything_also_after_an_exception(model):
    model.train()
    model[2].eval()
    statistics = model[2].running_mean.clone()
    with pytest.raises(KeyError):
        with hooks.entered(model, gradients=True):
            assert not any(module.training for module in model.modules())
            assert not any(parameter.requires_grad for parameter in model.parameters())
            model(torch.rand(2, 3, 8, 8))
            raise KeyError
    assert [m.training for m in model] == [True, True, False, True, True] and model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(model[2].running_mean, statistics)
    with pytest.raises(TypeError, match="model: got str. It takes a torch.nn.Module"):
        with hooks.entered("resnet_s"):
            pass


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
