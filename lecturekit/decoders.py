"""Networks that run backwards: from the features of a layer of `alexnet_s` back to the picture, in one pass.

Dosovitskiy and Brox 2016, "Inverting Visual Representations with Convolutional Networks": trained on the mean squared
error in pixels, a decoder gives the mean of all pictures that have these features. The one of relu6 takes a vector, in
whose space a picture can be moved (Nguyen et al. 2016, DGN-AM).
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from lecturekit import files, models, validate

NETWORK = "alexnet_s"
SIDE, COARSE = 128, 16   # px of the pictures, and of the linear part


@dataclass(frozen=True)
class Plan:
    """What a decoder takes, and the channels of its convolutions."""

    layer: str                # of NETWORK
    shape: tuple              # of one picture's features
    channels: tuple           # each behind a doubling, up to 32x32
    first: tuple = ()         # before any doubling
    seed_maps: int = 64       # for a vector: the maps (seed_maps,4,4) that it becomes


PLANS = {
    "relu2": Plan("relu2", (128, 15, 15), (64,), first=(96,)),
    "relu5": Plan("relu5", (192, 7, 7), (96, 48), first=(160,)),
    "relu6": Plan("relu6", (512,), (160, 96, 48)),
    "generator": Plan("relu6", (512,), (160, 96, 48)),
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


class Coarse(nn.Module):
    """A linear map to a small picture, enlarged to (N,3,128,128): from a vector one of 16x16 pixels; from maps, at each
    place, 4x4 pixels from the 3x3 places around it."""

    def __init__(self, shape):
        super().__init__()
        vector = len(shape) == 1
        self.linear = nn.Linear(shape[0], 3 * COARSE ** 2) if vector else nn.Conv2d(shape[0], 48, 3, 1, 1)
        self.arrange = nn.Unflatten(1, (3, COARSE, COARSE)) if vector else nn.PixelShuffle(4)
        self.complete = nn.Identity() if vector else Completed()

    def forward(self, features):
        return F.interpolate(self.arrange(self.linear(self.complete(features))), SIDE, mode="bilinear")


class Smooth(nn.Module):
    """Means of 4x4 pixels (N,C,H,W): whatever repeats every four pixels, the grid of a pixel shuffle, is gone."""

    def forward(self, pictures):
        return F.avg_pool2d(F.pad(pictures, (1, 2, 1, 2), mode="replicate"), 4, 1)


class Decoder(nn.Module):
    """Features of a layer to images (N,3,128,128) in [0,1].

    Doublings by nearest neighbour, each followed by a 3x3 convolution, batch norm and leaky ReLU (slope 0.2), up to
    32x32; from there a convolution and a pixel shuffle (Shi et al. 2016) paint 4x4 pixels at a time. They add to what a
    linear map draws (`Coarse`); a sigmoid takes the sum to [0,1].
    """

    def __init__(self, name):
        super().__init__()
        plan = PLANS[validate.one_of("name", name, PLANS)]
        layers, width = _start(plan)
        for double, channels in [(False, c) for c in plan.first] + [(True, c) for c in plan.channels]:
            layers += [nn.Upsample(scale_factor=2)] * double + _conv(width, channels)
            width = channels
        smooth = [Smooth()] * (len(plan.shape) == 1)
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 48, 3, 1, 1), nn.PixelShuffle(4), *smooth)
        self.coarse = Coarse(plan.shape)
        self.name, self.layer, self.network_name, self.shape = name, plan.layer, NETWORK, plan.shape

    def forward(self, features):
        """Images from features (N, *shape), as `hooks.forward_to(network, images, layer)` gives them."""
        takes = f"It takes a float tensor (N,{','.join(map(str, self.shape))}): {self.layer} of {NETWORK}."
        if not isinstance(features, torch.Tensor) or not features.is_floating_point():
            raise TypeError(f"features: got {getattr(features, 'dtype', type(features).__name__)}. {takes}")
        if features.shape[1:] != self.shape:
            raise ValueError(f"features: got shape {tuple(features.shape)}. {takes}")
        return (self.coarse(features) + self.layers(features)).sigmoid()


def load(name, device="cpu"):
    """The bundled decoder of a layer, frozen and in eval mode; see `names`.

    It carries `.layer` and `.network_name`: the layer whose features it takes (without the batch, `.shape`), and the
    network that computes them at 128x128. Raises ValueError for an unknown name and for weights that are not the
    published ones, FileNotFoundError for missing ones.
    """
    validate.one_of("name", name, names())
    return models.restored(lambda: Decoder(name), f"decoder_{name}", device)
