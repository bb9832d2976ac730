"""Lesson 3, occlusion: where the squares lie, the sliding square on a network, a map's scores against a mask."""

import torch

from lecturekit import attribution
from lecturekit.attribution import localisation
from lecturekit.course.questions import Kind, Mistake, Network, Question
from lecturekit.course.questions.drawing import normal, telling, uniform, whole

OCCLUSION, SLIDING = attribution.occlusion, attribution.sliding_scores
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


# 03.2 The square that wanders over a network's picture


def _pictured(architecture, height, width, window, stride, fill):
    """Draws a network, an image (1,3,H,W) and a class; the squares and what they show are given."""
    def draw(random):
        network = Network(architecture, whole(random, 0, 1 << 20))
        return network, uniform(random, 1, 3, height, width), whole(random, 0, 4), window, stride, fill
    return draw


def _nothing_to_hide(random):
    fill = 0.25 * whole(random, 1, 3)
    return Network("curved", whole(random, 0, 1 << 20)), torch.full((1, 3, 8, 9), fill), whole(random, 0, 4), 4, 3, fill


def _bundled(random):
    return Network("resnet_s"), uniform(random, 1, 3, 64, 64), whole(random, 0, 19), 24, 20, 0.5


def _squares(image, window, stride):
    """A mask (H,W) of 0 and 1 for each square, (S,H,W)."""
    masks = []
    for top, bottom in attribution.spans(image.shape[2], window, stride):
        for left, right in attribution.spans(image.shape[3], window, stride):
            masks.append(torch.zeros(image.shape[2:]))
            masks[-1][top:bottom, left:right] = 1
    return torch.stack(masks)


def _logit(model, pictures, target):
    return model(pictures)[:, target]


def _probability(model, pictures, target):
    return model(pictures).softmax(1)[:, target]


def _of_the_likeliest(model, pictures, target):
    return model(pictures)[:, model(pictures[:1])[0].argmax()]


def _average(drops, masks):
    """The mean of the drops (S,) over the squares that hide a pixel, (H,W)."""
    return torch.einsum("s,shw->hw", drops, masks) / masks.sum(0)


def _last_one_counts(drops, masks):
    found = torch.zeros_like(masks[0])
    for drop, mask in zip(drops, masks):
        found = torch.where(mask > 0, drop, found)
    return found


def _one_by_one(masks):
    """What is hidden (S,H,W) after the first, the second, ... of the squares."""
    return masks.cumsum(0).clamp(max=1)


def _hiding(gather=_average, score=_logit, drop=lambda before, hidden: before - hidden, fill=lambda fill: fill,
            slid=lambda masks: masks, rising=False, deleted=_one_by_one):
    """Map and curve by hand, with one part exchanged: how drops become a map, the score, the drop, what a square shows,
    what is hidden while it slides, whether the least drop is hidden first, and what is hidden along the curve."""
    def found(model, image, target, window, stride, colour):
        masks = _squares(image, window, stride)

        def scores(hidden):
            return score(model, torch.cat([image, torch.where(hidden[:, None] > 0, fill(colour), image)]), target)
        before, *hidden = scores(slid(masks))
        drops = drop(before, torch.stack(hidden))
        order = drops.argsort(descending=not rising, stable=True)
        return gather(drops, masks), scores(deleted(masks[order]))[1:]
    return found


def _hidden_squares(model, image, target, window, stride, fill):
    drops = _logit(model, image, target) - SLIDING(model, image, target, window, stride, fill, "logit").flatten()
    hidden = _one_by_one(_squares(image, window, stride)[drops.argsort(descending=True, stable=True)])
    pictures = torch.where(hidden[:, None] > 0, fill, image)
    return OCCLUSION(model, image, target, window, stride, fill)[0], _logit(model, pictures, target)


def _nothing_drops(model, image, target, window, stride, fill):
    """Map and curve where the hidden picture is the image itself, not a copy."""
    masks = _squares(image, window, stride)
    everything = _logit(model, torch.full_like(image, fill), target)
    return torch.zeros(image.shape[2:]), everything.expand(len(masks))


