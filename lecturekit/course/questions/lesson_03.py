"""Lesson 3, occlusion: where the squares lie, the map of a linear score, a map's scores against a mask."""

import torch
from torch import nn

from lecturekit import attribution
from lecturekit.attribution import localisation
from lecturekit.course.questions import Mistake, Question

OCCLUSION = attribution.occlusion
MAP_SCORES = localisation.pointing_game, localisation.energy_inside, localisation.iou


def _lengths(seed):
    """Squares that fit exactly, squares that stick out at the end, one square as long as the image."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low, high):
        return int(torch.randint(low, high, (), generator=generator))

    window = draw(4, 9)
    stride, steps = draw(2, window), draw(3, 7)
    exact = window + steps * stride
    return [(exact, window, stride), (exact + draw(1, stride), window, stride), (draw(40, 90), 20, 20),
            (window, window, 1)]


def _only_whole(length, window, stride):
    return [(start, start + window) for start in range(0, length - window + 1, stride)]


def _pushed_back(length, window, stride):
    return [(stop - window, stop) for _, stop in attribution.spans(length, window, stride)]


def _sticking_out(length, window, stride):
    return [(start, start + window) for start, _ in attribution.spans(length, window, stride)]


def _too_many(length, window, stride):
    return [(start, min(start + window, length)) for start in range(0, length, stride)]


SPANS = Question(
    "03.1", "spans", points=5, minutes=10, inputs=_lengths, reference=attribution.spans,
    mistakes=(
        Mistake("Some pixels at the end are never hidden: where whole squares do not fit exactly, one more is needed, "
                "cut off at the end.", _only_whole),
        Mistake("Your last square was pushed back into the image: it should start one stride after the one before, and "
                "be cut off at the end.", _pushed_back),
        Mistake("Your last square sticks out of the image: its stop is at most `length`.", _sticking_out),
        Mistake("Your squares go on after the image is covered: stop at the first that reaches the end.", _too_many)),
    hint="Starts are 0, stride, 2 stride, ... up to the first square that reaches the end; stops are start + window, at "
         "most length.")


def _linear_scores(seed):
    """A grey image (H,W), the weights of a linear score, window, stride, fill: without overlap, and with."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((12, 8, 4, 4, 0.5), (11, 9, 4, 3, 0.25))
    return [(torch.rand(h, w, generator=generator), torch.randn(h, w, generator=generator), *rest)
            for h, w, *rest in shapes]


def _linear_map(image, weights, window, stride, fill):
    model = nn.Sequential(nn.Flatten(), nn.Linear(weights.numel(), 1, bias=False)).requires_grad_(False)
    model[1].weight.copy_(weights.view(1, -1))
    return OCCLUSION(model, image[None, None], 0, window, stride, fill)[0]


def _map_of(image, weights, window, stride, fill, drop, average=True):
    """The map by a loop over the squares; `drop(hidden)` is the score's fall for a mask of hidden pixels."""
    total, count = torch.zeros_like(image), torch.zeros_like(image)
    for top, bottom in attribution.spans(len(image), window, stride):
        for left, right in attribution.spans(image.shape[1], window, stride):
            hidden = torch.zeros_like(image)
            hidden[top:bottom, left:right] = 1
            total, count = total + drop(hidden) * hidden, count + hidden
    return total / count if average else total


def _summed(image, weights, window, stride, fill):
    return _map_of(image, weights, window, stride, fill, lambda m: (weights * (image - fill) * m).sum(), average=False)


def _rises(image, weights, window, stride, fill):
    return _map_of(image, weights, window, stride, fill, lambda m: (weights * (fill - image) * m).sum())


def _black(image, weights, window, stride, fill):
    return _map_of(image, weights, window, stride, fill, lambda m: (weights * image * m).sum())


def _remaining(image, weights, window, stride, fill):
    return _map_of(image, weights, window, stride, fill,
                   lambda m: (weights * torch.where(m > 0, torch.tensor(fill), image)).sum())


LINEAR = Question(
    "03.2", "linear_occlusion", points=5, minutes=20, inputs=_linear_scores, reference=_linear_map,
    mistakes=(
        Mistake("Where squares overlap you add their drops up: divide by how many squares hide the pixel.", _summed),
        Mistake("Your map has the wrong sign: a drop is the score of the whole image minus the score with the square.",
                _rises),
        Mistake("Your square is black: hidden pixels take the value `fill`.", _black),
        Mistake("You average the score that remains: subtract it from the score of the whole image.", _remaining)),
    hint="For each square: copy the image, set the square to fill, take the score (weights * image).sum() of both; add "
         "the difference to all pixels of the square, and 1 to their count; divide at the end.",
    forbidden=("occlusion", "sliding_scores"))


def _maps_and_masks(seed):
    """A smooth signed map and a mask (H,W) that it half agrees with, three times."""
    generator = torch.Generator().manual_seed(seed)
    cases = []
    for _ in range(3):
        mask = torch.zeros(16, 16, dtype=torch.bool)
        top, left = torch.randint(1, 8, (2,), generator=generator).tolist()
        mask[top:top + 7, left:left + 6] = True
        cases.append((torch.randn(16, 16, generator=generator) + 0.7 * mask, mask))
    return cases


def _scores(map, mask, evidence=lambda map: map.clamp(min=0)):
    batch, inside = map[None], mask[None]
    positive = evidence(map)
    return (localisation.pointing_game(batch, inside).item(), (positive * mask).sum().item() / positive.sum().item(),
            localisation.iou(batch, inside).item())


def _reference_scores(map, mask):
    return tuple(score(map[None], mask[None]).item() for score in MAP_SCORES)


def _absolute(map, mask):
    return _scores(map, mask, torch.abs)


def _signed(map, mask):
    return _scores(map, mask, lambda map: map)


def _half_maximum(map, mask):
    high = map >= map.max() / 2
    return *_scores(map, mask)[:2], ((high & mask).sum() / (high | mask).sum()).item()


def _recall(map, mask):
    high = map >= map.flatten().sort(descending=True).values[mask.sum() - 1]
    return *_scores(map, mask)[:2], ((high & mask).sum() / mask.sum()).item()


SCORES = Question(
    "03.3", "map_scores", points=5, minutes=15, inputs=_maps_and_masks, reference=_reference_scores,
    mistakes=(
        Mistake("Your energy counts negative values as evidence too: only the positive part speaks for the class.",
                _absolute),
        Mistake("Your energy lets negative values cancel positive ones: set them to zero first.", _signed),
        Mistake("Your IoU cuts the map at half its maximum: take as many of the highest pixels as the mask has.",
                _half_maximum),
        Mistake("Your third number divides by the mask's area: divide by the union of both regions.", _recall)),
    hint="Three numbers: 1 or 0 for the maximum inside the mask; the positive part inside, divided by all of it; the "
         "intersection over the union of the mask and the mask.sum() highest pixels.",
    forbidden=("pointing_game", "energy_inside", "iou"))

QUESTIONS = [SPANS, LINEAR, SCORES]
