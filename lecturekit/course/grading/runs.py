"""Grading of a class: each result is kept as it comes, and a run that was cut off goes on where it stopped.

The gradebook and the reports are made from the kept results (see records) at the end of every run.
"""

import errno
import zlib
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass

from tqdm import tqdm

from lecturekit import validate
from lecturekit.course import lessons
from lecturekit.course.grading import (counting, definitions, folders, marks, pools, publish, records, selftest,
                                       times)
from lecturekit.course.grading.roster import Roster

KEEP = ("last", "best")
ABOUT = ("file", "received", "late")              # what a record says of a hand-in that may change without its content
OUR_OWN = {errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG}   # the results cannot be written: no student's fault


class NotGraded(OSError):
    """Grading itself failed for some students: nothing is recorded for these, and the next run tries again."""


@dataclass(frozen=True)
class How:
    """How a class is graded: by which processes, by which function, what counts of several and of late hand-ins.

    `workers` processes of this machine, or the workers of the Dask `scheduler` at an address; `grade` grades one file,
    in a sandbox unless `unsafe`; `keep` is "last" or "best"; `test` whether the lesson grades itself first; `column`
    what the assignment is called in the LMS, by default the lesson's title.
    """

    workers: int = 1
    scheduler: str | None = None
    unsafe: bool = False
    grade: object = marks.grade
    roster: Roster = Roster()
    rule: times.Rule = times.Rule()
    keep: str = "last"
    test: bool = True
    column: str | None = None

    @property
    def real(self):
        """Whether submissions are graded in earnest, not by a stand-in."""
        return self.grade is marks.grade

    def __post_init__(self):
        validate.positive("workers", self.workers, whole=True)
        validate.one_of("keep", self.keep, KEEP)


@dataclass(frozen=True)
class Job:
    """A kept hand-in of a student that has to be marked; `about` is what its record says beside the result."""

    student: folders.Student
    about: dict


def grade_all(submissions, lesson, results, how=How(), course=None):
    """Grade the hand-ins of a class to a lesson; returns what counts of each student (see counting), by student.

    `submissions` is a folder or a zip (see layouts), `results` the folder that keeps the marks, `course` that of
    nbgrader's gradebook, by default `results`. Raises ValueError where nobody handed in, SelfTestFailed, and NotGraded
    after everything else is done and written.
    """
    lesson = lessons.numbered(lesson)
    found = folders.find(submissions, lesson, how.roster)
    with records.alone(results):
        prepared = publish.prepare(course or results) if how.real else None
        troubles, failures = _mark(found, lesson, results, how)
        if prepared:
            prepared.join()
        students = counting.students(found, records.of_all(results, lesson), troubles, how, lesson)
        publish.publish(results, course or results, lesson, students, found.nobodys, how)
    if failures:
        raise NotGraded(f"{len(failures)} of {len(found.students)} students could not be graded. {_listed(failures)}")
    if all(question["state"] == "missing" for student in students for question in student["questions"]):
        raise ValueError(f"submissions: got {submissions}, where no notebook has an answer to lesson {lesson}.")
    return students


def test(numbers, how=How()):
    """Grade the own solution and the blank copy of some lessons; yields the number of each that comes out as it must.

    Raises SelfTestFailed where this machine does not do it right.
    """
    numbers = lessons.chosen(numbers)
    with _pool(how) as pool:
        for lesson in numbers:
            _test(pool, _task(lesson, 0, how))
            yield lesson


def _pool(how):
    return pools.open_pool(how.workers, how.scheduler, [how.grade.__module__])


def _task(lesson, secret, how):
    return pools.Task(how.grade, lesson, secret, {"i_trust_these_submissions": True} if how.unsafe else {})


def _test(pool, task):
    notebooks = selftest.notebooks(task.lesson)
    done = pools.complete(pool, task, notebooks, lambda name: (name, notebooks[name]))
    selftest.require(task.lesson, {name: future.exception() or future.result() for name, future in done})


