"""Marks of a submission: each answer runs in the sandbox, what comes back is compared here, with our own references."""

import hashlib
import time
from dataclasses import dataclass
from functools import lru_cache

from lecturekit.course import checks
from lecturekit.course.grading import answers, plain, sandbox, submissions
from lecturekit.course.questions import difference, question, questions

SEEDS = 3
LONGEST = 300        # characters of a message
KILLED = {"time": "stopped after {wall:g} s", "memory": "it held more memory than it may",
          "answer": "the answer is larger than it may be"}


def grade(path, lesson, secret, student="", limits=sandbox.Limits(), i_trust_these_submissions=False):
    """The marks of one submission as plain data (see the keys below); equal secrets give equal marks.

    Nothing that the file holds makes this raise: it then has no marks, and flags. Raises ValueError for an unknown
    lesson, and RuntimeError where there is no sandbox, unless `i_trust_these_submissions`, which runs them without.
    """
    started, asked = time.monotonic(), questions(lesson)
    if not i_trust_these_submissions and sandbox.available():
        raise RuntimeError(f"{sandbox.available()}. {sandbox.SWITCH}")
    found = submissions.read(path, lesson, limits.submission)
    runner = _Runner(lesson, found, str(secret), limits, sandbox.shared(i_trust_these_submissions))
    marked = [runner.marks(one) for one in asked]
    words = [{"id": name, "points": points, "text": found.written[name]}
             for name, points in submissions.written(lesson).items()]
    return {"student": student, "lesson": lesson, "sha256": found.sha256, "seconds": time.monotonic() - started,
            "questions": marked, "written": words, "flags": [clean(flag) for flag in found.flags]}


@dataclass
class _Runner:
    """Marks the questions of one submission, in order."""

    lesson: str
    found: submissions.Submission
    secret: str
    limits: sandbox.Limits
    box: sandbox.Sandbox

    def __post_init__(self):
        self.setup, self.loaded = submissions.setup(self.lesson), []

    def marks(self, asked):
        source = self.found.code[asked.id]
        state, message, case_marks, hint = self._judged(asked, source)
        right = sum(case["ok"] for case in case_marks)
        earned = round(asked.points * right / len(case_marks), 2) if case_marks else 0.0
        known = source is not None and not answers.is_blank(source, asked.function)
        return {"id": asked.id, "points": asked.points, "earned": earned, "state": state, "message": clean(message),
                "hint": hint, "cases": case_marks, "answer_sha256": answers.digest(source) if known else ""}

    def _judged(self, asked, source):
        """(state, message, cases, hint) of one answer."""
        if source is None:
            return "missing", self.found.message or "no cell with this answer was found", [], ""
        if answers.is_blank(source, asked.function):
            return "blank", "", [], ""
        for what in answers.suspicious(source):
            self.found.flag(f"{asked.id}: uses {what}")
        used = answers.forbidden(asked, source)
        if used:
            return "refused", f"write it yourself, without {', '.join(used)}", [], ""
        if len(source) > answers.MAXIMUM:
            return "refused", f"the cell has more than {answers.MAXIMUM} characters", [], ""
        return self._run(asked, source)

    def _run(self, asked, source):
        expected = references(asked.id, self.secret)
        reply = self.box.run(asked, self.setup + self._needed(source), source, expected.cases, self.limits)
        if reply["output"] > self.limits.output:
            self.found.flag(f"{asked.id}: output flood")
        outcome = Outcome.read(reply, len(expected.cases))
        if outcome.loaded:
            self.loaded.append(source)
            if answers.tree(source) is None:
                self.found.flag(f"{asked.id}: runs, but could not be searched for forbidden names")
        state, message = outcome.verdict(reply, self.limits)
        cases = [_compared(asked, got, want) for got, want in zip(outcome.answers, expected.answers)]
        wrong = not all(case["ok"] for case in cases)
        return state, message, cases, checks.matching_hint(asked, outcome.answers, expected.known) if wrong else ""

    def _needed(self, source):
        """The earlier answers that define a name which `source` reads, and those that these need, in order."""
        wanted, needed = answers.uses(source), []
        for earlier in reversed(self.loaded):
            if answers.defines(earlier) & wanted:
                needed.insert(0, earlier)
                wanted = wanted | answers.uses(earlier)
        return needed


