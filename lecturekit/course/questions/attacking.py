"""The parts of an attack (Madry et al. 2018) that several questions exchange one at a time."""

import torch
from torch.nn import functional as F


def uphill(model, images, labels):
    """The gradient, by the images (N,C,H,W), of the summed cross-entropy."""
    at = images.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(F.cross_entropy(model(at), labels, reduction="sum"), at)[0]


def lengths(images):
    """The length of each image, (N,1,1,1)."""
    return images.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp(min=1e-12)


def in_ball(moved, images, eps, norm="linf"):
    """The nearest to `moved` within eps of the images."""
    away = moved - images
    return images + (away.clamp(-eps, eps) if norm == "linf" else away * (eps / lengths(away)).clamp(max=1))


def back(*of):
    """The same, then within [0,1]."""
    return in_ball(*of).clamp(0, 1)
