"""Graded questions of lesson 1, Filters and activations."""

import torch
from torch.nn import functional as F

from lecturekit.course.questions import AUTOGRAD, CONVOLUTIONS, Kind, Mistake, Question
from lecturekit.course.questions.drawing import normal, telling, whole
from lecturekit.representation import receptive, units

# 01.1 The gradient of a convolution with respect to its kernel


def _kernel_of(height, width, rows, cols):
    """Draws an image (height,width) and a slope that belong to a kernel (rows,cols)."""
    return lambda random: (normal(random, height, width), normal(random, height - rows + 1, width - cols + 1))


def _kernel_gradient(image, slope):
    windows = image.unfold(0, slope.shape[0], 1).unfold(1, slope.shape[1], 1)
    return torch.einsum("abij,ij->ab", windows, slope)


def _partial_overlaps(image, slope):
    rows, cols = slope.shape[0] - 1, slope.shape[1] - 1
    return _kernel_gradient(F.pad(image, [cols, cols, rows, rows]), slope)


KERNEL = Question(
    "01.1", "kernel_gradient", points=5, minutes=12, reference=_kernel_gradient,
    kinds=(Kind("ordinary", "a square kernel", _kernel_of(6, 6, 3, 3)),
           Kind("edge", "a kernel that is not square", _kernel_of(7, 9, 3, 2)),
           Kind("edge", "a kernel as large as the image", _kernel_of(3, 5, 3, 5)),
           Kind("degenerate", "a kernel of one weight", _kernel_of(5, 4, 1, 1)),
           Kind("large", "a large image", _kernel_of(24, 19, 5, 4))),
    idea="Follow one weight: which pixel did it multiply on the way to each output? Its slope is the sum, over all the "
         "outputs, of what it was multiplied by, times the loss's slope there.",
    formula="gradient[a, b] is the sum over all (i, j) of image[a + i, b + j] * slope[i, j]: lay a window of the "
            "slope's size on the image at (a, b), multiply, add up.",
    mistakes=(
        Mistake("This is the gradient turned by 180 degrees. The kernel's gradient is a cross-correlation: nothing is "
                "flipped. Flipping belongs to the gradient with respect to the image.",
                lambda image, slope: _kernel_gradient(image, slope).flip(0, 1)),
        Mistake("You flipped the slope before you moved it over the image, as for the gradient of the image. Here it "
                "stays as it is.", lambda image, slope: _kernel_gradient(image, slope.flip(0, 1))),
        Mistake("This has one entry for every overlap, also the partial ones. The kernel only ever met whole windows, "
                "so the result has the kernel's shape, (H - h + 1, W - w + 1).", _partial_overlaps),
        Mistake("You averaged over the outputs. The loss is fed by every output in which a weight took part: add "
                "their contributions, do not divide.",
                lambda image, slope: _kernel_gradient(image, slope) / slope.numel()),
        Mistake("You moved the window over the image without weighting it by the slope: dL/dy is not 1 everywhere.",
                lambda image, slope: _kernel_gradient(image, torch.ones_like(slope))),
        Mistake("You added up the slope alone: each weight also multiplied a pixel, another one for each output.",
                lambda image, slope: _kernel_gradient(torch.ones_like(image), slope)),
        Mistake("Rows and columns of your result are exchanged.",
                lambda image, slope: _kernel_gradient(image, slope).T)),
    without="PyTorch's or SciPy's convolutions and correlations, and autograd",
    forbidden=(*CONVOLUTIONS, *AUTOGRAD, "unfold_backward"))


# 01.2 The receptive field of a stack

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
    "01.2", "receptive_field", points=5, minutes=10, reference=receptive.stack,
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

QUESTIONS = [KERNEL, STACK, PURITY]
