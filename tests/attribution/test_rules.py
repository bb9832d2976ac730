"""ReLU rules: the lecture's example, golden net A, ReLUs in every form, refusals, nothing left behind."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lecturekit.attribution import gradient
from lecturekit.attribution.rules import RULES, obeyed, relu_rule
from lecturekit.networks import models
from networks import FORMS, Forms, golden

BELOW = torch.tensor([[1.0, -1, 5], [2, -5, -7], [-3, 2, 4]])
ABOVE = torch.tensor([[-2.0, 3, -1], [6, -3, 1], [2, -1, 3]])
EXAMPLE = {"gradient": [[-2, 0, -1], [6, 0, 0], [0, -1, 3]], "deconvnet": [[0, 3, 0], [6, 0, 1], [2, 0, 3]],
           "guided": [[0, 0, 0], [6, 0, 0], [0, 0, 3]]}
GOLDEN = {"gradient": [[0, 1, 1, 1]] * 3 + [[0] * 4], "guided": [[0, 1, 1, 1], [1, 3, 3, 2], [1, 3, 3, 2], [1, 2, 2, 1]],
          "deconvnet": [[2, 3, 3, 1], [3, 5, 5, 2], [3, 5, 5, 2], [1, 2, 2, 1]]}
IMAGES = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("rule", RULES)
def test_the_example_of_the_lecture(rule):
    assert RULES[rule](BELOW, ABOVE).tolist() == EXAMPLE[rule]
    inputs = BELOW.clone().requires_grad_()
    with relu_rule(rule):
        out = F.relu(inputs)
    assert torch.equal(out, torch.tensor([[1.0, 0, 5], [2, 0, 0], [0, 2, 4]]))
    assert torch.autograd.grad(out, inputs, ABOVE)[0].tolist() == EXAMPLE[rule]


@pytest.mark.parametrize("rule", RULES)
def test_golden_net(rule):
    found = gradient(golden(), torch.arange(16.0).view(1, 1, 4, 4) / 16, 0, rule=rule)
    assert (found[0, 0] / 16).tolist() == GOLDEN[rule]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rule", RULES)
def test_relus_in_every_form(form, rule):
    model, plain = Forms(form), Forms("reused")
    expected = gradient(plain, IMAGES, 1, rule=rule)
    torch.testing.assert_close(gradient(model, IMAGES, 1, rule=rule), expected, rtol=0, atol=1e-7)
    with relu_rule(rule):
        assert torch.equal(model(IMAGES), plain(IMAGES))
    assert rule == "gradient" or not torch.allclose(expected, gradient(plain, IMAGES, 1))


def test_an_own_rule_and_its_reach():
    inputs = BELOW.clone().requires_grad_()
    with relu_rule(lambda below, above: 2 * above):
        inside = torch.relu(inputs)
    assert torch.equal(torch.autograd.grad(inside, inputs, ABOVE)[0], 2 * ABOVE)
    assert torch.equal(torch.autograd.grad(torch.relu(inputs), inputs, ABOVE)[0], ABOVE * (BELOW > 0))


@pytest.mark.parametrize("layer", [nn.ReLU6, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.ELU, nn.Hardswish, nn.Mish, nn.PReLU,
                                   lambda: nn.Threshold(0, 0)])
def test_other_rectifiers_are_refused_by_name(layer):
    model = nn.Sequential(nn.Flatten(), nn.Linear(126, 5), layer(), nn.Linear(5, 2))
    assert gradient(model, IMAGES, 0).abs().sum() > 0
    with pytest.raises(ValueError, match="rule: the network uses [a-z_0-9]+. It takes a network whose only rectifier is"):
        gradient(model, IMAGES, 0, rule="guided")
    assert torch.equal(F.relu(BELOW), BELOW.clamp(min=0))   # nothing stays behind


@pytest.mark.parametrize("name, rectify", [
    ("relu6", F.relu6), ("maximum", lambda x: torch.maximum(x, torch.zeros_like(x))), ("max", lambda x: torch.max(x, 0 * x)),
    ("where", lambda x: torch.where(x > 0, x, 0)), ("mul", lambda x: x * (x > 0)), ("mul", lambda x: (x > 0).float() * x),
    ("mul", lambda x: x.clone().mul_(x > 0)), ("clamp", lambda x: x.clamp(0, 6)), ("clip", lambda x: x.clip(0, 2)),
    ("masked_fill", lambda x: x.masked_fill(x < 0, 0)), ("hardtanh", lambda x: F.hardtanh(x, 0, 1))])
def test_a_rectifier_in_disguise_beside_real_relus_is_refused_by_name(name, rectify):
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.one, self.two = nn.Linear(126, 50), nn.Linear(50, 2)

        def forward(self, images):
            return self.two(rectify(F.relu(self.one(images.flatten(1))) - 0.1))

    assert gradient(Mixed(), IMAGES, 0).abs().sum() > 0
    with pytest.raises(ValueError, match=f"rule: the network uses {name}. It takes a network whose only rectifier"):
        gradient(Mixed(), IMAGES, 0, rule="guided")


def test_clipped_from_below_alone_is_a_relu():
    inputs = BELOW.clone().requires_grad_()
    with relu_rule("guided"):
        out = inputs.clip(min=0)
    assert torch.autograd.grad(out, inputs, ABOVE)[0].tolist() == EXAMPLE["guided"]


@pytest.mark.parametrize("harmless", [
    lambda x: x * torch.sigmoid(x), lambda x: torch.maximum(x, x - 1), lambda x: torch.where(x > 0, x, -x),
    lambda x: x * 0.5, lambda x: x * torch.tensor([1.0, 0, 1]), lambda x: x.masked_fill(x > 3, 0)])
def test_what_is_no_rectifier_is_left_alone(harmless):
    inputs = BELOW.clone().requires_grad_()
    with relu_rule("guided"):
        out = F.relu(harmless(inputs))
    assert torch.equal(out, F.relu(harmless(BELOW)))


def test_clamps_that_are_no_relus_are_left_alone():
    inputs = BELOW.clone().requires_grad_()
    with relu_rule("guided"):
        clamped = F.relu(inputs).clamp(0, 3) + inputs.clamp(min=-2) + inputs.clamp(max=1)
    ordinary = F.relu(inputs).clamp(0, 3) + inputs.clamp(min=-2) + inputs.clamp(max=1)
    ones = torch.ones_like(BELOW)
    assert torch.equal(*(torch.autograd.grad(out, inputs, ones)[0] for out in (clamped, ordinary)))


def test_no_relu_and_unknown_rules_are_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(126, 2))
    with pytest.raises(ValueError, match="rule: the network has no ReLU"):
        gradient(model, IMAGES, 0, rule="deconvnet")
    with pytest.raises(ValueError, match="rule: got 'guide'. Did you mean 'guided'"):
        gradient(model, IMAGES, 0, rule="guide")


@pytest.mark.parametrize("name, obeys", [("resnet_s", True), ("squeezenet1_1", True), ("mobilenet_v3_small", False)])
def test_which_networks_the_rules_apply_to(name, obeys):
    assert obeyed(models.load(name, "random")) is obeys
