"""Lesson 3, occlusion: where the squares lie, the map of a linear score, a map's scores against a mask."""

import torch
from torch import nn

from lecturekit import attribution
from lecturekit.attribution import localisation
from lecturekit.course.questions import Kind, Mistake, Question
from lecturekit.course.questions.drawing import normal, telling, uniform, whole

OCCLUSION = attribution.occlusion
MAP_SCORES = localisation.pointing_game, localisation.energy_inside, localisation.iou

# 03.1 Where the squares lie


def _side(steps, rest=0, stride=None):
    """Draws a length, a window and a stride: so many steps fit exactly, and `rest` of a stride (0 to 1) remains."""
    def draw(random):
        window = whole(random, 5, 9)
        step = stride(window) if stride else whole(random, 3, window - 1)
        return window + whole(random, *steps) * step + max(1, int(rest * step)) * (rest > 0), window, step
    return draw


def _one_square(random):
    window = whole(random, 4, 9)
    return window, window, whole(random, 2, window)


def _only_whole(length, window, stride):
    return [(start, start + window) for start in range(0, length - window + 1, stride)]


def _spans_with(stretch):
    """The right squares, each changed."""
    return lambda length, window, stride: [stretch(start, stop, length, window)
                                           for start, stop in attribution.spans(length, window, stride)]


SPANS = Question(
    "03.1", "spans", points=5, minutes=10, reference=attribution.spans,
    kinds=(Kind("ordinary", "squares that fit exactly", _side((3, 6))),
           Kind("edge", "a last square that sticks out", _side((2, 5), rest=0.5)),
           Kind("edge", "a last square of which one pixel is new", _side((2, 4), rest=0.01)),
           Kind("edge", "squares side by side", _side((2, 4), rest=0.5, stride=lambda window: window)),
           Kind("edge", "steps of one pixel", _side((2, 4), stride=lambda window: 1)),
           Kind("degenerate", "one square, as long as the image", _one_square),
           Kind("large", "a long side", _side((40, 60), rest=0.5))),
    idea="Go on by one stride until a square reaches the end of the image; only this last one may have to be cut off.",
    formula="Starts are 0, stride, 2 stride, ... up to the first square that reaches the end; stops are start + window, "
            "at most length.",
    mistakes=(
        Mistake("Some pixels at the end are never hidden: where whole squares do not fit exactly, one more is needed, "
                "cut off at the end.", _only_whole),
        Mistake("Your last square was pushed back into the image: it should start one stride after the one before, and "
                "be cut off at the end.", _spans_with(lambda start, stop, length, window: (stop - window, stop))),
        Mistake("Your last square sticks out of the image: its stop is at most the image's length.",
                _spans_with(lambda start, stop, length, window: (start, start + window))),
        Mistake("Your squares go on after the image is covered: stop at the first that reaches the end.",
                lambda length, window, stride: [(start, min(start + window, length))
                                                for start in range(0, length, stride)]),
        Mistake("Your stops are the last pixels hidden: a stop is the first pixel that is not, as in a slice.",
                _spans_with(lambda start, stop, length, window: (start, stop - 1))),
        Mistake("Your last square is missing: the range of the starts ends one too early, where a square would fit "
                "exactly.", lambda length, window, stride: [(start, start + window)
                                                            for start in range(0, length - window, stride)]),
        Mistake("You give the starts and the widths: the second number is where a square stops.",
                _spans_with(lambda start, stop, length, window: (start, stop - start))),
        Mistake("You count pixels from 1: the first one is number 0.",
                _spans_with(lambda start, stop, length, window: (start + 1, stop + 1)))),
    without="lecturekit's own `attribution.spans`")


# 03.2 Occlusion of a linear score


def _linear_score(height, width, window, stride, fill):
    """Draws a grey image (H,W) and the weights of a linear score."""
    return lambda random: (uniform(random, height, width), normal(random, height, width), window, stride, fill)


def _nothing_to_hide(random):
    fill = 0.25 * whole(random, 1, 3)
    return torch.full((6, 7), fill), normal(random, 6, 7), 3, 2, fill


def _linear_map(image, weights, window, stride, fill):
    model = nn.Sequential(nn.Flatten(), nn.Linear(weights.numel(), 1, bias=False)).requires_grad_(False)
    model[1].weight.copy_(weights.view(1, -1))
    return OCCLUSION(model, image[None, None], 0, window, stride, fill)[0]


