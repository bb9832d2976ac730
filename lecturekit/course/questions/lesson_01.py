"""Graded questions of lesson 1: the field of a stack of windows, that of one unit by its gradient, a unit's purity."""

import torch

from lecturekit.course.questions import Kind, Mistake, Network, Question
from lecturekit.course.questions.drawing import grey, normal, telling, uniform, whole
from lecturekit.networks import hooks
from lecturekit.representation import receptive, units

# 01.1 The receptive field of a stack

ALEXNET = [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1)]


def _stack(random):
    layers = [(whole(random, 3, 7), whole(random, 2, 3)) for _ in range(3)]
    return [*layers, (whole(random, 2, 5), 1), (3, 2)],


def _strides_alone(random):
    return [(1, whole(random, 2, 4)), (1, whole(random, 2, 4)), (whole(random, 3, 5), whole(random, 2, 3))],


def _deep(random):
    return [(3, whole(random, 1, 2)) for _ in range(12)] + [(3, 2), (3, 2)],


def _field(layers, size=1, jump=1, grows=lambda kernel, stride, jump: (kernel - 1) * jump,
           jumps=lambda stride, jump: jump * stride):
    """The recursion, with one of its parts exchanged."""
    for kernel, stride in layers:
        size += grows(kernel, stride, jump)
        jump = jumps(stride, jump)
    return size, jump


STACK = Question(
    "01.1", "receptive_field", points=5, minutes=10, reference=receptive.stack,
    kinds=(Kind("ordinary", "layers of several kernels and strides", _stack),
           Kind("edge", "AlexNet up to its third convolution", lambda random: (ALEXNET,)),
           Kind("edge", "one layer alone", lambda random: ([(whole(random, 2, 9), whole(random, 2, 4))],)),
           Kind("edge", "kernels of one pixel, with strides", _strides_alone),
           Kind("degenerate", "no layer at all", lambda random: ([],)),
           Kind("large", "fourteen layers", _deep)),
    idea="Go from the image upwards. Two neighbours on a map lie as many pixels apart as all strides below it make "
         "together: that is the step in which the next kernel counts.",
    formula="size, jump = 1, 1; for each (kernel, stride): first size += (kernel - 1) * jump, then jump *= stride.",
    mistakes=(
        Mistake("You multiplied the jump before you used it. A layer's stride says how far apart its outputs lie, not "
                "its inputs: enlarge the field first, then update the jump.",
                lambda layers: _field(layers, grows=lambda k, s, jump: (k - 1) * jump * s)),
        Mistake("You counted each kernel in steps of its own stride. Its taps lie on the map below, whose neighbours "
                "are a jump apart: the product of all strides before.",
                lambda layers: _field(layers, grows=lambda k, s, jump: (k - 1) * s)),
        Mistake("Each kernel is counted one tap too wide: the first tap is already in the field, the others are new.",
                lambda layers: _field(layers, grows=lambda k, s, jump: k * jump)),
        Mistake("You added the strides up. Two layers of stride 2 take every second of every second position: jumps "
                "multiply.", lambda layers: _field(layers, jumps=lambda s, jump: jump + s - 1)),
        Mistake("You began with a field of nothing: before the first layer a position is one pixel, itself.",
                lambda layers: _field(layers, size=0)),
        Mistake("You went through the layers from the top: the jump of a layer comes from those below it, so begin at "
                "the image, where the list begins.", lambda layers: _field(layers[::-1])),
        Mistake("You counted all kernels in pixels of the image, as if no layer had a stride.",
                lambda layers: _field(layers, grows=lambda k, s, jump: k - 1)),
        Mistake("Your jump is the last layer's own stride: the strides of all layers multiply.",
                lambda layers: (_field(layers)[0], layers[-1][1] if layers else 1))),
    without="lecturekit's own `receptive.stack`")


# 01.2 What one unit says, and what it sees


def _unit(architecture, layer, height=12, width=12, rows=(4, 7), cols=(2, 3), image=uniform):
    """Draws a network, an image (1,3,H,W) and the place of a unit of a layer, which is given."""
    def draw(random):
        return (Network(architecture, whole(random, 0, 1 << 20)), image(random, 1, 3, height, width), layer,
                whole(random, *rows), whole(random, *cols))
    return draw


def _bundled(random):
    return Network("resnet_s"), uniform(random, 1, 3, 64, 64), "layer2.0.relu2", whole(random, 2, 3), whole(random, 4, 5)


def _box(touched):
    """(top, left, bottom, right), half open, of what is true in (H,W); zeros where nothing is."""
    rows, cols = touched.any(1).nonzero(), touched.any(0).nonzero()
    return (int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1) if len(rows) else (0, 0, 0, 0)


