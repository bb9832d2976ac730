"""When something was handed in, when it was due, and what being late costs."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil import parser

STAMP = "timestamp.txt"   # nbgrader's, beside a notebook
UNITS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
RULE = re.compile(r"(?P<percent>\d+(?:[.,]\d+)?)\s*%\s*(?:a|an|per)\s*(?P<unit>hour|day|week)"
                  r"(?:\s*,?\s*at most\s*(?P<most>\d+)(?:\s*(?:hour|day|week)s?)?)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Late:
    """How late a hand-in was: a text for people, and the percent of its points that it loses."""

    text: str = ""
    percent: float = 0.0


@dataclass(frozen=True)
class Rule:
    """The deadline, None where there is none; the percent lost for each unit begun; after how many nothing counts."""

    deadline: datetime | None = None
    percent: float = 0.0
    unit: str = "day"
    most: int | None = None

    def of(self, received, marked_late=False):
        """The `Late` of a hand-in; `marked_late` is what the LMS says of one whose time is not known."""
        if received is None:
            return Late("late, says the LMS, but not how late") if marked_late else Late()
        if self.deadline is None or received <= self.deadline:
            return Late()
        units = ceil((received - self.deadline) / UNITS[self.unit])
        text = f"{units} {self.unit}{'s' if units > 1 else ''} late"
        if self.most is not None and units > self.most:
            return Late(f"{text}, more than {self.most}: not counted", 100.0)
        percent = min(100.0, self.percent * units)
        return Late(f"{text}, {percent:g} % off" if percent else text, percent)


def rule(deadline=None, late=None):
    """The Rule of `deadline`, such as "2026-05-04 23:59", and `late`, such as "10% a day, at most 3"."""
    if late and not deadline:
        raise ValueError(f"late: got {late!r} without a deadline. It takes --deadline as well.")
    when = None if deadline is None else moment(deadline)
    if deadline is not None and when is None:
        raise ValueError(f"deadline: got {deadline!r}. It takes a time such as 2026-05-04 23:59.")
    found = RULE.fullmatch(late.strip()) if late else None
    if late and not found:
        raise ValueError(f'late: got {late!r}. It takes a rule such as "10% a day, at most 3".')
    if not found:
        return Rule(when)
    most = int(found["most"]) if found["most"] else None
    return Rule(when, float(found["percent"].replace(",", ".")), found["unit"].lower(), most)


def moment(text):
    """A time that somebody or some program wrote, with its zone (this machine's by default); None if it is none."""
    words = str(text).strip().rsplit(" ", 1)
    try:
        zone = ZoneInfo(words[1]) if len(words) == 2 and re.fullmatch(r"[A-Za-z_]+(/[A-Za-z_+-]+)*", words[1]) else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = None
    try:
        when = parser.parse(words[0] if zone else str(text))
    except (ValueError, OverflowError, TypeError):
        return None
    return when.replace(tzinfo=zone) if zone else when if when.tzinfo else when.astimezone()


def stamp(entries):
    """The time that nbgrader noted among the entries of a student, or None."""
    for entry in entries:
        if entry.name == STAMP and entry.kind == "file":
            try:
                return moment(entry.content(100).decode())
            except Exception:   # whatever a zip or a file system says
                return None
    return None
