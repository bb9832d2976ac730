"""Filters: the first layer's as pictures, what they have in common, and what each layer costs.

The first convolution is the one whose weights live in the image's own space. Trained ones look like Gabor functions,
whatever the network and the data (Krizhevsky et al. 2012; Yosinski et al. 2014): `gabor` measures how much, `nearest`
how alike two networks' filters are.
"""

import warnings
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves

from lecturekit import validate
from lecturekit.networks import running


def first_layer(model):
    """The weights (N,C,h,w) of the first convolution, detached."""
    for convolution in running.convolutions(model).values():
        return convolution.weight.detach()
    raise ValueError(f"model: got {type(model).__name__} without a Conv2d. It takes a convolutional network.")


@dataclass(frozen=True)
class Cost:
    """What one layer takes for one image: the shape of its output, the values in it, the layer's own weights."""

    layer: str
    kind: str
    shape: tuple
    values: int
    weights: int


def costs(model, shape=(3, 224, 224)):
    """A Cost for each layer of `model` that has no layers inside, in order, found by running it on one image. A layer that
    runs more than once is there as often, its weights the first time alone.

    A network on the device "meta" has shapes but no memory, so that even VGG-16 costs nothing to ask.
    """
    found, weights = [], {name: sum(p.numel() for p in m.parameters()) for name, m in model.named_modules()}

    def keep(name):
        def hook(module, inputs, output):
            given = [value for value in tree_leaves(output) if isinstance(value, torch.Tensor)]
            dims = tuple(given[0].shape[1:]) if given else ()
            found.append(Cost(name, type(module).__name__, dims, sum(map(torch.numel, given)), weights.pop(name, 0)))
        return hook

    with torch.no_grad(), running.entered(model):
        for name, module in running.layers(model):
            if not any(module.children()):
                module.register_forward_hook(keep(name))
        running.plainly(model, running.like(model, torch.zeros(1, *shape)))
    return found


@dataclass(frozen=True)
class Gabor:
    """The best Gabor function for each of N filters; all tensors (N,) but `patterns`.

    quality      share of the filter's energy that the fit explains (R^2), 0..1
    orientation  of the stripes in degrees, 0..180 anticlockwise: 0 horizontal, 90 vertical
    frequency    of the stripes in cycles per pixel; near 0 the fit is a blob
    patterns     (N,C,h,w) the fitted functions
    """

    quality: torch.Tensor
    orientation: torch.Tensor
    frequency: torch.Tensor
    patterns: torch.Tensor


def gabor(filters, steps=40):
    """Fit a Gabor function, a Gaussian times a plane wave, to each filter (N,C,h,w).

    The colours share centre, widths, tilt and frequency (6 numbers, by Adam from the best of a coarse grid) and have
    their own amplitudes of cosine and sine, which have a closed form (Jones and Palmer 1987 fit the same to neurons).
    """
    filters = validate.images(filters, "filters", in_range=False).detach()
    energy = filters.square().flatten(1).sum(1).clamp_min(1e-12)
    wave = _coarse(filters).requires_grad_()
    optimiser = torch.optim.Adam([wave], lr=0.05)
    with torch.enable_grad():
        for _ in range(steps):
            optimiser.zero_grad()
            (-_project(wave, filters).square().flatten(1).sum(1) / energy).sum().backward()
            optimiser.step()
    patterns = _project(wave.detach(), filters)
    tilt, frequency = wave.detach()[:, 4], wave.detach()[:, 5].abs() / filters.shape[-1]
    quality = patterns.square().flatten(1).sum(1) / energy
    return Gabor(quality, (90 - tilt.rad2deg()) % 180, frequency.clamp_max(0.5), patterns)


