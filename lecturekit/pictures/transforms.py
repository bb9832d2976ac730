"""Random changes of the image before the objective sees it: functions (images, generator) -> images.

What survives them cannot hang on single pixels (Mordvintsev et al. 2015; Olah et al. 2017), and may survive a printer
and a camera (Athalye et al. 2018). `light` and what follows it draw anew for each image.
"""

import math

import torch
from torch.nn import functional as F

from lecturekit.pictures.pixels import gaussian_blur

SQUARE = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))   # a picture's corners, clockwise from the top left


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


def light(contrast=0.3, brightness=0.15):
    """Brighter or darker: a factor in 1 +- contrast, then a summand in +- brightness."""
    def lit(images, generator):
        factor, summand = 2 * torch.rand(2, len(images), 1, 1, 1, generator=generator).to(images) - 1
        return (images * (1 + contrast * factor) + brightness * summand).clamp(0, 1)
    return lit


def noise(deviation):
    """Normal noise on every value."""
    return lambda images, generator: images + deviation * torch.randn(images.shape, generator=generator).to(images)


def soften(sigma):
    """A Gaussian blur of up to so many pixels, one for all images."""
    def softened(images, generator):
        drawn = max(0.05, sigma * torch.rand((), generator=generator).item())
        return gaussian_blur(images, 2 * math.ceil(2 * sigma) + 1, drawn)
    return softened


def jpeg(lowest=40, highest=90):
    """JPEG of a quality between the two. It has no slope: the gradient passes straight through (Athalye 2018)."""
    def compressed(images, generator):
        qualities = torch.randint(lowest, highest + 1, (len(images),), generator=generator).tolist()
        return straight_through(lambda x: torch.cat([coded(i, q) for i, q in zip(x.split(1), qualities)]), images)
    return compressed


def coded(images, quality):
    """Images (N,1,H,W) or (N,3,H,W) after JPEG compression of a quality from 1 to 100."""
    from torchvision.io import decode_jpeg, encode_jpeg   # slow to import, needed here alone
    if not len(images):
        return images
    files = encode_jpeg(list((images.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu()), quality)
    return torch.stack(decode_jpeg(files)).to(images) / 255


def straight_through(function, images):
    """`function(images)` with the gradient of the identity (Bengio et al. 2013)."""
    return images + (function(images.detach()) - images).detach()


def perspective(amount=0.2):
    """Seen from elsewhere: each corner moves by up to so many half sides; the border is mirrored."""
    square = torch.tensor(SQUARE)

    def tilted(images, generator):
        moved = square + amount * (2 * torch.rand(len(images), 4, 2, generator=generator) - 1)
        return warp(images, homography(square.expand_as(moved), moved), images.shape[2:], "reflection")
    return tilted


def homography(source, to):
    """The matrices (N,3,3) of the projective maps that take four points (N,4,2) to four others (N,4,2)."""
    x, y = source.double().unbind(2)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    rows = []
    for at, across in zip(to.double().unbind(2), (True, False)):
        own, other = torch.stack([x, y, one], 2), torch.stack([zero] * 3, 2)   # (N,4,3)
        pair = (own, other) if across else (other, own)
        rows.append(torch.cat([*pair, torch.stack([-x * at, -y * at], 2)], 2))
    entries = torch.linalg.solve(torch.cat(rows, 1), to.double().transpose(1, 2).flatten(1))   # (N,8)
    return torch.cat([entries, one[:, :1]], 1).view(-1, 3, 3).float()


def warp(images, matrices, size, padding="zeros"):
    """Images (N,C,h,w) seen through projective maps (N,3,3): the place p of the output, of `size` (H,W), shows the
    place that its map takes p to; places run from -1 to 1 along each side."""
    height, width = size
    rows, columns = ((torch.arange(n) + 0.5) / n * 2 - 1 for n in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], -1).flatten(0, 1) @ matrices.transpose(1, 2)   # (N,HW,3)
    depth = places[..., 2:]
    places = torch.where(depth > 1e-6, places[..., :2] / depth.clamp(min=1e-6), 9.0)   # nothing from behind the camera
    grid = places.view(-1, height, width, 2).to(images)
    return F.grid_sample(images, grid, padding_mode=padding, align_corners=False)
