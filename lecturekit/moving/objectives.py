"""What a moved image is asked for. Objectives add and scale: `class_score(model, 3) - 0.1 * total_variation()`.

An objective gives a score for each of the images (N,C,H,W) that `optimise` moves, (N,), the higher the better.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.networks import hooks, layout, running
from lecturekit.networks.derivative import chosen


@dataclass(frozen=True)
class Objective:
    """A score (N,) of images, and the networks that it asks, which are in eval mode while they are asked."""

    score: Callable
    models: tuple = ()

    def __call__(self, images):
        with running.entered(*self.models):
            return self.score(images)

    def __add__(self, other):
        if other == 0:   # the start of sum()
            return self
        return Objective(lambda images: self.score(images) + other.score(images), (*self.models, *other.models))

    __radd__ = __add__

    def __mul__(self, factor):
        return Objective(lambda images: factor * self.score(images), self.models)

    __rmul__ = __mul__

    def __neg__(self):
        return -1 * self

    def __sub__(self, other):
        return self + -other


def class_score(model, target, score="logit"):
    """The score of a class, or of one class for each image (Simonyan et al. 2014)."""
    return Objective(lambda images: chosen(running.scores(model, images), target, score), (model,))


def cross_entropy(model, labels):
    """The cross-entropy of one label for each image: it rises away from the label (Goodfellow et al. 2015)."""
    return _of_labels(model, labels, lambda logits, labels: F.cross_entropy(logits, labels, reduction="none"))


def margin(model, labels):
    """The highest other logit minus the label's: above 0 where the network is wrong (Carlini and Wagner 2017)."""
    return _of_labels(model, labels, _margin)


def dlr(model, labels):
    """The margin divided by the difference of the first and third logit, whatever their scale (Croce and Hein 2020)."""
    def ratio(logits, labels):
        highest = logits.topk(3).values
        return _margin(logits, labels) / (highest[:, 0] - highest[:, 2]).clamp(min=1e-9)
    return _of_labels(model, labels, ratio)


def _of_labels(model, labels, loss):
    def score(images):
        logits = running.scores(model, images)
        return loss(logits, validate.targets(labels, len(logits), logits.shape[1], "labels").to(logits.device))
    return Objective(score, (model,))


def _margin(logits, labels):
    own = F.one_hot(labels, logits.shape[1]).bool()
    return logits.masked_fill(own, -torch.inf).amax(1) - logits[own]


def unit(model, layer, channel, row=None, col=None, reshape=None):
    """One value of a layer's map, by default the middle one. `reshape` makes maps of what the layer gives, if it gives
    others (`layout`)."""
    return _of_maps(model, layer, lambda maps: _place(maps, row, col)[:, _checked(maps, channel)], reshape)


def channel(model, layer, channel, reshape=None):
    """The mean of one channel's map (Olah et al. 2017); `reshape` as for `unit`."""
    return _of_maps(model, layer, lambda maps: maps[:, _checked(maps, channel)].flatten(1).mean(1), reshape)


def energy(model, layer):
    """Half the sum of squares of a layer: its gradient there is the layer itself (DeepDream, Mordvintsev et al. 2015)."""
    return _of_layer(model, layer, lambda maps: maps.square().flatten(1).sum(1) / 2)


def along(model, layer, code):
    """The inner product with a code (1,...) or (N,...) of the layer's shape: with the picture's own, a caricature."""
    return _of_layer(model, layer, lambda maps: (maps * _fitting(code, maps)).flatten(1).sum(1))


def near_code(model, layer, code):
    """Minus the normalised distance |code of the image - code|^2 / |code|^2 at a layer (Mahendran and Vedaldi 2015)."""
    return _of_layer(model, layer, lambda maps: -_relative(maps - _fitting(code, maps), code))


def _fitting(code, maps):
    """`code` if it is a float tensor of the shape of a layer's output for one image, or for each of them."""
    one, many = tuple(maps[:1].shape), tuple(maps.shape)
    if not isinstance(code, torch.Tensor) or tuple(code.shape) not in (one, many):
        got = f"shape {tuple(code.shape)}" if isinstance(code, torch.Tensor) else type(code).__name__
        raise ValueError(f"code: got {got}. It takes the layer's output for one image, {one}, or for each, {many}.")
    return code


