"""Training with the loop inside: closed forms of the linear model, the small network, virtual adversarial training."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
from torch.nn import functional as F

from lecturekit.pictures import datasets
from lecturekit.representation import training
from lecturekit.robustness import attacks, robust_training, standing

torch.manual_seed(0)
IMAGES, LABELS = datasets.digits()
ORDER = torch.randperm(len(IMAGES), generator=torch.Generator().manual_seed(0))
KNOWN, NEW = (IMAGES[ORDER[:600]], LABELS[ORDER[:600]]), (IMAGES[ORDER[1200:1400]], LABELS[ORDER[1200:1400]])
SMALL = robust_training.digit_net((64,))
PAIR = (LABELS == 3) | (LABELS == 8)
INPUTS, SIGNS = IMAGES[PAIR].flatten(1), torch.where(LABELS[PAIR] == 3, -1.0, 1.0)


def two_logits(weights, bias=0.0):
    """A linear network with the logits 0 and w.x + b."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(len(weights), 2)).requires_grad_(False)
    model[1].weight[0], model[1].bias[0] = 0, 0
    model[1].weight[1], model[1].bias[1] = weights, bias
    return model


# ---------------------------------------------------------------- linear models (fact 34)


def test_the_worst_logistic_loss_is_that_of_fgsm_and_its_gradient_matches():
    weights, eps = torch.randn(64, generator=torch.Generator().manual_seed(3)), 0.05
    inputs = 0.2 + 0.6 * INPUTS   # away from the box, which the closed form does not know
    moved = attacks.fgsm(two_logits(weights, 0.3), inputs.view(-1, 1, 8, 8), (SIGNS > 0).long(), eps).flatten(1)
    values = []
    for seen, radius in ((inputs, eps), (moved, 0.0)):
        w, b = weights.clone().requires_grad_(), torch.tensor(0.3, requires_grad=True)
        loss = robust_training.worst_logistic(w, b, seen, SIGNS, radius)
        values.append((loss, *torch.autograd.grad(loss.sum(), (w, b))))
    for closed, attacked in zip(*values):
        torch.testing.assert_close(closed, attacked, rtol=1e-4, atol=1e-4)


def test_no_random_point_of_the_ball_is_worse_than_the_closed_form():
    weights = torch.randn(64, generator=torch.Generator().manual_seed(4))
    worst = robust_training.worst_logistic(weights, 0.1, INPUTS, SIGNS, 0.1)
    signs = torch.randint(2, (50, *INPUTS.shape), generator=torch.Generator().manual_seed(5)) * 2 - 1
    others = F.softplus(-SIGNS * ((INPUTS + 0.1 * signs) @ weights + 0.1))
    assert (others <= worst + 1e-5).all() and worst.min() > 0


def test_adversarial_training_of_a_linear_model_is_robust_and_weight_decay_less_so():
    fit = partial(robust_training.robust_logistic, INPUTS, SIGNS, steps=150)
    known = partial(robust_training.linear_accuracy, inputs=INPUTS, signs=SIGNS)
    plain, robust, decayed = fit(), fit(eps=0.15), fit(l2=0.01)
    assert known(*plain) > 0.97 and known(*plain, eps=0.15) < 0.2
    assert known(*robust) > 0.93 and known(*robust, eps=0.15) > 0.75
    assert known(*plain, eps=0.15) < known(*decayed, eps=0.15) < known(*robust, eps=0.15) - 0.1


def test_linear_accuracy_is_that_under_attack_away_from_the_box():
    weights, bias = robust_training.robust_logistic(INPUTS, SIGNS, steps=50)
    inputs, labels = (0.25 + INPUTS / 2).view(-1, 1, 8, 8), (SIGNS > 0).long()
    model = two_logits(weights, bias)
    for eps in (0.0, 0.03, 0.1):
        under = standing.accuracy(model, attacks.fgsm(model, inputs, labels, eps), labels)
        exact = robust_training.linear_accuracy(weights, bias, inputs.flatten(1), SIGNS, eps)
        assert exact == pytest.approx(under, abs=0.003)


