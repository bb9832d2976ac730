"""When something was handed in, when it was due, and what being late costs."""

import re
import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil import parser

STAMP = "timestamp.txt"   # nbgrader's, beside a notebook
ZONE = re.compile(r"[A-Za-z_]+(/[\w+-]+)*")
SUMMER = {"CEST": "CET", "EEST": "EET", "WEST": "WET", "EDT": "EST5EDT", "CDT": "CST6CDT", "MDT": "MST7MDT",
          "PDT": "PST8PDT", "PST": "PST8PDT"}   # zones by names that are not their own
OFFSET = re.compile(r"(?:UTC|GMT) *([+-]\d)")    # dateutil takes the sign of what follows as POSIX does, not people
DOTTED = re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}")   # the day comes first
DAY = re.compile(rf"\d{{4}}-\d\d?-\d\d?|{DOTTED.pattern}|\d{{1,2}} [A-Z][a-z]+ \d{{4}}|[A-Z][a-z]+ \d{{1,2}}, \d{{4}}")
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
    when = None if deadline is None else _due(deadline)
    found = RULE.fullmatch(late.strip()) if late else None
    if late and not found:
        raise ValueError(f'late: got {late!r}. It takes a rule such as "10% a day, at most 3".')
    if not found:
        return Rule(when)
    most = int(found["most"]) if found["most"] else None
    return Rule(when, float(found["percent"].replace(",", ".")), found["unit"].lower(), most)


def _due(text):
    """The time of a deadline; a day alone is all of that day."""
    day = DAY.match(str(text).strip())
    when = moment(f"{text} 23:59:59" if day and day.end() == len(str(text).strip()) else text) if day else None
    if when is None:
        raise ValueError(f"deadline: got {text!r}. It takes a time such as 2026-05-04 23:59, also with a zone: "
                         "2026-05-04 23:59 Europe/Berlin, 2026-05-04T23:59+02:00.")
    return when


def moment(text):
    """A time that somebody or some program wrote, with its zone (this machine's by default); None if it is none, or if
    its zone is not known."""
    text = OFFSET.sub(r"\1", str(text).strip())
    words = text.rsplit(" ", 1)
    zone = _zone(words[1].strip("()")) if len(words) == 2 else None
    try:
        with warnings.catch_warnings(action="error", category=parser.UnknownTimezoneWarning):
            when = parser.parse(words[0] if zone else text, dayfirst=bool(DOTTED.match(text)))
    except (ValueError, OverflowError, TypeError, parser.UnknownTimezoneWarning):
        return None
    return when.replace(tzinfo=zone) if zone else when if when.tzinfo else when.astimezone()


def _zone(name):
    try:
        return ZoneInfo(SUMMER.get(name, name)) if ZONE.fullmatch(name) else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def stamp(entries):
    """The time that nbgrader noted among the entries of a student, or None."""
    for entry in entries:
        if entry.name == STAMP and entry.kind == "file":
            try:
                return moment(entry.content(100).decode())
            except Exception:   # whatever a zip or a file system says
                return None
    return None
