"""What a student calls: `check("03.1", my_function)` compares a function with the course's own on fixed inputs."""

import copy
import inspect
from dataclasses import dataclass

from lecturekit.course.progress import BY_HAND, NOT_TRIED, NOT_YET, PASSED, Progress, Row
from lecturekit.course.questions import difference, question, questions

WRITTEN_POINTS = 5   # of the question in words that closes each lesson
_states = {}         # {question id: state of its last check in this kernel}


@dataclass(frozen=True)
class Passed:
    """Shown below a check that passed."""

    id: str
    cases: int
    points: int

    def __repr__(self):
        return f"✓ {self.id}: agrees with the reference on {self.cases} cases ({self.points} points)"


def check(identifier, function, seed=0):
    """Compare `function` with the reference of a question; `seed` draws the inputs.

    Returns `Passed`. Raises NotImplementedError where the stub still stands, and AssertionError, with a hint that
    fits the mistake, where the answer is wrong.
    """
    asked = question(identifier)
    if not callable(function):
        raise TypeError(f"function: got {type(function).__name__}. It takes your function {asked.function}.")
    _states[asked.id] = NOT_YET
    _refuse_forbidden(asked, function)
    cases = asked.inputs(seed)
    for number, arguments in enumerate(cases, 1):
        answer = _run(asked, function, arguments)
        wrong = difference(answer, asked.reference(*copy.deepcopy(arguments)), asked.tolerance)
        if wrong:
            raise AssertionError(f"{asked.id}, case {number} of {len(cases)}: {wrong}. "
                                 f"Hint: {hint(asked, function, cases)}")
    _states[asked.id] = PASSED
    return Passed(asked.id, len(cases), asked.points)


def progress(lesson):
    """The questions of a lesson ("03") with what the checks in this kernel said of each, as a table."""
    asked = questions(lesson)
    written = Row(f"{lesson}.{len(asked) + 1}", "in words", WRITTEN_POINTS, None, BY_HAND)
    rows = [Row(q.id, q.function, q.points, q.minutes, _states.get(q.id, NOT_TRIED)) for q in asked]
    return Progress(lesson, (*rows, written))


def hint(asked, function, cases):
    """The hint of the known mistake whose answers `function` gives on every case, else the question's own."""
    return matching_hint(asked, outcomes(function, cases), (outcomes(m.solution, cases) for m in asked.mistakes))


def matching_hint(asked, answers, known):
    """The hint of the first mistake whose outcomes (in `known`, a list for each mistake) equal `answers` throughout."""
    for mistake, wrong in zip(asked.mistakes, known):
        if all(_same(answer, other, asked.tolerance) for answer, other in zip(answers, wrong, strict=True)):
            return mistake.hint
    return asked.hint


def outcomes(function, cases):
    """What `function` returns on each case, or the exception that it raises."""
    return [_outcome(function, arguments) for arguments in cases]


def _outcome(function, arguments):
    try:
        return function(*copy.deepcopy(arguments))
    except Exception as error:
        return error


def _same(answer, other, tolerance):
    if isinstance(answer, Exception) or isinstance(other, Exception):
        return False
    try:
        return difference(answer, other, tolerance) is None
    except Exception:
        return False


def _run(asked, function, arguments):
    try:
        return function(*copy.deepcopy(arguments))
    except NotImplementedError:
        _states[asked.id] = NOT_TRIED
        raise NotImplementedError(f"{asked.id}: {asked.function} is still to be written.") from None


def _refuse_forbidden(asked, function):
    code = getattr(inspect.unwrap(function), "__code__", None)
    used = sorted(set(asked.forbidden) & set(code.co_names)) if code else []
    if used:
        raise AssertionError(f"{asked.id}: write it yourself, without {', '.join(used)}.")
