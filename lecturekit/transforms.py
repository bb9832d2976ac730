"""Random changes of the image before the objective sees it: functions (images, generator) -> images.

What survives them cannot hang on single pixels (Mordvintsev et al. 2015; Olah et al. 2017).
"""

import math

import torch
from torch.nn import functional as F


def chain(*transforms):
    """One transform after the other."""
    def chained(images, generator):
        for transform in transforms:
            images = transform(images, generator)
        return images
    return chained


def jitter(pixels):
    """A shift by up to so many pixels each way, around the border."""
    def shifted(images, generator):
        rows, columns = torch.randint(-pixels, pixels + 1, (2,), generator=generator).tolist()
        return images.roll((rows, columns), (2, 3))
    return shifted


def scale(lowest, highest):
    """Larger or smaller by a factor between the two; the border is mirrored."""
    return _affine(lambda u: (0.0, lowest + u * (highest - lowest)))


def rotate(degrees):
    """A turn by up to so many degrees each way; the border is mirrored."""
    return _affine(lambda u: (math.radians((2 * u - 1) * degrees), 1.0))


def _affine(drawn):
    """A turn and a zoom about the middle; `drawn` makes (angle, factor) of a random number in [0,1]."""
    def turned(images, generator):
        angle, factor = drawn(torch.rand((), generator=generator).item())
        cos, sin = math.cos(angle) / factor, math.sin(angle) / factor
        matrix = torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0]]).to(images).expand(len(images), 2, 3)
        grid = F.affine_grid(matrix, images.shape, align_corners=False)
        return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return turned
