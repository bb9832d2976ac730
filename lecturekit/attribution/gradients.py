"""Attribution by a backward pass: how would the score change, if a pixel moved a little?

A gradient has three numbers for each pixel; `reduce` makes one of them: "max" (largest absolute value over the
channels, Simonyan et al. 2014), "abs_sum" (sum of the absolute values) or "sum" (signed).
"""

import itertools

import numpy as np
import torch

from lecturekit import validate
from lecturekit.networks import hooks, layout, running
from lecturekit.networks.derivative import chosen, differentiate
from lecturekit.networks.running import BATCH
from lecturekit.attribution import rules
from lecturekit.attribution.perturbation import fill_picture

REDUCTIONS = {
    "max": lambda gradient: gradient.abs().amax(1),
    "abs_sum": lambda gradient: gradient.abs().sum(1),
    "sum": lambda gradient: gradient.sum(1),
}


def class_gradient(model, images, target, score="logit", layer=None, rule="gradient", batch=BATCH):
    """`differentiate` for the score of a class: (values, gradients).

    `rule`: what the ReLUs pass back, a name of `rules.RULES` or a function.
    """
    validate.images(images, in_range=False)   # noisy pictures may leave [0,1]
    targets = validate.targets(target, len(images))

    def of_class(leaf, rows):
        with rules.relu_rule(rule):
            return chosen(running.scores(model, leaf), targets[rows], score)

    return differentiate(model, images, of_class, layer, batch)


def gradient(model, images, target, score="logit", rule="gradient", batch=BATCH):
    """The gradient of a class score at the pixels of images (N,C,H,W): (N,C,H,W)."""
    validate.images(images)
    return class_gradient(model, images, target, score, None, rule, batch)[1]


def unit_gradient(model, images, layer, channel, rows, cols, rule="gradient", batch=BATCH, reshape=None):
    """The gradient of one value of a layer's map, `channel` at rows (N,) and cols (N,), at the pixels: (N,C,H,W).

    With rule "deconvnet" or "guided" the picture of what drives the unit (Springenberg et al. 2015, figure 3). `reshape`
    makes maps of what the layer gives, if it gives others (`layout`).
    """
    form = layout.maps(validate.images(images), reshape)
    rows, cols = (torch.as_tensor(places).expand(len(images)) for places in (rows, cols))

    def of_unit(leaf, some):
        with rules.relu_rule(rule):
            maps = form(hooks.reached(model, leaf, [layer])[layer], layer)
        for place in zip(("channel", "rows", "cols"), (channel, rows, cols), maps.shape[1:]):
            validate.below(*place)
        return maps[torch.arange(len(some)), channel, rows[some], cols[some]]

    return differentiate(model, images, of_unit, None, batch)[1]


def saliency(model, images, target, reduce="max", score="logit", rule="gradient", batch=BATCH):
    """How much the score changes with each pixel (Simonyan et al. 2014, section 3): maps (N,H,W)."""
    return reduced(gradient(model, images, target, score, rule, batch), reduce)


def reduced(gradients, reduce="max"):
    """One number for each pixel, (N,H,W), of gradients (N,C,H,W): "max", "abs_sum" or "sum"."""
    return REDUCTIONS[validate.one_of("reduce", reduce, REDUCTIONS)](gradients)


def gradient_x_input(model, images, target, score="logit", rule="gradient", batch=BATCH):
    """Gradient times pixel value, summed over the channels: maps (N,H,W) (Shrikumar et al. 2016).

    The pixels count from black. For a network without biases the map sums to the score.
    """
    return (images * gradient(model, images, target, score, rule, batch)).sum(1)


def smooth_grad(model, images, target, noise=0.15, samples=16, reduce="max", score="logit", rule="gradient", seed=0,
                batch=BATCH):
    """The mean gradient at `samples` noisy copies of each image (Smilkov et al. 2017), reduced: maps (N,H,W).

    `noise`: the standard deviation, as a share of the image's range of values.
    """
    validate.images(images)
    validate.positive("samples", samples, whole=True)
    validate.positive("noise", noise)
    generator = torch.Generator().manual_seed(seed)
    spread = noise * (images.amax((1, 2, 3), True) - images.amin((1, 2, 3), True)) if len(images) else 0
    noisy = (images + spread * torch.randn(images.shape, generator=generator).to(images) for _ in range(samples))
    total = _summed(model, images, target, noisy, itertools.repeat(1 / samples), score, rule, batch)
    return reduced(total, reduce)


def integrated_gradients(model, images, target, fill=0.0, steps=32, score="logit", batch=BATCH):
    """What each pixel contributes on the straight way from the fill to the image: maps (N,H,W).

    The integral of the gradient along the way, times the difference (Sundararajan et al. 2017, equation 1), by
    Gauss-Legendre quadrature. Completeness: a map sums to the score's difference between the image and the fill.
    """
    validate.positive("steps", steps, whole=True)
    under = fill_picture(images, fill)
    nodes, weights = np.polynomial.legendre.leggauss(steps)   # on [-1,1]
    way = images - under
    points = (under + node * way for node in (nodes + 1) / 2)
    return (way * _summed(model, images, target, points, weights / 2, score, "gradient", batch)).sum(1)


def _summed(model, images, target, variants, weights, score, rule, batch):
    """The weighted sum of the gradients at variants of the images, (N,C,H,W), as many of these in a pass as fit."""
    targets, total = validate.targets(target, len(images)), torch.zeros_like(images)
    pairs, together = zip(variants, weights), max(1, batch // max(1, len(images)))
    while group := list(itertools.islice(pairs, together)):
        pictures, shares = zip(*group)
        gradients = class_gradient(model, torch.cat(pictures), targets.repeat(len(group)), score, None, rule, batch)[1]
        for share, own in zip(shares, gradients.unflatten(0, (len(group), len(images)))):
            total += share * own
    return total
