"""Evolution: the archive never gets worse, goes on where it was, and reaches high confidence; what a CPPN draws."""

import pytest
import torch

from lecturekit.pictures import datasets
from lecturekit.networks import models
from lecturekit.robustness import fooling, robust_training
from networks import linear


@pytest.fixture(scope="module")
def digit_network():
    images, labels = datasets.digits()
    network = robust_training.fit(robust_training.digit_net((64,)), images[:1000], labels[:1000], epochs=6)
    network.categories = [str(digit) for digit in range(10)]
    return network


@pytest.mark.parametrize("encoding", [fooling.Pixels(8, 1), fooling.CPPN(8, 1)])
def test_evolution_fools_the_digit_network_for_sure(digit_network, encoding):
    found = fooling.evolve(digit_network, encoding, 120)
    assert (found.confidences > 0.99).sum() >= 4
    asked = models.predict(digit_network, found.images)
    torch.testing.assert_close(asked.diagonal(), found.confidences, atol=1e-4, rtol=0)
    assert (found.history.diff(dim=0) >= 0).all() and torch.equal(found.history[-1], found.confidences)
    assert (found.history[0] > 0.99).sum() < 3   # it did not begin there
    torch.testing.assert_close(encoding.render(found.genomes), found.images)


def test_cppns_reach_a_network_of_photos_where_pixels_do_not():
    model = models.load("resnet_s")
    drawn, direct = (fooling.evolve(model, encoding(32), 12) for encoding in (fooling.CPPN, fooling.Pixels))
    assert drawn.images.shape == (20, 3, 32, 32) and drawn.confidences.max() > 0.9
    assert drawn.confidences.median() > 3 * direct.confidences.median()


@pytest.mark.parametrize("encoding", [fooling.Pixels(8, 1), fooling.CPPN(8, 1)])
def test_two_runs_of_five_generations_are_one_of_ten(digit_network, encoding):
    whole = fooling.evolve(digit_network, encoding, 10, seed=3)
    parts = fooling.evolve(digit_network, encoding, 5, fooling.evolve(digit_network, encoding, 5, seed=3), seed=3)
    assert torch.equal(whole.images, parts.images) and torch.equal(whole.history, parts.history)
    assert not torch.equal(whole.images, fooling.evolve(digit_network, encoding, 10, seed=4).images)


def test_each_class_keeps_its_best_of_all_that_were_shown():
    model, _ = linear(channels=1, height=8, width=8)
    model.categories, shown = list("abcd"), []

    class Watched(fooling.Pixels):
        def render(self, genomes):
            shown.append(super().render(genomes))
            return shown[-1]
    found = fooling.evolve(model, Watched(8, 1), 6, children=5)
    torch.testing.assert_close(found.confidences, models.predict(model, torch.cat(shown)).amax(0))


def test_a_mutant_differs_a_little():
    generator = torch.Generator().manual_seed(0)
    for encoding in (fooling.Pixels(16), fooling.CPPN(16)):
        parents = encoding.draw(30, generator)
        children = encoding.mutate(parents, generator)
        assert children.keys() == parents.keys()
        apart = [(children[key] != parents[key]).float().mean().item() for key in parents]
        assert 0 < max(apart) < 0.2
        images = encoding.render(children)
        assert images.shape == (30, 3, 16, 16) and images.min() >= 0 and images.max() <= 1


def test_a_cppn_is_a_function_of_the_place():
    small, large = fooling.CPPN(16), fooling.CPPN(48)
    genomes = small.draw(6, torch.Generator().manual_seed(1))
    torch.testing.assert_close(small.render(genomes), large.render(genomes)[..., 1::3, 1::3], atol=1e-4, rtol=0)
    listens = small.allowed
    assert listens[0].sum() == 4 and listens[5, :9].all() and not listens[5, 9:].any() and listens[-3:].all()


def test_what_hears_r_alone_is_round():
    encoding = fooling.CPPN(16, nodes=2)
    weights = torch.zeros(1, 5, 6)
    weights[0, 0, 2], weights[0, 2:, 4] = 3.0, torch.tensor([1.0, 2.0, -1.0])   # one node hears r, the colours hear it
    genomes = {"weights": weights, "wired": weights != 0, "kinds": torch.zeros(1, 5, dtype=torch.long)}
    drawn, radius = encoding.render(genomes)[0], encoding.inputs[2].view(16, 16)
    torch.testing.assert_close(drawn, drawn.transpose(1, 2))
    torch.testing.assert_close(drawn[0], 0.5 + 0.5 * torch.sin(torch.sin(3 * radius)))


@pytest.mark.parametrize("call, message", [
    (lambda model: fooling.evolve(model, fooling.CPPN(8), 0), "generations: got 0"),
    (lambda model: fooling.evolve(model, fooling.CPPN(8), 1, children=0), "children: got 0"),
    (lambda model: fooling.CPPN(0), "side: got 0"), (lambda model: fooling.Pixels(1.5), "side: got 1.5")])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(linear()[0])
