"""The one training loop of all recipes, and the learning rates that they share.

A recipe subclasses `Training`: its model and optimiser, its batches, the loss, the rate. Training goes in stages
(an epoch, a round, some hundred steps). Each stage draws from the seed and its own number, and ends with a checkpoint
and a row of the log: interrupted at any moment, `fit` goes on from the last finished stage as if nothing had happened.
"""

import copy
import hashlib
import io
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm   # that of tqdm.auto begins to iterate twice: a loader's order would be another

from lecturekit import files
from publishing import ROOT, parser, publish


@dataclass(frozen=True)
class Phase:
    """Some epochs or steps at a rate that goes in a straight line from `rate` to `end`."""

    length: int
    rate: float
    end: float


def phase_at(phases, done):
    """The phase that `done` (epochs or steps from 0 on, may be fractional) lies in, and how far into it, 0 to 1."""
    for phase in phases:
        if done < phase.length:
            return phase, done / phase.length
        done -= phase.length
    return phases[-1], 1.0


def straight(phases, done, warm, ahead):
    """The learning rate of `phases`, warmed up over `warm` epochs or steps, as if `ahead` of them were done before."""
    phase, share = phase_at(phases, done)
    return min(1.0, (done + ahead) / warm) * (phase.rate + share * (phase.end - phase.rate))


def half_cosine(rate, share):
    """The learning rate when a share of the training is done: warmed up over a twentieth, then a half cosine to 0."""
    return rate * min(1.0, 20 * share + 0.01) * (1 + math.cos(math.pi * share)) / 2


class Training:
    """A model in training. A subclass sets model, optimiser and stages, and says its batches, loss and rate."""

    unit, clip = "epoch", None   # what the log counts; the largest norm of a gradient

    def __init__(self, name, recipe, uses=()):
        """recipe: a frozen dataclass with a `seed`; uses: the bundled parts, by name, that training starts from."""
        self.name, self.recipe, self.uses = name, recipe, uses
        torch.manual_seed(recipe.seed)

    def batches(self, stage):
        """The batches of a stage (from 0): anything with a length to iterate over."""
        raise NotImplementedError

    def loss(self, batch, done):
        """The loss to lower, and {name: tensor of one number} for the log."""
        raise NotImplementedError

    def rate(self, done):
        """The learning rate."""
        raise NotImplementedError

    def done(self, stage, i, count):
        """How much is done, in units, before batch i of the `count` of a stage."""
        return stage + i / count

    def stepped(self):
        """Called after every step."""

    def row(self, stage, measured):
        """What the log says of a stage, from the numbers of each of its steps: their means."""
        return {name: mean(each[name] for each in measured) for name in measured[0]}

    def score(self, row):
        """How good a stage was; the model of the best one is published, of several the last."""
        return 0

    def candidate(self):
        """The model that would be published if training stopped now."""
        return self.model

    def parts(self):
        """{name: what has a state}: all that the next stage depends on."""
        return {"model": self.model, "optimiser": self.optimiser}

    def show(self, folder):
        """Called after each stage, to draw a sample."""


class Steps(Training):
    """A training that is counted in steps, recipe.steps in all, recipe.every of them a stage; a batch is the number of
    its step."""

    unit = "step"

    @property
    def stages(self):
        return math.ceil(self.recipe.steps / self.recipe.every)

    def batches(self, stage):
        return range(stage * self.recipe.every, min(self.recipe.steps, (stage + 1) * self.recipe.every))

    def done(self, stage, i, count):
        return stage * self.recipe.every + i


def mean(values, digits=4):
    values = list(values)
    return round(float(sum(values) / len(values)), digits)


def descend(optimiser, loss, rate, clip=None):
    """One step of an optimiser down the gradient of `loss`."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    loss.backward()
    if clip:
        torch.nn.utils.clip_grad_norm_([value for group in optimiser.param_groups for value in group["params"]], clip)
    optimiser.step()


def checkpoint(training, folder):
    """The file of a training's checkpoint: another one for another recipe, or where it starts from other weights."""
    sums = files.checksums()
    settings = repr((training.recipe, [sums[f"weights/{name}.safetensors"] for name in training.uses]))
    return folder / f"{training.name}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}.pt"


def resume(training, path):
    """The rows of the log and the best model's state from a checkpoint, where there is one; the parts are restored."""
    if not path.exists():
        return [], {}
    state = torch.load(path, weights_only=True)
    for name, part in training.parts().items():
        part.load_state_dict(state["parts"][name])
    return state["rows"], state["best"]


def keep(training, rows, best, path):
    """Write the checkpoint that `resume` reads."""
    content, parts = io.BytesIO(), {name: part.state_dict() for name, part in training.parts().items()}
    torch.save({"parts": parts, "rows": rows, "best": best}, content)
    files.write(path, content.getvalue())


def run(training, stage):
    """One stage; its row of the log."""
    torch.manual_seed(training.recipe.seed + stage)
    began, measured, batches = time.time(), [], training.batches(stage)
    training.model.train()
    for i, batch in enumerate(tqdm(batches, f"{training.name} {stage + 1}/{training.stages}", disable=None)):
        done = training.done(stage, i, len(batches))
        loss, numbers = training.loss(batch, done)
        finite(loss, training, stage, f"the loss of batch {i + 1} is {loss.item()}")
        descend(training.optimiser, loss, training.rate(done), training.clip)
        training.stepped()
        measured.append({name: number.item() for name, number in numbers.items()})
    for key, value in training.candidate().state_dict().items():
        finite(value, training, stage, f"{key} is not finite")
    row = {training.unit: int(training.done(stage, len(batches), len(batches)))}
    return row | training.row(stage, measured) | {"seconds": round(time.time() - began)}


def finite(values, training, stage, what):
    if not torch.isfinite(values).all():
        raise FloatingPointError(f"{training.name}, stage {stage + 1} of {training.stages}: {what}. The checkpoint of "
                                 f"the {stage} stage(s) before it was kept.")


def fit(training, folder):
    """Train to the end, or on from the last finished stage, with the checkpoint and NAME.log in `folder`; the model
    of the best stage."""
    path = checkpoint(training, folder)
    rows, best = resume(training, path)
    log(training, rows, folder)
    for stage in range(len(rows), training.stages):
        row = run(training, stage)
        if all(training.score(row) >= training.score(other) for other in rows):
            best = copy.deepcopy(training.candidate().state_dict())
        rows.append(row)
        keep(training, rows, best, path)
        log(training, rows, folder)
        training.show(folder)
    training.candidate().load_state_dict(best)
    return training.candidate()


def log(training, rows, folder):
    """Write FOLDER/NAME.log anew, a line of JSON for each row, so that it never disagrees with the checkpoint."""
    files.write(folder / f"{training.name}.log", "".join(json.dumps(row) + "\n" for row in rows))


def main(description, build, imagenette=False, names=()):
    """The command line of a recipe: fit what `build` makes of the name and the Imagenette folder, where the recipe
    asks for them, and publish it."""
    found = parser(description, imagenette)
    if names:
        found.add_argument("name", choices=names)
    found.add_argument("--folder", type=Path, default=ROOT / "build/train", help="checkpoints and logs")
    chosen = vars(found.parse_args())
    folder = chosen.pop("folder")
    training = build(**chosen)
    publish(fit(training, folder), training.name, folder)
