"""Grading functions for the tests of runs: quick stand-ins for marks.grade that workers can import, fast: no torch."""

import hashlib
import json
import os
import signal
import time
from pathlib import Path

HINTS = {"wrong": "Starts are 0, `stride`, 2 `stride`, ...", "": "", "right": ""}


def instantly(path, lesson, secret, student=""):
    """Full marks for "right", half of them with a hint for "wrong"; the secret decides on the last question."""
    content = path.read_bytes()
    answers = json.loads(content)["answers"]
    asked = [_question(f"{lesson}.{number}", answers.get(f"{lesson}.{number}", "")) for number in (1, 2, 3)]
    asked[-1]["earned"] = secret % 5
    return {"student": student, "lesson": lesson, "sha256": hashlib.sha256(content).hexdigest(), "seconds": 0.1,
            "questions": asked, "written": [{"id": f"{lesson}.4", "points": 5, "text": answers.get("written", "")}],
            "flags": answers.get("flags", [])}


def _question(name, answer):
    earned = {"right": 5, "": 0}.get(answer, 2.5)
    cases = [{"kind": f"kind {case + 1}", "ok": answer == "right" or case < 1, "difference": f"for {answer}: differs"} for case in range(2)]
    return {"id": name, "points": 5, "earned": earned, "state": "answered" if answer else "blank", "message": "",
            "hint": HINTS.get(answer, HINTS["wrong"]), "cases": cases if answer else [],
            "answer_sha256": hashlib.sha256(answer.encode()).hexdigest() if answer else ""}


def _note(path, student):
    """Write down that a student's submission is graded; returns for which time."""
    log = Path(json.loads(path.read_bytes())["log"])
    with open(log, "a") as file:
        file.write(f"{student}\n")
    return log.read_text().split().count(student)


def shortly(path, lesson, secret, student=""):
    """As long as a short submission takes: so long that workers come back while a class is graded."""
    time.sleep(0.3)
    return instantly(path, lesson, secret, student)


def slowly(path, lesson, secret, student=""):
    """Takes its time."""
    _note(path, student)
    time.sleep(float(os.environ.get("SLOWLY", 0.4)))   # seconds
    return instantly(path, lesson, secret, student)


def murdered(path, lesson, secret, student=""):
    """The submission with the answer "kill" ends the process that grades it."""
    _note(path, student)
    if "kill" in json.loads(path.read_bytes())["answers"].values():
        os._exit(3)
    return instantly(path, lesson, secret, student)


def killed_once(path, lesson, secret, student=""):
    """The first worker that grades s003 is killed, as by the machine."""
    if student == "s003" and _note(path, student) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return instantly(path, lesson, secret, student)


def broken(path, lesson, secret, student=""):
    if student == "s002":
        raise OSError("no space left")
    return instantly(path, lesson, secret, student)


def blank(path, lesson, secret, student=""):
    """No answers, whatever the file holds."""
    return _of_state("blank", "", path, lesson, student)


def missing(path, lesson, secret, student=""):
    return _of_state("missing", "no cell with this answer was found", path, lesson, student)


def _of_state(state, message, path, lesson, student, earned=0):
    changes = {"state": state, "message": message, "earned": earned}
    asked = [_question(f"{lesson}.{number}", "") | changes for number in (1, 2, 3)]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"student": student, "lesson": lesson, "sha256": digest, "seconds": 0.1, "questions": asked, "written": [],
            "flags": []}


def generous(path, lesson, secret, student=""):
    """As if a check had been too strict: the first two questions are right."""
    result = slowly(path, lesson, secret, student)
    result["questions"][:2] = [_question(f"{lesson}.{number}", "right") for number in (1, 2)]
    return result


def always_right(path, lesson, secret, student=""):
    return _of_state("answered", "", path, lesson, student, earned=5)


def without_a_module(path, lesson, secret, student=""):
    """A sandbox in which something is missing: the second question of what is not blank fails."""
    stub = b"BEGIN SOLUTION" not in path.read_bytes()
    result = _of_state("blank" if stub else "answered", "", path, lesson, student, earned=0 if stub else 5)
    if not stub:
        result["questions"][1] |= {"earned": 0, "state": "failed", "message": "ModuleNotFoundError: No module 'x'"}
    return result


def never(path, lesson, secret, student=""):
    raise OSError("no space left")
