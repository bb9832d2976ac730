"""Cascading randomisation: each step on top of the last, the network untouched; who passes the check and who fails."""

import copy

import pytest
import torch
from torch import nn

from lecturekit.networks import models
from lecturekit.attribution import gradient, sanity
from lecturekit.attribution.sanity import blocks, cascade, curves, similarity

IMAGES = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
MAPS = torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(1))


def changed(model, other):
    """The names of the parameters that differ."""
    return {name for (name, one), two in zip(model.named_parameters(), other.parameters()) if not torch.equal(one, two)}


def raw_gradient(model, images, target):
    return gradient(model, images, target).sum(1)


def linear():
    torch.manual_seed(2)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4)).eval()


@pytest.mark.parametrize("name", ["resnet_s", "alexnet_s", "vgg_s"])
def test_every_step_is_on_top_of_the_steps_before_it(name):
    model = models.load(name)
    state = copy.deepcopy(model.state_dict())
    before, seen, steps = model, set(), []
    for step, drawn in cascade(model):
        new, before = changed(before, drawn), drawn
        assert new and not new & seen and any(parameter.startswith(step) for parameter in new)
        assert changed(model, drawn) == seen | new
        seen |= new
        steps.append(step)
    assert seen == {name for name, _ in model.named_parameters()}   # the last step: every parameter
    assert steps == [group[0] for group in reversed(blocks(model))]
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert not drawn.training and drawn.categories == model.categories


def test_every_step_can_be_kept():
    kept = [drawn for _, drawn in cascade(models.load("resnet_s"))]
    assert [len(changed(kept[0], other)) > 0 for other in kept] == [False] + [True] * 5
    assert len({id(drawn) for drawn in kept}) == 6


def test_layers_of_one_shape_get_weights_of_their_own():
    *_, (_, drawn) = cascade(nn.Sequential(*(nn.Linear(5, 5) for _ in range(6))))
    assert len({module.weight.sum().item() for module in drawn}) == 6


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    model = models.load("resnet_s")
    torch.manual_seed(3)
    one, two, other = (next(cascade(model, seed))[1].fc.weight for seed in (4, 4, 5))
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(one, two) and not torch.equal(one, other) and torch.equal(torch.rand(1), drawn)


@pytest.mark.parametrize("name, count, first, last", [
    ("resnet_s", 6, ["conv1", "bn1"], ["fc"]), ("vgg_s", 11, ["conv1_1", "bn1_1"], ["fc8"]),
    ("resnet18", 6, ["network.conv1", "network.bn1"], ["network.fc"]),
    ("squeezenet1_1", 10, ["features.0"], ["classifier.1"]),
    ("densenet121", 9, ["network.features.conv0", "network.features.norm0"], ["network.classifier"])])
def test_blocks(name, count, first, last):
    found = blocks(models.load(name, weights="random"))
    assert len(found) == count and found[0] == first and found[-1] == last


def test_blocks_of_small_networks():
    assert blocks(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))) == [["0"], ["3"]]
    for model in (nn.Linear(2, 2), nn.Sequential(nn.ReLU())):
        with pytest.raises(ValueError, match="model: got .*without layers that have weights"):
            blocks(model)


@pytest.mark.parametrize("kind", sanity.KINDS)
def test_who_passes_and_who_fails(kind):
    generator = torch.Generator().manual_seed(3)
    steps, found = curves(models.load("resnet_s"), IMAGES, 3, {
        "ignores the network": lambda model, images, target: images.sum(1),
        "fresh noise": lambda model, images, target: torch.randn(3, 32, 32, generator=generator)}, kind=kind)
    assert steps == ["fc", "layer4", "layer3", "layer2", "layer1", "conv1"]
    torch.testing.assert_close(found["ignores the network"], torch.ones(7))
    assert found["fresh noise"][0] == 1 and found["fresh noise"][1:].abs().max() < 0.1


def test_the_gradient_of_a_linear_model_forgets_its_weights():
    model = linear()
    state = copy.deepcopy(model.state_dict())
    steps, found = curves(model, IMAGES, torch.tensor([0, 3, 1]), {"gradient": raw_gradient})
    assert steps == ["1"] and found["gradient"].shape == (2,)
    assert found["gradient"][0] == 1 and abs(found["gradient"][1]) < 0.1
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_curves_refuse():
    with pytest.raises(ValueError, match="images: got none"):
        curves(linear(), IMAGES[:0], 0, {})
    with pytest.raises(ValueError, match="kind: got 'pearson'"):
        curves(linear(), IMAGES, 0, {}, kind="pearson")
    with pytest.raises(TypeError, match="maps: got NoneType"):
        curves(linear(), IMAGES, 0, {"broken": lambda model, images, target: None})


@pytest.mark.parametrize("kind", sanity.KINDS)
def test_a_map_is_like_itself_and_a_constant_map_like_none(kind):
    torch.testing.assert_close(similarity(MAPS, MAPS, kind), torch.ones(4))
    flat = torch.full_like(MAPS, 0.3)
    for pair in ((MAPS, flat), (flat, MAPS), (flat, flat)):
        assert similarity(*pair, kind).tolist() == [0] * 4
    assert similarity(MAPS[:0], MAPS[:0], kind).shape == (0,)
    assert similarity(MAPS[:1], MAPS[:1], kind).shape == (1,)


def test_rank_correlation():
    torch.testing.assert_close(similarity(MAPS, MAPS ** 3), torch.ones(4))
    torch.testing.assert_close(similarity(MAPS, -MAPS), -torch.ones(4))
    torch.testing.assert_close(similarity(MAPS, -MAPS, "absolute rank"), torch.ones(4))
    tied = similarity(torch.tensor([[[1.0, 2, 2, 3]]]), torch.tensor([[[1.0, 2, 3, 4]]]))
    assert tied.item() == pytest.approx(0.9 ** 0.5)   # 4.5 / sqrt(4.5 * 5)


def test_ssim_ignores_scale_and_offset_and_sees_a_shift():
    torch.testing.assert_close(similarity(MAPS, 5 * MAPS - 2, "ssim"), torch.ones(4))
    assert (similarity(MAPS, MAPS.roll(1, 2), "ssim") < 0.5).all()


@pytest.mark.parametrize("maps, others, kind, error, message", [
    (MAPS, MAPS[:, :8], "rank", ValueError, r"others: got shape \(4, 8, 16\)"),
    (MAPS[0], MAPS[0], "rank", ValueError, r"maps: got shape \(16, 16\)"),
    (MAPS, MAPS.long(), "rank", TypeError, "others: got torch.int64"),
    (MAPS / 0, MAPS, "rank", ValueError, "maps: got NaN or infinite"),
    (MAPS[:, :, :0], MAPS[:, :, :0], "rank", ValueError, "maps: got shape"),
    (MAPS[:, :6], MAPS[:, :6], "ssim", ValueError, "maps: got 6x16 px"),
    (MAPS, MAPS, "pearson", ValueError, "kind: got 'pearson'.*rank, absolute rank, ssim")])
def test_similarity_refuses(maps, others, kind, error, message):
    with pytest.raises(error, match=message):
        similarity(maps, others, kind)
