"""How far a student is in a lesson: a table of its questions, as text and as HTML."""

from dataclasses import dataclass
from html import escape

PASSED, NOT_YET, NOT_TRIED, BY_HAND = "passed", "not yet", "not tried", "by hand"
TITLE = "## Your progress\n\nRun this cell whenever you like: it knows the checks since the kernel started."
MARKS = {PASSED: ("✓", "#1a7f37"), NOT_YET: ("✗", "#b35900"), NOT_TRIED: ("–", "inherit"), BY_HAND: ("✎", "inherit")}
HEADINGS = ("exercise", "function", "points", "minutes", "state")
LEFT, RIGHT = "text-align:left;padding:4px 16px 4px 0", "text-align:right;padding:4px 16px 4px 0"
STYLES = (LEFT, LEFT, RIGHT, RIGHT, LEFT)


def cells(lesson):
    """[(kind, source)] of the cells with the table that end a student copy."""
    return [("markdown", TITLE), ("code", f'from lecturekit.course.checks import progress\n\nprogress("{lesson}")')]


@dataclass(frozen=True)
class Row:
    """One question: the minutes are None where the lesson alone tells them."""

    id: str
    function: str
    points: int
    minutes: int | None
    state: str

    def texts(self):
        minutes = "" if self.minutes is None else str(self.minutes)
        return self.id, self.function, str(self.points), minutes, f"{MARKS[self.state][0]} {self.state}"


@dataclass(frozen=True)
class Progress:
    """The questions of a lesson; Jupyter draws it as a table."""

    lesson: str
    rows: tuple[Row, ...]

    def summary(self):
        checked = [row for row in self.rows if row.state != BY_HAND]
        earned = sum(row.points for row in checked if row.state == PASSED)
        waiting = sum(row.points for row in self.rows if row.state == BY_HAND)
        return (f"{earned} of {sum(row.points for row in checked)} points by the checks"
                + (f"; {waiting} more are marked by hand." if waiting else "."))

    def __repr__(self):
        table = [HEADINGS, *(row.texts() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table)]
        lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in table]
        return "\n".join([f"Lesson {self.lesson}", *lines, self.summary()])

    def _repr_html_(self):
        head = "".join(f'<th style="{style}">{name}</th>' for name, style in zip(HEADINGS, STYLES))
        body = "".join(f"<tr>{_cells(row)}</tr>" for row in self.rows)
        return (f'<table style="border-collapse:collapse;font-size:1em"><caption style="text-align:left;'
                f'caption-side:bottom;padding-top:8px">{escape(self.summary())}</caption>'
                f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _cells(row):
    colours = ("inherit",) * 4 + (MARKS[row.state][1],)
    return "".join(f'<td style="{style};color:{colour}">{escape(text)}</td>'
                   for text, style, colour in zip(row.texts(), STYLES, colours))
