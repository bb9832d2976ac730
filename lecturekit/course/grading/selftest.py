"""Before a class is graded: the lesson's own solution must earn full marks here, its blank copy none."""

import nbformat

from lecturekit.course import lessons

SOLUTION, BLANK = "the lesson's own solution", "its blank copy"


class SelfTestFailed(OSError):
    """This machine does not grade a lesson's own solution and blank copy as it must; says why."""


def notebooks(lesson):
    """{name: bytes} of the two."""
    from lecturekit.course.student import student_copy   # brings nbgrader, which takes seconds to import
    both = {SOLUTION: lessons.read(lesson), BLANK: student_copy(lesson)}
    return {name: nbformat.writes(notebook).encode() for name, notebook in both.items()}


def require(lesson, graded):
    """Raise SelfTestFailed unless `graded`, {name: result of marks.grade, or an exception}, is as it must be."""
    wrong = [text for name, result in graded.items() for text in _wrong(name, result)]
    if wrong:
        raise SelfTestFailed(f"Nothing was graded: lesson {lesson} fails on this machine. {' '.join(wrong)}")


def _wrong(name, result):
    if isinstance(result, BaseException):
        return [f"{name} could not be graded: {result or type(result).__name__}."]
    return [f"{question['id']}: {name} earned {question['earned']:g} of {question['points']:g} points "
            f"({_why(question)})." for question in result["questions"]
            if question["earned"] != (question["points"] if name == SOLUTION else 0)
            or name == BLANK and question["state"] != "blank"]


def _why(question):
    """What the result says of itself."""
    differences = [case["difference"] for case in question["cases"] if not case["ok"]]
    return ": ".join(filter(None, [question["state"], question["message"], *differences[:1]]))