def l2():
    """The sum of squares of all values."""
    return Objective(lambda images: images.square().flatten(1).sum(1))


def alpha_norm(alpha=6, centre=0.5):
    """The sum of |value - centre|^alpha: keeps values from the ends of the range (Mahendran and Vedaldi 2015)."""
    return Objective(lambda images: (images - centre).abs().pow(alpha).flatten(1).sum(1))


def total_variation(beta=2.0):
    """The sum over pixels of (dx^2 + dy^2)^(beta/2), forward differences (Mahendran and Vedaldi 2015): beta = 1 lets
    edges stand, beta = 2 prefers ramps."""
    def variation(images):
        down = images.diff(dim=2, append=images[:, :, -1:])
        right = images.diff(dim=3, append=images[..., -1:])
        squares = down.square() + right.square()
        if beta != 2:   # the root's slope at 0 is infinite: no slope there
            squares = torch.where(squares > 0, squares, 1).pow(beta / 2) * (squares > 0)
        return squares.flatten(1).sum(1)
    return Objective(variation)


def _of_layer(model, layer, score):
    validate.layer(model, layer)
    return Objective(lambda images: score(hooks.reached(model, images, [layer])[layer]), (model,))


def _of_maps(model, layer, score, reshape):
    validate.layer(model, layer)
    return Objective(lambda images: score(hooks.reached(model, images, [layer], layout.channels(images, reshape))[layer]), (model,))


def _place(maps, row, col):
    """The values (N,C) of maps at a place, by default the middle; of outputs (N,C) themselves."""
    if maps.ndim == 2:
        return maps
    rows, cols = maps.shape[2:]
    row, col = (size // 2 if at is None else validate.below(name, at, size)
                for name, at, size in (("row", row, rows), ("col", col, cols)))
    return maps[:, :, row, col]


def _checked(maps, channel):
    return validate.below("channel", channel, maps.shape[1])


def codes(model, images, layers):
    """{layer: its output for images (N,C,H,W)} in eval mode, connected to the graph; what follows them is not computed.
    A layer that runs more than once counts with its last output."""
    with running.entered(model):
        return hooks.reached(model, images, list(layers))


def maps(model, images, layers):
    """`codes` that are maps (N,C,h,w), checked; the network runs in its present mode."""
    return hooks.reached(model, images, list(layers), layout.maps(images, places=1))


def gram(features):
    """Gram matrices (N,C,C) of features (N,C,H,W): the products of channels, summed over positions and divided by
    C*H*W (Johnson et al. 2016, eq. 3)."""
    n, channels, height, width = features.shape
    flat = features.flatten(2)   # (N,C,HW)
    return flat @ flat.transpose(1, 2) / (channels * height * width)


def _relative(difference, target):
    return difference.square().flatten(1).sum(1) / target.square().flatten(1).sum(1)


def content_loss(features, target):
    """|features - target|^2 / |target|^2 for each of N images, from two tensors (N,C,H,W): 0 if equal, 1 for zeros."""
    return _relative(features - target, target)


def moments(features):
    """Means and covariances of the channels over the positions, (N,C,1+C): what `gram` holds, less the position of
    zero (Li et al. 2017, section 4, match means and variances)."""
    flat = features.flatten(2)   # (N,C,HW)
    mean = flat.mean(2, keepdim=True)
    centred = flat - mean
    return torch.cat([mean, centred @ centred.transpose(1, 2) / flat.shape[2]], 2)


def style_loss(features, targets, statistic=gram):
    """The mean over layers of |G - A|^2 / |A|^2 for each of N images, from {layer: features (N,C,H,W)} and the Gram
    matrices A of the style, {layer: (N,C,C) or (1,C,C)}: every layer counts alike, whatever the size of its values.

    With another `statistic` of features, such as `moments`, the targets are its values.
    """
    return torch.stack([_relative(statistic(features[layer]) - a, a) for layer, a in targets.items()]).mean(0)


def near_style(model, targets, statistic=gram):
    """Minus the `style_loss` of images to {layer: statistic of the style}
    (Gatys et al. 2015, eq. 4 and 5, each layer divided by its own size)."""
    for layer in targets:
        validate.layer(model, layer)
    return Objective(lambda images: -style_loss(maps(model, images, targets), targets, statistic), (model,))