@dataclass(frozen=True)
class References:
    """A question's cases, the reference's answers, and those of each known mistake."""

    cases: list
    answers: list
    known: list


@lru_cache(maxsize=64)
def references(identifier, secret):
    """Fresh inputs, the same for the same secret, with what the reference and the known mistakes make of them."""
    asked = question(identifier)
    cases = [case for number in range(SEEDS) for case in asked.inputs(_seed(secret, identifier, number))]
    right = checks.outcomes(asked.reference, cases)
    if failed := next((answer for answer in right if isinstance(answer, Exception)), None):
        raise RuntimeError(f"{identifier}: the reference itself fails") from failed
    return References(cases, right, [checks.outcomes(mistake.solution, cases) for mistake in asked.mistakes])


def _seed(secret, identifier, number):
    digest = hashlib.sha256(f"{secret}:{identifier}:{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 2


@dataclass
class Outcome:
    """What came back for one answer: for each case a value, or an exception that says why there is none."""

    answers: list
    loaded: bool = False
    done: bool = False
    message: str = ""

    @classmethod
    def read(cls, reply, count):
        found = cls([])
        try:
            for record, values in plain.unpack(reply["frames"]):
                found._add(record, values, count)
        except ValueError:
            found.message, found.done = "what came back was not plain data", False
        found.answers += [NoAnswer("no answer")] * (count - len(found.answers))
        return found

    def _add(self, record, values, count):
        self.loaded = self.loaded or "loaded" in record
        self.done = self.done or "done" in record
        self.message = str(record.get("failed", self.message))
        if self.loaded and len(self.answers) < count and (len(values) == 1 or "error" in record):
            self.answers.append(NoAnswer(str(record["error"])) if "error" in record else values[0])

    def verdict(self, reply, limits):
        """(state, message)."""
        if not self.done and reply["ended"]:
            return "killed", KILLED[reply["ended"]].format(wall=limits.wall)
        if not self.done:
            return "killed", self.message or f"the process ended before all answers were there (code {reply['code']})"
        if not self.loaded:
            return "failed", self._explained(self.message)
        errors = [answer for answer in self.answers if isinstance(answer, NoAnswer)]
        first = self._explained(str(errors[0])) if errors else ""
        return ("failed" if len(errors) == len(self.answers) else "answered"), first

    @staticmethod
    def _explained(message):
        alone = " (only the cell of the answer is run: what it needs must stand there)"
        return message + alone if message.startswith("NameError") else message


class NoAnswer(Exception):
    """Stands for the answer of a case that has none."""


def _compared(asked, got, want):
    """{"ok", "difference"} of one case; whatever the answer is, the comparison is ours."""
    if isinstance(got, NoAnswer):
        return {"ok": False, "difference": clean(str(got))}
    try:
        wrong = not_plain(got) or difference(got, want, asked.tolerance)
    except Exception as error:   # numbers too large for a float, parts that make no array
        wrong = f"the answer cannot be compared ({type(error).__name__})"
    return {"ok": wrong is None, "difference": clean(wrong or "")}


def not_plain(value):
    """What in an answer was no plain data, or None."""
    if isinstance(value, plain.NotPlain):
        return f"got {value.what}, which is not plain data"
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return next(filter(None, map(not_plain, parts)), None)


def clean(text):
    """One line of plain text: no control characters, escapes or marks of direction, and not too long."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[:4 * LONGEST])
    return " ".join(shown.split())[:LONGEST]