def _squares(image, window, stride):
    """A mask (H,W) of 0 and 1 for each square."""
    for top, bottom in attribution.spans(len(image), window, stride):
        for left, right in attribution.spans(image.shape[1], window, stride):
            mask = torch.zeros_like(image)
            mask[top:bottom, left:right] = 1
            yield mask


def _map_of(image, window, stride, drop, average=True):
    """The map by a loop over the squares; `drop(mask)` is the score's fall when a square is hidden."""
    total, count = torch.zeros_like(image), torch.zeros_like(image)
    for mask in _squares(image, window, stride):
        total, count = total + drop(mask) * mask, count + mask
    return total / count if average else total


def _black(image, weights, window, stride, fill):
    return _map_of(image, window, stride, lambda mask: (weights * image * mask).sum())


def _fall(image, weights, fill):
    return lambda mask: (weights * (image - fill) * mask).sum()


def _remaining(image, weights, window, stride, fill):
    return _map_of(image, window, stride,
                   lambda mask: (weights * torch.where(mask > 0, torch.tensor(fill), image)).sum())


def _never_restored(image, weights, window, stride, fill):
    hidden, whole_score = image.clone(), (weights * image).sum()

    def drop(mask):
        hidden[mask > 0] = fill
        return whole_score - (weights * hidden).sum()
    return _map_of(image, window, stride, drop)


def _last_one_counts(image, weights, window, stride, fill):
    found = torch.zeros_like(image)
    for mask in _squares(image, window, stride):
        found = torch.where(mask > 0, _fall(image, weights, fill)(mask), found)
    return found


def _mean_score(image, weights, window, stride, fill):
    return _linear_map(image, weights, window, stride, fill) / image.numel()


def _over_all_squares(image, weights, window, stride, fill):
    total = _map_of(image, window, stride, _fall(image, weights, fill), average=False)
    return total / len(list(_squares(image, window, stride)))


LINEAR = Question(
    "03.2", "linear_occlusion", points=5, minutes=20, reference=_linear_map,
    kinds=(Kind("ordinary", "squares that overlap", _linear_score(11, 9, 4, 3, 0.25)),
           Kind("edge", "squares side by side", _linear_score(12, 8, 4, 4, 0.5)),
           Kind("edge", "one square for the whole image", _linear_score(5, 5, 5, 2, 0.5)),
           Kind("edge", "squares of one pixel", _linear_score(4, 5, 1, 1, 0.5)),
           Kind("degenerate", "a fill that equals the image", _nothing_to_hide),
           Kind("large", "a large image", _linear_score(24, 19, 7, 3, 0.75))),
    idea="Hide one square in a copy of the image and see how far the score falls. Every pixel of that square is "
         "suspect, and in the end gets the average over all the squares that hid it.",
    formula="For each square: copy the image, set the square to fill, take the score (weights * image).sum() of both; "
            "add the difference to all pixels of the square, and 1 to their count; divide at the end.",
    mistakes=(
        Mistake("Where squares overlap you add their drops up: take the average over the squares that hide the pixel.",
                lambda image, weights, window, stride, fill: _map_of(image, window, stride, _fall(image, weights, fill),
                                                                     average=False)),
        Mistake("Your map has the wrong sign: a drop is the score of the whole image minus the score with the square.",
                lambda *of: -_linear_map(*of)),
        Mistake("Your square is black: hidden pixels take the value `fill`.", _black),
        Mistake("You average the score that remains: subtract it from the score of the whole image.", _remaining),
        Mistake("Your map is zero: the hidden image and the whole one are the same tensor, so that both scores are of "
                "the hidden one. Work on a copy.", lambda image, *of: torch.zeros_like(image)),
        Mistake("The squares hidden before stay hidden: make a new copy of the image for each square.",
                _never_restored),
        Mistake("A pixel keeps the drop of the last square that hid it: gather the drops of all of them.",
                _last_one_counts),
        Mistake("You take the mean for the score: it is the sum over the pixels.", _mean_score),
        Mistake("You divide by the number of all squares: each pixel by the number of those that hide it.",
                _over_all_squares)),
    without="lecturekit's `attribution.occlusion` and its like (`attribution.spans` is allowed)",
    forbidden=("occlusion", "sliding_scores"))


# 03.3 A map's scores


