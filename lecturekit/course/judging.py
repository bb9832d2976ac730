"""Whether answers are right, how far, and which known mistake they show: the check in a notebook and the grader call
the same functions."""

import copy
from dataclasses import dataclass
from functools import lru_cache, partial

from lecturekit.course import comparing
from lecturekit.course.grading import plain
from lecturekit.course.questions import Network, Verdict
from lecturekit.networks import small

ORDINARY = 0.5   # of the points, where every ordinary case is right; the other kinds share the rest


@dataclass(frozen=True)
class Failure:
    """Stands for the answer to a case that has none: the name of the exception, and what to say of it."""

    error: str
    text: str


def called(function, arguments):
    """What `function` gives for a case's arguments, as plain data; a `Failure` where it raises."""
    try:
        return plain.through(plain.returned(function, built(arguments)))
    except Exception as error:
        return Failure(type(error).__name__, f"{type(error).__name__}: {error}")


def built(arguments):
    """Copies of a case's arguments, each `Network` among them built."""
    return tuple(copy.deepcopy(_network(argument) if isinstance(argument, Network) else argument)
                 for argument in arguments)


@lru_cache(maxsize=32)
def _network(argument):
    return plain.built(argument, small.build)


def outcomes(function, cases):
    """The answer, or the `Failure`, to each case."""
    return [called(function, case.arguments) for case in cases]


def verdicts(asked, cases, answers, expected):
    """What is wrong with each answer, a `Verdict`; None where it is right."""
    return [_verdict(asked, case, answer, right) for case, answer, right in zip(cases, answers, expected, strict=True)]


def _verdict(asked, case, answer, expected):
    if isinstance(answer, Failure):
        return Verdict(answer.error, answer.text)
    if any(isinstance(argument, Network) and argument.tidy for argument in case.arguments):
        return _left_tidy(asked, case, answer, expected)
    return _right(asked, case, answer, expected)


def _left_tidy(asked, case, answer, expected):
    """The verdict on a pair: an answer, and whether hooks are left on the network."""
    found, hooked = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, True)
    left = Verdict("hooks left", "right, but after the call hooks are left on the network")
    return _right(asked, case, found, expected[0]) or (left if hooked is not False else None)


def _right(asked, case, answer, expected):
    """The verdict on an answer alone."""
    if asked.judge is None:
        wrong = comparing.difference(answer, expected, asked.tolerance)
        return Verdict("differs", wrong) if wrong else None
    if foreign := comparing.not_plain(answer):
        return Verdict("not plain", f"got {foreign}")
    try:
        return asked.judge(case.arguments, answer, expected)
    except Exception as error:   # whatever the answer made the judge do
        return Verdict("not comparable", f"the answer cannot be judged ({type(error).__name__})")


def credit(cases, found):
    """The share of the points, 0 to 1, of the verdicts `found` on `cases`.

    A kind counts where each of its cases is right. All ordinary kinds together earn half of the points, the others an
    equal part of the rest each, and nothing without the ordinary ones: what a constant gets right earns nothing.
    """
    right = {}
    for case, wrong in zip(cases, found, strict=True):
        right[case.kind] = right.get(case.kind, True) and wrong is None
    if not all(ok for kind, ok in right.items() if kind.type == "ordinary"):
        return 0.0
    others = [ok for kind, ok in right.items() if kind.type != "ordinary"]
    return ORDINARY + (1 - ORDINARY) * sum(others) / len(others) if others else 1.0


def diagnosis(asked, cases, answers, expected, known):
    """The hint of the known mistake that `answers` show on every case, "" where there is none.

    `known` are the signatures of the mistakes on the same cases, as `known` gives them.
    """
    own = _signature(asked, cases, answers, expected)
    for mistake, other in zip(asked.mistakes, known):
        if not all(isinstance(part, Failure) for part in other) and all(map(partial(_same, asked), own, other)):
            return mistake.hint
    return ""


def known(asked, cases, expected):
    """For each known mistake what it gives on each case, or, where the question has a judge, the fault that is found."""
    for mistake in asked.mistakes:
        yield _signature(asked, cases, outcomes(mistake.solution, cases), expected)


def _signature(asked, cases, answers, expected):
    if asked.judge is None:
        return answers
    return [verdict and verdict.fault for verdict in verdicts(asked, cases, answers, expected)]


def _same(asked, answer, other):
    """Whether two entries of signatures are the same; exceptions are by their type."""
    return answer == other if asked.judge else not differ(answer, other, asked.tolerance)


def differ(answer, other, tolerance=1e-3):
    """Whether two outcomes are not the same; NaN is NaN here, and exceptions are the same by their type."""
    if isinstance(answer, Failure) or isinstance(other, Failure):
        return not (isinstance(answer, Failure) and isinstance(other, Failure) and answer.error == other.error)
    return comparing.difference(comparing.finite(answer), comparing.finite(other), tolerance) is not None
