"""Projective maps, placing, what the camera does, where a sign's face is; stickers and patches, and controls."""

import pytest
import torch

from lecturekit.pictures import datasets, transforms
from lecturekit.pictures.transforms import SQUARE, homography, warp
from lecturekit.networks import models
from lecturekit.moving import objectives, optimise, projections, steps
from lecturekit.robustness import attacks, physical
from networks import linear

GENERATOR = torch.Generator().manual_seed(1)
PICTURES = torch.rand(4, 3, 20, 24, generator=GENERATOR)
STICKER = torch.rand(1, 3, 10, 10, generator=GENERATOR)
CORNERS = physical.anywhere(4, (0.4, 0.5), 30, torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def signs():
    return {split: data[(data.labels == 9).numpy()] for split in ("test", "grid")
            for data in [datasets.tabletop(split)]}


# ---------------------------------------------------------------- projective maps and what a camera does


def test_a_homography_takes_four_points_to_four_others_and_back():
    square = torch.tensor(SQUARE).expand(4, -1, -1)
    there, back = homography(square, CORNERS), homography(CORNERS, square)
    seen = torch.cat([square, torch.ones(4, 4, 1)], 2) @ there.transpose(1, 2)
    torch.testing.assert_close(seen[..., :2] / seen[..., 2:], CORNERS, atol=1e-5, rtol=0)
    product = there @ back
    torch.testing.assert_close(product / product[:, 2:, 2:], torch.eye(3).expand(4, 3, 3), atol=1e-5, rtol=0)


def test_warps():
    still = warp(PICTURES, torch.eye(3).expand(4, 3, 3), (20, 24))
    torch.testing.assert_close(still, PICTURES, atol=1e-5, rtol=0)
    flipped = warp(PICTURES, torch.diag(torch.tensor([-1.0, 1, 1])).expand(4, 3, 3), (20, 24))
    torch.testing.assert_close(flipped, PICTURES.flip(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [
    lambda: transforms.light(), lambda: transforms.noise(0.05), lambda: transforms.soften(1.0),
    lambda: transforms.jpeg(), lambda: transforms.perspective(0.2), physical.photographed])
def test_random_changes_are_drawn_from_the_generator_and_let_the_gradient_through(make):
    images = PICTURES.clone().requires_grad_()
    seen = [make()(images, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[0], seen[2]) and seen[0].shape == images.shape
    assert torch.equal(images, PICTURES) and not torch.allclose(seen[0], PICTURES, atol=1e-3)
    slope, = torch.autograd.grad(seen[0].sum(), images)
    assert torch.isfinite(slope).all() and (slope != 0).float().mean() > 0.5


def test_changes_of_strength_zero_change_nothing():
    for still in (transforms.light(0, 0), transforms.noise(0), transforms.perspective(0)):
        torch.testing.assert_close(still(PICTURES, torch.Generator()), PICTURES, atol=1e-5, rtol=0)


def test_jpeg_is_a_real_one_with_the_gradient_of_the_identity():
    images = PICTURES[:, :1].expand(-1, 3, -1, -1).clone().requires_grad_()   # grey: colours are halved at any quality
    coarse, fine = (transforms.jpeg(quality, quality)(images, torch.Generator()) for quality in (5, 100))
    assert (fine - images).abs().mean() < (coarse - images).abs().mean() / 3
    torch.testing.assert_close(coarse * 255, (coarse * 255).round(), atol=1e-3, rtol=0)
    weights = torch.rand(PICTURES.shape)
    slope, = torch.autograd.grad((coarse * weights).sum(), images)
    torch.testing.assert_close(slope, weights)
    assert transforms.jpeg()(PICTURES[:, :1], torch.Generator()).shape == (4, 1, 20, 24)


def test_the_expected_gradient_under_noise_of_a_linear_model_is_its_weights():
    model, weights = linear(height=20, width=24)
    images = PICTURES[:1].expand(50, -1, -1, -1).clone().requires_grad_()
    scores = model(transforms.noise(0.3)(images, torch.Generator().manual_seed(0)))[:, 2]
    slope, = torch.autograd.grad(scores.mean(), images)
    torch.testing.assert_close(slope.sum(0), weights[2])


# ---------------------------------------------------------------- placing


@pytest.mark.parametrize("shape, share", [("square", 1), ("disc", torch.pi / 4)])
def test_a_sticker_covers_its_place_alone_and_the_pictures_stay(shape, share):
    before = PICTURES.clone()
    black = physical.onto(torch.ones(4, 3, 100, 120), torch.zeros(1, 3, 50, 50), CORNERS, shape=shape)
    x, y = CORNERS.unbind(2)
    area = 0.5 * (x * y.roll(-1, 1) - x.roll(-1, 1) * y).sum(1).abs() / 4   # the shoelace formula
    torch.testing.assert_close((1 - black).mean((1, 2, 3)), share * area, rtol=0.03, atol=0)
    once, twice = (physical.onto(PICTURES, sticker, CORNERS, shape=shape) for sticker in (STICKER, 1 - STICKER))
    again = physical.onto(PICTURES, 1 - STICKER, CORNERS, shape=shape)
    assert torch.equal(PICTURES, before) and torch.equal(twice, again) and not torch.equal(once, twice)
    untouched = physical.onto(torch.zeros(4, 1, 20, 24), torch.ones(1, 1, 10, 10), CORNERS, shape=shape) == 0
    assert not ((once != PICTURES) & untouched).any() and untouched.any()


def test_whole_pictures_and_masks():
    whole = torch.tensor(SQUARE).expand(4, 4, 2)
    over = physical.onto(PICTURES, PICTURES[:1], whole)
    torch.testing.assert_close(over, PICTURES[:1].expand_as(PICTURES), atol=1e-5, rtol=0)
    masks = torch.zeros(4, 20, 24, dtype=torch.bool)
    assert torch.equal(physical.onto(PICTURES, STICKER, whole, masks), PICTURES)
    masks[:, :5] = True
    seen = physical.onto(PICTURES, STICKER, whole, masks)
    assert torch.equal(seen[:, :, 5:], PICTURES[:, :, 5:]) and not torch.equal(seen[:, :, :5], PICTURES[:, :, :5])


def test_the_gradient_is_zero_off_the_patch_and_under_it():
    pictures, patch = PICTURES.clone().requires_grad_(), STICKER.clone().requires_grad_()
    seen = physical.onto(pictures, patch, CORNERS, shape="disc")
    on_patch, on_pictures = torch.autograd.grad(seen.sum(), (patch, pictures))
    line = torch.arange(10) - 4.5
    disc = line.square()[:, None] + line.square() <= 25
    assert (on_patch[0, :, disc] > 0).all() and not on_patch[0, :, ~disc].any() and 0 < (~disc).sum() < 30
    covered = physical.onto(torch.zeros(4, 3, 20, 24), torch.ones(1, 3, 10, 10), CORNERS, shape="disc")
    torch.testing.assert_close(on_pictures, 1 - covered, atol=1e-5, rtol=0)


def test_places_drawn_lie_within_the_picture():
    corners = physical.anywhere(200, (0.2, 0.5), 0, torch.Generator().manual_seed(0))
    sides = (corners[:, 1] - corners[:, 0]).norm(dim=1) / 2
    assert corners.abs().max() <= 1 + 1e-6 and 0.2 <= sides.min() < 0.25 and 0.45 < sides.max() <= 0.5
    turned = physical.anywhere(200, (0.2, 0.5), 30, torch.Generator().manual_seed(0))
    torch.testing.assert_close((turned[:, 1] - turned[:, 0]).norm(dim=1) / 2, sides)


# ---------------------------------------------------------------- signs


def test_a_signs_face_is_where_its_mask_says(signs):
    for data in signs.values():
        whole, inner = (physical.onto(torch.zeros(len(data), 1, 128, 128), torch.ones(1, 1, 8, 8),
                                      physical.on_signs(data, (0, 0), half))[:, 0] > 0.5 for half in (1.03, 0.6))
        lowest = (physical.on_signs(data, (0, 0), 0.8)[..., 1].amax(1) + 1) * 64   # the plate's rows
        plate = data.masks & (torch.arange(128)[:, None] < lowest[:, None, None])
        assert ((inner & data.masks).sum((1, 2)) / inner.sum((1, 2))).min() > 0.97   # the inner square is all sign
        inside = (whole & plate).sum((1, 2)) / plate.sum((1, 2))
        assert inside.min() > 0.93 and inside.median() > 0.98
        octagon = (whole & data.masks).sum((1, 2)) / whole.sum((1, 2))
        assert (octagon.median() - 0.828 / 1.03 ** 2).abs() < 0.05   # the share of a square that an octagon fills


def test_other_things_have_no_face():
    with pytest.raises(ValueError, match="signs: got other things too"):
        physical.on_signs(datasets.tabletop("grid")[:10])


def test_a_sticker_made_from_some_views_fools_on_others_and_noise_does_not(signs):
    model, spot = models.load("alexnet_s"), ((0, -0.58), 0.32)
    pictures, masks, labels = datasets.for_model(signs["test"][:32], model, 96)
    seen = transforms.chain(physical.placed(pictures, physical.on_signs(signs["test"][:32], *spot), masks, batch=4),
                            physical.photographed())
    noise = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    away = objectives.margin(model, int(labels[0]))
    sticker = optimise(noise, away, 20, steps.signed(0.08), projections.box, seen).images
    views, masks, labels = datasets.for_model(signs["grid"], model, 96)
    corners = physical.on_signs(signs["grid"], *spot)
    wrong = [attacks.fooled(model, physical.onto(views, attacks.quantised(s), corners, masks), labels).float().mean()
             for s in (noise, sticker)]
    assert wrong[0] < 0.25 and wrong[1] > 0.6


def test_a_patch_is_called_its_target_wherever_it_lies():
    model = models.load("alexnet_s")
    target, known = models.category_index(model, "mug"), datasets.tabletop("test")[:60]
    pictures, _, labels = datasets.for_model(known, model, 96)
    anywhere = physical.thrown(pictures[labels != target], (0.35, 0.5), batch=4)
    seen = transforms.chain(anywhere, physical.photographed(0.5))
    patch = optimise(torch.full((1, 3, 32, 32), 0.5), -objectives.cross_entropy(model, target), 25, steps.signed(0.08),
                     projections.box, seen).images
    others, _, labels = datasets.for_model(datasets.tabletop("test")[60:120], model, 96)
    others = others[labels != target]
    corners = physical.anywhere(len(others), (0.35, 0.5), 25, torch.Generator().manual_seed(7))
    seen = [physical.onto(others, p, corners, shape="disc")
            for p in (torch.full((1, 3, 32, 32), 0.5), attacks.quantised(patch))]
    called = [(models.predict(model, images).argmax(1) == target).float().mean() for images in seen]
    assert called[0] < 0.1 and called[1] > 0.5


@pytest.mark.parametrize("call, message", [
    (lambda: physical.onto(PICTURES, STICKER, CORNERS[:2]), r"corners: got shape \(2, 4, 2\)"),
    (lambda: physical.onto(PICTURES, STICKER, CORNERS, shape="star"), "shape: got 'star'"),
    (lambda: physical.onto(PICTURES, PICTURES, CORNERS), "sticker: got a batch of 4"),
    (lambda: physical.thrown(PICTURES, batch=0), "batch: got 0"),
    (lambda: physical.placed(PICTURES[0], CORNERS), "pictures: got shape"),
    (lambda: physical.thrown(PICTURES + 1), "pictures: got values")])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
