"""GrabCut from seeds: a disc is cut out exactly, bad seeds give sane masks, bad input says so."""

import cv2
import pytest
import torch

from lecturekit.pictures import datasets, pixels
from lecturekit.attribution.segmentation import centre_map, grab_cut, mask_iou

SIDE = 48
ROWS, COLUMNS = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")


def discs(*centres, radius=10):
    """Red discs on a noisy blue ground, their masks, and maps that are high only near each disc's middle."""
    distance = torch.stack([((ROWS - y) ** 2 + (COLUMNS - x) ** 2).sqrt() for y, x in centres])
    masks = distance <= radius
    noise = 0.1 * torch.rand(len(centres), 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    colours = torch.tensor([[0.1, 0.2, 0.8], [0.8, 0.2, 0.1]])[masks.long()].permute(0, 3, 1, 2)
    return colours + noise, masks, -distance


def test_cuts_out_a_disc_from_a_seed_in_it():
    images, masks, maps = discs((15, 15), (30, 25))
    found = grab_cut(images, maps)
    assert found.dtype == torch.bool and torch.equal(found, masks)


def test_colour_decides_what_lies_between_the_seeds():
    images, masks, maps = discs((20, 28))
    assert mask_iou(maps >= maps.flatten().quantile(0.95), masks) < 0.5 < mask_iou(grab_cut(images, maps), masks)


def test_seeds_stay_what_they_are():
    images, masks, maps = discs((15, 15))
    found = grab_cut(images, -maps)   # the seeds of the object lie in the far corner
    assert found[0, SIDE - 1, SIDE - 1] and not found[0, 15, 15]


def test_the_result_depends_on_the_input_alone():
    images = pixels.resize(datasets.tabletop("test")[2:4].images, 64).clamp(0, 1)   # where other clusters matter
    maps, before = centre_map(images), cv2.getNumThreads()
    found = []
    for threads, seed in ((1, 5), (2, 6)):
        cv2.setNumThreads(threads)
        cv2.setRNGSeed(seed)
        found.append(grab_cut(images, maps))
        assert cv2.getNumThreads() == threads
    cv2.setNumThreads(before)
    assert torch.equal(*found) and torch.equal(found[0][1:], grab_cut(images[1:], maps[1:]))


def test_the_input_stays_as_it_was():
    images, _, maps = discs((20, 20))
    kept = images.clone(), maps.clone()
    grab_cut(images.requires_grad_(), maps.requires_grad_())
    assert torch.equal(images, kept[0]) and torch.equal(maps, kept[1])


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_a_constant_map_tells_of_no_object(value):
    images, _, maps = discs((20, 20))
    assert not grab_cut(images, torch.full_like(maps, value)).any()


@pytest.mark.parametrize("share", [0.01, 0.2, 0.9])
def test_maps_whose_quantiles_tie(share):
    images, masks, _ = discs((20, 20))
    high = torch.rand(1, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) < share
    assert torch.equal(grab_cut(images, high.float()), high)   # nothing lies between the seeds


@pytest.mark.parametrize("options", [{"foreground": 1, "background": 0}, {"foreground": 0.01, "background": 0},
                                     {"foreground": 1, "background": 0.999}, {"iterations": 1}])
def test_extreme_quantiles(options):
    images, _, maps = discs((20, 20))
    assert grab_cut(images, maps, **options).shape == maps.shape


def test_plain_and_tiny_pictures():
    for shape in ((1, 3, 9, 7), (1, 3, 1, 1), (1, 3, 1, 5), (2, 3, 2, 1)):
        images = torch.full(shape, 0.5)
        assert grab_cut(images, torch.rand(shape)[:, 0]).shape == images[:, 0].shape


def test_no_picture_and_one():
    images, masks, maps = discs((20, 20))
    assert torch.equal(grab_cut(images, maps), masks)
    for found in (grab_cut(images[:0], maps[:0]), centre_map(images[:0])):
        assert found.shape == (0, SIDE, SIDE)
    assert grab_cut(images[:0], maps[:0]).dtype == torch.bool and mask_iou(masks[:0], masks[:0]).shape == (0,)


def test_centre_map():
    maps = centre_map(torch.zeros(2, 3, 5, 9))
    assert maps.shape == (2, 5, 9) and maps[0, 2, 4] == maps.max() == 1 and 0 < maps.min() < 0.2
    assert torch.equal(maps, maps.flip(1)) and torch.equal(maps, maps.flip(2)) and maps[0, 0, 0] == maps.min()


def test_mask_iou():
    masks = torch.zeros(4, 4, 4, dtype=torch.bool)
    masks[:, :2, :2] = True
    found = torch.stack([masks[0], masks[0].roll(1, 1), ~masks[0], torch.zeros(4, 4).bool()])
    torch.testing.assert_close(mask_iou(found, masks), torch.tensor([1, 1 / 3, 0, 0]))


@pytest.mark.parametrize("change, error, message", [
    ({"images": torch.zeros(1, 1, SIDE, SIDE)}, ValueError, r"images: got shape.*\(N,3,H,W\)"),
    ({"images": torch.zeros(1, 3, SIDE, 0), "maps": torch.zeros(1, SIDE, 0)}, ValueError, "images: got shape"),
    ({"images": torch.full((1, 3, SIDE, SIDE), 255.0)}, ValueError, "images: got values from"),
    ({"maps": torch.zeros(1, SIDE, SIDE + 1)}, ValueError, "maps: got shape"),
    ({"maps": torch.zeros(2, SIDE, SIDE)}, ValueError, "maps: got shape"),
    ({"maps": torch.zeros(1, SIDE, SIDE).long()}, TypeError, "maps: got torch.int64"),
    ({"maps": [[0.0]]}, TypeError, "maps: got list"),
    ({"maps": torch.full((1, SIDE, SIDE), float("nan"))}, ValueError, "maps: got .*NaN"),
    ({"foreground": 0.3}, ValueError, "background, foreground: got 0.3, 0.3"),
    ({"foreground": 0.2}, ValueError, "first below the second"),
    ({"background": -0.1}, ValueError, "background, foreground: got -0.1"),
    ({"foreground": 95}, ValueError, "background, foreground: got 0.3, 95"),
    ({"iterations": 0}, ValueError, "iterations: got 0")])
def test_bad_input(change, error, message):
    images, _, maps = discs((20, 20))
    with pytest.raises(error, match=message):
        grab_cut(**{"images": images, "maps": maps} | change)


@pytest.mark.parametrize("found, masks, error, message", [
    (torch.ones(1, 2, 2), torch.ones(1, 2, 2).bool(), TypeError, "found: got torch.float32"),
    (torch.ones(1, 2, 2).bool(), torch.ones(1, 2, 2), TypeError, "masks: got torch.float32"),
    (torch.ones(1, 2, 2).bool(), torch.ones(1, 2, 3).bool(), ValueError, r"masks: .*here of shape \(1, 2, 2\)"),
    (torch.ones(1, 2, 2).bool(), torch.zeros(1, 2, 2).bool(), ValueError, "masks with at least one pixel")])
def test_mask_iou_refuses(found, masks, error, message):
    with pytest.raises(error, match=message):
        mask_iou(found, masks)
