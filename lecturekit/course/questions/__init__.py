"""Graded questions. Each is defined once; the lesson's check, the grader and the tests all read the same definition.

A lesson's questions stand in `lesson_NN.py` as the list QUESTIONS. A question lists its kinds of case; a seed draws
one of each. Arguments are plain data (tensors, numbers, strings, tuples of them) or a `Network`, which stands for one
that is built where the answer runs, so that they can be sent to another process.
"""

import importlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import torch

from lecturekit import validate
from lecturekit.course.grading.plain import Network

__all__ = ["LESSONS", "Case", "Kind", "Mistake", "Network", "Question", "Verdict", "question", "questions"]

LESSONS = ("01", "02", "03", "04", "05", "06", "07", "08", "09", "10")
TYPES = ("ordinary", "edge", "degenerate", "large")

# What a question forbids where it asks for these to be written: names, or patterns as of fnmatch.
AUTOGRAD = ("grad", "autograd", "backward", "requires_grad*", "vjp", "jvp", "jacrev", "jacfwd", "jacobian",
            "grad_and_value", "linearize")


@dataclass(frozen=True)
class Kind:
    """One kind of case: "ordinary", "edge", "degenerate" or "large", what it is in words, and how one is drawn."""

    type: str
    what: str
    draw: Callable[[torch.Generator], tuple]   # -> the arguments

    def __post_init__(self):
        validate.one_of("type", self.type, TYPES)


@dataclass(frozen=True)
class Case:
    """The arguments of one call, and the kind that they were drawn for."""

    kind: Kind
    arguments: tuple


@dataclass(frozen=True)
class Mistake:
    """A typical wrong solution and the hint for the student who wrote it, which never holds the right code."""

    hint: str
    solution: Callable


@dataclass(frozen=True)
class Verdict:
    """What a question's own `judge` finds wrong: `fault` in a word or two (equal faults get equal hints), and a text."""

    fault: str
    text: str


@dataclass(frozen=True)
class Question:
    """A graded exercise: the student writes `function`, which must agree with `reference` on cases from any seed.

    `judge(arguments, answer, expected)`, where there is one, decides in place of the comparison with the reference:
    it returns None or a `Verdict`. `bundled` names the networks of the course that the cases use.
    """

    id: str                                  # "03.1": lesson and number
    function: str                            # the name of the student's function
    points: int
    minutes: int
    kinds: tuple[Kind, ...]
    reference: Callable
    mistakes: tuple[Mistake, ...]
    idea: str                                # the second stage of the hints
    formula: str                             # the third one
    without: str = ""                        # what the answer may not use, in words
    forbidden: tuple[str, ...] = ()          # the same as names, or patterns of names
    tolerance: float = 1e-4
    judge: Callable | None = None
    bundled: tuple[str, ...] = ()

    @property
    def lesson(self):
        return self.id.split(".")[0]

    @property
    def rules(self):
        """What the answer may use and what counts, as the exercise's cell says it."""
        without = f" Not allowed: {self.without}." if self.without else ""
        return (f"*Allowed: what this notebook imports, and functions of your own.{without} Graded: the "
                f"`{self.function}` that your notebook ends up with, and what it needs of your other cells.*")

    def cases(self, seed):
        """One case of each kind, drawn from the seed."""
        return [Case(kind, tuple(kind.draw(_generator(seed, kind)))) for kind in self.kinds]


def _generator(seed, kind):
    """Random numbers of the kind's own, so that a new kind leaves the others' cases as they are."""
    return torch.Generator().manual_seed((seed << 20) + zlib.crc32(kind.what.encode()) % (1 << 20))


def questions(lesson=None):
    """The questions of one lesson ("03"), or of all, in order."""
    lessons = LESSONS if lesson is None else [validate.one_of("lesson", lesson, LESSONS)]
    modules = [importlib.import_module(f"{__name__}.lesson_{number}") for number in lessons]
    return [question for module in modules for question in module.QUESTIONS]


def question(identifier):
    """The question with an id such as "03.1"."""
    lesson = str(identifier).partition(".")[0]
    every = {q.id: q for q in questions(lesson if lesson in LESSONS else None)}
    return every[validate.one_of("id", identifier, every)]
