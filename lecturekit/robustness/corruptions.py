"""Robustness without an attacker: corruptions (Hendrycks and Dietterich 2019), shape against texture (Geirhos et al.
2019), and the viewpoints that fool a network (Alcorn et al. 2019)."""

import torch
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.pictures import transforms
from lecturekit.robustness import attacks

SEVERITIES = (1, 2, 3, 4, 5)


def corrupt(images, name, severity=3, seed=0):
    """Images (N,C,H,W) in [0,1] with a corruption from `CORRUPTIONS` in a severity from 1 to 5, within [0,1]. Lengths
    such as a blur's are for a side of 128 px and grow with the side. Each image has its own random numbers."""
    validate.one_of("name", name, CORRUPTIONS), validate.one_of("severity", severity, SEVERITIES)
    change, amounts = CORRUPTIONS[name]
    generator = torch.Generator().manual_seed(seed)
    return change(validate.images(images), amounts[severity - 1], generator).clamp(0, 1)


def _gaussian_noise(images, deviation, generator):
    return transforms.noise(deviation)(images, generator)


def _shot_noise(images, photons, generator):
    return torch.poisson(images.clamp(0, 1) * photons, generator=generator) / photons


def _defocus_blur(images, radius, generator):
    """A disc of light in place of each point."""
    radius = radius * images.shape[-1] / 128
    line = torch.arange(-int(radius) - 1, int(radius) + 2.0)
    return _filtered(images, (radius + 0.5 - (line[:, None] ** 2 + line ** 2).sqrt()).clamp(0, 1))


def _motion_blur(images, length, generator):
    """Along one line, its direction drawn for all."""
    length = length * images.shape[-1] / 128
    angle = torch.rand((), generator=generator) * torch.pi
    line = torch.arange(-int(length / 2) - 1, int(length / 2) + 2.0)
    across = (line[:, None] * angle.cos() - line * angle.sin()).abs()
    along = (line[:, None] * angle.sin() + line * angle.cos()).abs()
    return _filtered(images, (1 - across).clamp(0, 1) * (length / 2 + 0.5 - along).clamp(0, 1))


def _filtered(images, kernel):
    """Images with each channel filtered by a kernel (k,k) that is brought to sum 1; the border is mirrored."""
    edge, channels = len(kernel) // 2, images.shape[1]
    weights = (kernel / kernel.sum()).expand(channels, 1, -1, -1)
    return F.conv2d(F.pad(images, [edge] * 4, mode="reflect"), weights, groups=channels)


def _brightness(images, added, generator):
    return images + added


def _contrast(images, factor, generator):
    return factor * images + (1 - factor) * images.mean((2, 3), keepdim=True)


def _pixelate(images, factor, generator):
    small = F.interpolate(images, scale_factor=factor, mode="area")
    return F.interpolate(small, images.shape[-2:], mode="nearest")


def jpeg(images, quality, generator=None):
    """Images (N,1,H,W) or (N,3,H,W) after JPEG compression."""
    return transforms.coded(images, quality)


def _fog(images, strength, generator):
    """Light clouds: noise in octaves, each half as wide and half as strong as the one before."""
    clouds = sum(0.5 ** octave * F.interpolate(
        torch.rand(len(images), 1, 2 ** octave + 1, 2 ** octave + 1, generator=generator),
        images.shape[-2:], mode="bicubic", align_corners=True) for octave in range(1, 6))
    low, high = clouds.amin((2, 3), keepdim=True), clouds.amax((2, 3), keepdim=True)
    clouds = 0.6 + 0.4 * (clouds - low) / (high - low)
    return (images + strength * clouds) / (1 + strength)


CORRUPTIONS = {   # name: (function, what it takes at the severities 1 to 5)
    "Gaussian noise": (_gaussian_noise, (0.04, 0.07, 0.11, 0.16, 0.22)),
    "shot noise": (_shot_noise, (200, 80, 40, 20, 10)),
    "defocus blur": (_defocus_blur, (1.5, 2.2, 3.0, 4.0, 5.5)),
    "motion blur": (_motion_blur, (4, 7, 10, 14, 19)),
    "brightness": (_brightness, (0.1, 0.2, 0.3, 0.4, 0.5)),
    "contrast": (_contrast, (0.6, 0.4, 0.3, 0.2, 0.1)),
    "fog": (_fog, (0.4, 0.8, 1.2, 1.8, 2.6)),
    "pixelate": (_pixelate, (0.6, 0.45, 0.35, 0.25, 0.18)),
    "JPEG": (jpeg, (30, 18, 12, 8, 5))}


def errors(model, images, labels, names=None, severities=SEVERITIES, seed=0):
    """The share of wrong answers under each corruption, {name: [one for each severity]}."""
    return {name: [attacks.fooled(model, corrupt(images, name, severity, seed), labels).float().mean().item()
                   for severity in severities] for name in names or CORRUPTIONS}


def corruption_errors(errors, reference):
    """For each corruption the sum of the errors over the severities as a ratio to that of a reference network, {name:
    ratio} (Hendrycks and Dietterich 2019, section 4.2): 1, which is 100 %, for the reference itself."""
    if errors.keys() != reference.keys():
        raise ValueError(f"reference: got {', '.join(reference)}. It takes the same corruptions: {', '.join(errors)}.")
    none = [name for name, values in reference.items() if not sum(values)]
    if none:
        raise ValueError(f"reference: got no error at all under {', '.join(none)}. It takes a network that errs there.")
    return {name: sum(values) / sum(reference[name]) for name, values in errors.items()}


def mean_corruption_error(errors, reference):
    """The mean of the `corruption_errors`: 1, which is 100 %, for the reference itself."""
    ratios = corruption_errors(errors, reference)
    return sum(ratios.values()) / len(ratios)


def shape_bias(answers, shapes, textures):
    """Of the answers (N,) that name the shape's or the texture's category, the share that name the shape's, and how
    many such answers there are (Geirhos et al. 2019, section 2); NaN where there are none."""
    answers, shapes, textures = (torch.as_tensor(values) for values in (answers, shapes, textures))
    if (shapes == textures).any():
        raise ValueError("textures: got one that is also the shape of its picture. It takes pictures whose cues "
                         "conflict.")
    shape, texture = (answers == shapes).sum().item(), (answers == textures).sum().item()
    return shape / (shape + texture) if shape + texture else float("nan"), shape + texture


def by_cell(right, rows, columns):
    """The share of true values of `right` (N,) in each cell of a table: rows and columns (N,) are the indices from 0
    on; (R,C), NaN where a cell is empty."""
    right, rows, columns = (torch.as_tensor(values) for values in (right, rows, columns))
    shape = int(rows.max()) + 1, int(columns.max()) + 1
    cells = rows.long() * shape[1] + columns.long()
    counts = torch.bincount(cells, minlength=shape[0] * shape[1])
    return (torch.bincount(cells, right.double(), minlength=len(counts)) / counts).view(shape)