def _waves(wave, height, width):
    """The cosine and the sine Gabor (K,2,h*w) of parameters (K,6): centre x, y, log widths along and across the wave
    (all relative to the filter's width), tilt of the wave in radians, cycles per filter."""
    y, x = torch.meshgrid(torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij")
    x, y = (axis.flatten().to(wave) / width for axis in (x, y))
    cx, cy, along, across, tilt, frequency = wave.t()[:, :, None]                   # each (K,1)
    u = (x - cx) * tilt.cos() + (y - cy) * tilt.sin()
    v = (y - cy) * tilt.cos() - (x - cx) * tilt.sin()
    along, across = (log.clamp(-2.2, 0.0).exp() for log in (along, across))
    envelope = (-(u / along) ** 2 / 2 - (v / across) ** 2 / 2).exp()
    phase = 2 * torch.pi * frequency.clamp(-width / 2, width / 2) * u
    return torch.stack([envelope * phase.cos(), envelope * phase.sin()], 1)


def _project(wave, filters):
    """The nearest function (N,C,h,w) to each filter in the span of its two waves."""
    basis = _waves(wave, *filters.shape[-2:])                                       # (N,2,P)
    gram = basis @ basis.mT
    gram = gram + 1e-5 * torch.eye(2).to(gram) * gram.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
    weights = torch.linalg.solve(gram, basis @ filters.flatten(2).mT)               # (N,2,C)
    return (weights.mT @ basis).view_as(filters)


def _coarse(filters):
    """For each filter the parameters of the grid that explain most of it: (N,6)."""
    centers, widths = torch.tensor([-0.2, 0.0, 0.2]), torch.tensor([0.15, 0.3]).log()
    tilts, frequencies = torch.arange(8) * torch.pi / 8, torch.tensor([0.1, 0.8, 1.4, 2.0, 2.8])
    choices = torch.cartesian_prod(centers, centers, widths, tilts, frequencies).to(filters)
    choices = choices[:, [0, 1, 2, 2, 3, 4]]
    basis = torch.linalg.qr(_waves(choices, *filters.shape[-2:]).mT)[0]             # (K,P,2), orthonormal
    explained = torch.einsum("kpb,ncp->nkbc", basis, filters.flatten(2)).square().sum((2, 3))
    return choices[explained.argmax(1)]


def nearest(filters, others, shift=2):
    """For each filter (N,C,h,w) the most similar one of `others` (M,C,h',w'): (cosine (N,), its index (N,)).

    Both are first resized to the larger of their sizes; sign is ignored, and so is a shift by up to `shift` pixels.
    """
    size = [max(a, b) for a, b in zip(filters.shape[-2:], others.shape[-2:])]
    filters, others = (F.normalize(_resized(f, size).flatten(1)).view(-1, f.shape[1], *size) for f in (filters, others))
    cosines = F.conv2d(F.pad(filters, [shift] * 4), others).abs().flatten(2).amax(2)
    best = cosines.max(1)
    return best.values, best.indices


def _resized(filters, size):
    return F.interpolate(filters, size, mode="bilinear", align_corners=False)


def patch_filters(images, size=11, count=64, seed=0):
    """Filters (count,3,size,size) that independent component analysis finds in patches of images (N,3,H,W).

    No labels and no network: the statistics of pictures alone (Bell and Sejnowski 1997; Hoyer and Hyvarinen 2000).
    """
    from sklearn.decomposition import FastICA   # seconds to import
    from sklearn.exceptions import ConvergenceWarning
    source = torch.Generator().manual_seed(seed)
    step = max(1, size // 2)
    windows = validate.images(images).unfold(2, size, step).unfold(3, size, step)   # (N,3,rows,cols,size,size)
    patches = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, images.shape[1] * size * size)
    patches = patches[torch.randperm(len(patches), generator=source)[:4000]]
    patches = patches - patches.mean(1, keepdim=True)
    analysis = FastICA(count, whiten="unit-variance", max_iter=20, tol=1e-3, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        analysis.fit(patches.numpy())
    return torch.from_numpy(analysis.mixing_.T.copy()).float().view(-1, images.shape[1], size, size)
