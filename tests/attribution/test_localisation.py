"""Scores of maps against masks, and deletion and insertion, on cases small enough to know the answer."""

import pytest
import torch
from torch import nn

from lecturekit.attribution import localisation
from lecturekit.attribution.localisation import (area_under, bootstrap, chance, deletion, discrimination,
                                                 energy_inside, insertion, iou, pointing_game)

MASKS = torch.zeros(3, 4, 4, dtype=torch.bool)
MASKS[:, :2, :2] = True   # a quarter


def maps(*rows):
    """Maps that are 0 except for {(y, x): value}."""
    drawn = torch.zeros(len(rows), 4, 4)
    for i, row in enumerate(rows):
        for (y, x), value in row.items():
            drawn[i, y, x] = value
    return drawn


def test_pointing_game():
    drawn = maps({(0, 1): 2, (3, 3): 1}, {(0, 0): 1, (3, 3): 2}, {(1, 1): 1, (2, 2): 1})
    assert pointing_game(drawn, MASKS).tolist() == [1, 0, 0.5]


def test_energy_inside_counts_the_positive_part():
    drawn = maps({(0, 0): 3, (3, 3): 1, (0, 1): -5}, {(3, 3): 1}, {(0, 0): 2, (3, 0): -9})
    assert energy_inside(drawn, MASKS).tolist() == [0.75, 0, 1]


def test_iou():
    perfect, moved = MASKS[0].float(), MASKS[0].float().roll(1, 1)
    drawn = torch.stack([perfect, moved, 1 - perfect])
    torch.testing.assert_close(iou(drawn, MASKS), torch.tensor([1, 2 / 6, 0]))


def test_iou_of_a_share():
    ramp = torch.arange(16.0).flip(0).view(1, 4, 4)   # highest in the first row
    assert iou(ramp, MASKS[:1], share=0.5).item() == pytest.approx(4 / 8)
    assert iou(ramp, MASKS[:1], share=0.25).item() == pytest.approx(2 / 6)


def test_discrimination_counts_the_positive_part_on_the_two_objects():
    other = MASKS.flip(2)   # the quarter beside it
    drawn = maps({(0, 0): 3, (0, 3): 1, (3, 3): 9}, {(1, 1): -4, (1, 2): 2}, {(0, 0): -1, (3, 0): 5})
    assert discrimination(drawn, MASKS, other).tolist() == [0.75, 0, 0.5]   # the last: nothing positive on either
    torch.testing.assert_close(discrimination(drawn, other, MASKS), 1 - discrimination(drawn, MASKS, other))


def test_a_map_that_ignores_the_class_discriminates_by_a_half_on_average():
    wide, narrow = torch.zeros(1, 4, 4, dtype=torch.bool), MASKS[:1]
    wide[:, 2:] = True
    drawn = torch.rand(1, 4, 4)
    both = torch.cat([discrimination(drawn, wide, narrow), discrimination(drawn, narrow, wide)])
    assert both.mean().item() == pytest.approx(0.5)
    assert discrimination(torch.ones(1, 4, 4), wide, narrow).item() == pytest.approx(2 / 3)


def test_discrimination_of_bad_input():
    drawn = torch.rand(3, 4, 4)
    assert discrimination(drawn[:0], MASKS[:0], MASKS[:0]).shape == (0,)
    with pytest.raises(TypeError, match="own: got torch.float32"):
        discrimination(drawn, MASKS.float(), MASKS)
    with pytest.raises(ValueError, match="other: got one that is true nowhere"):
        discrimination(drawn, MASKS, torch.zeros_like(MASKS))
    with pytest.raises(ValueError, match="maps: got shape"):
        discrimination(drawn, MASKS, MASKS[:, :3])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_map_scores_chance(value):
    flat, expected = torch.full((3, 4, 4), value), chance(MASKS)
    assert torch.equal(pointing_game(flat, MASKS), expected["pointing game"])
    assert torch.equal(energy_inside(flat, MASKS), expected["energy inside"])
    assert iou(flat, MASKS).tolist() == [0.25] * 3


