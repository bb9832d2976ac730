"""Projected gradient descent in the L2 ball (Madry et al. 2018) for adversarial training, in bfloat16.

The course's own attack, `lecturekit.robustness.attacks.pgd`, is the one to measure with: it keeps the worst of
its steps.
"""

import torch
from torch.nn import functional as F

from lecturekit.networks import hooks

PACE = 1.5   # the way of all steps together, in radii


def norms(images):
    return images.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)


def attacked(model, images, labels, eps, steps):
    """Images (N,3,H,W) moved by at most `eps` (L2 norm, pixels in [0,1]) so that the cross-entropy rises, from a random
    point of the ball; the model is in eval mode and its weights frozen meanwhile."""
    noise = torch.randn_like(images)
    moved = (images + noise / norms(noise) * eps * torch.rand(len(images), 1, 1, 1)).clamp(0, 1)
    with hooks.preserved(model):
        model.eval().requires_grad_(False)
        for _ in range(steps):
            gradient = uphill(model, moved, labels)
            change = moved + PACE * eps / steps * gradient / norms(gradient) - images
            moved = (images + change * (eps / norms(change)).clamp(max=1)).clamp(0, 1)
    return moved


def uphill(model, images, labels):
    """The gradient (N,3,H,W) of each image's cross-entropy."""
    images = images.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = F.cross_entropy(model(images).float(), labels, reduction="sum")
    return torch.autograd.grad(loss, images)[0]


def standing(model, images, labels, eps, steps, batch=64):
    """The shares of images that the model is right about, without and with the attack (seed 0)."""
    torch.manual_seed(0)
    images, right = images.contiguous(memory_format=torch.channels_last), []
    for x, y in zip(images.split(batch), labels.split(batch)):
        clean = answers(model, x) == y
        right.append(torch.stack([clean, clean & (answers(model, attacked(model, x, y, eps, steps)) == y)]))
    return torch.cat(right, 1).float().mean(1).tolist()


@torch.no_grad()
def answers(model, images):
    """The class (N,) of each image."""
    with hooks.preserved(model), torch.autocast("cpu", torch.bfloat16):
        return model.eval()(images).argmax(1)