def test_adversarial_copies_are_learned_and_leave_the_new_ones():
    inputs, labels = IMAGES[ORDER[:160]].flatten(1).double().numpy(), LABELS[ORDER[:160]].numpy()
    known = KNeighborsClassifier(1).fit(inputs[:120], labels[:120])
    copies, theirs = robust_training.adversarial_copies(known, inputs[120:], labels[120:], 0.2, rounds=2)
    assert 10 < len(copies) < 40 and known.score(copies, theirs) == 0 and copies.min() >= 0 and copies.max() <= 1
    gaps = np.abs(copies[:, None] - inputs[120:][None]).max(2).min(1)
    assert gaps.max() <= 0.2 + 1e-9
    more = KNeighborsClassifier(1).fit(np.concatenate([inputs, copies]), np.concatenate([labels, theirs]))
    assert more.score(copies, theirs) == 1


# ---------------------------------------------------------------- networks


def accuracy_under(network, eps, steps=10):
    images, labels = NEW
    moved = attacks.pgd(network, images, labels, eps, steps=steps, batch=len(images)) if eps else images
    return standing.accuracy(network, moved, labels)


def test_adversarial_training_holds_where_plain_training_falls():
    plain = robust_training.fit(SMALL, *KNOWN, epochs=8)
    robust = robust_training.fit(SMALL, *KNOWN, robust_training.adversarial(0.15, 3), epochs=8)
    assert accuracy_under(plain, 0) > 0.9 and accuracy_under(robust, 0) > 0.9
    assert accuracy_under(robust, 0.15) > accuracy_under(plain, 0.15) + 0.2


def test_training_is_reproducible_and_leaves_its_network_alone():
    before = [value.clone() for value in SMALL.state_dict().values()]
    state = torch.random.get_rng_state()
    twice = [robust_training.fit(robust_training.digit_net((32,), dropout=0.3), *KNOWN, epochs=1) for _ in range(2)]
    for a, b in zip(*(network.state_dict().values() for network in twice)):
        assert torch.equal(a, b)
    robust_training.fit(SMALL, *KNOWN, epochs=1)
    assert all(torch.equal(a, b) for a, b in zip(before, SMALL.state_dict().values())) and SMALL.training
    assert torch.equal(state, torch.random.get_rng_state())
    assert not twice[0].training and not any(p.requires_grad for p in twice[0].parameters())


def test_one_step_without_a_random_start_is_fgsm_and_eps_zero_is_plain_training():
    network = robust_training.fit(SMALL, *KNOWN, epochs=1)
    images, labels = KNOWN[0][:50], KNOWN[1][:50]
    generator = torch.Generator().manual_seed(0)
    loss = robust_training.adversarial(0.1, 1, start="image")(network, images, labels, generator)
    assert torch.equal(loss, F.cross_entropy(network(attacks.fgsm(network, images, labels, 0.1)), labels))
    torch.testing.assert_close(robust_training.adversarial(0.0)(network, images, labels, generator),
                               F.cross_entropy(network(images), labels))


def test_errors_collect_a_curve_for_each_set_and_attack():
    fgsm = lambda model, images, labels: attacks.fgsm(model, images, labels, 0.1)
    watch = robust_training.Errors({"new": NEW}, {"clean": None, "FGSM": fgsm})
    network = robust_training.fit(SMALL, *KNOWN, epochs=3, watch=watch)
    assert {key: len(values) for key, values in watch.curves.items()} == {("new", "clean"): 3, ("new", "FGSM"): 3}
    assert watch.curves["new", "clean"][-1] == pytest.approx(1 - standing.accuracy(network, *NEW))
    assert all(worse > clean for clean, worse in zip(*watch.curves.values()))


def test_fgsm_training_collapses_after_training_with_pgd():
    """Catastrophic overfitting: the accuracy under FGSM rises, that under PGD falls to a fraction."""
    eps, known = 0.3, (IMAGES[ORDER[:1200]], LABELS[ORDER[:1200]])
    held = robust_training.fit(robust_training.digit_net((256,)), *known, robust_training.adversarial(eps, 4), epochs=8)
    one_step = robust_training.adversarial(eps, 1, start="image")
    fallen = robust_training.fit(held, *known, one_step, epochs=7, batch=32)
    fgsm = [standing.accuracy(network, attacks.fgsm(network, *NEW, eps), NEW[1]) for network in (held, fallen)]
    pgd = [accuracy_under(network, eps, 20) for network in (held, fallen)]
    assert fgsm[1] > fgsm[0] and pgd[1] < 0.6 * pgd[0] and pgd[1] < 0.1


