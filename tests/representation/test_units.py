"""Top images of units and their purity."""

import pytest
import torch

from lecturekit.networks import hooks, models
from lecturekit.representation import receptive, units


@pytest.fixture(scope="module")
def model():
    return models.load("resnet_s", weights="random")


@pytest.fixture(scope="module")
def pictures():
    return torch.rand(7, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_top_finds_the_largest_activations(model, pictures):
    found = units.top(model, pictures, "layer1", k=3, batch=2)
    maps = hooks.features(model, pictures, "layer1")
    assert found.values.shape == found.rows.shape == (64, 3)
    assert torch.allclose(found.values, maps.amax((2, 3)).sort(0, descending=True).values[:3].t())
    assert torch.allclose(maps[found.images[5], 5, found.rows[5], found.cols[5]], found.values[5])


def test_the_field_of_a_top_unit_replays_its_value(model, pictures):
    found = units.top(model, pictures, "layer1", k=2)
    again = receptive.replay(model, pictures[found.images[9]], "layer1", found.rows[9], found.cols[9])
    assert torch.allclose(again[:, 9], found.values[9], atol=1e-5)


def test_top_of_a_linear_layer(model, pictures):
    found = units.top(model, pictures, "fc", k=7)
    assert found.values.shape == (20, 7) and (found.rows == 0).all() and (found.cols == 0).all()


def test_responses_are_the_largest_values_of_the_maps(model, pictures):
    found = units.responses(model, pictures, ["layer1", "fc"], batch=3)
    assert torch.allclose(found["layer1"], hooks.features(model, pictures, "layer1").amax((2, 3)), atol=1e-5)
    assert torch.allclose(found["fc"], model(pictures), atol=1e-5)
    assert units.responses(model, pictures[:0], ["layer1"])["layer1"].shape == (0, 64)
    with pytest.raises(ValueError, match="layer: got 'layer9'"):
        units.responses(model, pictures, ["layer9"])


def test_top_names_bad_input(model, pictures):
    with pytest.raises(ValueError, match="k: got 8"):
        units.top(model, pictures, "layer1", k=8)
    with pytest.raises(ValueError, match="layer: got 'layer9'"):
        units.top(model, pictures, "layer9", k=1)
    with pytest.raises(ValueError, match="images"):
        units.top(model, pictures * 300, "layer1", k=1)


def test_purity_counts_the_most_frequent_label():
    scores, labels = torch.tensor([5.0, 4.0, 3.0, 2.0, -9.0]), torch.tensor([0, 1, 1, 0, 1])
    assert units.purity(scores, labels, 1) == 1
    assert units.purity(scores, labels, 3) == pytest.approx(2 / 3)
    both = units.purity(torch.stack([scores, -scores], 1), labels, 2)
    assert both.tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="k: got 6"):
        units.purity(scores, labels, 6)
    with pytest.raises(ValueError, match="labels: got 4"):
        units.purity(scores, labels[:4], 2)


def test_purity_of_chance_and_of_a_perfect_unit():
    labels = torch.arange(10).repeat_interleave(50)
    assert units.purity((labels == 3).float(), labels, 9) == 1
    assert 0.26 < units.chance_purity(labels, 9) < 0.32                 # by simulation; two of nine alike are common
    assert units.chance_purity(labels, 1) == 1


def test_random_directions_are_unit_vectors():
    along = units.random_directions(torch.eye(30), 200)
    assert along.shape == (30, 200) and torch.allclose(along.norm(dim=0), torch.ones(200), atol=1e-5)
    assert torch.equal(along, units.random_directions(torch.eye(30), 200))
    assert not torch.equal(along, units.random_directions(torch.eye(30), 200, seed=1))
