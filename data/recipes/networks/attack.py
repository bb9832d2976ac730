"""Projected gradient descent in the L2 ball (Madry et al. 2018), for adversarial training and its evaluation."""

import torch
from torch.nn import functional as F


def _norm(x):
    return x.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)


def pgd_l2(model, images, labels, eps, steps, rate=None):
    """Images (N,3,H,W) moved by at most `eps` (L2 norm, pixels in [0,1]) so that the cross-entropy rises.

    Starts at a random point of the ball; the step size is 2.5 eps / steps unless `rate` is given.
    """
    rate = rate or 2.5 * eps / steps
    noise = torch.randn_like(images)
    adversarial = (images + noise / _norm(noise) * eps * torch.rand(len(images), 1, 1, 1)).clamp(0, 1)
    for _ in range(steps):
        adversarial.requires_grad_(True)
        with torch.autocast("cpu", torch.bfloat16, enabled=model.training):
            loss = F.cross_entropy(model(adversarial).float(), labels, reduction="sum")
        gradient, = torch.autograd.grad(loss, adversarial)
        delta = adversarial.detach() + rate * gradient / _norm(gradient) - images
        delta *= (eps / _norm(delta)).clamp(max=1)
        adversarial = (images + delta).clamp(0, 1).detach()
    return adversarial