def _unit_and_field(model, image, layer, row, col):
    values = hooks.features(model, image, layer)[0, :, row, col]
    return values, _box(receptive.sensitivity(model, image, layer, row, col)[0] > 0)


def _with_hook(box=lambda slope: _box((slope != 0).any(0)), values=lambda maps, row, col: maps[:, row, col],
               of=lambda maps, row, col: maps[:, row, col].sum(), into=False, copied=True, removed=True):
    """The answer by a hook of its own, with one of its parts exchanged: the `box` of the slopes (3,H,W), the `values` of
    the maps (C,h,w), the gradient `of` what, the maps that go `into` the layer, no copy for the next one, no removal."""
    def answer(model, image, layer, row, col):
        kept = []

        def keep(module, inputs, output):
            kept.append((inputs[0] if into else output)[0])
            return output.clone() if copied else None

        hook = model.get_submodule(layer).register_forward_hook(keep)
        leaf = image.clone().requires_grad_()
        model(leaf)
        if removed:
            hook.remove()
        slope, = torch.autograd.grad(of(kept[0], row, col), leaf)
        return values(kept[0], row, col), box(slope[0])
    return answer


def _edges(change):
    """The box with (top, left, bottom, right) changed."""
    return _with_hook(box=lambda slope: change(*_box((slope != 0).any(0))))


UNIT_MISTAKES = (
    Mistake("You recorded what goes into the layer: a forward hook is also handed what comes out of it.",
            _with_hook(into=True)),
    Mistake("Row and column are exchanged: the first index of a map counts its rows.",
            lambda model, image, layer, row, col: _with_hook()(model, image, layer, col, row)),
    Mistake("Your box is that of all units of the layer together: take the gradient of the one unit.",
            _with_hook(of=lambda maps, row, col: maps.sum())),
    Mistake("Slopes of several colours or places cancel where you add them with their signs: a pixel counts whether its "
            "slope is positive or negative.", _with_hook(box=lambda slope: _box(slope.sum(0) > 0))),
    Mistake("Your box ends with the last row and column that count: as a slice does, it must end one behind them.",
            _edges(lambda top, left, bottom, right: (top, left, bottom - (bottom > 0), right - (right > 0)))),
    Mistake("Your box begins with x: the order is top, left, bottom, right.",
            _edges(lambda top, left, bottom, right: (left, top, right, bottom))),
    Mistake("Your box ends with its height and width: the last two are where it ends.",
            _edges(lambda top, left, bottom, right: (top, left, bottom - top, right - left))),
    Mistake("You give one channel: a unit's place has a value in each of them, and all are asked for.",
            _with_hook(values=lambda maps, row, col: maps[0, row, col])),
    Mistake("Right, but where the next layer works in place: it overwrites what your hook kept.",
            _with_hook(copied=False)),
    Mistake("Right, but your hook is still on the network: whoever uses it next runs your code, too.",
            _with_hook(removed=False)))


def _by(*numbers):
    """`draw`, until the unit sees something and the mistakes of these numbers differ from the right answer."""
    return lambda draw: telling(draw, _unit_and_field, _sees_nothing, *(UNIT_MISTAKES[n].solution for n in numbers))


def _sees_nothing(*arguments):
    return _unit_and_field(*arguments)[0], (0, 0, 0, 0)


UNIT = Question(
    "01.2", "unit_and_field", points=5, minutes=20, reference=_unit_and_field, mistakes=UNIT_MISTAKES,
    bundled=("resnet_s",),
    kinds=(Kind("ordinary", "a convolution behind another one", _by(*range(8))(_unit("plain", "conv2", 16, 14))),
           Kind("ordinary", "a layer behind a ReLU", _by(*range(3))(_unit("deep_head", "relu1", 11, 13))),
           Kind("edge", "a unit in the corner", _by(0, 1)(_unit("plain", "relu2", 12, 18, (0, 0), (8, 8)))),
           Kind("edge", "slopes of either sign", _by(3)(_unit("functional", "conv1"))),
           Kind("edge", "a layer before one that works in place", _by(8)(_unit("inplace", "conv2", 18, 15))),
           Kind("edge", "a layer inside of a block", _by(0, 1)(_unit("residual", "block2.conv2", 18, 16))),
           Kind("edge", "a network that must come back without a hook", _unit("lent", "conv2", 18, 15)),
           Kind("degenerate", "a unit that no pixel moves", _unit("even", "square", rows=(3, 4), cols=(1, 2), image=grey)),
           Kind("large", "the course's own network", _bundled)),
    idea="A forward hook is handed the layer's output while the network runs, and what you keep of it is still connected "
         "to the image. So autograd can tell you how a unit, its channels added up, changes with each pixel: which rows "
         "and columns hold a slope that is not zero?",
    formula="kept = []; a forward hook does kept.append(output) and returns output.clone(), for the next layer may work in "
            "place; run the network on the image with requires_grad_(), remove the hook; values = kept[0][0, :, row, col]; "
            "slope, = torch.autograd.grad(values.sum(), image); rows = slope[0].abs().sum((0, 2)).nonzero(), cols = "
            "slope[0].abs().sum((0, 1)).nonzero(); the box is the first row, the first column, the last row + 1, the last "
            "column + 1, and zeros where there is none.",
    without="lecturekit's `hooks` and `receptive`",
    forbidden=("hooks", "receptive", "record", "features", "forward_to", "sensitivity", "support", "field", "fields",
               "differentiate"))


