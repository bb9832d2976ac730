"""The random twin keeps nothing that was learnt, whatever the network is made of."""

import pytest
import torch
import torchvision
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from lecturekit.attribution import sanity
from lecturekit.networks import models
from lecturekit.networks.randomising import randomised


def learnt(model):
    """The network with every parameter as if something had been learnt."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 + torch.randn(parameter.shape, generator=generator))
    return model.eval()


def vit():
    """vit_b_16 in small: all of its modules and bare parameters."""
    return learnt(torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=3, num_heads=2, hidden_dim=16, mlp_dim=24, num_classes=5))


def swin():
    return learnt(torchvision.models.SwinTransformer([4, 4], 8, [1, 1], [2, 2], [4, 4], num_classes=5))


class Odd(nn.Module):
    """A bare matrix, a single number, a vector of zeros, weights behind a parametrisation, an embedding."""

    def __init__(self):
        super().__init__()
        self.matrix, self.scale = nn.Parameter(torch.randn(8, 8)), nn.Parameter(torch.tensor(2.7))
        self.zeros, self.normed = nn.Parameter(torch.zeros(8)), weight_norm(nn.Linear(8, 8))
        self.table = nn.Embedding(5, 8)

    def forward(self, x):
        return self.scale * self.normed(x @ self.matrix + self.zeros)


def same(model, other):
    return [name for (name, one), two in zip(model.named_parameters(), other.parameters()) if torch.equal(one, two)]


@pytest.mark.parametrize("make", [vit, swin, lambda: learnt(nn.TransformerEncoderLayer(8, 2, 8)),
                                  lambda: learnt(torchvision.models.convnext_tiny(num_classes=2).features[0:2])])
def test_no_parameter_keeps_what_was_learnt(make):
    model = make()
    twin = randomised(model, seed=3)
    assert same(model, twin) == []
    for one, other in zip(model.parameters(), twin.parameters()):
        if one.numel() > 500:
            together = torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]
            assert together.abs() < 0.2
    assert all(torch.equal(one, other) for one, other in zip(twin.parameters(), randomised(model, seed=3).parameters()))


def test_what_no_module_draws_has_its_own_mean_and_deviation():
    model = vit()
    twin = randomised(model)
    one, other = model.encoder.pos_embedding, twin.encoder.pos_embedding
    assert other.mean().item() == pytest.approx(one.mean().item(), abs=0.15)
    assert other.std().item() == pytest.approx(one.std().item(), abs=0.15)


def test_bare_parameters_single_numbers_parametrisations_and_what_is_constant():
    model = Odd()
    twin = randomised(model)
    assert same(model, twin) == ["zeros"]   # it knows nothing
    assert torch.isfinite(twin(torch.rand(2, 8))).all()
    once_more = nn.BatchNorm2d(1)
    assert same(once_more, randomised(once_more)) == ["weight", "bias"]   # drawn by their module: 1 and 0


def test_parameters_can_be_named():
    model = vit()
    twin = randomised(model, layers=["class_token", "encoder.ln"])
    assert {name for name, _ in model.named_parameters()} - set(same(model, twin)) == {
        "class_token", "encoder.ln.weight", "encoder.ln.bias"}
    with pytest.raises(ValueError, match="layers: got 'class_tokens'. Did you mean 'class_token'"):
        randomised(model, layers="class_tokens")


def test_a_scripted_network_has_a_twin():
    model = torch.jit.script(learnt(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))))
    assert same(model, randomised(model)) == []


def test_the_cascade_reaches_every_parameter_of_a_vision_transformer():
    model = vit()
    steps = list(sanity.cascade(model))
    assert len(steps) >= 5 and "class_token" in same(model, steps[-2][1])
    assert same(model, steps[-1][1]) == []
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    answers = [models.predict(drawn, images) for _, drawn in steps]
    assert all(torch.isfinite(answer).all() for answer in answers)
