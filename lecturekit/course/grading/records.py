"""The folder of a graded class: the secret, each student's hand-ins with their marks, and that one run alone writes it.

RESULTS/run.json holds the secret seed, RESULTS/marks/STUDENT.json all hand-ins of a student that were ever graded, each
with its result; RESULTS/hand_ins/STUDENT/ the notebooks themselves, without outputs.
"""

import hashlib
import json
import os
import secrets
import socket
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from lecturekit.course import lessons
from lecturekit.course.grading.sandbox import Limits

HUGE = 100 << 20     # bytes of a file above which nothing of it is read
DIGITS = 16          # of the sha256 that names a kept file


@contextmanager
def alone(results):
    """Hold the folder's lock, which a process loses however it ends. Raises OSError where another run has it."""
    folder = Path(results)
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / ".running.json"
    try:
        with FileLock(folder / ".lock", timeout=0):
            write(note, {"process": os.getpid(), "machine": socket.gethostname(), "since": now()})
            try:
                yield
            finally:
                note.unlink(missing_ok=True)
    except Timeout:
        other = read(note) or {}
        raise OSError(f"results: got {results}, into which process {other.get('process', '(unknown)')} on "
                      f"{other.get('machine', 'some machine')} grades since {other.get('since', 'a moment ago')}. "
                      "Wait until it is done, or name another folder.") from None


def secret(results, lesson):
    """The seed of a run's inputs: drawn once, then read, so that a run which goes on gives the same marks."""
    path = Path(results) / "run.json"
    run = read(path) or {"lesson": lesson, "secret": secrets.randbelow(2 ** 62)}
    if run["lesson"] != lesson:
        raise ValueError(f"results: got {results}, which holds marks of lesson {run['lesson']}. It takes a folder of "
                         "its own for each lesson.")
    if not path.exists():
        with _for_the_owner_alone():
            write(path, run)
    return run["secret"]


def of_all(results, lesson):
    """{student id: record} of all students of whom something was graded."""
    found = {path.stem: of(results, path.stem, lesson) for path in sorted((Path(results) / "marks").glob("*.json"))}
    return {student: record for student, record in found.items() if record["hand_ins"]}


def of(results, student, lesson):
    """The record of one student, an empty one where nothing was graded yet."""
    record = read(Path(results) / "marks" / f"{student}.json") or {}
    known = record.get("lesson") == lesson and isinstance(record.get("hand_ins"), list)
    return record if known else {"student": student, "lesson": lesson, "hand_ins": []}


def add(results, student, lesson, hand_in):
    """Record one graded hand-in of a student (of folders): in the place of an earlier result for the same file."""
    record = of(results, student.id, lesson)
    others = [one for one in record["hand_ins"] if one["sha256"] != hand_in["sha256"]]
    before = [one for one in record["hand_ins"] if one["sha256"] == hand_in["sha256"]]
    record |= {"raw": student.raw, "place": student.place, "hand_ins": [*others, _with_history(hand_in, before)]}
    write(Path(results) / "marks" / f"{student.id}.json", record)


def _with_history(hand_in, before):
    """A hand-in that was marked before keeps when it was first seen, and each earlier mark that was another one."""
    if not before:
        return hand_in | {"earlier": []}
    last = before[0]
    note = [{"until": now(), "points": points(last)}] if points(last) != points(hand_in) else []
    return hand_in | {"seen": last["seen"], "earlier": [*last["earlier"], *note]}


def points(hand_in):
    return {question["id"]: question["earned"] for question in hand_in["result"]["questions"]}


def keep(results, student, content):
    """Store a hand-in, without its outputs; returns the sha256 of the whole content."""
    digest = hashlib.sha256(content).hexdigest()
    path = kept(results, student.id, digest)
    if not path.exists():
        lessons.write(path, slim(content))
    return digest


def kept(results, student, digest):
    return Path(results) / "hand_ins" / student / f"{digest[:DIGITS]}.ipynb"


def content(results, job):
    """The kept bytes of a job's hand-in (see runs), cut off one after what the grader takes."""
    with open(kept(results, job.student.id, job.about["sha256"]), "rb") as file:
        return file.read(Limits.submission + 1)


def slim(content):
    """A notebook's bytes without outputs and attachments, which may be large and never count; others as they are."""
    try:
        notebook = json.loads(content)
        cells = notebook["cells"]
        for cell in cells:
            cell.pop("outputs", None), cell.pop("attachments", None)
        notebook.get("metadata", {}).pop("widgets", None)
        return json.dumps(notebook).encode()
    except Exception:   # whatever it is, it is no notebook: the grader will say so
        return content


def write(path, content):
    lessons.write(path, json.dumps(content, indent=1).encode() + b"\n")


def read(path):
    """What a JSON file holds, or None where there is none that is whole."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def now():
    return datetime.now().astimezone().isoformat(timespec="seconds")


@contextmanager
def _for_the_owner_alone():
    """Files written meanwhile can be read by no other user."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
