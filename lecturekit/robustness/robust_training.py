"""Training with the loop inside: adversarial training of networks, linear models and nearest neighbours, and virtual
adversarial training.

`fit` trains with any loss (network, images, labels, generator) -> number; the losses here differ only in what they
make of the images first.
"""

import copy
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.networks.running import differentiable
from lecturekit.moving import projections
from lecturekit.moving.steps import lengths
from lecturekit.robustness import attacks, classical, standing


def digit_net(hidden=(256, 256), units=nn.ReLU, dropout=0.0, inputs=64, classes=10, seed=0):
    """A perceptron for pictures of `inputs` values, batch-normed: `units()` makes each layer's non-linear units."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers, width = [nn.Flatten()], inputs
        for size in hidden:
            layers += [nn.Linear(width, size), nn.BatchNorm1d(size), units(), nn.Dropout(dropout)]
            width = size
        return nn.Sequential(*layers, nn.Linear(width, classes))


@differentiable()
def fit(network, images, labels, loss=None, epochs=10, rate=3e-3, batch=64, decay=0.0, seed=0, watch=None):
    """Train a copy of `network` with Adam on images (N,C,H,W) and labels (N,): frozen, in eval mode.

    loss   (network, images, labels, generator) -> number; by default the cross-entropy
    decay  the weight decay (AdamW)
    watch  called with (epoch from 1 on, network in eval mode) after each epoch
    """
    validate.positive("epochs", epochs, whole=True)
    labels = validate.targets(labels, len(validate.images(images)), None, "labels").to(images.device)
    generator = torch.Generator().manual_seed(seed)
    network, loss, images = copy.deepcopy(network).requires_grad_(True), loss or cross_entropy, validate.ordinary(images)
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=decay)
    with torch.random.fork_rng(), one_thread():
        torch.manual_seed(seed)   # dropout
        for epoch in range(1, epochs + 1):
            network.train()
            for rows in torch.randperm(len(images), generator=generator).split(batch):
                if len(rows) > 1:   # batch norm needs two
                    _step(optimiser, loss, network, images[rows], labels[rows], generator)
            if watch is not None:
                watch(epoch, network.eval())
    return network.eval().requires_grad_(False)


@contextmanager
def one_thread():
    """Within the block, torch works on one thread: in networks this small, more of them wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _step(optimiser, loss, network, images, labels, generator):
    value = loss(network, images, labels, generator)
    optimiser.zero_grad()
    value.backward()
    optimiser.step()


def cross_entropy(network, images, labels, generator=None):
    """The mean cross-entropy of labels (N,), or of probabilities (N,classes)."""
    return F.cross_entropy(network(images), labels)


def adversarial(eps, steps=5, norm="linf", start="random"):
    """The loss of adversarial training (Madry et al. 2018, eq. 2.1): the cross-entropy at images that PGD has moved by
    at most eps. With steps=1 and start="image" the attack is FGSM (Goodfellow et al. 2015, section 6)."""
    projections.radius(eps)

    def loss(network, images, labels, generator):
        seed = int(torch.randint(2 ** 31, (1,), generator=generator))
        moved = attacks.pgd(network, images, labels, eps, norm, steps, start=start, seed=seed, batch=len(images))
        return cross_entropy(network, moved, labels)
    return loss


@dataclass
class Errors:
    """A `watch` for `fit`: the share of wrong answers after each epoch, {(name of the set, name of the attack): [...]}.

    sets     {name: (images, labels)}
    attacks  {name: function (model, images, labels) -> images, or None for the images themselves}
    """

    sets: dict
    attacks: dict
    curves: dict = field(default_factory=dict)

    def __call__(self, epoch, network):
        for name, (images, labels) in self.sets.items():
            for kind, attack in self.attacks.items():
                seen = images if attack is None else attack(network, images, labels)
                self.curves.setdefault((name, kind), []).append(1 - standing.accuracy(network, seen, labels))


# ---------------------------------------------------------------- linear models: a closed form


def worst_logistic(weights, bias, inputs, signs, eps):
    """The highest logistic loss of each input (N,D) within eps (L-inf, no box), for labels -1 or 1, (N,):
    softplus(-y (w.x + b) + eps |w|_1) (Goodfellow et al. 2015, section 5)."""
    return F.softplus(-signs * (inputs @ weights + bias) + projections.radius(eps) * weights.abs().sum())


