"""Attacks: their closed forms on linear models (facts 28 to 33), what they never leave, and bad input."""

from functools import partial

import pytest
import torch
from torch import nn

from lecturekit.pictures import pixels
from lecturekit.networks import models
from lecturekit.networks.nets import IMAGENET_STD
from lecturekit.moving import objectives, optimise, projections, steps
from lecturekit.moving.objectives import Objective
from lecturekit.robustness import attacks, standing
from networks import linear

MODEL, WEIGHTS = linear(classes=4)
IMAGES = 0.5 + 0.1 * torch.rand(6, 3, 8, 10, generator=torch.Generator().manual_seed(1))   # far from 0 and 1
LABELS = MODEL(IMAGES).argmax(1)
NORMS = {"linf": 1, "l2": 2}   # and the order of the dual norm


def two_classes():
    """A linear model of two classes, its f = z1 - z0 on IMAGES, and the weights of f."""
    model, weights = linear(classes=2, seed=3)
    return model, model(IMAGES).diff(dim=1)[:, 0], weights[1] - weights[0]


def deep():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6 * 8, 5)).requires_grad_(False)


@pytest.mark.parametrize("norm", NORMS)
def test_the_worst_case_of_a_linear_score_is_eps_times_the_dual_norm(norm):   # fact 28
    model, f, w = two_classes()
    labels = (f > 0).long()
    for attack in (attacks.fgsm, partial(attacks.pgd, rate=0.2)):
        found = attack(model, IMAGES, labels, 0.03, norm)
        moved = (model(found).diff(dim=1)[:, 0] - f).abs()
        torch.testing.assert_close(moved, (0.03 * w.norm(NORMS[norm])).expand(6), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_deepfool_finds_the_distance_to_the_nearest_boundary(norm):   # facts 28 and 30
    model, _ = linear(classes=10, seed=5)
    labels, logits, weights = model(IMAGES).argmax(1), model(IMAGES), model[1].weight
    gaps = logits.gather(1, labels[:, None]) - logits
    sizes = (weights[labels][:, None] - weights).norm(NORMS[norm], dim=2)
    expected = (gaps / sizes).scatter(1, labels[:, None], torch.inf).amin(1)
    found = attacks.deepfool(model, IMAGES, labels, norm, candidates=9)
    assert attacks.fooled(model, found, labels).all()
    torch.testing.assert_close(attacks.distance(IMAGES, found, norm), expected, rtol=0.005, atol=1e-6)


def test_the_example_of_the_lecture_to_the_digit():   # fact 29
    x = torch.tensor([2., -1, 3, -2, 2, 2, 1, -4, 5, 1])
    w = torch.tensor([-1., -1, 1, -1, 1, -1, 1, 1, -1, 1])
    assert w @ x == -3 and round(torch.sigmoid(w @ x).item(), 4) == 0.0474
    image = ((x + 5) / 20).view(1, 1, 2, 5)   # the same example within [0,1]
    model = nn.Sequential(nn.Flatten(), nn.Linear(10, 2)).requires_grad_(False)
    model[1].weight.copy_(torch.stack([0 * w, 20 * w]))
    model[1].bias.copy_(torch.stack([torch.zeros(()), -5 * w.sum()]))
    found = attacks.fgsm(model, image, 0, 0.5 / 20)
    torch.testing.assert_close(found.flatten() * 20 - 5, x + 0.5 * w.sign(), rtol=0, atol=1e-5)
    assert model(found)[0, 1].item() == pytest.approx(2, abs=1e-4)
    assert round(model(found).softmax(1)[0, 1].item(), 4) == 0.8808


def test_a_multiclass_linear_model_falls_exactly_where_its_margins_say():   # fact 30
    logits, w, eps = MODEL(IMAGES), MODEL[1].weight, 0.004
    differences = (w[LABELS][:, None] - w).norm(1, dim=2)
    gaps = logits.gather(1, LABELS[:, None]) - logits
    falls = (gaps < eps * differences).scatter(1, LABELS[:, None], False).any(1)
    assert 0 < falls.sum() < 6   # some of each
    worst = standing.worst_case(MODEL, IMAGES, LABELS, eps, steps=10, classes=3)
    assert torch.equal(worst.fooled, falls) and worst.accuracy == pytest.approx(1 - falls.float().mean().item())
    assert torch.equal(worst.images[~falls], IMAGES[~falls])
    assert torch.equal(attacks.fooled(MODEL, worst.images, LABELS), falls)


def test_random_signs_move_a_linear_score_by_the_length_of_its_weights():   # fact 31
    signs = torch.randint(0, 2, (20000, 240), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    w = WEIGHTS[1].flatten()
    assert (0.1 * signs @ w).std().item() == pytest.approx(0.1 * w.norm().item(), rel=0.02)
    equal = torch.full((224 * 224 * 3,), 0.3, dtype=torch.float64)
    assert (equal.norm(1) / equal.norm()).item() == pytest.approx(388, abs=0.05)


@pytest.mark.parametrize("norm", NORMS)
def test_one_long_step_from_the_image_is_fgsm_and_eps_0_is_the_identity(norm):   # fact 32
    model = deep()
    labels = model(IMAGES).argmax(1)
    for rate in (0.05, 0.2) if norm == "linf" else (0.05,):
        found = attacks.pgd(model, IMAGES, labels, 0.05, norm, steps=1, rate=rate, start="image")
        assert torch.equal(found, attacks.fgsm(model, IMAGES, labels, 0.05, norm))
    for attack in (attacks.fgsm, attacks.pgd):
        found = attack(model, IMAGES, labels, 0, norm)
        assert torch.equal(found, IMAGES) and found is not IMAGES


def test_a_patch_moves_nothing_off_its_mask_and_noise_averages_out():   # fact 32
    mask = torch.zeros(8, 10)
    mask[2:5, 3:6] = 1
    patch = torch.full((1, 3, 8, 10), 0.5)
    pasted = Objective(lambda p: MODEL(IMAGES * (1 - mask) + p * mask)[:, 2])
    moved = optimise(patch, Objective(lambda p: pasted(p).sum()[None]), 3, steps.ascent(0.1)).images - patch
    assert (moved * (1 - mask) == 0).all() and (moved * mask != 0).any()
    noise = torch.randn(64, 3, 8, 10, generator=torch.Generator().manual_seed(2)).mul(0.1)
    image = IMAGES[:1].clone().requires_grad_()
    expected, = torch.autograd.grad(MODEL(image + noise)[:, 2].mean(), image)
    torch.testing.assert_close(expected[0], WEIGHTS[2])


def test_eight_of_255_in_normalised_units():   # fact 33
    assert [round(8 / 255 / std, 3) for std in IMAGENET_STD] == [0.137, 0.14, 0.139]
    image = torch.full((1, 3, 4, 4), 0.5)
    normalise = models.load("resnet_s", weights="random").normalize
    moved = (normalise(image + 8 / 255) - normalise(image)).mean((0, 2, 3))
    torch.testing.assert_close(moved, torch.tensor([0.1370, 0.1401, 0.1394]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("loss", attacks.LOSSES)
@pytest.mark.parametrize("norm, eps", [("linf", 0.06), ("l2", 0.5)])
def test_no_attack_leaves_the_ball_or_the_box(norm, eps, loss):
    model, generator = deep(), torch.Generator().manual_seed(4)
    images = (1.4 * torch.rand(5, 3, 8, 10, generator=generator) - 0.2).clamp(0, 1)
    labels = model(images).argmax(1)
    for targets in (None, (labels + 1) % 5)[:1 + (loss in attacks.TARGETED)]:
        for attack in (attacks.fgsm, attacks.pgd):
            found = attack(model, images, labels, eps, norm, targets=targets, loss=loss)
            assert found.min() >= 0 and found.max() <= 1
            assert attacks.distance(images, found, norm).max() <= eps + 1e-6
    begin = projections.scattered(images, eps, norm, seed=1)
    assert begin.min() >= 0 and begin.max() <= 1 and attacks.distance(images, begin, norm).max() <= eps + 1e-6


def test_random_starts_fill_the_ball():
    centre = torch.full((4000, 1, 1, 2), 0.5)
    for norm, inner in (("linf", 0.25), ("l2", 0.5)):   # share within half the radius
        away = attacks.distance(centre, projections.scattered(centre, 0.2, norm), norm)
        assert (away < 0.1).float().mean().item() == pytest.approx(inner, abs=0.03) and away.max() > 0.19


def test_the_seed_decides_and_the_batch_does_not():
    model = deep()
    labels = model(IMAGES).argmax(1)
    one, same, small, other = (attacks.pgd(model, IMAGES, labels, 0.002, steps=2, seed=seed, batch=batch)
                               for seed, batch in ((0, 32), (0, 32), (0, 4), (1, 32)))
    assert torch.equal(one, same) and not torch.equal(one, other)
    torch.testing.assert_close(one, small, rtol=0, atol=1e-6)


def test_the_best_of_all_steps_is_kept():
    zigzag = Objective(lambda images: -(images - 0.5).abs().flatten(1).sum(1))
    start = torch.full((1, 1, 1, 1), 0.46)
    last, best = (optimise(start, zigzag, 4, steps.signed(0.03), keep=keep) for keep in ("last", "best"))
    assert best.images.item() == pytest.approx(0.49, abs=1e-6) and last.images.item() == pytest.approx(0.52, abs=1e-6)
    assert torch.equal(best.scores, last.scores)
    after_one = optimise(best.images, zigzag, 1, steps.signed(0.03), keep="best").images
    assert after_one.item() == pytest.approx(0.52, abs=1e-6)   # the start does not count
    with pytest.raises(ValueError, match="keep: got 'first'"):
        optimise(start, zigzag, 1, keep="first")


def test_restarts_go_on_where_the_network_still_stands():
    model = deep()
    labels = model(IMAGES).argmax(1)
    fallen = [attacks.fooled(model, attacks.pgd(model, IMAGES, labels, 0.06, steps=1, restarts=restarts), labels)
              for restarts in (1, 5)]
    assert (fallen[1] | ~fallen[0]).all()   # none stands up again


@pytest.mark.parametrize("loss", attacks.TARGETED)
def test_a_targeted_attack_reaches_its_targets(loss):
    model = deep()
    labels = model(IMAGES).argmax(1)
    targets = (labels + torch.arange(6) % 4 + 1) % 5
    found = attacks.pgd(model, IMAGES, labels, 0.3, targets=targets, loss=loss)
    assert attacks.fooled(model, found, labels, targets).all() and attacks.fooled(model, found, labels).all()


def test_lbfgs_reaches_its_targets_and_stays_near():
    model, images = deep(), IMAGES[:3]
    labels = model(images).argmax(1)
    targets = (labels + 1) % 5
    found = attacks.lbfgs(model, images, labels, targets)
    assert attacks.fooled(model, found, labels, targets).all() and found.min() >= 0 and found.max() <= 1
    far = attacks.pgd(model, images, labels, 3.0, "l2", targets=targets, loss="margin")
    near = attacks.shortened(model, images, labels, far, targets)
    assert attacks.fooled(model, near, labels, targets).all()
    assert (attacks.distance(images, found) < 1.3 * attacks.distance(images, near)).all()


def test_falling_steps_reach_the_share_that_they_should():
    score = Objective(lambda images: images.flatten(1).sum(1))
    start = torch.zeros(1, 1, 1, 1)
    moved = [optimise(start, score, count, steps.falling(steps.signed(0.1), 4)).images.item() for count in (1, 2, 4)]
    assert moved == pytest.approx([0.1, 0.175, 0.25])   # 4, 3, 2, 1 quarters of 0.1


def test_the_losses_by_hand():
    logits = torch.tensor([[3.0, 1.0, 0.0], [0.0, 5.0, 4.0]])
    fixed = nn.Linear(1, 1)
    fixed.forward = lambda images: logits
    labels = torch.tensor([0, 2])
    two = torch.zeros(2, 1, 1, 1)
    torch.testing.assert_close(objectives.margin(fixed, labels)(two), torch.tensor([-2.0, 1.0]))
    torch.testing.assert_close(objectives.dlr(fixed, labels)(two), torch.tensor([-2 / 3, 1 / 5]))
    torch.testing.assert_close(objectives.cross_entropy(fixed, labels)(two),
                               nn.functional.cross_entropy(logits, labels, reduction="none"))


def test_the_curve_falls_and_counts_what_an_attack_leaves():
    found = standing.curve(MODEL, IMAGES, LABELS, [0, 0.002, 0.02], attack=attacks.fgsm)
    assert found[0] == 1 == standing.accuracy(MODEL, IMAGES, LABELS) and found == sorted(found, reverse=True)
    assert found[2] < 1
    with pytest.raises(ValueError, match="epsilons: got"):
        standing.curve(MODEL, IMAGES, LABELS, [0.1, 0.0])


def test_a_black_box_takes_its_place_in_the_worst_case():
    def grey(model, images, labels, eps, norm):
        assert (eps, norm) == (0.0, "linf")
        return torch.zeros_like(images)
    worst = standing.worst_case(MODEL, IMAGES, LABELS, 0.0, black_box=grey)
    assert list(worst.left)[-1] == "black box" and worst.left["margin"] == 1 > worst.accuracy == worst.left["black box"]
    towards = [f"towards class {rank}" for rank in (1, 2, 3)]
    assert list(worst.left) == ["none", "cross-entropy", "margin", *towards, "black box"]


def test_eight_bits_may_undo_an_attack():
    image = torch.full((1, 3, 8, 10), 100 / 255)
    assert torch.equal(attacks.quantised(image + 0.4 / 255), image) and torch.equal(attacks.quantised(image), image)
    model = deep()
    label = model(image).argmax(1)
    found = attacks.quantised(attacks.pgd(model, image, label, 5 / 255))
    torch.testing.assert_close(found * 255, (found * 255).round(), rtol=0, atol=1e-4)
    assert torch.equal(pixels.to_tensor(pixels.to_array(found)), found)


def test_shortened_stops_at_the_boundary():
    model, f, w = two_classes()
    labels = (f > 0).long()
    far = attacks.fgsm(model, IMAGES, labels, 3.0, "l2")
    near = attacks.shortened(model, IMAGES, labels, far, rounds=16)
    wrong = attacks.fooled(model, far, labels)
    assert wrong.any() and torch.equal(wrong, attacks.fooled(model, near, labels))
    torch.testing.assert_close(attacks.distance(IMAGES, near)[wrong], (f.abs() / w.norm())[wrong], rtol=1e-2, atol=1e-5)
    torch.testing.assert_close(near[~wrong], far[~wrong])


def test_the_network_is_left_as_it_was():
    model = nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.Linear(240, 4)).train()
    attacks.pgd(model, IMAGES, 0, 0.1, steps=2), attacks.deepfool(model, IMAGES, 0, steps=2)
    assert model.training and model[0].training and all(p.grad is None and p.requires_grad for p in model.parameters())


def test_nothing_in_nothing_out():
    for attack in (lambda m, x, y: attacks.pgd(m, x, y, 0.1), attacks.deepfool):
        assert attack(MODEL, IMAGES[:0], LABELS[:0]).shape == (0, 3, 8, 10)


@pytest.mark.parametrize("change, message", [
    ({"eps": -0.1}, "eps: got -0.1"), ({"eps": float("nan")}, "eps: got nan"), ({"eps": "8"}, "eps: got '8'"),
    ({"images": IMAGES + 1}, "images: got values from"), ({"images": IMAGES[0]}, "images: got shape"),
    ({"labels": 4}, "labels: got .*from 0 to 3"), ({"labels": -1}, "labels: got"),
    ({"labels": LABELS[:2]}, "labels: got shape"),
    ({"targets": 4}, "targets: got"), ({"targets": LABELS}, "targets: got .*the label of that image"),
    ({"model": nn.Sequential(MODEL, nn.Softmax(1))}, "model: got outputs that are probabilities.*softmax"),
    ({"model": nn.Sequential(nn.Flatten(), nn.Linear(240, 1))}, "model: got logits of 1 class"),
    ({"norm": "l1"}, "norm: got 'l1'"), ({"loss": "ce"}, "loss: got 'ce'"), ({"steps": 0}, "steps: got 0"),
    ({"loss": "dlr", "targets": (LABELS + 1) % 4}, "loss: got 'dlr'"), ({"start": "random start"}, "start: got"),
    ({"restarts": 0}, "restarts: got 0"), ({"batch": 0}, "batch: got 0"), ({"rate": -1.0}, "rate: got -1.0")])
def test_bad_input_is_named(change, message):
    arguments = {"model": MODEL, "images": IMAGES, "labels": LABELS, "eps": 0.1, **change}
    with pytest.raises(ValueError, match=message):
        attacks.pgd(**arguments)


def test_bad_norms_elsewhere():
    for wrong in (lambda: attacks.deepfool(MODEL, IMAGES, LABELS, "l1"), lambda: attacks.distance(IMAGES, IMAGES, "l1"),
                  lambda: attacks.fgsm(MODEL, IMAGES, LABELS, 0.1, "l1"),
                  lambda: projections.scattered(IMAGES, 0.1, "l1")):
        with pytest.raises(ValueError, match="norm: got 'l1'"):
            wrong()