def test_chance_is_what_random_maps_score():
    masks = MASKS[:1].expand(4000, 4, 4).repeat_interleave(8, 1).repeat_interleave(8, 2)[:1000]
    drawn = torch.rand(1000, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = {name: value[0].item() for name, value in chance(masks).items()}
    assert pointing_game(drawn, masks).mean().item() == pytest.approx(expected["pointing game"], abs=0.05)
    assert energy_inside(drawn, masks).mean().item() == pytest.approx(expected["energy inside"], abs=0.01)
    assert iou(drawn, masks).mean().item() == pytest.approx(expected["IoU"], abs=0.01)


@pytest.mark.parametrize("score", [pointing_game, energy_inside, iou])
def test_scores_of_none_one_and_bad_input(score):
    drawn = torch.rand(3, 4, 4)
    assert score(drawn[:0], MASKS[:0]).shape == (0,) and score(drawn[:1], MASKS[:1]).shape == (1,)
    torch.testing.assert_close(score(drawn * 7, MASKS), score(drawn, MASKS))
    for wrong, message in ((drawn[:2], "maps: got shape"), (drawn[0], "maps: got shape"),
                           (drawn * torch.nan, "maps: got NaN")):
        with pytest.raises(ValueError, match=message):
            score(wrong, MASKS)
    with pytest.raises(TypeError, match="masks: got torch.float32"):
        score(drawn, MASKS.float())
    with pytest.raises(TypeError, match="maps: got torch.int64"):
        score(MASKS.long(), MASKS)
    with pytest.raises(ValueError, match="masks: got one that is true nowhere"):
        score(drawn, torch.zeros_like(MASKS))


def test_share_out_of_range():
    with pytest.raises(ValueError, match="share: got 0"):
        iou(torch.rand(3, 4, 4), MASKS, share=0)


def linear():
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 2, bias=False)).requires_grad_(False)
    return model, model[1].weight.view(2, 3, 4, 4)


IMAGES = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def test_curves_of_a_linear_model():
    model, weights = linear()
    falls = (weights[1] * (IMAGES - 0.5)).sum(1)   # what each pixel is worth, (N,4,4)
    ordered = falls.flatten(1).sort(1, descending=True).values.cumsum(1)
    whole, empty = model(IMAGES)[:, 1], model(torch.full_like(IMAGES, 0.5))[:, 1]
    fallen = deletion(model, IMAGES, falls, 1, steps=16, fill=0.5, score="logit")
    risen = insertion(model, IMAGES, falls, 1, steps=16, fill=0.5, score="logit")
    torch.testing.assert_close(fallen[:, 1:], whole[:, None] - ordered, rtol=0, atol=1e-5)
    torch.testing.assert_close(risen[:, 1:], empty[:, None] + ordered, rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.stack([fallen[:, 0], risen[:, 0]]), torch.stack([whole, empty.expand(2)]))


def test_exact_order_beats_every_other():
    model, weights = linear()
    falls = (weights[0] * (IMAGES - 0.5)).sum(1)
    random = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(3))
    for curve, better in ((deletion, torch.lt), (insertion, torch.gt)):
        best, other = (area_under(curve(model, IMAGES, m, 0, 8, 0.5, "logit")) for m in (falls, random))
        assert better(best, other).all()


def test_deleting_the_lowest_last_is_inserting_the_lowest_first():
    model = linear()[0]
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1)).float().view(1, 4, 4)
    fallen = deletion(model, IMAGES[:1], order, 0, 4, "mean")
    torch.testing.assert_close(fallen, insertion(model, IMAGES[:1], -order, 0, 4, "mean").flip(1))


def test_area_under():
    assert area_under(torch.tensor([[1.0, 1, 1], [1, 0.5, 0], [0, 0, 1]])).tolist() == [1, 0.5, 0.25]


def test_curves_of_none_and_bad_input():
    model = linear()[0]
    assert deletion(model, IMAGES[:0], torch.zeros(0, 4, 4), 0, 4).shape == (0, 5)
    for options, message in (({"maps": torch.zeros(2, 4, 5)}, "maps: got shape"), ({"steps": 0}, "steps: got 0"),
                             ({"target": 2}, "target: got"), ({"fill": 2}, "fill: got"), ({"score": "x"}, "score: got")):
        with pytest.raises(ValueError, match=message):
            deletion(model, IMAGES, **{"maps": torch.zeros(2, 4, 4), "target": 0, **options})


def test_bootstrap():
    values = torch.randn(400, generator=torch.Generator().manual_seed(0)) + 1
    low, high = bootstrap(values)
    assert (low, high) == bootstrap(values) and low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std().item() / 20, rel=0.1)
    assert bootstrap(torch.ones(5)) == (1, 1)
    with pytest.raises(ValueError, match="values: got shape"):
        bootstrap(torch.ones(0))


def test_ranks():
    assert localisation._ranks(torch.tensor([[[0.0, 3.0], [1.0, 3.0]]])).tolist() == [[[3, 0], [2, 1]]]
