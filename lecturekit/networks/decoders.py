"""Networks that run backwards: from the features of a layer of `alexnet_s` back to the picture, in one pass.

Dosovitskiy and Brox 2016, "Inverting Visual Representations with Convolutional Networks": trained on the mean squared
error in pixels, a decoder gives the mean of all pictures that have these features. The one of relu6 takes a vector, in
whose space a picture can be moved (Nguyen et al. 2016, DGN-AM).
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from lecturekit import files, validate
from lecturekit.networks import models

NETWORK = "alexnet_s"
SIDE = 128   # px of the pictures


@dataclass(frozen=True)
class Plan:
    """What a decoder takes, and its convolutions: each but the first on maps behind a doubling."""

    layer: str                # of NETWORK
    shape: tuple              # of one picture's features
    channels: tuple           # of the convolutions
    smooth: bool = True       # whether the picture is smoothed before it is enlarged
    seed_maps: int = 128      # for a vector: the maps (seed_maps,4,4) that it becomes


PLANS = {
    "relu2": Plan("relu2", (128, 15, 15), (64, 48, 24), smooth=False),
    "relu5": Plan("relu5", (192, 7, 7), (128, 64, 32)),
    "relu6": Plan("relu6", (512,), (128, 128, 64, 32)),
    "generator": Plan("relu6", (512,), (128, 128, 64, 32)),
}


def names():
    """Every name that `load` takes: the decoders of PLANS whose weights are published in data/SHA256SUMS."""
    return [name for name in PLANS if _weights(name) in files.checksums()]


def _weights(name):
    return f"weights/decoder_{name}.safetensors"


class Completed(nn.Module):
    """Maps with their last row and column repeated: 15x15 becomes 16x16, so that doubling leads to 128x128."""

    def forward(self, maps):
        return F.pad(maps, (0, 1, 0, 1), mode="replicate")


def _conv(inputs, outputs):
    return [nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]


def _start(plan):
    """The layers before the convolutions, and their channels."""
    if len(plan.shape) > 1:
        return [Completed()], plan.shape[0]
    inputs, maps = plan.shape[0], plan.seed_maps
    return [nn.BatchNorm1d(inputs, eps=1e-2), nn.Linear(inputs, maps * 16), nn.LeakyReLU(0.2),
            nn.Unflatten(1, (maps, 4, 4))], maps


class Smooth(nn.Module):
    """Means over 2x2 pixels, twice (N,C,H,W): what repeats every two pixels, the grid of a pixel shuffle, is gone."""

    def forward(self, pictures):
        return F.avg_pool2d(F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 2, 1), 2, 1)


class Decoder(nn.Module):
    """Features of a layer to images (N,3,128,128) in [0,1].

    3x3 convolutions with batch norm and leaky ReLU (slope 0.2), between them bilinear doublings; the last one paints
    2x2 pixels at each place (pixel shuffle, Shi et al. 2016), a sigmoid takes them to [0,1]. From relu5 on this gives
    64x64 pixels, smoothed (`Smooth`) and doubled once more: there is nothing finer in those features.
    """

    def __init__(self, name):
        super().__init__()
        plan = PLANS[validate.one_of("name", name, PLANS)]
        layers, width = _start(plan)
        for number, channels in enumerate(plan.channels):
            layers += [nn.Upsample(scale_factor=2, mode="bilinear")] * (number > 0) + _conv(width, channels)
            width = channels
        smooth = [Smooth()] * plan.smooth
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 12, 3, 1, 1), nn.PixelShuffle(2), nn.Sigmoid(), *smooth)
        self.name, self.layer, self.network_name, self.shape = name, plan.layer, NETWORK, plan.shape

    def forward(self, features):
        """Images from features (N, *shape), as `hooks.forward_to(network, images, layer)` gives them."""
        takes = f"It takes a float tensor (N,{','.join(map(str, self.shape))}): {self.layer} of {NETWORK}."
        if not isinstance(features, torch.Tensor) or not features.is_floating_point():
            raise TypeError(f"features: got {getattr(features, 'dtype', type(features).__name__)}. {takes}")
        if features.shape[1:] != self.shape:
            raise ValueError(f"features: got shape {tuple(features.shape)}. {takes}")
        return F.interpolate(self.layers(features), SIDE, mode="bilinear")


def load(name, device=None):
    """The bundled decoder of a layer, frozen and in eval mode; see `names`.

    It carries `.layer` and `.network_name`: the layer whose features it takes (without the batch, `.shape`), and the
    network that computes them at 128x128. Raises ValueError for an unknown name and for weights that are not the
    published ones, FileNotFoundError for missing ones.
    """
    validate.one_of("name", name, names())
    return models.restored(lambda: Decoder(name), f"decoder_{name}", device)
