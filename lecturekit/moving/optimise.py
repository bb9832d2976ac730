"""The loop of this course: fix the weights, move the image.

    optimise(image, objective, steps=100, step=ascent(0.1), project=box)

An objective (`objectives`) says what is wanted, a step (`steps`) how to move, a projection (`projections`) where the
image must stay. Gradient ascent, inversion, style transfer and attacks differ in nothing else.
"""

import math
import warnings
from dataclasses import dataclass

import torch

from lecturekit import validate
from lecturekit.networks import running
from lecturekit.show.bar import bar
from lecturekit.moving.parameters import Pixels
from lecturekit.moving.steps import adam

EXPLODED = 1e12   # a score beyond this is no longer worth following


@dataclass(frozen=True)
class Moved:
    """What became of the images: the last or the best ones (N,C,H,W), the scores (steps,N) before each step, and, where
    the run ended early, why (else "")."""

    images: torch.Tensor
    scores: torch.Tensor
    stopped: str = ""


def optimise(start, objective, steps=100, step=None, project=None, transform=None, seed=0, watch=None, quiet=False,
             keep="last"):
    """Move images (N,C,H,W), or the parameters behind them, so that an objective rises: `Moved`.

    start      images, or a parameterisation (`parameters`) whose `.images()` are moved
    objective  gives a score for each of the images, (N,); objectives add and scale (`objectives`)
    step       how to move along the gradient (`steps`); by default Adam with rate 0.05
    project    (images, number of the step) -> images, after each step (`projections`); only where pixels are moved
    transform  (images, generator) -> images, before the objective (`transforms`), its random numbers from `seed`
    watch      called with (number of the step, images, scores) after each step
    keep       "last", or "best": for each image the one of those after a step whose score was highest, the last one
               scored once more

    A NaN or exploding score ends the run with a warning that names the step, an interrupt ends it quietly: both give
    the last good images.
    """
    validate.positive("steps", steps, whole=True)
    validate.one_of("keep", keep, ("last", "best"))
    with running.entered(*getattr(objective, "models", ()), gradients=True):
        run = _Run(_movable(start, project), objective, step or adam(0.05), project, transform, seed, keep)
        stopped = run.climb(steps, watch, quiet)
        images = run.best if keep == "last" else run.highest()
    scores = torch.stack(run.scores) if run.scores else torch.zeros(0, len(run.best))
    return Moved(images, scores, stopped)


def _movable(start, project):
    moved = start if hasattr(start, "parameters") else Pixels(start)
    if project is not None and not isinstance(moved, Pixels):
        raise ValueError(f"project: got one for {type(moved).__name__}. It takes None there: only pixels can be "
                         "projected.")
    return moved


class _Run:
    """The state of one run: `best` are the last images whose score was finite, `top` (images, scores) the highest."""

    def __init__(self, moved, objective, step, project, transform, seed, keep):
        self.moved, self.optimiser = moved, step(moved.parameters)
        self.objective = getattr(objective, "score", objective)   # its networks have been entered
        self.keep, self.project, self.transform, self.generator = keep, project, transform, torch.Generator().manual_seed(seed)
        self.best, self.scores, self.top = moved.images().detach().clone(), [], None

    def climb(self, steps, watch, quiet):
        """All steps; gives the reason where they end early, else ""."""
        try:
            for number in bar(range(steps), quiet):
                self.move(number)
                if watch is not None:
                    watch(number, self.best, self.scores[-1])
        except KeyboardInterrupt:
            return f"interrupted after {len(self.scores)} steps"
        except FloatingPointError as error:
            warnings.warn(f"optimise: {error}; these are the last good images.", stacklevel=3)
            return str(error)
        return ""

    def move(self, number):
        """One step. Raises FloatingPointError, and leaves `best` and `scores` alone, where the score is not finite."""
        first = []

        def loss():   # L-BFGS asks more than once
            scores = self._score(number)
            first.append(scores.detach())
            return -scores.sum()

        self.optimiser.step(loss)
        self.scores.append(first[0])   # of the images in `best`
        if number > 0 and self.keep == "best":
            self._remember(self.best, first[0])
        self._settle(number)

    def _remember(self, images, scores):
        if self.top is not None:
            higher = scores > self.top[1]
            if not higher.all():
                images = torch.where(higher.view(-1, *[1] * (images.ndim - 1)), images, self.top[0])
            scores = torch.where(higher, scores, self.top[1])
        self.top = images, scores

    @torch.no_grad()
    def highest(self):
        """For each image the one after a step whose score was highest; the last ones are scored for it."""
        try:
            self._remember(self.best, self._score(len(self.scores)))
        except FloatingPointError:
            pass   # those before it were good
        return self.best if self.top is None else self.top[0]

    def _score(self, number):
        images = self.moved.images()
        seen = images if self.transform is None else self.transform(images, self.generator)
        scores = self.objective(seen)
        if not torch.isfinite(scores).all() or scores.abs().max() > EXPLODED:
            raise FloatingPointError(f"the score is {scores.detach().abs().max():.3g} at step {number}")
        return scores

    def _settle(self, number):
        """Project, and keep the images if they are finite."""
        with torch.no_grad():
            if self.project is not None:
                pixels, = self.moved.parameters
                pixels.copy_(self.project(pixels, number))
            images = self.moved.images()
        if not torch.isfinite(images.sum()):
            raise FloatingPointError(f"the images are no longer finite after step {number}")
        self.best = images.detach().clone()
