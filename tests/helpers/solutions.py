"""The lessons' own solutions: their source, and the function as a notebook would have it."""

import re
from functools import lru_cache

from lecturekit.course.grading import submissions

MARKER = re.compile(r"^ *### (BEGIN|END) SOLUTION\n?", re.M)


@lru_cache(maxsize=None)
def source(asked):
    """The source of the cell that solves a question."""
    return MARKER.sub("", submissions.ours(asked.lesson)[asked.id].source)


@lru_cache(maxsize=None)
def imported(lesson):
    """The names that a lesson's first cell imports."""
    names = {}
    exec("\n".join(submissions.setup(lesson)), names)
    return names


def function(asked, text=None):
    """The function of a question as `text` defines it, by default its solution."""
    names = dict(imported(asked.lesson))
    exec(text or source(asked), names)
    return names[asked.function]