SLIDING_SQUARE = Question(
    "03.2", "hidden_squares", points=5, minutes=25, reference=_hidden_squares, bundled=("resnet_s",),
    kinds=(Kind("ordinary", "squares that overlap", _pictured("plain", 14, 12, 6, 4, 0.25)),
           Kind("ordinary", "a network with a hidden layer", _pictured("deep_head", 13, 13, 5, 3, 0.5)),
           Kind("edge", "squares side by side", _pictured("curved", 12, 8, 4, 4, 0.5)),
           Kind("edge", "one square for the whole image", _pictured("plain", 8, 8, 8, 2, 0.5)),
           Kind("edge", "a block with a shortcut, and a last square that is cut off",
                _pictured("residual", 13, 10, 5, 4, 0.75)),
           Kind("degenerate", "a fill that equals the image", _nothing_to_hide),
           Kind("large", "many squares", _pictured("curved", 24, 20, 6, 3, 0.75)),
           Kind("large", "the course's own network", _bundled)),
    idea="Hide one square in a copy of the image and see how far the logit falls. Every pixel of that square is suspect, "
         "and in the end gets the average over all the squares that hid it. For the curve hide the squares again, those "
         "first whose fall was largest, and let each of them stay hidden.",
    formula="For each square: hidden = image.clone(), its square set to fill, fall = (model(image) - model(hidden))[0, "
            "target]; add the fall to all pixels of the square, and 1 to their count; the map is one divided by the "
            "other. Then sort the squares by their falls, the largest first, set one after another to fill in one copy, "
            "and keep model(copy)[0, target] after each.",
    mistakes=(
        Mistake("Where squares overlap you add their falls up: take the average over the squares that hide the pixel.",
                _hiding(lambda drops, masks: torch.einsum("s,shw->hw", drops, masks))),
        Mistake("Your map has the wrong sign, and the curve the wrong order: a fall is the score of the whole image minus "
                "the score with the square.", _hiding(drop=lambda before, hidden: hidden - before)),
        Mistake("Your square is black: hidden pixels take the value `fill`.", _hiding(fill=lambda fill: 0.0)),
        Mistake("You average the score that remains: subtract it from the score of the whole image.",
                _hiding(drop=lambda before, hidden: hidden)),
        Mistake("Your map is zero: the hidden image and the whole one are the same tensor, so that both scores are of "
                "the hidden one. Work on a copy.", _nothing_drops),
        Mistake("While the square slides, those hidden before stay hidden: make a new copy of the image for each square.",
                _hiding(slid=_one_by_one)),
        Mistake("A pixel keeps the fall of the last square that hid it: gather the falls of all of them.",
                _hiding(_last_one_counts)),
        Mistake("You divide by the number of all squares: each pixel by the number of those that hide it.",
                _hiding(lambda drops, masks: torch.einsum("s,shw->hw", drops, masks) / len(masks))),
        Mistake("You take the probability: the logit is asked for.", _hiding(score=_probability)),
        Mistake("You took the likeliest class: `target` says which one is asked for.", _hiding(score=_of_the_likeliest)),
        Mistake("Your map is right. On the curve each square comes alone: those before it stay hidden.",
                _hiding(deleted=lambda masks: masks)),
        Mistake("Your map is right. The curve goes the wrong way round: the square with the largest fall comes first.",
                _hiding(rising=True))),
    without="lecturekit's `attribution.occlusion`, `localisation.deletion` and their like (`attribution.spans` is allowed)",
    forbidden=("occlusion", "sliding_scores", "deletion", "insertion"))


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
    mask.view(-1)[map.argmax()] = True   # always: a hit by luck would be worth points with some secrets
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
    "03.3", "map_scores", points=5, minutes=10, reference=_right_scores, mistakes=SCORE_MISTAKES,
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

QUESTIONS = [SPANS, SLIDING_SQUARE, SCORES]
