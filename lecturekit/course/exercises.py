"""A student's own copies: each lesson without its solutions and outputs, written once, never over what is there.

Exercises and their checks carry the tag `raises-exception`, so that "Run all" goes on past an unsolved one.
"""

import copy
import re
from pathlib import Path

import nbformat

from lecturekit.course import lessons, progress

FOLDER = Path("exercises")
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION$", re.M | re.S)
CODE_STUB = r"\1# YOUR CODE HERE" "\n" r"\1raise NotImplementedError()"
TEXT_STUB = "*Your answer here.*"
GOES_ON = "raises-exception"


def build(numbers=None, folder=FOLDER):
    """Write the copies of lessons (all by default) that `folder` does not have; returns the paths that are new."""
    targets = {number: Path(folder) / lessons.path(number).name for number in lessons.chosen(numbers)}
    return [lessons.write(path, nbformat.writes(exercise(number)) + "\n")
            for number, path in targets.items() if not path.exists()]


def exercise(number):
    """The lesson as a student works in it: a NotebookNode."""
    return with_progress(without_solutions(lessons.read(number)), lessons.numbered(number))


def without_solutions(notebook):
    """A copy of the notebook without solutions and outputs: to the letter what nbgrader's own steps leave."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None, source=SOLUTION.sub(CODE_STUB, cell.source))
        elif cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = TEXT_STUB
    return tolerant(notebook)


def tolerant(notebook):
    """The notebook, its exercises and checks marked so that one that fails stops nothing."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and "nbgrader" in cell.metadata:
            cell.metadata.tags = [*cell.metadata.get("tags", []), GOES_ON]
    return notebook


def with_progress(notebook, number):
    """The notebook with the table of what is done at its end, where it has none."""
    if not any("progress(" in cell.source for cell in notebook.cells):
        notebook.cells += _progress_cells(number)
    return notebook


def _progress_cells(number):
    hidden = {"slideshow": {"slide_type": "skip"}}
    (_, title), (_, source) = progress.cells(number)
    return [nbformat.v4.new_markdown_cell(title, id=f"{number}-progress-title", metadata=hidden),
            nbformat.v4.new_code_cell(source, id=f"{number}-progress", metadata=hidden)]
