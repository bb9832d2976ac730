"""Graded questions. Each is defined once; the lesson's check, the grader and the tests all read the same definition.

A lesson's questions stand in `lesson_NN.py` as the list QUESTIONS. Inputs are plain data (tensors, numbers, strings,
tuples of them), drawn from a seed, so that they can be sent to another process.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from lecturekit import validate

LESSONS = ("01", "02", "03", "04", "05", "06", "07", "08", "09", "10")


@dataclass(frozen=True)
class Mistake:
    """A typical wrong solution and the hint for the student who wrote it."""

    hint: str
    solution: Callable


@dataclass(frozen=True)
class Question:
    """A graded exercise: the student writes `function`, which must agree with `reference` on inputs from any seed."""

    id: str                                  # "03.1": lesson and number
    function: str                            # the name of the student's function
    points: int
    minutes: int
    inputs: Callable[[int], list[tuple]]     # seed -> the arguments of each case
    reference: Callable
    mistakes: tuple[Mistake, ...]
    hint: str                                # for a wrong answer that matches no known mistake
    tolerance: float = 1e-4
    forbidden: tuple[str, ...] = field(default=())   # names that the answer may not call

    @property
    def lesson(self):
        return self.id.split(".")[0]


def questions(lesson=None):
    """The questions of one lesson ("03"), or of all, in order."""
    lessons = LESSONS if lesson is None else [validate.one_of("lesson", lesson, LESSONS)]
    modules = [importlib.import_module(f"{__name__}.lesson_{number}") for number in lessons]
    return [question for module in modules for question in module.QUESTIONS]


def question(identifier):
    """The question with an id such as "03.1"."""
    every = {q.id: q for q in questions()}
    return every[validate.one_of("id", identifier, every)]


def difference(answer, expected, tolerance):
    """What is wrong with `answer` in a few words, or None where it equals `expected` within the tolerance."""
    if isinstance(expected, (tuple, list)):
        if not isinstance(answer, (tuple, list)) or len(answer) != len(expected):
            return f"got {_describe(answer)}, expected {len(expected)} values"
        parts = (difference(a, e, tolerance) for a, e in zip(answer, expected))
        return next((part for part in parts if part), None)
    if isinstance(expected, str):
        return None if answer == expected else f"got {answer!r}"
    try:
        got, want = (np.asarray(v.detach().cpu() if isinstance(v, torch.Tensor) else v, dtype=np.float64)
                     for v in (answer, expected))
    except (TypeError, ValueError):
        return f"got {_describe(answer)}, expected {_describe(expected)}"
    return _numeric_difference(got, want, tolerance)


def _numeric_difference(got, want, tolerance):
    if got.shape != want.shape:
        return f"got shape {got.shape}, expected {want.shape}"
    if not np.isfinite(got).all():
        return "got NaN or infinite values"
    if np.allclose(got, want, rtol=tolerance, atol=tolerance):
        return None
    return f"the values differ by up to {np.abs(got - want).max():.3g}"


def _describe(value):
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"{type(value).__name__} of shape {tuple(shape)}"
