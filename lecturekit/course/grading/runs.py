"""Grading of a class: each result is kept as it comes, and a run that was cut off goes on where it stopped.

RESULTS/run.json holds the secret seed, RESULTS/marks/STUDENT.json one result each; the gradebook and the reports are
made from these at the end of every run.
"""

import json
import os
import secrets
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from lecturekit import validate
from lecturekit.course import lessons, questions
from lecturekit.course.grading import folders, gradebook, marks, pools, reports, submissions
from lecturekit.course.grading.sandbox import Limits


class NotGraded(OSError):
    """Grading itself failed for some students: nothing is recorded for these, and the next run tries again."""


def grade_all(submissions, lesson, results, workers=1, scheduler=None, unsafe=False, grade=marks.grade,
              course=None):
    """Grade FOLDER/STUDENT/ASSIGNMENT/NOTEBOOK.ipynb; returns the results (see marks.grade), by student.

    `grade` is the function that grades one file, in a sandbox unless `unsafe`; `course` the folder of nbgrader's
    gradebook, by default `results`. With `scheduler`, the address of a Dask scheduler, the cluster's workers grade,
    else `workers` processes. Raises NotGraded, after everything else is done and written.
    """
    lesson = lessons.numbered(lesson)
    validate.positive("workers", workers, whole=True)
    task = pools.Task(grade, lesson, _secret(results, lesson), {"i_trust_these_submissions": True} if unsafe else {})
    found, refused = folders.find(submissions, lessons.path(lesson).stem)
    marked = {s.student: result for s in found if (result := _kept(results, s, lesson))}
    failures = {}
    for submission, result in _outcomes([s for s in found if s.student not in marked], task, workers, scheduler):
        if isinstance(result, BaseException):
            failures[submission.student] = result
        else:
            marked[submission.student] = _record(results, submission, result)
    marked = [marked[student] for student in sorted(marked)]
    _report(results, course or results, lesson, marked, found, refused)
    if failures:
        raise NotGraded(f"{len(failures)} of {len(found)} submissions could not be graded. {_listed(failures)}")
    return marked


def _listed(failures):
    """The errors of {student: error}, each with those that it struck."""
    struck = defaultdict(list)
    for student, error in failures.items():
        struck[str(error) or repr(error)].append(student)
    return " ".join(f"{error} ({', '.join(sorted(students))})" for error, students in struck.items())


def _secret(results, lesson):
    """The seed of this run's inputs: drawn once, then read, so that a run which goes on gives the same marks."""
    path = Path(results) / "run.json"
    run = _read(path) or {"lesson": lesson, "secret": secrets.randbelow(2 ** 62)}
    if run["lesson"] != lesson:
        raise ValueError(f"results: got {results}, which holds marks of lesson {run['lesson']}. It takes a folder of "
                         "its own for each lesson.")
    if not path.exists():
        with _for_the_owner_alone():
            _write(path, run)
    return run["secret"]


def _marks(results, student):
    return Path(results) / "marks" / f"{student}.json"


def _kept(results, submission, lesson):
    """The result of an earlier run, or None where there is none for this very file."""
    result = _read(_marks(results, submission.student))
    same = result and (result["lesson"], result["sha256"]) == (lesson, submission.sha256)
    return result if same else None


def _record(results, submission, result):
    result = result | {"student": submission.student, "sha256": submission.sha256,
                       "flags": [*result["flags"], *submission.flags]}
    _write(_marks(results, submission.student), result)
    return result


def _outcomes(found, task, workers, scheduler):
    """Yields (submission, its result or the error that kept it from being graded), as they come."""
    handed_in = [submission for submission in found if submission.path]
    yield from ((s, nothing(task.lesson, "missing", "Nothing was handed in.")) for s in found if not s.path)
    if not handed_in:
        return
    with pools.open_pool(workers, scheduler) as pool:
        done = pools.complete(pool, task, handed_in, lambda s: (s.student, s.content(Limits.submission)))
        for submission, future in tqdm(done, "grading", len(handed_in), disable=None, unit=" submissions"):
            error = future.exception()
            if isinstance(error, pool.death):
                killed = nothing(task.lesson, "killed", "Grading ended with an error.")
                yield submission, killed | {"flags": ["killed its grading process twice"]}
            else:
                yield submission, error or future.result()


def nothing(lesson, state, message):
    """A result without points."""
    asked = [{"id": q.id, "points": q.points, "earned": 0, "state": state, "message": message, "hint": "", "cases": [],
              "answer_sha256": ""} for q in questions.questions(lesson)]
    return {"lesson": lesson, "seconds": 0.0, "questions": asked, "written": [], "flags": []}


def _report(results, course, lesson, marked, found, refused):
    """Gradebook and reports, made anew from all results."""
    from lecturekit.course.student import student_copy   # brings nbgrader, which takes seconds to import
    released = student_copy(lesson)
    marked = [_without_stubs(result, released) for result in marked]
    answers = {s.student: _answers(s, lesson) for s in found if s.path}
    gradebook.enter(course, lesson, released, marked, answers)
    points, comments = gradebook.points(course, lesson), gradebook.comments(course, lesson)
    reports.write_all(results, lesson, marked, points, comments, refused)


def _without_stubs(result, released):
    """The result, its answer in words "" where the text is still the one that students get."""
    stubs = {(lessons.identifier(cell.metadata.nbgrader.grade_id), cell.source.strip()) for cell in released.cells
             if "nbgrader" in cell.metadata}
    return result | {"written": [answer | {"text": ""} if (answer["id"], answer["text"].strip()) in stubs else answer
                                 for answer in result["written"]]}


def _answers(submission, lesson):
    """{grade id: source} of what a student wrote."""
    read = submissions.read(submission.path, lesson, Limits.submission)
    return {name: source for name, source in {**read.code, **read.written}.items() if source is not None}


def _write(path, content):
    lessons.write(path, json.dumps(content, indent=1) + "\n")


def _read(path):
    """What a JSON file holds, or None where there is none that is whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


@contextmanager
def _for_the_owner_alone():
    """Files written meanwhile can be read by no other user."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
