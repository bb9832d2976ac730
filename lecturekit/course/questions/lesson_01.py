"""Graded questions of lesson 1, Filters and activations."""

import torch
from torch.nn import functional as F

from lecturekit.representation import receptive, units
from lecturekit.course.questions import Mistake, Question


def _random(seed):
    return torch.Generator().manual_seed(1000 + seed)


# 01.1 The gradient of a convolution with respect to its kernel

def _kernel_cases(seed):
    source = _random(seed)
    shapes = [((6, 6), (3, 3)), ((7, 9), (3, 2)), ((5, 5), (1, 1))]
    return [(torch.randn(h, w, generator=source), torch.randn(h - kh + 1, w - kw + 1, generator=source))
            for (h, w), (kh, kw) in shapes]


def _kernel_gradient(image, slope):
    windows = image.unfold(0, slope.shape[0], 1).unfold(1, slope.shape[1], 1)
    return torch.einsum("abij,ij->ab", windows, slope)


def _partial_overlaps(image, slope):
    rows, cols = slope.shape[0] - 1, slope.shape[1] - 1
    return _kernel_gradient(F.pad(image, [cols, cols, rows, rows]), slope)


KERNEL = Question(
    "01.1", "kernel_gradient", points=5, minutes=12,
    inputs=_kernel_cases, reference=_kernel_gradient,
    hint="Entry (a, b) of the kernel multiplied image[a + i, b + j] on its way to output (i, j): sum over all (i, j) "
         "that product's other factor times slope[i, j].",
    mistakes=(
        Mistake("This is the gradient turned by 180 degrees. The kernel's gradient is a cross-correlation: nothing is "
                "flipped. Flipping belongs to the gradient with respect to the image.",
                lambda image, slope: _kernel_gradient(image, slope).flip(0, 1)),
        Mistake("This has one entry for every overlap, also the partial ones. The kernel only ever met whole windows, "
                "so the result has the kernel's shape, (H - h + 1, W - w + 1).", _partial_overlaps),
        Mistake("You averaged over the outputs. The loss is fed by every output in which a weight took part: add "
                "their contributions, do not divide.",
                lambda image, slope: _kernel_gradient(image, slope) / slope.numel()),
        Mistake("You moved the window over the image without weighting it by the slope: dL/dy is not 1 everywhere.",
                lambda image, slope: _kernel_gradient(image, torch.ones_like(slope)))),
    forbidden=("conv2d", "convolve2d", "correlate2d", "correlate", "convolve", "fftconvolve", "grad", "backward",
               "autograd", "conv2d_weight"))


# 01.2 The receptive field of a stack

def _stack_cases(seed):
    source = _random(seed)
    alexnet = [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1)]
    kernels = torch.randint(2, 8, (5,), generator=source).tolist()
    strides = torch.randint(1, 4, (5,), generator=source).tolist()
    return [(alexnet,), (list(zip(kernels, strides)) + [(3, 2)],), ([(7, 2)],)]


def _jump_first(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        jump *= stride
        size += (kernel - 1) * jump
    return size, jump


def _own_stride(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        size += (kernel - 1) * stride
        jump *= stride
    return size, jump


def _whole_kernel(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        size += kernel * jump
        jump *= stride
    return size, jump


def _added_strides(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        size += (kernel - 1) * jump
        jump += stride - 1
    return size, jump


STACK = Question(
    "01.2", "receptive_field", points=5, minutes=10,
    inputs=_stack_cases, reference=receptive.stack,
    hint="Go through the layers from the image upwards. A kernel of k positions adds k - 1 steps to the field; a step "
         "is as long, in pixels, as the product of the strides below this layer.",
    mistakes=(
        Mistake("You multiplied the jump before you used it. A layer's stride says how far apart its outputs lie, not "
                "its inputs: enlarge the field first, then update the jump.", _jump_first),
        Mistake("You counted each kernel in steps of its own stride. Its taps lie on the map below, whose neighbours "
                "are a jump apart: the product of all strides before.", _own_stride),
        Mistake("Each kernel is counted one tap too wide: the first tap is already in the field, k - 1 are new.",
                _whole_kernel),
        Mistake("You added the strides up. Two layers of stride 2 take every second of every second position: jumps "
                "multiply.", _added_strides)))


# 01.3 Category purity of a unit

def _purity_cases(seed):
    source = _random(seed)
    labels = torch.tensor([0, 1, 1, 1, 1, 0, 0, 2, 3, 4, 1, 1, 1])
    scores = torch.tensor([9.0, 6, 5, 4, 3, -8, -7, -2, -1, -0.5, 0, 0.1, 0.2])      # tells all mistakes apart
    order = torch.randperm(len(labels), generator=source)
    cases = [(scores[order], labels[order], 5)]
    for count, classes, k in ((60, 4, 8), (200, 10, 40), (50, 3, 20)):
        labels = torch.randint(0, classes, (count,), generator=source)
        scores = torch.randn(count, generator=source) + 3 * (labels == 1) - 2.5 * (labels % 2 == 0)
        labels[0], scores[0] = 0, 9.0                                       # the best image is the odd one out
        cases.append((scores, labels, k))
    return cases


def _lowest(scores, labels, k):
    return units.purity(-scores, labels, k)


def _of_the_best(scores, labels, k):
    chosen = labels[scores.topk(k).indices]
    return (chosen == chosen[0]).float().mean()


def _largest_either_way(scores, labels, k):
    return units.purity(scores.abs(), labels, k)


def _of_its_category(scores, labels, k):
    chosen = labels[scores.topk(k).indices]
    best = chosen.bincount().argmax()
    return (chosen == best).sum() / (labels == best).sum()


PURITY = Question(
    "01.3", "top_purity", points=5, minutes=10,
    inputs=_purity_cases, reference=units.purity,
    hint="Take the labels of the k highest scores, count each label, and divide the largest count by k.",
    mistakes=(
        Mistake("These are the k lowest scores. The images that a unit responds to most have the highest ones.",
                _lowest),
        Mistake("You counted the label of the single best image. Purity takes the label that is most frequent among "
                "the k, whichever it is.", _of_the_best),
        Mistake("You ranked by absolute value. A strongly negative response is the opposite of a strong one.",
                _largest_either_way),
        Mistake("You divided by the size of the category. Purity is a share of the k chosen images: divide by k.",
                _of_its_category)))

QUESTIONS = [KERNEL, STACK, PURITY]
