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
SECRETS = ("a", "b")
SECONDS, ON_NETWORKS = 0.4, 4   # of processor time for one answer: a slip may make an endless loop

# Slips that leave the answer right, with the reason. All other mutants must fail.
ONE_AXIS = "a vector has one axis"
START, WALK = "another random start within the ball", "the last line brings the image back to [0,1] in any case"
OPEN = {"07.2": {"0.05 -> 0.55"}}   # slips that may pass or not, as the numbers of a processor have it
EQUIVALENT = {
    "01.2": {"0 -> -1 #2": "a list of one", "0 -> -1 #3": "a batch of one", "0 -> -1 #9": "a batch of one",
             "0 -> -1 #10": "a tuple of one", "image.clone() -> image": "the call owns it",
             "values.sum() -> values.mean()": "its slopes are zero at the same pixels",
             "(torch.autograd.grad(values.sum(), leaf)[0][0] != 0).any(0) -> "
             "(torch.autograd.grad(values.sum(), leaf)[0][0] != 0).all(0)": "a unit that sees a pixel sees its three colours"},
    "02.1": {"0 -> -1": "a list of one", "0 -> -1 #2": "a list of one", "0 -> -1 #3": "a list of one",
             "kept[0].mean((2, 3)) -> kept[0].sum((2, 3))": "the cosine takes no notice of lengths"},
    "03.2": {"0 -> -1": "a batch of one", "0 -> -1 #4": "a batch of one", "0 -> -1 #5": "a batch of one",
             "image.clone() -> image": "for the curve: the map is done, and the call owns the image"},
    "03.3": {"mask.flatten()[map.argmax()].float() -> mask.flatten()[map.argmax()]": "true is 1"},
    "04.1": {"0 -> -1": ONE_AXIS},
    "04.2": {"0 -> -1 #2": "a tuple of one", "images.clone() -> images": "the call owns them"},
    "04.3": {"0 -> -1": "a tuple of one"},
    "05.2": {"0 -> -1": "a list of one", "0 -> -1 #2": "a list of one", "images.clone() -> images": "the call owns them"},
    "06.3": {"1e-12 -> 0.500000000001": "the gradients of these climbs are longer, or zero"},
    "07.2": {"0.05 -> 0.55": "longer steps arrive as well", "start.clone() -> start": "the call owns it",
             "errors.sum() -> errors.mean()": "Adam takes no notice of lengths",
             "errors <= enough -> errors < enough": "no error is equal to what is enough"},
    "07.3": {"((found[:, None] - known[None]) ** 2).sum(2) -> ((found[:, None] - known[None]) ** 2).mean(2)":
             "the order of the distances is the same"},
    "08.2": {"0 -> -1 #3": "a batch of one"},
    "09.2": {"x.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp(min=1e-12) -> x.flatten(1).norm(dim=1).view(-1, 1, 1, 1)":
             "after a random start no length is zero",
             "(eps / length(x)).clamp(max=1) -> eps / length(x)": "always on the sphere, which is part of the ball",
             "1 -> 2 #8": "further out, but within the ball", "1 -> 2 #2": START, "1 -> 0 #2": START, "2 -> 3": START,
             "2 -> 1": START, "(images + change).clamp(0, 1) -> images + change #2": WALK, "0 -> -1 #2": WALK,
             "1 -> 2 #6": WALK},
    "10.2": {"rate * gradient.sign() -> rate / gradient.sign()": "1 / 1 is 1"},
    "10.3": {"p > 0.5 -> p >= 0.5": "at one half the radius is 0"},
}


@pytest.fixture(params=EVERY, ids=lambda asked: asked.id)
def asked(request):
    return request.param


class Endless(Exception):
    pass


@contextmanager
def limited(seconds):
    """Raises Endless after so much processor time."""
    def stop(number, frame):
        raise Endless
    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
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
        with limited(ON_NETWORKS if asked.bundled else SECONDS):
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


@pytest.mark.slow
def test_every_planted_mistake_earns_the_same_with_every_secret(asked):
    for mistake in asked.mistakes:
        assert wrong_at(asked, mistake.solution, *shown(asked)), mistake.hint
        earned = {credit(asked, mistake.solution, secret) for secret in SECRETS}
        assert len(earned) == 1 and 1.0 not in earned, mistake.hint


@pytest.mark.slow
def test_no_slip_in_the_solution_passes(asked):
    passed, uneven = [], []
    for what, source in mutants.of(solutions.source(asked)):
        function = solutions.function(asked, source)
        if wrong_at(asked, function, *shown(asked)) is None:
            passed.append(what)
        elif len(earned := {credit(asked, function, secret) for secret in SECRETS}) > 1 or 1.0 in earned:
            uneven.append((what, earned))
    known, open_ = set(EQUIVALENT.get(asked.id, {})), OPEN.get(asked.id, set())
    assert sorted(set(passed) - open_) == sorted(known - open_), f"these pass: {passed}"
    assert not uneven, f"these earn more or less with the secret: {uneven}"


def test_the_mutator_makes_the_slips_that_are_meant():
    source = "def f(x, axis=0):\n    y = x.clone()\n    y += 1\n    return y.sum(1) if x > 0 else -y.max()"
    made = dict(mutants.of(source))
    for what in ("x > 0 -> x >= 0", "y.sum(1) -> y.mean(1)", "1 -> 2", "1 -> 0", "-y.max() -> y.max()", "y += 1 -> y -= 1",
                 "y.max() -> y.min()", "without: y += 1", "x.clone() -> x", "0 -> 1"):
        assert what in made, what
    assert all(compile(text, what, "exec") and text != source for what, text in made.items())
