"""Defences that did not hold, the attacks that they survive, and the ones that break them.

A `Defence` is a network as it is deployed and one that stands in for it when an attacker who knows the defence takes
gradients (`surrogate`). How it was trained, with which pre-processing and which units, is for `defence_zoo` to say.
Gradient masking has symptoms: `flags` (Athalye et al. 2018).
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from lecturekit.networks import running
from lecturekit.moving import projections
from lecturekit.robustness import attacks
from lecturekit.robustness.robust_training import one_thread

COLUMNS = ("clean", "transfer", "FGSM", "PGD", "adaptive")


@dataclass(frozen=True)
class Defence:
    """deployed: the network that is met; surrogate: what the attacker who knows it attacks, by default the same; how:
    in a few words, what this attacker does."""

    deployed: nn.Module
    surrogate: nn.Module = None
    how: str = "more steps"

    @property
    def attacked(self):
        return self.surrogate or self.deployed


# ---------------------------------------------------------------- what is put around a network


class Before(nn.Module):
    """A network behind `change` (images -> images), such as a quantiser, whose gradient is taken for zero; with
    straight_through=True for that of the identity (BPDA, Athalye et al. 2018, section 4.1)."""

    def __init__(self, network, change, straight_through=False):
        super().__init__()
        self.network, self.change, self.slope = network, change, float(straight_through)

    def forward(self, images):
        with torch.no_grad():
            changed = self.change(images)
        return self.network(changed + self.slope * (images - images.detach()))


class Randomised(nn.Module):
    """A network that sees each picture after a random move (images, generator) -> images: the log of the mean
    probabilities of `draws` of them. With many draws, the expectation that an attacker climbs (EOT)."""

    def __init__(self, network, move, draws=1, seed=0):
        super().__init__()
        self.network, self.move, self.draws = network, move, draws
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, images):
        seen = torch.cat([self.move(images, self.generator) for _ in range(self.draws)])
        return _log_mean(running.scores(self.network, seen).log_softmax(1).view(self.draws, len(images), -1))

    def many(self, draws, seed=1):
        """The same with other random numbers and so many draws."""
        return Randomised(self.network, self.move, draws, seed)


class Ensemble(nn.Module):
    """The log of the mean probabilities of several networks."""

    def __init__(self, networks):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images):
        return _log_mean(torch.stack([running.scores(network, images).log_softmax(1) for network in self.networks]))


class Codewords(nn.Module):
    """A network of bits, read with an error-correcting code (classes,bits) of -1 and 1: the log-probability of each
    class is that of the agreement of its code word with tanh(bits) (Verma and Swami 2019)."""

    def __init__(self, network, code, soft=False):
        super().__init__()
        self.network, self.soft = network, soft
        self.register_buffer("code", code)

    def forward(self, images):
        bits = running.scores(self.network, images)
        agreement = (bits if self.soft else torch.tanh(bits)) @ self.code.T.to(bits)
        return agreement if self.soft else agreement.clamp(min=0).add(1e-6).log()


def _log_mean(log_probabilities):
    """(K,N,classes) -> (N,classes)."""
    return log_probabilities.logsumexp(0) - torch.tensor(float(len(log_probabilities))).log()


# ---------------------------------------------------------------- measuring


@one_thread()
def accuracies(defence, images, labels, eps, foreign, steps=20):
    """The accuracy of a `Defence` within eps (L-inf), {one of COLUMNS: share}: without an attack; under `foreign`,
    images that were made for another network ("transfer"); under FGSM and PGD through the defence as it is deployed;
    under twice as many steps through its surrogate on the cross-entropy and on the margin, the worse for each image
    ("adaptive")."""
    deployed, pgd = defence.deployed, partial(attacks.pgd, eps=eps, batch=len(images))
    moved = {"clean": images, "transfer": foreign, "FGSM": attacks.fgsm(deployed, images, labels, eps),
             "PGD": pgd(deployed, images, labels, steps=steps)}
    shares = {name: _left(deployed, found, labels) for name, found in moved.items()}
    both = [pgd(defence.attacked, images, labels, steps=2 * steps, rate=2.5 * eps / steps, loss=loss)
            for loss in ("cross_entropy", "margin")]
    fooled = [attacks.fooled(deployed, found, labels, batch=len(images)) for found in both]
    return {**shares, "adaptive": 1 - (fooled[0] | fooled[1]).float().mean().item()}


@one_thread()
def flags(model, images, labels, eps, foreign, steps=20, tries=100, margin=0.02):
    """The symptoms of gradient masking (Athalye et al. 2018, section 3.1) in attacks on a network within eps (L-inf):
    {symptom: whether it shows by more than `margin`}. `foreign`: images within eps that fool another network."""
    pgd = {size: _left(model, attacks.pgd(model, images, labels, size, steps=steps, batch=len(images)), labels)
           for size in (eps, 2 * eps, 1.0)}
    return {
        "one step beats many": _left(model, attacks.fgsm(model, images, labels, eps), labels) < pgd[eps] - margin,
        "transfer beats gradients": _left(model, foreign, labels) < pgd[eps] - margin,
        "random search beats gradients": random_search(model, images, labels, eps, tries) < pgd[eps] - margin,
        "twice the eps does not help": pgd[2 * eps] > max(pgd[eps] - margin, margin),
        "no bound, yet some stand": pgd[1.0] > margin}


def random_search(model, images, labels, eps, tries=100, seed=0):
    """The accuracy against the worst of `tries` random corners of the ball (L-inf) about each image."""
    return (~fooled_at_random(model, images, labels, eps, tries, seed)).float().mean().item()


def fooled_at_random(model, images, labels, eps, tries=100, seed=0):
    """Whether one of `tries` random corners of the ball (L-inf) about each image fools the network, bool (N,)."""
    wrong, generator = torch.zeros(len(images), dtype=torch.bool), torch.Generator().manual_seed(seed)
    for _ in range(tries):
        signs = torch.randint(2, images.shape, generator=generator).to(images) * 2 - 1
        corners = (images + projections.radius(eps) * signs).clamp(0, 1)
        wrong |= attacks.fooled(model, corners, labels, batch=len(images))
    return wrong


def _left(model, images, labels):
    return 1 - attacks.fooled(model, images, labels, batch=len(images)).float().mean().item()
