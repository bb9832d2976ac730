"""The training loop of all recipes: what is interrupted goes on as if nothing had happened, and no log is torn."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lecturekit import files
from recipes import recipe

fitting = recipe("fitting")


@dataclass(frozen=True)
class Recipe:
    seed: int = 3
    rate: float = 0.05
    steps: int = 11   # for Stepped: two stages of four steps and one of three
    every: int = 4


class Linear(fitting.Training):
    """A linear model with dropout on random data: three stages of four batches. `trip` is called before every loss."""

    stages, clip = 3, 1.0

    def __init__(self, trip=lambda count: None, recipe=Recipe(), uses=()):
        super().__init__("linear", recipe, uses)
        self.model = nn.Sequential(nn.Dropout(0.2), nn.Linear(6, 2), nn.BatchNorm1d(2))
        self.optimiser = torch.optim.Adam(self.model.parameters())
        self.trip, self.count = trip, 0

    def batches(self, stage):
        return list(torch.randn(32, 6).split(8))

    def loss(self, batch, done):
        self.trip(self.count)
        self.count += 1
        loss = F.mse_loss(self.model(batch), batch[:, :2])
        return loss, {"loss": loss}

    def rate(self, done):
        return fitting.half_cosine(self.recipe.rate, done / 12)


class Stepped(fitting.Steps, Linear):
    def loss(self, step, done):
        return Linear.loss(self, torch.randn(8, 6, generator=torch.Generator().manual_seed(step)), done)


def interrupted(at, error=KeyboardInterrupt):
    def trip(count):
        if count == at:
            raise error
    return trip


def outcome(training, folder):
    """Weights and the rows of the log without their seconds."""
    state = fitting.fit(training, folder).state_dict()
    rows = [json.loads(line) for line in (folder / f"{training.name}.log").read_text().splitlines()]
    return state, [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def same(one, other):
    return one[1] == other[1] and all(torch.equal(value, other[0][key]) for key, value in one[0].items())


@pytest.mark.parametrize("kind, unit, counts", [(Linear, "epoch", [1, 2, 3]), (Stepped, "step", [4, 8, 11])])
def test_the_log_has_a_row_for_each_stage(kind, unit, counts, tmp_path):
    state, rows = outcome(kind(), tmp_path)
    assert [row[unit] for row in rows] == counts and rows[-1]["loss"] < rows[0]["loss"]
    assert not same((state, rows), outcome(kind(recipe=Recipe(seed=4)), tmp_path))


@pytest.mark.parametrize("kind, steps, at", [(kind, steps, at) for kind, steps in ((Linear, 12), (Stepped, 11))
                                             for at in range(steps)])
def test_interrupted_at_any_step_and_resumed_equals_uninterrupted(kind, steps, at, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fitting.fit(kind(interrupted(at)), tmp_path / "cut")
    resumed = kind()
    assert same(outcome(resumed, tmp_path / "cut"), outcome(kind(), tmp_path / "whole"))
    assert resumed.count == steps - at // 4 * 4   # no finished stage was done again


@pytest.mark.parametrize("at", range(7))
def test_interrupted_while_it_writes(at, tmp_path, monkeypatch):
    """The log at the start, then a checkpoint and the log after each stage: cut half way, one after the other."""
    write, written = Path.write_bytes, []

    def cut(path, content):
        written.append(path)
        if len(written) == at + 1:
            write(path, content[:len(content) // 2])
            raise KeyboardInterrupt
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", cut)
    with pytest.raises(KeyboardInterrupt):
        fitting.fit(Linear(), tmp_path / "cut")
    monkeypatch.undo()
    assert same(outcome(Linear(), tmp_path / "cut"), outcome(Linear(), tmp_path / "whole"))


def test_batches_are_begun_once_in_a_stage(tmp_path):
    class Counting(Linear):
        begun = 0

        def batches(self, stage):
            return self

        def __len__(self):
            return 2

        def __iter__(self):   # as a data loader draws its order
            self.begun += 1
            return iter(torch.randn(2, 8, 6))

    training = Counting()
    fitting.fit(training, tmp_path)
    assert training.begun == training.stages


def test_a_finished_training_is_not_done_again(tmp_path):
    first = outcome(Linear(), tmp_path)
    assert same(first, outcome(Linear(interrupted(0)), tmp_path))


def test_a_loss_that_is_nan_stops_with_an_error_and_keeps_the_last_checkpoint(tmp_path):
    class Diverging(Linear):
        def loss(self, batch, done):
            loss, numbers = super().loss(batch, done)
            return (loss * float("nan") if self.count == 6 else loss), numbers

    with pytest.raises(FloatingPointError, match="linear, stage 2 of 3: the loss of batch 2 is nan.* of the 1 stage"):
        fitting.fit(Diverging(), tmp_path / "cut")
    assert same(outcome(Linear(), tmp_path / "cut"), outcome(Linear(), tmp_path / "whole"))


def test_weights_that_are_not_finite_are_never_kept(tmp_path):
    class Diverging(Linear):
        def stepped(self):
            if self.count == 8:
                self.model[1].bias.data[0] = torch.inf

    with pytest.raises(FloatingPointError, match="linear, stage 2 of 3: 1.bias is not finite"):
        fitting.fit(Diverging(), tmp_path / "cut")
    assert same(outcome(Linear(), tmp_path / "cut"), outcome(Linear(), tmp_path / "whole"))


def test_another_recipe_or_another_start_begins_anew(tmp_path, monkeypatch):
    fitting.fit(Linear(), tmp_path)
    for training in (Linear(recipe=replace(Recipe(), rate=0.1)), Linear(uses=["vgg_s"])):
        fitting.fit(training, tmp_path)
        assert training.count == 12
    sums = files.checksums()
    monkeypatch.setattr(files, "checksums", lambda: sums | {"weights/vgg_s.safetensors": "other weights"})
    training = Linear(uses=["vgg_s"])
    fitting.fit(training, tmp_path)
    assert training.count == 12 and len(list(tmp_path.glob("linear-*.pt"))) == 4


def test_the_model_of_the_best_stage_is_handed_on(tmp_path):
    class Scored(Linear):
        def row(self, stage, measured):
            return {"bias": self.model[1].bias.tolist(), "right": [0.5, 0.9, 0.2][stage]}

        def score(self, row):
            return row["right"]

    with pytest.raises(KeyboardInterrupt):
        fitting.fit(Scored(interrupted(9)), tmp_path)
    state, rows = outcome(Scored(), tmp_path)
    assert state["1.bias"].tolist() == rows[1]["bias"] != rows[2]["bias"]


def test_rates():
    phases = fitting.Phase(4, 0.2, 0.2), fitting.Phase(10, 0.2, 0.0)
    rates = [fitting.straight(phases, done, warm=2, ahead=0.2) for done in (0, 1, 3, 4, 9, 13, 14)]
    assert rates == pytest.approx([0.02, 0.12, 0.2, 0.2, 0.1, 0.02, 0])
    assert fitting.phase_at(phases, 4) == (phases[1], 0) and fitting.phase_at(phases, 20) == (phases[1], 1)
    cosine = [fitting.half_cosine(0.2, share) for share in (0, 0.5, 1)]
    assert cosine == pytest.approx([0.002, 0.1, 0])


def test_clipping_bounds_the_step():
    weight = torch.zeros(2, requires_grad=True)
    fitting.descend(torch.optim.SGD([weight], 1.0), (300 * weight).sum(), 0.1, clip=5.0)
    assert weight.norm().item() == pytest.approx(0.5)