def _boxed(height, width):
    """Draws a smooth signed map and a mask (H,W) that it half agrees with."""
    def draw(random):
        mask = torch.zeros(height, width, dtype=torch.bool)
        top, left = whole(random, 1, height // 2 - 1), whole(random, 1, width // 2 - 1)
        mask[top:top + height // 2 - 1, left:left + width // 2 - 2] = True
        return normal(random, height, width) + 0.7 * mask, mask
    return draw


def _with_peak(inside, lowest_inside, height=12, width=14):
    """Draws one whose maximum lies inside the mask or not, and whose value of largest size, a negative one, does or not."""
    def draw(random):
        map, mask = _boxed(height, width)(random)
        for where, value in ((mask if inside else ~mask, 4.0), (mask if lowest_inside else ~mask, -6.0)):
            places = where.nonzero()
            row, col = places[whole(random, 0, len(places) - 1)]
            map[row, col] = value
        return map, mask
    return draw


def _one_pixel(random):
    map, mask = normal(random, 7, 8), torch.zeros(7, 8, dtype=torch.bool)
    mask.view(-1)[map.argmax() if whole(random, 0, 1) else whole(random, 0, 55)] = True
    return map, mask


def _all_of_it(random):
    return normal(random, 6, 7), torch.ones(6, 7, dtype=torch.bool)


def _right_scores(map, mask):
    return tuple(score(map[None], mask[None]).item() for score in MAP_SCORES)


def _scores(energy=None, overlap=None, hit=None):
    """The right scores, one of them exchanged: functions of (map, mask)."""
    def scores(map, mask):
        exchanged = (own and float(own(map, mask)) for own in (hit, energy, overlap))
        return tuple(right if own is None else own for own, right in zip(exchanged, _right_scores(map, mask)))
    return scores


def _share_inside(evidence):
    return lambda map, mask: evidence(map)[mask].sum() / evidence(map).sum()


def _highest(map, mask):
    return map >= map.flatten().sort(descending=True).values[mask.sum() - 1]


SCORE_MISTAKES = (
    Mistake("Your energy counts negative values as evidence too: only the positive part speaks for the class.",
            _scores(energy=_share_inside(torch.abs))),
    Mistake("Your energy lets negative values cancel positive ones: set them to zero first.",
            _scores(energy=_share_inside(lambda map: map))),
    Mistake("Your IoU cuts the map at half its maximum: take as many of the highest pixels as the mask has.",
            _scores(overlap=lambda map, mask: ((map >= map.max() / 2) & mask).sum()
                    / ((map >= map.max() / 2) | mask).sum())),
    Mistake("Your third number divides the intersection by the mask's area (as do recall and, with two regions of one "
            "size, Dice): divide by all that lies in either region.",
            _scores(overlap=lambda map, mask: (_highest(map, mask) & mask).sum() / mask.sum())),
    Mistake("Your IoU takes all that is positive: take as many of the highest pixels as the mask has.",
            _scores(overlap=lambda map, mask: ((map > 0) & mask).sum() / ((map > 0) | mask).sum())),
    Mistake("Your first number looks for the value of largest size: the maximum is the highest one.",
            _scores(hit=lambda map, mask: mask.flatten()[map.abs().argmax()])),
    Mistake("Your energy divides by the mask's area: divide by the positive part of the whole map.",
            _scores(energy=lambda map, mask: map.clamp(min=0)[mask].sum() / mask.sum())),
    Mistake("Your energy counts pixels: add up their values.",
            _scores(energy=lambda map, mask: (map > 0)[mask].sum() / (map > 0).sum())))


def _telling(draw, *numbers):
    return telling(draw, _right_scores, *(SCORE_MISTAKES[number].solution for number in numbers))


SCORES = Question(
    "03.3", "map_scores", points=5, minutes=15, reference=_right_scores, mistakes=SCORE_MISTAKES,
    kinds=(Kind("ordinary", "the maximum lies inside the mask", _telling(_with_peak(True, False), 0, 1, 2, 3, 4, 5, 6, 7)),
           Kind("edge", "the maximum lies outside of the mask", _telling(_with_peak(False, True), 0, 1, 2, 3, 4, 5)),
           Kind("edge", "a mask of one pixel", _one_pixel),
           Kind("degenerate", "a mask of the whole picture", _all_of_it),
           Kind("large", "a large map", _telling(_boxed(40, 32), 0, 1, 2, 3, 4, 6, 7))),
    idea="Three questions: is the highest pixel in the mask? How much of all that is positive is in the mask? And of "
         "the two regions, the mask and an equally large one of the highest pixels, how much is in both?",
    formula="1 or 0 for the maximum inside the mask; the positive part inside, divided by all of it; the intersection "
            "over the union of the mask and the mask.sum() highest pixels.",
    without="lecturekit's `localisation.pointing_game`, `energy_inside` and `iou`",
    forbidden=("pointing_game", "energy_inside", "iou"))

QUESTIONS = [SPANS, LINEAR, SCORES]
