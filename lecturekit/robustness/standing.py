"""How many images still stand under attack: accuracy over eps, and the worst case over several attacks."""

from dataclasses import dataclass
from functools import partial

import torch

from lecturekit.robustness import attacks


@dataclass(frozen=True)
class Worst:
    """The worst of several attacks: for each image the first that fooled the network (or the image itself), whether it
    was fooled, bool (N,), and the accuracy that was left after each attack, {name: accuracy}."""

    images: torch.Tensor
    fooled: torch.Tensor
    left: dict

    @property
    def accuracy(self):
        """The robust accuracy: the share of images that no attack fooled."""
        return 1 - self.fooled.float().mean().item()


def accuracy(model, images, labels):
    """The share of images that the network gives their label."""
    labels, _ = attacks.checked(model, images, labels)
    return 1 - attacks.fooled(model, images, labels).float().mean().item()


def curve(model, images, labels, epsilons, attack=attacks.pgd, **options):
    """The accuracy under `attack(model, images, labels, eps, **options)` for each of rising `epsilons`, a list. What
    is fooled at one eps is fooled at every larger one, whose ball holds it: only the others are attacked again."""
    labels, _ = attacks.checked(model, images, labels)
    if list(epsilons) != sorted(epsilons):
        raise ValueError(f"epsilons: got {list(epsilons)}. It takes numbers that rise.")
    standing, shares = ~attacks.fooled(model, images, labels), []
    for eps in epsilons:
        rows = standing.nonzero()[:, 0]
        found = attack(model, images[rows], labels[rows], eps, **options)
        standing[rows] = ~attacks.fooled(model, found, labels[rows])
        shares.append(standing.float().mean().item())
    return shares


def worst_case(model, images, labels, eps, norm="linf", steps=20, classes=3, black_box=None, seed=0):
    """The `Worst` over an ensemble, in the way of AutoAttack (Croce and Hein 2020): PGD on the cross-entropy, on
    the margin, and on the margin towards each of the `classes` likeliest wrong classes, and `black_box`, where given
    as a function (model, images, labels, eps, norm) -> images. Each attacks what the ones before it left standing.
    """
    labels, _ = attacks.checked(model, images, labels)
    standing, found = ~attacks.fooled(model, images, labels), images.detach().clone()
    left = {"none": standing.float().mean().item()}
    ensemble = _ensemble(partial(attacks.pgd, eps=eps, norm=norm, steps=steps, seed=seed), classes)
    if black_box is not None:
        ensemble["black box"] = partial(black_box, eps=eps, norm=norm)
    for name, attack in ensemble.items():
        rows = standing.nonzero()[:, 0]
        moved = attack(model, images[rows], labels[rows])
        wrong = attacks.fooled(model, moved, labels[rows])
        found[rows[wrong]], standing[rows[wrong]] = moved[wrong], False
        left[name] = standing.float().mean().item()
    return Worst(found, ~standing, left)


def _ensemble(pgd, classes):
    """{name: function (model, images, labels) -> images}."""
    towards = {f"towards class {rank + 1}": partial(_towards, pgd, rank) for rank in range(classes)}
    return {"cross-entropy": pgd, "margin": partial(pgd, loss="margin"), **towards}


def _towards(pgd, rank, model, images, labels):
    """`pgd` with the wrong class that is likeliest on each image as its target, or from rank 1 on the next ones."""
    scores = attacks.logits(model, images).cpu().scatter(1, labels[:, None], -torch.inf)
    targets = scores.sort(1, descending=True).indices[:, min(rank, scores.shape[1] - 2)]
    return pgd(model, images, labels, targets=targets, loss="margin")
