"""Interval bounds (Gowal et al. 2018): a box of images goes in, a box that holds all their logits comes out.

Exact for one linear layer; through several the box grows larger than what it holds, unless a network is trained for it.
"""

import torch
from torch import nn
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.moving import projections


def perceptron(hidden=(256, 256), inputs=64, classes=10, seed=0):
    """A network of linear layers and ReLUs for pictures of `inputs` values."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes, layers = [inputs, *hidden], [nn.Flatten()]
        for width, following in zip(sizes, sizes[1:]):
            layers += [nn.Linear(width, following), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], classes))


def logits(network, images, eps):
    """The lowest and the highest logits (N,classes) that the bounds allow for images (N,C,H,W) within eps (L-inf) and
    [0,1]; the network is an nn.Sequential of nn.Flatten, nn.Linear and nn.ReLU."""
    low = (validate.images(images) - projections.radius(eps)).clamp(0, 1)
    high = (images + eps).clamp(0, 1)
    for layer in network:
        low, high = _through(layer, low, high)
    return low, high


def _through(layer, low, high):
    if isinstance(layer, (nn.Flatten, nn.ReLU)):
        return layer(low), layer(high)
    if isinstance(layer, nn.Linear):
        centre, radius = layer((low + high) / 2), F.linear((high - low) / 2, layer.weight.abs())
        return centre - radius, centre + radius
    raise ValueError(f"network: got a {type(layer).__name__}. It takes an nn.Sequential of nn.Flatten, nn.Linear and "
                     "nn.ReLU.")


def worst_logits(network, images, labels, eps):
    """The logits (N,classes) that speak most against the labels (N,): the lowest of the label, the highest of others."""
    low, high = logits(network, images, eps)
    own = F.one_hot(labels, low.shape[1]).bool()
    return torch.where(own, low, high)


@torch.no_grad()
def certified(network, images, labels, eps):
    """For each image, bool (N,), whether no change within eps can take its label away, by the bounds."""
    labels = validate.targets(labels, len(images), None, "labels")
    return worst_logits(network, images, labels, eps).argmax(1) == labels


def training(eps, share=0.5):
    """A loss for `robust_training.fit`: the cross-entropy of the worst logits, `share` of it, and of the images' own."""
    def loss(network, images, labels, generator):
        worst = F.cross_entropy(worst_logits(network, images, labels, eps), labels)
        return share * worst + (1 - share) * F.cross_entropy(network(images), labels)
    return loss
