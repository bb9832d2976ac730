"""Marks in nbgrader's gradebook, and each submission where nbgrader's formgrader looks for it.

A course folder is nbgrader's: gradebook.db, and autograded/STUDENT/ASSIGNMENT/NOTEBOOK.ipynb with our own copy of the
lesson, the student's answers in it, nothing else of the student's. nbgrader takes 3 s to import: done where needed.
"""

import copy
import os
import sys
import warnings
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import nbformat

from lecturekit.course import lessons
from lecturekit.course.grading import formgrader


@contextmanager
def opened(course):
    """nbgrader's Gradebook. A new one runs the program alembic, which lies beside this Python."""
    from nbgrader.api import Gradebook
    from sqlalchemy.exc import DatabaseError, SAWarning
    Path(course).mkdir(parents=True, exist_ok=True)
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        with warnings.catch_warnings(action="ignore", category=SAWarning), Gradebook(url(course)) as book:
            yield book   # the warnings are nbgrader's own affair
    except DatabaseError as error:   # a full disk, a file that may not be written
        raise OSError(f"{path(course)}: {error.orig}") from error
    finally:
        os.environ["PATH"] = before


def url(course):
    return f"sqlite:///{path(course).resolve()}"


def path(course):
    return Path(course) / "gradebook.db"


def enter(course, lesson, released, marked, answers, deadline=None):
    """Enter the results `marked` (of counting) of a lesson, of which `released` is the students' copy; running again
    updates.

    `answers` is {student: {grade id: source}}. A student without a submission is entered as a student alone.
    """
    assignment = lessons.path(lesson).stem
    formgrader.write_config(course)
    with opened(course) as book:
        book.update_or_create_assignment(assignment, duedate=_utc(deadline))
    _save_cells(course, assignment, copy.deepcopy(released))
    with opened(course) as book:
        for result in marked:
            first, _, last = result["name"].rpartition(" ")
            book.update_or_create_student(result["student"], first_name=first, last_name=last, email=result["email"])
            if result["sha256"]:
                own = answered(released, answers.get(result["student"], {}))
                changed = _place(course, assignment, result["student"], own)
                _enter_one(book, assignment, result, changed)


def answered(released, answers):
    """The released lesson with a student's answers, those in words made harmless."""
    own = copy.deepcopy(released)
    for cell in own.cells:
        about = cell.metadata.get("nbgrader", {})
        source = answers.get(lessons.identifier(about.get("grade_id", "")))
        if about.get("solution") and source is not None:
            cell.source = source if cell.cell_type == "code" else harmless(source)
    return own


def harmless(markdown):
    """Markdown without HTML, links and pictures: formgrader draws it as it stands, with the teacher's rights."""
    from bleach import clean
    return clean(markdown, tags=()).replace("](", "]&#40;").replace("]:", "]&#58;")


def points(course, lesson):
    """{student: {grade id: points, or None where they wait for the teacher}}, the teacher's changes included."""
    return _each_cell(course, lesson, lambda notebook: {
        lessons.identifier(grade.name): None if grade.manual_score is None and grade.auto_score is None else grade.score
        for grade in notebook.grades})


def comments(course, lesson):
    """{student: {grade id: what the teacher wrote in formgrader}}."""
    return _each_cell(course, lesson, lambda notebook: {
        lessons.identifier(comment.name): comment.manual_comment
        for comment in notebook.comments if comment.manual_comment})


def _each_cell(course, lesson, read):
    with opened(course) as book:
        submissions = book.assignment_submissions(lessons.path(lesson).stem)
        return {submission.student.id: read(submission.notebooks[0]) for submission in submissions}


def _save_cells(course, assignment, released):
    from nbgrader.preprocessors import SaveCells
    about = {"notebook": assignment, "assignment": assignment, "db_url": url(course)}
    SaveCells().preprocess(released, {"nbgrader": about})


def _place(course, assignment, student, notebook):
    """Write the notebook for formgrader; tells whether it differs from the one that lay there."""
    path = Path(course) / "autograded" / student / assignment / f"{assignment}.ipynb"
    text = nbformat.writes(notebook).encode(errors="replace").decode()   # a lone surrogate cannot be written
    changed = not path.exists() or path.read_text(encoding="utf-8") != text
    if changed:
        lessons.write(path, text)
    return changed


def _enter_one(book, assignment, result, changed):
    student, received = result["student"], result["received"] and datetime.fromisoformat(result["received"])
    book.update_or_create_submission(assignment, student, timestamp=_utc(received))
    submitted = book.find_submission_notebook(assignment, assignment, student)
    grades = {lessons.identifier(grade.name): grade for grade in submitted.grades}
    comments = {lessons.identifier(comment.name): comment for comment in submitted.comments}
    for question in result["questions"]:
        _score(grades[f"{question['id']}-check"], question["earned"], changed)
        comments[question["id"]].auto_comment = "No response." if question["state"] == "blank" else question["hint"]
    for written in result["written"]:
        _score(grades[written["id"]], None if written["text"] else 0, changed)
        comments[written["id"]].auto_comment = None if written["text"] else "No response."
    book.db.commit()
    submitted.late_submission_penalty = submitted.score * result["percent"] / 100
    book.db.commit()


def _utc(when):
    """A time as nbgrader keeps it, without its zone."""
    return when and when.astimezone(timezone.utc).replace(tzinfo=None)


def _score(grade, earned, changed):
    """The mark of one cell. The teacher's own mark stays, to be looked at again where the submission changed."""
    grade.auto_score = earned
    if grade.manual_score is None:
        grade.needs_manual_grade = earned is None
    elif changed:
        grade.needs_manual_grade = True
