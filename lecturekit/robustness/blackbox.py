"""Attacks that see probabilities alone, and count how often they ask."""

from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from lecturekit import validate
from lecturekit.networks import running
from lecturekit.networks.derivative import chosen, differentiate
from lecturekit.show.bar import bar
from lecturekit.moving.projections import radius
from lecturekit.moving.steps import lengths
from lecturekit.robustness import attacks, robust_training

BATCH = 128     # images in one pass
HALVINGS = 12   # of the way from one label to another


class Queries:
    """A network behind a counter: images (N,C,H,W) in, probabilities (N,classes) out, no gradient.

    `.count` is the number of images asked so far. Any function that gives logits (N,classes) can stand behind it.
    """

    def __init__(self, model):
        self.model, self.count = model, 0

    def __call__(self, images):
        self.count += len(validate.images(images))
        return running.probabilities(self.model, images, BATCH)


@dataclass(frozen=True)
class Attacked:
    """Images (N,C,H,W), whether each now has the label that was wanted (N,), and the queries that each took (N,)."""

    images: torch.Tensor
    fooled: torch.Tensor
    queries: torch.Tensor


def transfer(networks, adversarial, labels):
    """Error rates (from,to): how often images made against one network, {name: (N,C,H,W)}, are not given their labels
    (N,) by each of the `networks`, {name: model}; rows in the order of `adversarial`."""
    labels = torch.as_tensor(labels).cpu()
    return torch.tensor([[(_answers(Queries(model), images) != labels).float().mean() for model in networks.values()]
                         for images in adversarial.values()])


def _answers(queries, images):
    """The likeliest class of each image, long (N,)."""
    return queries(images).argmax(1).cpu()


# ---------------------------------------------------------------- score-based


def square(queries, images, labels, eps, limit=500, seed=0, target=None):
    """Square attack in the L-inf ball (Andriushchenko et al. 2020): squares of random colours at the ball's corners,
    kept where they lower the margin of the label, or raise that of `target`; `limit` queries an image: `Attacked`."""
    generator, eps = torch.Generator().manual_seed(seed), radius(eps)
    validate.positive("limit", limit, whole=True)
    labels = validate.targets(labels, len(validate.images(images)), argument="labels")
    stripes = _signs((len(images), images.shape[1], 1, images.shape[3]), generator)
    best = (images + eps * stripes.to(images)).clamp(0, 1)
    margins = _margins(queries(best), labels, target)
    used = torch.ones(len(images), dtype=torch.long)
    for number in bar(range(1, limit)):
        active = (margins >= 0).nonzero().flatten()
        if not len(active):
            break
        tried = _with_square(best[active], images[active], eps, number / limit, generator)
        scores = _margins(queries(tried), labels[active], target)
        used[active] += 1
        better = scores < margins[active]
        best[active[better]], margins[active[better]] = tried[better], scores[better]
    return Attacked(best, margins < 0, used)


def _signs(shape, generator):
    return torch.randint(0, 2, shape, generator=generator).float() * 2 - 1


def _margins(probabilities, labels, target=None):
    """Below 0 where the attack has won: the log of the label's odds to the best rival, or of this one's to `target`."""
    scores = probabilities.cpu().clamp(min=1e-30).log()
    wanted = validate.targets(*((labels, len(scores), scores.shape[1], "labels") if target is None
                                else (target, len(scores), scores.shape[1]))).cpu()
    own = scores.gather(1, wanted[:, None])[:, 0]
    rival = scores.scatter(1, wanted[:, None], -torch.inf).amax(1)
    return own - rival if target is None else rival - own


def _with_square(best, images, eps, progress, generator):
    """`best` with a random square for each image: its colours anew at a corner of the ball about `images`."""
    count, channels, height, width = images.shape
    side = max(1, round((_share(progress) * height * width) ** 0.5))
    top, left = (torch.randint(0, max(1, size - side + 1), (count, 1), generator=generator) for size in (height, width))
    rows, columns = torch.arange(height) - top, torch.arange(width) - left   # (N,H), (N,W)
    inside = ((rows >= 0) & (rows < side))[:, None, :, None] & ((columns >= 0) & (columns < side))[:, None, None]
    colours = (images + eps * _signs((count, channels, 1, 1), generator).to(images)).clamp(0, 1)
    return torch.where(inside.to(images.device), colours, best)


def _share(progress, first=0.1):
    """The share of the pixels that a square covers: halved at fixed parts of the way (Andriushchenko et al. 2020)."""
    return first / 2 ** sum(progress > part for part in (0.002, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8))


# ---------------------------------------------------------------- one pixel


