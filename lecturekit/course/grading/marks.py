"""Marks of a submission: each answer runs in the sandbox, what comes back is compared here, with our own references."""

import hashlib
import time
from dataclasses import dataclass
from functools import lru_cache

from lecturekit.course import judging
from lecturekit.course.grading import answers, plain, sandbox, submissions
from lecturekit.course.judging import Failure
from lecturekit.course.questions import question, questions

DRAWS = 3            # cases of each kind
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
             for name, points in submissions.written(lesson).items() if not found.message]   # unread, they wait
    return {"student": student, "lesson": lesson, "sha256": found.sha256, "seconds": time.monotonic() - started,
            "questions": marked, "written": words, "flags": [clean(flag) for flag in found.flags]}


def warm(lesson, i_trust_these_submissions=False):
    """Start this process' sandbox, and draw what does not depend on any submission, as far as that goes."""
    if i_trust_these_submissions or not sandbox.available():
        sandbox.shared(i_trust_these_submissions).prepare(questions(lesson))


@dataclass
class _Runner:
    """Marks the questions of one submission, in order."""

    lesson: str
    found: submissions.Submission
    secret: str
    limits: sandbox.Limits
    box: sandbox.Sandbox

    def marks(self, asked):
        answer = self.found.found[asked.id]
        state, message, cases, share, hint = self._judged(asked, answer)
        known = answer is not None and not answers.is_blank(answer.source, asked.function)
        return {"id": asked.id, "points": asked.points, "earned": round(asked.points * share, 2), "state": state,
                "message": clean(message), "hint": hint, "cases": cases,
                "answer_sha256": answers.digest(answer.source) if known else ""}

    def _judged(self, asked, answer):
        """(state, message, cases, share of the points, hint) of one answer."""
        if answer is None:
            return "missing", self.found.message or "no cell with this answer was found", [], 0.0, ""
        if answers.is_blank(answer.source, asked.function):
            return "blank", "", [], 0.0, ""
        for what in answers.suspicious(answer.wrote):
            self.found.flag(f"{asked.id}: uses {what}")
        if used := answers.forbidden(asked, answer.made_of):
            return "refused", f"write it yourself, without {', '.join(used)}", [], 0.0, ""
        if sum(map(len, answer.run)) > answers.MAXIMUM:
            return "refused", f"the answer has more than {answers.MAXIMUM} characters", [], 0.0, ""
        return self._run(asked, answer)

    def _run(self, asked, answer):
        expected = references(asked.id, self.secret)
        before = [*submissions.setup(self.lesson), *answer.run[:-1]]
        reply = self.box.run(asked, before, answer.run[-1], [case.arguments for case in expected.cases], self.limits)
        if reply["output"] > self.limits.output:
            self.found.flag(f"{asked.id}: output flood")
        outcome = Outcome.read(reply, len(expected.cases))
        if outcome.loaded and not all(map(answers.tree, answer.wrote)):
            self.found.flag(f"{asked.id}: runs, but could not be searched for forbidden names")
        state, message = outcome.verdict(reply, self.limits)
        wrong = judging.verdicts(asked, expected.cases, outcome.answers, expected.answers)
        hint = _hint(asked, expected, outcome.answers, self.secret) if any(wrong) else ""
        if state == "answered" and not any(wrong):
            message = ""   # what failed beside the answer costs nothing
        return (state, message, [_told(case, verdict) for case, verdict in zip(expected.cases, wrong)],
                judging.credit(expected.cases, wrong), hint)


def _hint(asked, expected, given, secret):
    """The hint of the known mistake that the answers show, else the idea."""
    return judging.diagnosis(asked, expected.cases, given, expected.answers, _known(asked.id, secret)) or asked.idea


def _told(case, verdict):
    return {"kind": case.kind.what, "ok": verdict is None, "difference": clean(verdict.text if verdict else "")}


@dataclass(frozen=True)
class References:
    """A question's cases, and the reference's answers."""

    cases: list
    answers: list


@lru_cache(maxsize=64)
def references(identifier, secret):
    """Fresh inputs, the same for the same secret, with what the reference makes of them."""
    asked = question(identifier)
    cases = [case for number in range(DRAWS) for case in asked.cases(_seed(secret, identifier, number))]
    right = judging.outcomes(asked.reference, cases)
    if failed := next((answer for answer in right if isinstance(answer, Failure)), None):
        raise RuntimeError(f"{identifier}: the reference itself fails ({failed.text})")
    return References(cases, right)


@lru_cache(maxsize=64)
def _known(identifier, secret):
    """The signatures of the known mistakes on the same inputs."""
    asked, expected = question(identifier), references(identifier, secret)
    return list(judging.known(asked, expected.cases, expected.answers))


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
        found.answers += [Failure("", "no answer")] * (count - len(found.answers))
        return found

    def _add(self, record, values, count):
        self.loaded = self.loaded or "loaded" in record
        self.done = self.done or "done" in record
        self.message = str(record.get("failed", record.get("before", self.message)))
        if self.loaded and len(self.answers) < count and (len(values) == 1 or "error" in record):
            self.answers.append(_failure(str(record["error"])) if "error" in record else values[0])

    def verdict(self, reply, limits):
        """(state, message)."""
        if not self.done and reply["ended"]:
            return "killed", KILLED[reply["ended"]].format(wall=limits.wall)
        if not self.done:
            return "killed", self.message or f"the process ended before all answers were there (code {reply['code']})"
        if not self.loaded:
            return "failed", self._explained(self.message)
        errors = [answer for answer in self.answers if isinstance(answer, Failure)]
        first = self._explained(errors[0].text) if errors else self.message
        return ("failed" if len(errors) == len(self.answers) else "answered"), first

    @staticmethod
    def _explained(message):
        alone = " (nothing in the notebook that could be run on its own defines it)"
        return message + alone if message.startswith("NameError") else message


def _failure(message):
    return Failure(message.partition(":")[0], message)


def clean(text):
    """One line of plain text: no control characters, escapes or marks of direction, and not too long."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[:4 * LONGEST])
    return " ".join(shown.split())[:LONGEST]
