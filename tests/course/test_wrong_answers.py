"""A search for wrong answers that pass: constants, inputs, planted mistakes, and every small slip in the solutions.

Each must be found wrong by the check in the notebook and by the grader, and earn the same whatever the secret seed.
"""

import functools
import signal
import warnings
from contextlib import contextmanager

import mutants
import pytest
import solutions
import torch

from lecturekit.course import comparing, judging, questions
from lecturekit.course.grading import marks

EVERY = questions.questions()
SECRETS = ("a", "b", "c")
SECONDS = 3   # of processor time for one answer: a slip may make an endless loop

# Slips that leave the answer right, with the reason. All other mutants must fail.
EQUIVALENT = {}


@pytest.fixture(params=EVERY, ids=lambda asked: asked.id)
def asked(request):
    return request.param


class Endless(Exception):
    pass


@contextmanager
def limited():
    """Raises Endless after SECONDS of processor time."""
    def stop(number, frame):
        raise Endless
    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@functools.lru_cache(maxsize=None)
def shown(asked):
    """(cases, right answers) of the check in the notebook."""
    cases = asked.cases(0)
    return cases, judging.outcomes(asked.reference, cases)


def drawn(asked, secret):
    found = marks.references(asked.id, secret)
    return found.cases, found.answers


def wrong_at(asked, function, cases, expected):
    """The first case, of those that count most first, that finds a function wrong; None where it passes."""
    order = sorted(range(len(cases)), key=lambda number: cases[number].kind.type != "ordinary")
    for number in order:
        with limited():
            answer = judging.called(function, cases[number].arguments)
        if judging.verdicts(asked, [cases[number]], [answer], [expected[number]])[0]:
            return cases[number].kind
    return None


def credit(asked, function, secret):
    """The share of the points; cases are not tried any more where it is 0 already."""
    cases, expected = drawn(asked, secret)
    kind = wrong_at(asked, function, cases, expected)
    if kind is None or kind.type == "ordinary":
        return float(kind is None)
    return judging.credit(cases, judging.verdicts(asked, cases, judging.outcomes(function, cases), expected))


def constants(asked):
    """Functions that look at nothing, or hand an argument back."""
    values = [0, 1, 0.5, -1, True, None, "", [], (), {}, torch.zeros(()), float("nan"), float("inf")]
    for _, expected in zip(*shown(asked)):
        values += [expected, *(_filled(expected, number) for number in (0.0, 1.0, 0.5))]
    yield from ((f"always {comparing.described(value)}", lambda *of, value=value: value) for value in values)
    count = len(shown(asked)[0][0].arguments)
    for number in range(count):
        yield f"argument {number + 1}", lambda *of, number=number: of[number]
    yield "noise", lambda *of: torch.randn(3)


def _filled(value, number):
    if isinstance(value, (tuple, list)):
        return type(value)(_filled(part, number) for part in value)
    return torch.full(value.shape, number) if isinstance(value, torch.Tensor) else number


def test_no_constant_and_no_input_passes_or_earns_anything(asked):
    for what, function in constants(asked):
        assert wrong_at(asked, function, *shown(asked)), what
        assert {credit(asked, function, secret) for secret in SECRETS} == {0.0}, what


def test_every_planted_mistake_earns_the_same_with_every_secret(asked):
    for mistake in asked.mistakes:
        assert wrong_at(asked, mistake.solution, *shown(asked)), mistake.hint
        earned = {credit(asked, mistake.solution, secret) for secret in SECRETS}
        assert len(earned) == 1 and 1.0 not in earned, mistake.hint


def test_no_slip_in_the_solution_passes(asked):
    passed, uneven = [], []
    for what, source in mutants.of(solutions.source(asked)):
        function = solutions.function(asked, source)
        if wrong_at(asked, function, *shown(asked)) is None:
            passed.append(what)
        elif len(earned := {credit(asked, function, secret) for secret in SECRETS}) > 1 or 1.0 in earned:
            uneven.append((what, earned))
    assert sorted(passed) == sorted(EQUIVALENT.get(asked.id, {})), f"these pass: {passed}"
    assert not uneven, f"these earn more or less with the secret: {uneven}"


def test_the_mutator_makes_the_slips_that_are_meant():
    source = "def f(x, axis=0):\n    y = x.clone()\n    y += 1\n    return y.sum(1) if x > 0 else -y.max()"
    made = dict(mutants.of(source))
    for what in ("x > 0 -> x >= 0", "y.sum(1) -> y.mean(1)", "1 -> 2", "1 -> 0", "-y.max() -> y.max()", "y += 1 -> y -= 1",
                 "y.max() -> y.min()", "without: y += 1", "x.clone() -> x", "0 -> 1"):
        assert what in made, what
    assert all(compile(text, what, "exec") and text != source for what, text in made.items())
