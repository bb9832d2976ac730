"""What a student calls: `check("03.1", my_function)` compares a function with the course's own on fixed inputs."""

import inspect
import sys
from dataclasses import dataclass
from functools import lru_cache

from IPython import get_ipython

from lecturekit.course import comparing, judging, sources
from lecturekit.course.grading import answers
from lecturekit.course.progress import BY_HAND, NOT_TRIED, NOT_YET, PASSED, Progress, Row
from lecturekit.course.questions import question, questions

WRITTEN_POINTS = 5   # of the question in words that closes each lesson
IDEA_AT, FORMULA_AT = 2, 3   # the wrong answer from which a hint's second and third stage are shown
_states = {}         # {question id: state of its last check in this kernel}
_wrong = {}          # {question id: how many wrong answers were checked in this kernel}


@dataclass(frozen=True)
class Passed:
    """Shown below a check that passed."""

    id: str
    cases: int
    points: int

    def __repr__(self):
        return f"✓ {self.id}: agrees with the reference on {self.cases} cases ({self.points} points)"


@dataclass(frozen=True)
class Hint:
    """The idea behind a question, and its formula."""

    id: str
    idea: str
    formula: str

    def __repr__(self):
        return f"{self.id}\nIdea: {self.idea}\nFormula: {self.formula}"


class Told:
    """An exception that a notebook shows by its message alone, without a traceback."""

    def _render_traceback_(self):
        return str(self).splitlines()


class NotWritten(Told, NotImplementedError):
    """The exercise is not written yet."""


class Wrong(Told, AssertionError):
    """The answer is wrong."""


def check(identifier, function, seed=0):
    """Compare `function` with the reference of a question; `seed` draws the inputs.

    Returns `Passed`. Raises `Wrong`, with what differs and a hint, where the answer is wrong; where it fails by an
    exception, that one. Where the stub still stands, it raises `NotWritten`, or in a notebook says so in a line of its own
    and returns None: then papermill, too, is content, and nbgrader, which reads it in stderr, gives no point.
    """
    try:
        return _checked(identifier, function, seed)
    except NotWritten as untried:
        if not hasattr(get_ipython(), "kernel"):
            raise
        print(untried, file=sys.stderr)


def _checked(identifier, function, seed):
    asked = question(identifier)
    if not callable(function):
        raise TypeError(f"function: got {type(function).__name__}. It takes your function {asked.function}.")
    _states[asked.id] = NOT_YET
    _refuse(asked, answers.forbidden(asked, sources.of(function, asked.function)))
    cases, expected = _expected(asked.id, seed)
    with sources.watched(asked) as used:
        given = [_called(asked, function, case) for case in cases]
    _refuse(asked, sorted(used))
    found = judging.verdicts(asked, cases, given, expected)
    if any(found):
        raise Wrong(_explained(asked, function, seed, given, found))
    _states[asked.id] = PASSED
    return Passed(asked.id, len(cases), asked.points)


@lru_cache(maxsize=4)
def _expected(identifier, seed):
    """The cases that the seed draws, and what the reference gives for them."""
    asked = question(identifier)
    cases = asked.cases(seed)
    return cases, judging.outcomes(asked.reference, cases)


@lru_cache(maxsize=4)
def _known(identifier, seed):
    """What the known mistakes give for the same cases."""
    return list(judging.known(question(identifier), *_expected(identifier, seed)))


def hint(identifier):
    """The idea and the formula of a question, for who wants them before three tries."""
    asked = question(identifier)
    return Hint(asked.id, asked.idea, asked.formula)


def progress(lesson):
    """The questions of a lesson ("03") with what the checks in this kernel said of each, as a table."""
    asked = questions(lesson)
    written = Row(f"{lesson}.{len(asked) + 1}", "in words", WRITTEN_POINTS, None, BY_HAND)
    rows = [Row(q.id, q.function, q.points, q.minutes, _states.get(q.id, NOT_TRIED)) for q in asked]
    return Progress(lesson, (*rows, written))


def _refuse(asked, used):
    if used:
        raise Wrong(f"{asked.id}: write it yourself, without {', '.join(used)}.")


def _called(asked, function, case):
    answer = judging.called(function, case.arguments)
    if isinstance(answer, judging.Failure) and answer.error == NotImplementedError.__name__:
        _states[asked.id] = NOT_TRIED
        raise NotWritten(f"{asked.id}: {asked.function} is still to be written.")
    return answer


def _fail_again(asked, function, cases, given):
    """Let the exception that ended a case through, with its traceback, and say which case it was."""
    failed = next((case for case, answer in zip(cases, given) if isinstance(answer, judging.Failure)), None)
    if failed:
        try:
            function(*judging.built(failed.arguments))
        except Exception as error:
            error.add_note(f"{asked.id}, {failed.kind.what}: {call(asked, failed.arguments)}")
            raise


def _explained(asked, function, seed, given, found):
    """What differs, the diagnosis where there is one, and as many stages of the hints as wrong answers were checked."""
    cases, expected = _expected(asked.id, seed)
    diagnosis = judging.diagnosis(asked, cases, given, expected, _known(asked.id, seed))
    if not diagnosis:
        _fail_again(asked, function, cases, given)
    _wrong[asked.id] = _wrong.get(asked.id, 0) + 1
    first = next(number for number, verdict in enumerate(found) if verdict)
    return "\n".join(filter(None, [told(asked, cases, found, first), diagnosis, *_stages(asked, _wrong[asked.id])]))


def told(asked, cases, found, number):
    """What is wrong with one case: which it is, its input where it is small, what differs, by how much."""
    case, wrong = cases[number], sum(verdict is not None for verdict in found)
    many = f" ({wrong} of {len(cases)} cases are wrong)" if wrong > 1 else ""
    return (f"{asked.id}, case {number + 1} of {len(cases)}, {case.kind.what}{many}: "
            f"{call(asked, case.arguments)}: {found[number].text}.")


def call(asked, arguments):
    """The call of one case as code, what is large by its shape."""
    parameters = inspect.signature(asked.reference).parameters   # what comes after the arguments exchanges its parts
    parts = (f"{name}={comparing.shown(value)}" for name, value in zip(parameters, arguments, strict=False))
    return f"{asked.function}({', '.join(parts)})"


def _stages(asked, tries):
    stages = [f"Idea: {asked.idea}"] if tries >= IDEA_AT else [f'hint("{asked.id}") tells more.']
    return [*stages, f"Formula: {asked.formula}"] if tries >= FORMULA_AT else stages