def one_pixel(queries, image, label, pixels=1, population=50, generations=20, seed=0, target=None):
    """Differential evolution of the place and colour of a few pixels of one image (1,C,H,W) (Su et al. 2019):
    `Attacked`, stopped as soon as the label has changed."""
    from scipy.optimize import differential_evolution   # seconds to import
    if len(validate.images(image, "image")) != 1:
        raise ValueError(f"image: got a batch of {len(image)}. It takes one image (1,C,H,W).")
    channels, height, width = image.shape[1:]
    labels = validate.targets(label, 1, argument="label")
    bounds = [(0, height - 1e-6), (0, width - 1e-6)] + [(0, 1)] * channels
    before = queries.count

    def margins(genomes):   # (pixels * (2+C), S) -> (S,)
        changed = painted(image, torch.from_numpy(genomes.T.copy()).float())
        return _margins(queries(changed), labels.expand(len(changed)), target).numpy()

    with np.errstate(all="ignore"), _causes():
        found = differential_evolution(
            margins, bounds * pixels, vectorized=True, updating="deferred", maxiter=generations, polish=False, tol=0,
            popsize=max(1, population // len(bounds * pixels)), rng=seed, recombination=1.0,
            callback=lambda intermediate_result: intermediate_result.fun < 0)
    changed = painted(image, torch.from_numpy(found.x[None]).float())
    return Attacked(changed, torch.tensor([found.fun < 0]), torch.tensor([queries.count - before]))


@contextmanager
def _causes():
    """Within the block, an error of ours that scipy wraps comes out as it was."""
    try:
        yield
    except RuntimeError as error:
        raise (error.__cause__ if isinstance(error.__cause__, (TypeError, ValueError)) else error) from None


def painted(image, genomes):
    """Copies (S,C,H,W) of an image (1,C,H,W) with pixels set: `genomes` (S, pixels * (2+C)) are row, column, colour."""
    channels = image.shape[1]
    spots = genomes.reshape(len(genomes), -1, 2 + channels)   # (S,pixels,2+C)
    copies, which = image.repeat(len(genomes), 1, 1, 1), torch.arange(len(genomes))
    for spot in spots.unbind(1):
        row, column = spot[:, 0].long(), spot[:, 1].long()
        copies[which, :, row, column] = spot[:, 2:].to(image)
    return copies


# ---------------------------------------------------------------- decision-based


def boundary(queries, images, labels, starts, limit=500, seed=0, spread=0.1, approach=0.1):
    """Boundary attack (Brendel et al. 2018) in L2, from the label alone: a walk from `starts` (N,C,H,W), images of
    another label, towards `images` along the boundary; `limit` queries an image: `Attacked`."""
    generator, count = torch.Generator().manual_seed(seed), len(validate.images(images))
    validate.positive("limit", limit, whole=True)
    labels = validate.targets(labels, count, argument="labels").cpu()
    best = _between(queries, images, labels, validate.images(starts, "starts"))
    if not (_answers(queries, best) != labels).all():
        raise ValueError("starts: got images with the label itself. It takes images of another label.")
    side, ahead = (torch.full((count, 1, 1, 1), share).to(images) for share in (spread, approach))
    used = HALVINGS + 1
    while used + 3 <= limit:
        used += 2
        distance = lengths(best - images)
        aside = _aside(best, images, side * distance, generator)
        on_side = _elsewhere(queries, aside, labels)
        nearer = (aside + ahead * (images - aside)).clamp(0, 1)
        won = _elsewhere(queries, nearer, labels) & (lengths(nearer - images) < distance)
        best = torch.where(won, nearer, best)
        side = (side * torch.where(on_side, 1.1, 0.9)).clamp(max=0.5)   # half of the steps aside should stay outside
        ahead = (ahead * torch.where(won, 1.1, 0.97)).clamp(max=0.5)
    return Attacked(best, _answers(queries, best) != labels, torch.full((count,), used + 1))


def _aside(best, images, length, generator):
    """A random step of `length` on the sphere about `images` through `best`."""
    noise = torch.randn(best.shape, generator=generator).to(best)
    away = best - images
    noise -= away * (noise * away).flatten(1).sum(1).view(-1, 1, 1, 1) / lengths(away).square().clamp(min=1e-12)
    moved = away + noise * (length / lengths(noise).clamp(min=1e-12))
    return (images + moved * (lengths(away) / lengths(moved).clamp(min=1e-12))).clamp(0, 1)


def _between(queries, images, labels, starts):
    """The point nearest to `images`, on the way to `starts`, that has another label."""
    return attacks.on_the_way(images, starts, lambda moved: _answers(queries, moved) != labels, HALVINGS)


def _elsewhere(queries, images, labels):
    """Whether each image has another label, on its device, (N,1,1,1)."""
    return (_answers(queries, images) != labels).view(-1, 1, 1, 1).to(images.device)


# ---------------------------------------------------------------- substitute


def substitute(queries, images, network, rounds=5, step=0.1, epochs=20, rate=3e-3, seed=0):
    """Train a copy of `network` to answer as the black box does (Papernot et al. 2017): ask for the labels of `images`
    (N,C,H,W), fit, move every image by `step` along the signs of the gradient of its label's score, ask again, ...

    Asks N * 2^(rounds - 1) times in all. Returns it, frozen and in eval mode, and the images and labels asked.
    """
    validate.positive("rounds", rounds, whole=True)
    known, labels = validate.images(images), _answers(queries, images)
    for number in range(rounds):
        network = robust_training.fit(network, known, labels, epochs=epochs, rate=rate, seed=seed + number)
        if number < rounds - 1:
            fresh = _explored(network, known, labels, step if number % 2 == 0 else -step)
            known, labels = torch.cat([known, fresh]), torch.cat([labels, _answers(queries, fresh)])
    return network, known, labels


def _explored(network, images, labels, step):
    def of_label(leaf, rows):
        return chosen(running.scores(network, leaf), labels[rows])

    slope = differentiate(network, images, of_label, batch=len(images))[1]
    return (images + step * slope.sign()).clamp(0, 1)
