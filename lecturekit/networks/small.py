"""Networks of a few hundred weights, made from an architecture and a seed: what exercises are tried on.

All take images (N,3,H,W) in [0,1] and give logits (N,5); each differs from the others in what trips a hook or an attack.
"""

from collections import OrderedDict
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.networks.nets import Block, Normalize

CLASSES = 5


class Functional(nn.Module):
    """Two convolutions, the second beside a shortcut; what follows them are functions, which no hook on a module sees."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, images):
        maps = F.relu(self.conv1(images - 0.5))
        return self.fc((maps + torch.tanh(self.conv2(maps))).mean((2, 3)))


class Square(nn.Module):
    """x^2: even, so that its slope at 0 is 0."""

    def forward(self, x):
        return x.square()


class Scale(nn.Module):
    """Logits times a factor: how sure the network is."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def _stack(**layers):
    return nn.Sequential(OrderedDict(layers))


def _plain(inplace=False):
    """Two convolutions with a ReLU each, global average pooling, one linear layer: a CAM exists."""
    return _stack(normalize=Normalize(), conv1=nn.Conv2d(3, 6, 3, padding=1), relu1=nn.ReLU(inplace),
                  conv2=nn.Conv2d(6, 8, 3, 2, 1), relu2=nn.ReLU(inplace), pool=nn.AdaptiveAvgPool2d(1),
                  flatten=nn.Flatten(), fc=nn.Linear(8, CLASSES))


def _deep_head():
    """Places are flattened, and a hidden layer follows: no CAM, and the gradient differs from place to place."""
    return _stack(normalize=Normalize(), conv1=nn.Conv2d(3, 5, 3, padding=1), relu1=nn.ReLU(),
                  pool=nn.AdaptiveAvgPool2d(3), flatten=nn.Flatten(), fc1=nn.Linear(45, 12), relu2=nn.ReLU(),
                  fc2=nn.Linear(12, CLASSES))


def _residual():
    return _stack(normalize=Normalize(), conv1=nn.Conv2d(3, 6, 3, padding=1), block1=Block(6, 6, 1),
                  block2=Block(6, 8, 2), pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(8, CLASSES))


def _curved(factor=1.0):
    """Smooth, and so strongly curved that a gradient holds for a short way only; `factor` makes it sure, or unsure."""
    return _stack(normalize=Normalize(), conv1=nn.Conv2d(3, 8, 3, 2, 1), tanh1=nn.Tanh(), conv2=nn.Conv2d(8, 8, 3, 2, 1),
                  tanh2=nn.Tanh(), pool=nn.AdaptiveAvgPool2d(3), flatten=nn.Flatten(), fc=nn.Linear(72, CLASSES),
                  scale=Scale(factor))


def _lent():
    """A network that must come back as it went: exercises see to it that no hook is left on it."""
    network = _plain()
    network.lent = True
    return network


def _even():
    """The same for an image and its negative: at a grey image every gradient is zero."""
    return _stack(normalize=Normalize((0.5,) * 3, (0.5,) * 3), conv1=nn.Conv2d(3, 8, 3, 2, 1, bias=False), square=Square(),
                  pool=nn.AdaptiveAvgPool2d(2), flatten=nn.Flatten(), fc=nn.Linear(32, CLASSES))


ARCHITECTURES = {"plain": _plain, "inplace": partial(_plain, inplace=True), "deep_head": _deep_head,
                 "residual": _residual, "functional": Functional, "curved": _curved, "sure": partial(_curved, 8.0),
                 "unsure": partial(_curved, 0.05), "even": _even, "lent": _lent}


def build(name, seed=None):
    """The architecture `name` with weights drawn from `seed`; without a seed the bundled network of that name.

    Frozen and in eval mode. Raises ValueError for an unknown name, FileNotFoundError where weights are missing.
    """
    if seed is None:
        from lecturekit.networks import models   # brings torchvision, which takes seconds to import
        return models.load(name, device="cpu")   # where the cases' images lie
    make = ARCHITECTURES[validate.one_of("name", name, ARCHITECTURES)]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = make()
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                _draw(module)
    return network.eval().requires_grad_(False)


@torch.no_grad()
def _draw(layer):
    """Weights of He et al. 2015 and biases, so that values keep their size from layer to layer."""
    nn.init.kaiming_normal_(layer.weight)
    if layer.bias is not None:
        nn.init.normal_(layer.bias, std=0.3)
