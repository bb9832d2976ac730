"""Lesson 5, CAM and Grad-CAM: what tells two classes apart, evidence for and against, whose object a map lies on."""

import torch

from lecturekit.attribution import localisation
from lecturekit.course.questions import Mistake, Question

DISCRIMINATION = localisation.discrimination


def _last_maps(seed):
    """Maps (C,h,w) behind a ReLU, the linear layer's weights (K,C) and biases (K,), two classes: twice."""
    generator = torch.Generator().manual_seed(seed)
    cases = []
    for channels, side, classes in ((6, 4, 5), (9, 3, 4)):
        maps = torch.randn(channels, side, side + 1, generator=generator).clamp(min=0)
        weights, biases = (torch.randn(*shape, generator=generator) for shape in ((classes, channels), (classes,)))
        this, that = torch.randperm(classes, generator=generator)[:2].tolist()
        cases.append((maps, weights, biases, this, that))
    return cases


def _rather_than(maps, weights, biases, this, that):
    map = torch.einsum("c,chw->hw", weights[this] - weights[that], maps)
    return map, (map.mean() + biases[this] - biases[that]).item()


def _other_way(maps, weights, biases, this, that):
    return _rather_than(maps, weights, biases, that, this)


def _without_biases(maps, weights, biases, this, that):
    map, lead = _rather_than(maps, weights, biases, this, that)
    return map, lead - (biases[this] - biases[that]).item()


def _summed_up(maps, weights, biases, this, that):
    map = _rather_than(maps, weights, biases, this, that)[0]
    return map, (map.sum() + biases[this] - biases[that]).item()


def _biases_in_the_map(maps, weights, biases, this, that):
    map, lead = _rather_than(maps, weights, biases, this, that)
    return map + biases[this] - biases[that], lead


def _this_alone(maps, weights, biases, this, that):
    map = torch.einsum("c,chw->hw", weights[this], maps)
    return map, (map.mean() + biases[this]).item()


RATHER = Question(
    "05.1", "rather_than", points=5, minutes=10, inputs=_last_maps, reference=_rather_than,
    mistakes=(
        Mistake("Your signs are turned round: what speaks for `this` is positive.", _other_way),
        Mistake("Your lead lacks the biases: add the difference of the two.", _without_biases),
        Mistake("Your lead adds the map up: global average pooling takes its mean.", _summed_up),
        Mistake("You add the biases at every place of the map: they come from no place, so they belong to the lead "
                "alone.", _biases_in_the_map),
        Mistake("Yours is the CAM of `this` alone: subtract that of `that`, and its bias.", _this_alone)),
    hint="Both CAMs are weighted sums of the same maps, so their difference is the weighted sum with the difference of "
         "the two rows of weights. Its mean plus the difference of the biases is the lead.",
    forbidden=("cam", "grad_cam"))


def _values_and_gradients(seed):
    """Maps (C,h,w) behind a ReLU and a score's gradient there, of several sizes."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((5, 4, 4), (8, 3, 5), (6, 7, 7))
    return [(torch.randn(*shape, generator=generator).clamp(min=0), torch.randn(*shape, generator=generator))
            for shape in shapes]


def _sides(map):
    return map.clamp(min=0), (-map).clamp(min=0)


def _for_and_against(values, gradients):
    return _sides((gradients.mean((1, 2))[:, None, None] * values).sum(0))


def _minus_last(values, gradients):
    towards = _for_and_against(values, gradients)[0]
    return towards, -towards


def _place_by_place(values, gradients):
    return _sides((values * gradients).sum(0))


def _clamped_first(values, gradients):
    terms = gradients.mean((1, 2))[:, None, None] * values
    return terms.clamp(min=0).sum(0), (-terms).clamp(min=0).sum(0)


def _added_weights(values, gradients):
    return _sides((gradients.sum((1, 2))[:, None, None] * values).sum(0))


def _signed_sides(values, gradients):
    towards, against = _for_and_against(values, gradients)
    return towards - against, against - towards


FOR_AND_AGAINST = Question(
    "05.2", "for_and_against", points=5, minutes=15, inputs=_values_and_gradients, reference=_for_and_against,
    mistakes=(
        Mistake("Your second map is minus the first: change the sign before the ReLU, or nothing of what speaks "
                "against is left.", _minus_last),
        Mistake("You multiply gradient and value place by place, which is HiResCAM: Grad-CAM gives each map one weight, "
                "the mean of its gradient.", _place_by_place),
        Mistake("You apply the ReLU to each map's term: add the terms up first, so that for and against can cancel.",
                _clamped_first),
        Mistake("Your weights add the gradient up over the places: take its mean.", _added_weights),
        Mistake("Your maps still have negative values: the ReLU keeps what is positive.", _signed_sides)),
    hint="gradients.mean((1, 2)) is one weight for each map. Weigh the values with them, sum over the maps, and apply "
         "the ReLU: once to the sum, once to minus the sum.",
    forbidden=("grad_cam", "hires_cam"))


def _two_objects(seed):
    """A signed map (H,W) and the masks of two objects: it leans to the first, to the second, and speaks for neither."""
    generator = torch.Generator().manual_seed(seed)
    own, other = torch.zeros(2, 12, 16, dtype=torch.bool)
    top, low = torch.randint(1, 5, (2,), generator=generator).tolist()
    own[top:top + 6, 1:6], other[low:low + 4, 9:15] = True, True
    noise = torch.randn(3, 12, 16, generator=generator)
    maps = noise[0] + own, noise[1] + 0.5 * other, -noise[2].abs() - 0.1
    return [(map, own, other) for map in maps]


def _own_share(map, own, other):
    return DISCRIMINATION(map[None], own[None], other[None]).item()


def _share_of(evidence, whole=None, nothing=0.5, gather=torch.sum):
    """A wrong own_share: of which evidence, of what whole, and what where there is none."""
    def share(map, own, other):
        positive = evidence(map)
        on_own, on_other = gather(positive[own]), gather(positive[other])
        total = on_own + on_other if whole is None else whole(positive)
        return (on_own / total).item() if total != 0 else nothing
    return share


def _positive(map):
    return map.clamp(min=0)


SHARE = Question(
    "05.3", "own_share", points=5, minutes=15, inputs=_two_objects, reference=_own_share,
    mistakes=(
        Mistake("You divide by the whole map: what lies on the floor is on neither object and does not count.",
                _share_of(_positive, whole=torch.sum)),
        Mistake("You count negative values as evidence: only the positive part speaks for the class.",
                _share_of(torch.abs)),
        Mistake("You let negative values cancel positive ones: set them to zero first.", _share_of(lambda map: map)),
        Mistake("Where the map has nothing positive on either object it knows nothing of the class: that scores 0.5.",
                _share_of(_positive, nothing=0.0)),
        Mistake("You compare means over the masks: add the positive part up on each.",
                _share_of(_positive, gather=torch.mean))),
    hint="a = the positive part added up on own, b = the same on other: a / (a + b), and 0.5 where a + b is zero.",
    forbidden=("discrimination", "energy_inside"))

QUESTIONS = [RATHER, FOR_AND_AGAINST, SHARE]
