"""What a graded class leads to: nbgrader's gradebook, pages, files for an LMS, all made anew from the records."""

import threading
from contextlib import suppress
from pathlib import Path

from lecturekit.course import lessons
from lecturekit.course.grading import exports, gradebook, overview, records, reports, similarity, submissions
from lecturekit.course.grading.sandbox import Limits


def publish(results, course, lesson, students, nobodys, how):
    """Enter the `students` (see counting) into the gradebook of `course`, and write all reports to `results`."""
    from lecturekit.course.student import student_copy   # brings nbgrader, which takes seconds to import
    released = student_copy(lesson)
    students = [_without_stubs(result, released) for result in students]
    answers = {result["student"]: _answers(results, result, lesson) for result in students}
    gradebook.enter(course, lesson, released, students, answers, how.rule.deadline)
    points, comments = gradebook.points(course, lesson), gradebook.comments(course, lesson)
    columns, title = reports.cells(lesson)
    rows = overview.rows(students, columns, points)
    alike = similarity.pairs(answers, lesson)
    reports.write_all(results, lesson, students, rows, comments, nobodys, alike)
    exports.write_all(results, lesson, rows, how.roster, how.column or title)


def prepare(course):
    """Make the gradebook, for which a program has to run, in a thread that is returned: it has time until the class is
    graded. What goes wrong is told by `publish`, which opens it again."""
    def make():
        if not gradebook.path(course).exists():
            with suppress(Exception), gradebook.opened(course):
                pass

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    return thread


def _without_stubs(result, released):
    """The result, its answer in words "" where the text is still the one that students get."""
    stubs = {(lessons.identifier(cell.metadata.nbgrader.grade_id), cell.source.strip()) for cell in released.cells
             if "nbgrader" in cell.metadata}
    return result | {"written": [answer | {"text": ""} if (answer["id"], answer["text"].strip()) in stubs else answer
                                 for answer in result["written"]]}


def _answers(results, result, lesson):
    """{grade id: source} of what a student wrote, in the hand-in that counts."""
    path = records.kept(results, result["student"], result["sha256"])
    if not Path(path).exists():
        return {}
    read = submissions.read(path, lesson, Limits.submission)
    return {name: source for name, source in {**read.code, **read.written}.items() if source is not None}
