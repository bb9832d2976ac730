"""Defences: what masks a gradient and what restores it (fact 36); the catalogue; the flags."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lecturekit.pictures import datasets
from lecturekit.moving.objectives import cross_entropy, margin
from lecturekit.robustness import attacks, defence_zoo, defences, robust_training, standing

IMAGES, LABELS = datasets.digits()
ORDER = torch.randperm(len(IMAGES), generator=torch.Generator().manual_seed(0))
IMAGES, LABELS = IMAGES[ORDER], LABELS[ORDER]
NEW = IMAGES[1200:1300], LABELS[1200:1300]
EPS = 0.15


@pytest.fixture(scope="module")
def bench():
    plain = robust_training.fit(robust_training.digit_net((128,)), IMAGES[:1000], LABELS[:1000], epochs=8)
    return defence_zoo.Bench(IMAGES[:1000], LABELS[:1000], plain, epochs=4)


@pytest.fixture(scope="module")
def foreign(bench):
    other = robust_training.fit(robust_training.digit_net((128,), seed=5), IMAGES[:1000], LABELS[:1000], epochs=8)
    return attacks.pgd(other, *NEW, EPS, batch=100)


class Scaled(nn.Module):
    """A network with its logits multiplied by `factor`: the same answers, surer."""

    def __init__(self, network, factor):
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, images):
        return self.factor * self.network(images)


def slope(model, images, labels, loss=cross_entropy):
    images = images.clone().requires_grad_()
    return torch.autograd.grad(loss(model, labels)(images).sum(), images)[0]


def test_quantising_gives_no_gradient_and_passing_it_straight_through_that_of_the_network(bench):
    change = defence_zoo.quantise(8)
    masked, open_ = (defences.Before(bench.plain, change, straight) for straight in (False, True))
    assert torch.equal(masked(NEW[0]), open_(NEW[0])) and torch.equal(masked(NEW[0]), bench.plain(change(NEW[0])))
    assert not slope(masked, *NEW).any()
    torch.testing.assert_close(slope(open_, *NEW), slope(bench.plain, change(NEW[0]), NEW[1]))


@pytest.mark.parametrize("name", ["quantised", "JPEG"])
def test_bpda_restores_the_attack_and_the_flags_tell_before(bench, foreign, name):
    defence = defence_zoo.build(name, bench)
    found = defences.accuracies(defence, *NEW, EPS, foreign, steps=8)
    assert tuple(found) == defences.COLUMNS and found["clean"] > 0.9 and found["PGD"] > 0.85
    assert found["adaptive"] < 0.35 < found["FGSM"]
    shown = defences.flags(defence.deployed, *NEW, EPS, foreign, steps=8, tries=20)
    assert shown["transfer beats gradients"] and shown["no bound, yet some stand"]


def test_an_honest_network_shows_no_flag(bench, foreign):
    robust = defence_zoo.build("adversarial training", bench).deployed
    for network in (bench.plain, robust):
        assert not any(defences.flags(network, *NEW, EPS, foreign, tries=20).values())


def test_huge_logits_underflow_the_gradient_of_the_cross_entropy_and_not_of_the_margin(bench):
    right = ~attacks.fooled(bench.plain, *NEW)
    images, labels = NEW[0][right], NEW[1][right]
    huge = Scaled(bench.plain, 1e4)
    gone = ~slope(huge, images, labels).flatten(1).any(1)
    assert gone.float().mean() > 0.8 and slope(huge, images, labels, margin).flatten(1).any(1).all()
    assert slope(bench.plain, images, labels).flatten(1).any(1).all()
    assert torch.equal(huge(images).argmax(1), bench.plain(images).argmax(1))
    left = {loss: standing.accuracy(huge, attacks.pgd(huge, images, labels, EPS, loss=loss, start="image"), labels)
            for loss in ("cross_entropy", "margin")}
    assert left["cross_entropy"] > 0.8 > 0.3 > left["margin"]


def test_steep_units_mask_and_gentle_gradients_break(bench, foreign):
    found = defences.accuracies(defence_zoo.build("steep sigmoids", bench), *NEW, EPS, foreign, steps=10)
    assert found["FGSM"] > 0.5 and found["adaptive"] < found["FGSM"] - 0.3


def test_expectation_over_noise_on_a_linear_model_is_its_weights():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)).requires_grad_(False)
    randomised = defences.Randomised(model, defence_zoo.noise(0.05), 200)
    inner = 0.3 + 0.4 * NEW[0][:3]   # no value is cut off at 0 or 1
    logits = lambda seen, labels: -F.cross_entropy(seen, labels, reduction="none")
    labels = torch.zeros(3, dtype=torch.long)
    found = slope(randomised, inner, labels).flatten(1)
    direction = model[1].weight[1] - model[1].weight[0]
    cosine = F.cosine_similarity(found, direction[None])
    torch.testing.assert_close(cosine, torch.ones(3), rtol=0, atol=1e-4)


def test_random_defences_answer_anew_and_many_draws_settle(bench):
    one = defences.Randomised(bench.plain, defence_zoo.noise(0.3))
    assert not torch.equal(one(NEW[0]), one(NEW[0]))
    spread = [(one.many(draws, 1)(NEW[0]).softmax(1) - one.many(draws, 2)(NEW[0]).softmax(1)).abs().mean().item()
              for draws in (1, 30)]
    assert spread[1] < 0.4 * spread[0]
    assert torch.allclose(one.many(5)(NEW[0]).exp().sum(1), torch.ones(100), atol=1e-5)


def test_an_ensemble_is_the_mean_probability(bench):
    pair = [bench.plain, robust_training.digit_net(seed=3).eval()]
    expected = sum(network(NEW[0]).softmax(1) for network in pair) / 2
    torch.testing.assert_close(defences.Ensemble(pair)(NEW[0]).exp(), expected)


def test_code_words_answer_alike_before_and_after_the_tanh_where_all_bits_are_sure(bench):
    defence = defence_zoo.build("code words", bench)
    hard, soft = defence.deployed(NEW[0]).argmax(1), defence.surrogate(NEW[0]).argmax(1)
    assert (hard == soft).float().mean() > 0.95
    code = defence.deployed.code
    assert code.shape == (10, 15) and ((code[:, None] != code[None]).sum(2)[~torch.eye(10).bool()] == 8).all()


def test_a_glimpse_of_all_is_the_picture_and_a_smaller_one_shows_less():
    whole = defence_zoo.glimpse(1.0)(NEW[0], torch.Generator().manual_seed(0))
    torch.testing.assert_close(whole, NEW[0], rtol=0, atol=1e-5)
    part = defence_zoo.glimpse(0.5)(NEW[0], torch.Generator().manual_seed(0))
    assert part.shape == NEW[0].shape and (part - NEW[0]).abs().mean() > 0.05


def test_double_backpropagation_shortens_the_gradient(bench):
    both = [bench.train(loss, robust_training.digit_net((64,)))
            for loss in (None, defence_zoo.double_backpropagation(1.0))]
    lengths = [slope(network, *NEW).flatten(1).square().sum(1).mean() for network in both]
    assert lengths[1] < 0.5 * lengths[0]


@pytest.mark.parametrize("name", ["weight decay", "dropout", "noise in both", "glimpses", "ensemble", "autoencoder",
                                  "smoothed labels", "distillation", "pretraining", "tanh", "radial units"])
def test_every_defence_reads_digits_and_none_holds(bench, name):
    defence = defence_zoo.build(name, bench)
    assert standing.accuracy(defence.deployed, *NEW) > 0.85
    moved = attacks.pgd(defence.attacked, *NEW, 0.3, steps=6, batch=100, loss="margin")
    assert standing.accuracy(defence.deployed, moved, NEW[1]) < 0.4


def test_random_search_is_weaker_than_gradients_on_a_plain_network_and_never_leaves_the_box(bench):
    left = [defences.random_search(bench.plain, *NEW, EPS, tries) for tries in (1, 30)]
    assert left[0] >= left[1] > standing.accuracy(bench.plain, attacks.pgd(bench.plain, *NEW, EPS), NEW[1])
    assert defences.random_search(bench.plain, *NEW, 0.0, 2) == pytest.approx(standing.accuracy(bench.plain, *NEW))


@pytest.mark.parametrize("wrong, message", [
    (lambda bench: defence_zoo.build("hope", bench), "name: got 'hope'.*It takes one of: none, weight decay"),
    (lambda bench: defence_zoo.quantise(1), "levels: got 0"),
    (lambda bench: defences.random_search(bench.plain, *NEW, -1), "eps: got -1")])
def test_bad_input(bench, wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong(bench)