def _mark(found, lesson, results, how):
    """Mark what is not marked yet, or was by another definition of the questions.

    Returns {student: why the file cannot be read} and {student: the error of the grader}.
    """
    task = _task(lesson, records.secret(results, lesson), how)
    with ExitStack() as stack:
        pool = None
        if any(not records.of(results, student.id, lesson)["hand_ins"] for student in found.handed_in):
            pool = stack.enter_context(_pool(how))
            _warm(pool, task, how)
        current = definitions.digests(lesson)
        jobs, troubles = _to_do(found, lesson, results, current, how.keep)
        if not jobs:
            return troubles, {}
        return troubles, _graded(pool or stack.enter_context(_pool(how)), task, jobs, results, current, how.test)


def _warm(pool, task, how):
    """Let each worker of this machine start its sandbox while this process finds out what there is to do."""
    if how.real and not how.scheduler:
        for _ in range(how.workers):
            pool.submit(marks.warm, task.lesson, how.unsafe)


def _to_do(found, lesson, results, current, keep):
    """All jobs of a class, and {student: why the file cannot be read}."""
    jobs, troubles = [], {}
    for student in found.handed_in:
        try:
            jobs += _jobs(student, lesson, results, current, keep)
        except (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:   # of zips, too
            if isinstance(error, OSError) and error.errno in OUR_OWN:
                raise
            troubles[student.id] = f"the file cannot be read ({error or type(error).__name__})"
    return jobs, troubles


def _graded(pool, task, jobs, results, current, test):
    """Grade the jobs and record each result as it comes; returns {student: the error of the grader}."""
    failures = {}
    if test:
        _test(pool, task)
    for job, result in _outcomes(pool, task, jobs, results):
        if isinstance(result, BaseException):
            failures[job.student.id] = result
        else:
            hand_in = job.about | {"definitions": current, "result": result}
            records.add(results, job.student, task.lesson, hand_in)
    return failures


def _jobs(student, lesson, results, current, keep):
    """What of a student has to be marked: of the files found the last, or all; of those kept what is outdated."""
    known = {one["sha256"]: one for one in records.of(results, student.id, lesson)["hand_ins"]}
    wanted = {}
    for hand_in in student.hand_ins[-1:] if keep == "last" else student.hand_ins:
        about = _taken(results, student, hand_in)
        wanted[about["sha256"]] = about
        if (one := known.get(about["sha256"])) and any(one[key] != about[key] for key in ABOUT):
            records.add(results, student, lesson, one | {key: about[key] for key in ABOUT})
    older = {digest: one for digest, one in known.items()
             if digest not in wanted and records.kept(results, student.id, digest).exists()}
    outdated = [one for digest, one in (older | wanted).items() if known.get(digest, {}).get("definitions") != current]
    return [Job(student, {key: one[key] for key in (*ABOUT, "sha256", "seen")}) for one in outdated]


def _taken(results, student, hand_in):
    """Keep a hand-in, and what its record says of it. Its size is looked at before any of it is read."""
    if hand_in.entry.size > records.HUGE or len(content := hand_in.entry.content(records.HUGE)) > records.HUGE:
        raise ValueError(f"larger than {records.HUGE >> 20} MB")
    received = hand_in.received and hand_in.received.isoformat(timespec="seconds")
    return {"sha256": records.keep(results, student, content), "file": hand_in.file, "received": received,
            "late": hand_in.late, "seen": records.now()}


def _outcomes(pool, task, jobs, results):
    """Yields (job, its result or the error that kept it from being graded), as they come."""
    done = pools.complete(pool, task, jobs, lambda job: (job.student.id, records.content(results, job)))
    for job, future in tqdm(done, "grading", len(jobs), disable=None, unit=" hand-ins"):
        error = future.exception()
        if isinstance(error, pool.death):
            killed = counting.nothing(task.lesson, "killed", "Grading ended with an error.")
            yield job, killed | {"flags": ["killed its grading process twice"]}
        else:
            yield job, error or future.result()


def _listed(failures):
    """The errors of {student: error}, each with those that it struck."""
    struck = defaultdict(list)
    for student, error in failures.items():
        struck[str(error) or repr(error)].append(student)
    return " ".join(f"{error} ({', '.join(sorted(students))})" for error, students in struck.items())
