"""The lessons' notebook files: where they lie, how they are read, how a file made from one is written."""

import re

import nbformat

from lecturekit.files import beside, write

__all__ = ["chosen", "identifier", "numbered", "path", "paths", "read", "write"]

FOLDER = beside("notebooks")
WIDGET = "application/vnd.jupyter.widget-view+json"   # the kind of a widget's output


def paths():
    """{number: path} of every lesson: {"01": .../01_filters.ipynb, ...}."""
    found = {path.name[:2]: path for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))}
    if not found:
        raise FileNotFoundError(f"No lessons in {FOLDER}. Run this from a clone of the course's repository or from its wheel.")
    return found


def numbered(number):
    """The number of a lesson as its file has it: 3, "3" and "03" are all "03"."""
    known = paths()
    wanted = str(number).zfill(2)
    if wanted not in known:
        raise ValueError(f"lesson: got {number!r}. It takes one of: {', '.join(known)}.")
    return wanted


def chosen(numbers=None):
    """The numbers of these lessons as their files have them; of every lesson by default."""
    return [numbered(number) for number in numbers or paths()]


def path(number):
    return paths()[numbered(number)]


def identifier(grade_id):
    """The id of a question from that of its cell, where nbgrader allows no dot: "03.1-check" for "03-1-check"."""
    return re.sub(r"^(\d\d)-(\d+)", r"\1.\2", grade_id)


def read(number):
    """The lesson as a NotebookNode."""
    return nbformat.read(path(number), as_version=4)
