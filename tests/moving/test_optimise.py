"""The loop: closed forms, projections, seeds, exploding scores, interrupts; the parameterisations and transforms."""

import pytest
import torch
from torch import nn

from lecturekit.pictures import transforms
from lecturekit.networks import models
from lecturekit.moving import objectives, optimise, parameters, projections, steps
from lecturekit.moving.objectives import Objective, class_score, l2
from networks import linear

START = torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(1))
MODEL, WEIGHTS = linear()
W = WEIGHTS[2]
SCORE = class_score(MODEL, 2)


def test_l2_penalty_reaches_its_closed_form():
    found = optimise(torch.zeros(1, 3, 8, 10), SCORE - 0.5 * l2(), 200, steps.ascent(0.3))
    torch.testing.assert_close(found.images[0], W, rtol=0, atol=1e-5)   # w / (2 lambda)
    bias = MODEL[1].bias[2]
    assert (found.scores[-1] - bias).item() == pytest.approx(W.square().sum().item() / 2, rel=1e-4)


def test_decay_reaches_its_fixed_point():
    found = optimise(torch.zeros(1, 3, 8, 10), SCORE, 400, steps.ascent(0.2), projections.decay(0.1))
    torch.testing.assert_close(found.images[0], 0.2 * 0.9 * W / 0.1, rtol=0, atol=1e-4)


def test_optimum_over_the_box_and_over_balls():
    over_box = optimise(START, SCORE, 50, steps.ascent(1e5), projections.box)
    assert torch.equal(over_box.images, (W > 0).float().expand(2, -1, -1, -1))
    middle = torch.full((1, 3, 8, 10), 0.5)
    over_l2 = optimise(middle, SCORE, 100, steps.ascent(1.0), projections.ball(middle, 0.4, "l2"))
    torch.testing.assert_close(over_l2.images[0], 0.5 + 0.4 * W / W.norm(), rtol=0, atol=1e-5)
    over_linf = optimise(middle, SCORE, 4, steps.signed(0.03), projections.ball(middle, 0.05))
    torch.testing.assert_close(over_linf.images[0], 0.5 + 0.05 * W.sign())


@pytest.mark.parametrize("step", [steps.adam(0.05), steps.lbfgs(), steps.normalised(0.04)])
def test_every_step_comes_near_the_optimum(step):
    target = torch.rand(1, 3, 8, 10, generator=torch.Generator().manual_seed(3))
    near = Objective(lambda images: -(images - target).square().flatten(1).sum(1))
    found = optimise(torch.zeros(1, 3, 8, 10), near, 400, step)
    assert (found.images - target).norm() < 0.05 and found.scores[-1] > -0.01 > found.scores[0]


def test_images_do_not_disturb_one_another_and_the_start_is_left_alone():
    before = START.clone()
    both = optimise(START, SCORE, 5, steps.normalised(0.3), projections.box)
    one = optimise(START[1:], SCORE, 5, steps.normalised(0.3), projections.box)
    torch.testing.assert_close(both.images[1:], one.images)
    assert torch.equal(START, before) and both.scores.shape == (5, 2) and not both.images.requires_grad
    torch.testing.assert_close(both.scores[0], SCORE(START))


def test_a_run_is_reproducible_from_its_seed():
    model = models.load("resnet_s", weights="random")
    moves = transforms.chain(transforms.jitter(3), transforms.scale(0.9, 1.1), transforms.rotate(10))
    runs = [optimise(parameters.Fourier(2, 32, seed=4), class_score(model, 5), 4, transform=moves, seed=seed).images
            for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e20])
def test_a_score_that_is_not_finite_ends_the_run_with_the_last_good_images(bad):
    calls = []

    def score(images):
        calls.append(0)
        return images.flatten(1).sum(1) * (1.0 if len(calls) < 4 else bad)

    with pytest.warns(UserWarning, match="the score is (nan|inf|[0-9.e+]+) at step 3; these are the last good images"):
        found = optimise(START, Objective(score), 10, steps.ascent(0.1))
    assert len(found.scores) == 3 and "step 3" in found.stopped
    torch.testing.assert_close(found.images, START + 0.3)


def test_images_that_are_not_finite_end_the_run_too():
    with pytest.warns(UserWarning, match="no longer finite after step 0"):
        found = optimise(START, SCORE * 1e5, 3, steps.ascent(3e38))
    assert torch.equal(found.images, START)