# 01.3 Category purity of a unit

LABELS = torch.tensor([0, 1, 1, 1, 1, 0, 0, 2, 3, 4, 1, 1, 1])
SCORES = torch.tensor([9.0, 6, 5, 4, 3, -8, -7, -2, -1, -0.5, 0, 0.1, 0.2])      # tells all mistakes apart


def _shuffled(random):
    order = torch.randperm(len(LABELS), generator=random)
    return SCORES[order] + 0.01 * normal(random, len(LABELS)), LABELS[order], 5


def _responses(count, classes, k):
    """Draws scores and labels; the image of the highest score is the odd one out."""
    def draw(random):
        labels = torch.randint(0, classes, (count,), generator=random)
        scores = normal(random, count) + 3 * (labels == 1) - 2.5 * (labels % 2 == 0)
        labels[0], scores[0] = 0, 9.0
        return scores, labels, k
    return draw


def _one_category(random):
    return normal(random, 12), torch.full((12,), whole(random, 0, 4)), whole(random, 2, 11)


def _chosen(scores, labels, k):
    return labels[scores.topk(k).indices]


def _of_the_best(scores, labels, k):
    chosen = _chosen(scores, labels, k)
    return (chosen == chosen[0]).float().mean()


def _of_its_category(scores, labels, k):
    chosen = _chosen(scores, labels, k)
    best = chosen.bincount().argmax()
    return (chosen == best).sum() / (labels == best).sum()


PURITY_MISTAKES = (
    Mistake("These are the k lowest scores. The images that a unit responds to most have the highest ones.",
            lambda scores, labels, k: units.purity(-scores, labels, k)),
    Mistake("You counted the label of the single best image. Purity takes the label that is most frequent among the k, "
            "whichever it is.", _of_the_best),
    Mistake("You ranked by absolute value. A strongly negative response is the opposite of a strong one.",
            lambda scores, labels, k: units.purity(scores.abs(), labels, k)),
    Mistake("You divided by the size of the category. Purity is a share of the k chosen images.", _of_its_category),
    Mistake("You never looked at the scores: only the labels of the k images that score highest count.",
            lambda scores, labels, k: labels.bincount().max() / len(labels)),
    Mistake("You took the first k images as they come: take the k that score highest.",
            lambda scores, labels, k: labels[:k].bincount().max() / k),
    Mistake("You counted: purity is a share of the k images.",
            lambda scores, labels, k: _chosen(scores, labels, k).bincount().max()),
    Mistake("You counted how many different labels there are: purity asks how often the most frequent one is there.",
            lambda scores, labels, k: len(_chosen(scores, labels, k).unique()) / k))


def _telling(draw):
    return telling(draw, units.purity, *(mistake.solution for mistake in PURITY_MISTAKES))


PURITY = Question(
    "01.3", "top_purity", points=5, minutes=10, reference=units.purity, mistakes=PURITY_MISTAKES,
    kinds=(Kind("ordinary", "a few images", _telling(_shuffled)),
           Kind("ordinary", "four categories", _telling(_responses(60, 4, 8))),
           Kind("edge", "ten categories", _telling(_responses(200, 10, 40))),
           Kind("edge", "all images are chosen", lambda random: _responses(30, 4, 30)(random)),
           Kind("degenerate", "one category alone", _one_category),
           Kind("large", "many images", _telling(_responses(2000, 7, 300)))),
    idea="First choose the images by their scores, then forget the scores: how often does the most frequent label "
         "occur among the chosen?",
    formula="chosen = labels[scores.topk(k).indices]; the count of the most frequent label, chosen.bincount().max(), "
            "divided by k.",
    without="lecturekit's own `units.purity`")

QUESTIONS = [STACK, UNIT, PURITY]
