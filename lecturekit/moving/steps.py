"""How to move along a gradient: each function gives a step for `optimise`, uphill, for each image on its own.

Plain steps differ only in what they make of the gradient: itself, its direction, its signs (Goodfellow et al. 2015).
"""

from functools import partial

import torch

from lecturekit import validate


def ascent(rate):
    """x + rate * gradient."""
    return _plain(rate, lambda gradient: gradient)


def normalised(rate, still=0.0):
    """A step of length `rate` (L2) in the direction of the gradient; none where the gradient is zero.

    The share `still` of an image's pixels, those with the smallest gradient, stay (Yosinski et al. 2015).
    """
    def direction(gradient):
        if still:
            gradient = keep_largest(gradient, gradient.norm(dim=1), still)
        return gradient / lengths(gradient).clamp(min=1e-12)
    return _plain(rate, direction)


def keep_largest(images, worth, share, instead=0.0):
    """Images (N,C,H,W) with `instead` at the share of pixels whose worth (N,H,W) is lowest."""
    limit = worth.flatten(1).quantile(share, 1).view(-1, 1, 1, 1)
    return torch.where(worth[:, None] < limit, instead, images)


def signed(rate):
    """Every number by `rate`, up or down (none where its gradient is zero)."""
    return _plain(rate, torch.sign)


def newton(rate=1.0, norm="l2"):
    """gradient / |gradient|^2, or in "linf" its signs / |gradient|_1: times `rate`, the way on which a linear score
    rises by `rate`. Of -log(-margin) it is the way to the boundary (DeepFool, Moosavi-Dezfooli et al. 2016)."""
    def direction(gradient):
        if norm == "linf":
            return gradient.sign() / lengths(gradient, 1).clamp(min=1e-12)
        return gradient / lengths(gradient).square().clamp(min=1e-12)
    return _plain(rate, direction)


def falling(step, steps):
    """Another step, whose rate falls linearly, to its `steps`-th part at the last of so many."""
    return partial(step, factor=lambda number: max(1 - number / steps, 1 / steps))


def adam(rate):
    """Adam (Kingma and Ba 2015)."""
    return partial(_Ascent, torch.optim.Adam, lr=validate.positive("rate", rate))


def lbfgs(rate=1.0, inner=20):
    """L-BFGS with a line search, at most `inner` evaluations a step. All images share the line search."""
    return partial(_Ascent, torch.optim.LBFGS, lr=validate.positive("rate", rate), max_iter=inner,
                   line_search_fn="strong_wolfe")


def lengths(images, order=2):
    """The norm of each of the images (N,...), shaped to divide them, (N,1,...)."""
    return images.flatten(1).norm(order, dim=1).view(-1, *[1] * (images.ndim - 1))


def _plain(rate, direction):
    return partial(_Ascent, torch.optim.SGD, direction, lr=validate.positive("rate", rate))


class _Ascent:
    """An optimiser of torch whose gradients pass through `direction` first; `factor` (number of the step) scales its
    rate."""

    def __init__(self, optimiser, *direction_and_parameters, factor=lambda number: 1.0, **options):
        *direction, parameters = direction_and_parameters
        self.direction = direction[0] if direction else None
        self.parameters, self.inner = parameters, optimiser(parameters, **options)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.inner, factor)

    def step(self, loss):
        """One step down `loss`, a function without arguments."""
        def closure():
            value = loss()
            sense = value.new_tensor(1.0 if self.direction is None else -1.0)   # a direction is asked uphill
            for parameter, slope in zip(self.parameters, torch.autograd.grad(value, self.parameters, sense)):
                parameter.grad = slope.contiguous() if self.direction is None else -self.direction(slope)
            return value

        self.inner.step(closure)
        self.schedule.step()