# ---------------------------------------------------------------- virtual adversarial training (fact 35)


def test_one_power_step_on_a_logistic_model_gives_its_weights():
    weights = torch.randn(64, generator=torch.Generator().manual_seed(1))
    model = two_logits(weights)
    images = IMAGES[:5].double()
    model = model.double()
    answers = model(images).log_softmax(1)
    found = robust_training.virtual_direction(model, images, answers, torch.Generator().manual_seed(2), xi=1e-3)
    cosines = found.flatten(1) @ (weights / weights.norm()).double()
    torch.testing.assert_close(cosines.abs(), torch.ones(5).double(), rtol=0, atol=1e-6)


def test_the_hessian_of_the_divergence_is_p_q_w_w():
    weights = torch.randn(4, generator=torch.Generator().manual_seed(1)).double()
    x = torch.rand(4, generator=torch.Generator().manual_seed(2)).double()
    p = torch.sigmoid(weights @ x)

    def divergence(r):
        q = torch.sigmoid(weights @ (x + r))
        return p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()

    hessian = torch.autograd.functional.hessian(divergence, torch.zeros(4).double())
    torch.testing.assert_close(hessian, p * (1 - p) * weights.outer(weights), rtol=1e-6, atol=1e-9)
    model, eps = two_logits(weights.float()).double(), 1e-2
    smooth = robust_training.smoothness(model, x.view(1, 1, 2, 2), eps, torch.Generator().manual_seed(0), power=2)
    expected = 0.5 * eps ** 2 * p * (1 - p) * weights.square().sum()
    assert smooth.item() == pytest.approx(expected.item(), rel=0.02)


def test_smoothness_leaves_the_statistics_of_batch_norm():
    network = robust_training.digit_net((16,)).train()
    norm = network[2]
    before = norm.running_mean.clone(), norm.running_var.clone(), norm.num_batches_tracked.clone(), norm.momentum
    loss = robust_training.smoothness(network, IMAGES[:30], 1.0, torch.Generator().manual_seed(0))
    loss.backward()
    assert loss > 0 and network[1].weight.grad.abs().sum() > 0 and network.training
    after = norm.running_mean, norm.running_var, norm.num_batches_tracked
    assert all(torch.equal(a, b) for a, b in zip(before, after)) and norm.momentum == before[3]
    network(IMAGES[:30])
    assert norm.num_batches_tracked == 1 and not torch.equal(before[0], norm.running_mean)


def test_a_virtual_adversarial_step_moves_the_answers_more_than_a_random_one():
    network = robust_training.fit(SMALL, *KNOWN, epochs=2)
    images, generator = NEW[0], torch.Generator().manual_seed(0)
    answers = network(images).log_softmax(1)
    noise = F.normalize(torch.randn(len(images), 64, generator=generator)).view_as(images)
    random = F.kl_div(network(images + noise).log_softmax(1), answers, reduction="batchmean", log_target=True)
    assert robust_training.smoothness(network, images, 1.0, generator) > 3 * random


def test_unlabelled_pictures_help_where_labels_are_few():
    gains = []
    for seed in (0, 1):
        few = training.few(KNOWN[1], 3, seed)
        fit = partial(robust_training.fit, SMALL, KNOWN[0][few], KNOWN[1][few], epochs=150, rate=2e-3, seed=seed)
        both = [fit(), fit(robust_training.virtual_adversarial(KNOWN[0], 0.7))]
        gains.append(np.subtract(*(standing.accuracy(network, *NEW) for network in both[::-1])))
    assert min(gains) > -0.02 and np.mean(gains) > 0.03


@pytest.mark.parametrize("wrong, message", [
    (lambda: robust_training.adversarial(-0.1), "eps: got -0.1"),
    (lambda: robust_training.fit(SMALL, *KNOWN, epochs=0), "epochs: got 0"),
    (lambda: robust_training.fit(SMALL, KNOWN[0] * 2, KNOWN[1]), "images: got values"),
    (lambda: robust_training.fit(SMALL, KNOWN[0], KNOWN[1][:3]), "labels: got shape"),
    (lambda: robust_training.smoothness(SMALL, NEW[0], -1.0), "eps: got -1.0")])
def test_bad_input(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