def robust_logistic(inputs, signs, eps=0.0, l1=0.0, l2=0.0, steps=400, rate=0.05):
    """Weights (D,) and bias of the logistic regression that minimises the mean of `worst_logistic`, plus
    l1 |w|_1 + l2 / 2 |w|_2^2: adversarial training in closed form, or weight decay. Adam from zero, a falling rate."""
    weights, bias = (torch.zeros(size, requires_grad=True) for size in (inputs.shape[1], 1))
    optimiser = torch.optim.Adam([weights, bias], rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, validate.positive("steps", steps, whole=True))
    for _ in range(steps):
        with torch.enable_grad():
            loss = worst_logistic(weights, bias, inputs, signs, eps).mean()
            loss = loss + l1 * weights.abs().sum() + l2 / 2 * weights.square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return weights.detach(), bias.detach()


def linear_accuracy(weights, bias, inputs, signs, eps=0.0):
    """The exact share of inputs (N,D) whose sign no change within eps (L-inf, no box) turns: margin > eps |w|_1."""
    margins = signs * (inputs @ weights + bias)
    return (margins > projections.radius(eps) * weights.abs().sum()).float().mean().item()


# ---------------------------------------------------------------- nearest neighbours


def adversarial_copies(estimator, inputs, labels, eps, norm="linf", rounds=4):
    """Inputs (N,D) that a scikit-learn classifier gets right, moved just so far that it gets them wrong, where that
    takes at most eps, and their labels: what adversarial training adds to its data. Nearest neighbours give a point
    that they have learned its own label: take inputs that the classifier does not know."""
    found = classical.nearest(estimator, inputs, labels, norm, rounds=rounds)
    near = (found.distances > 0) & (found.distances <= projections.radius(eps))
    return found.inputs[near], np.asarray(labels)[near]


# ---------------------------------------------------------------- virtual adversarial training


def virtual_adversarial(unlabelled, eps, weight=1.0, batch=128, power=1):
    """The loss of virtual adversarial training (Miyato et al. 2018, eq. 8): the cross-entropy on the labelled images
    plus `weight` times the `smoothness` loss on images drawn from `unlabelled` (N,C,H,W)."""
    def loss(network, images, labels, generator):
        drawn = unlabelled[torch.randint(len(unlabelled), (batch,), generator=generator)]
        return cross_entropy(network, images, labels) + weight * smoothness(network, drawn, eps, generator, power)
    return loss


def smoothness(network, images, eps, generator=None, power=1):
    """The mean KL divergence from a network's answers to those at a distance eps (L2), in the direction in which they
    change most (Miyato et al. 2018, eq. 5). It needs no labels; batch norm's statistics stay as they are."""
    with frozen_statistics(network):
        with torch.no_grad():
            answers = network(images).log_softmax(1)
        direction = virtual_direction(network, images, answers, generator, power)
        moved = network(images + projections.radius(eps) * direction).log_softmax(1)
    return F.kl_div(moved, answers, reduction="batchmean", log_target=True)


def virtual_direction(network, images, answers, generator=None, power=1, xi=0.1):
    """Unit directions (N,C,H,W) in which the log-probabilities move furthest from `answers` (N,classes): the main
    eigenvector of the KL divergence's Hessian, by `power` iterations at a distance xi (Miyato et al. 2018, eq. 13)."""
    direction = _unit(torch.randn(images.shape, generator=generator).to(images))
    for _ in range(validate.positive("power", power, whole=True)):
        with frozen_statistics(network), torch.enable_grad():
            direction.requires_grad_()
            moved = network(images + xi * direction).log_softmax(1)
            divergence = F.kl_div(moved, answers, reduction="sum", log_target=True)
            direction = _unit(torch.autograd.grad(divergence, direction)[0])
    return direction


def _unit(images):
    return images / lengths(images).clamp(min=1e-30)


@contextmanager
def frozen_statistics(network):
    """Within the block, batch norm uses each batch's statistics as in training, but does not remember them."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    try:
        for norm in norms:
            norm.momentum, norm.num_batches_tracked = 0.0, None
        yield network
    finally:
        for norm, (momentum, tracked) in zip(norms, kept):
            norm.momentum, norm.num_batches_tracked = momentum, tracked