def test_an_interrupt_keeps_the_picture_so_far():
    def stop(number, images, scores):
        if number == 2:
            raise KeyboardInterrupt
    found = optimise(START, SCORE, 10, steps.ascent(0.1), watch=stop)
    torch.testing.assert_close(found.images, START + 0.3 * W)
    assert found.stopped == "interrupted after 3 steps" and len(found.scores) == 3


def test_models_are_asked_in_eval_mode_and_left_as_they_were():
    model = nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.Linear(240, 4)).train()
    runs = [optimise(START, class_score(model, 1), 3).images for _ in range(2)]
    assert torch.equal(*runs) and model[0].training and all(p.grad is None and p.requires_grad for p in model.parameters())
    with pytest.raises(ValueError):
        optimise(START, class_score(model, 9), 3)
    assert model[0].training


def test_objectives_add_and_scale():
    total = sum([SCORE, 2 * l2(), -class_score(MODEL, 0)]) - l2() * 0.5
    expected = MODEL(START)[:, 2] + 1.5 * START.square().flatten(1).sum(1) - MODEL(START)[:, 0]
    torch.testing.assert_close(total(START), expected)
    assert total.models == (MODEL, MODEL)


def test_fourier_keeps_the_norm_and_starts_grey():
    painted = parameters.Fourier(1, 16, decay=0.0, noise=1.0)
    waves = torch.fft.irfft2(torch.view_as_complex(painted.parameters[0].detach()), s=(16, 16), norm="ortho")
    torch.testing.assert_close(torch.fft.fft2(waves, norm="ortho").abs().square().sum(), waves.square().sum())
    images = parameters.Fourier(2, 17, noise=1e-6).images()
    assert images.shape == (2, 3, 17, 17) and (images - 0.5).abs().max() < 1e-3


def test_a_code_is_moved_through_its_generator():
    generator = nn.Sequential(nn.Linear(4, 12), nn.Unflatten(1, (3, 2, 2))).requires_grad_(False)
    code = torch.zeros(2, 4)
    found = optimise(parameters.Code(generator, code), Objective(lambda images: -images.flatten(1).square().sum(1)), 5)
    assert found.images.shape == (2, 3, 2, 2) and not code.any() and found.scores[-1].sum() > found.scores[0].sum()
    with pytest.raises(ValueError, match="project: got one for Code"):
        optimise(parameters.Code(generator, code), l2(), 5, project=projections.box)


def test_jitter_there_and_back_is_the_identity():
    moved = START.roll((3, -2), (2, 3))
    assert torch.equal(moved.roll((-3, 2), (2, 3)), START)
    seen = {tuple(transforms.jitter(1)(START, torch.Generator().manual_seed(seed))[0, 0, 0].tolist()) for seed in range(40)}
    assert len(seen) == 9


def test_transforms_that_change_nothing():
    generator = torch.Generator().manual_seed(0)
    for still in (transforms.jitter(0), transforms.scale(1, 1), transforms.rotate(0)):
        torch.testing.assert_close(still(START, generator), START, rtol=0, atol=1e-5)
    turned = transforms.scale(2, 2)(START, generator)
    assert turned.shape == START.shape and not torch.allclose(turned, START, atol=0.1)


def test_projections():
    assert projections.box(torch.tensor([-1.0, 0.5, 2.0])).tolist() == [0, 0.5, 1]
    edge = torch.ones(1, 1, 1, 2)
    assert projections.ball(edge, 0.5)(edge + 1, 0).tolist() == edge.tolist()
    moved = projections.ball(START, 0.3, "l2")(START + torch.randn_like(START), 0)
    assert (moved - START).flatten(1).norm(dim=1).max() <= 0.3 + 1e-5
    assert torch.equal(projections.ball(START, 0)(START + 1, 0), START)
    small = torch.tensor([[0.1, 0.9], [0.8, 0.7]]).view(1, 1, 2, 2)
    assert projections.clip_small(0.3)(small, 0).flatten().tolist() == pytest.approx([0, 0.9, 0.8, 0.7])
    soften = projections.blur(1.0, every=3)
    assert torch.equal(soften(START, 0), START) and soften(START, 2).std() < START.std()


@pytest.mark.parametrize("call, message", [
    (lambda: projections.ball(START, -0.1), "eps: got -0.1"), (lambda: projections.ball(START, 1, "l1"), "norm: got 'l1'"),
    (lambda: steps.ascent(0), "rate: got 0"), (lambda: optimise(START, SCORE, 0), "steps: got 0"),
    (lambda: objectives.channel(MODEL, "conv", 0), "layer: got 'conv'"), (lambda: optimise(START[0], SCORE), r"images\[None\]")])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
