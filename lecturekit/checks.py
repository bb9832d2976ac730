"""What a student calls: `check("03.1", my_function)` compares a function with the course's own on fixed inputs."""

import copy
import inspect
from dataclasses import dataclass

from lecturekit.course.questions import difference, question


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
    _refuse_forbidden(asked, function)
    cases = asked.inputs(seed)
    for number, arguments in enumerate(cases, 1):
        answer = _run(asked, function, arguments)
        wrong = difference(answer, asked.reference(*copy.deepcopy(arguments)), asked.tolerance)
        if wrong:
            raise AssertionError(f"{asked.id}, case {number} of {len(cases)}: {wrong}. "
                                 f"Hint: {hint(asked, function, cases)}")
    return Passed(asked.id, len(cases), asked.points)


def hint(asked, function, cases):
    """The hint of the known mistake whose answers `function` gives on every case, else the question's own."""
    for mistake in asked.mistakes:
        if all(_same(asked, function, mistake.solution, arguments) for arguments in cases):
            return mistake.hint
    return asked.hint


def _same(asked, function, solution, arguments):
    try:
        answer, wrong = (f(*copy.deepcopy(arguments)) for f in (function, solution))
        return difference(answer, wrong, asked.tolerance) is None
    except Exception:
        return False


def _run(asked, function, arguments):
    try:
        return function(*copy.deepcopy(arguments))
    except NotImplementedError:
        raise NotImplementedError(f"{asked.id}: {asked.function} is still to be written.") from None


def _refuse_forbidden(asked, function):
    code = getattr(inspect.unwrap(function), "__code__", None)
    used = sorted(set(asked.forbidden) & set(code.co_names)) if code else []
    if used:
        raise AssertionError(f"{asked.id}: write it yourself, without {', '.join(used)}.")
