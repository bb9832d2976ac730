"""The student copy of a lesson: nbgrader takes solutions and outputs out; a table of the progress is put at the end.

Exercises and their checks carry the tag `raises-exception`, so that "Run all" goes on past an unsolved one.
"""

import copy
from pathlib import Path

import nbformat
from nbgrader import preprocessors
from traitlets.config import Config

from lecturekit.course import lessons, progress

STEPS = [getattr(preprocessors, name) for name in (   # the order of nbgrader's own generate_assignment
    "LockCells", "ClearSolutions", "ClearOutput", "ClearHiddenTests", "ClearMarkScheme", "ComputeChecksums",
    "CheckCellMetadata")]
SETTINGS = Config({"ClearSolutions": {"text_stub": "*Your answer here.*"}})
GOES_ON = "raises-exception"


def build(numbers=None, folder=Path("build/student")):
    """Write the student copies of lessons (all by default) into `folder`; returns their paths."""
    return [lessons.write(Path(folder) / lessons.path(number).name, nbformat.writes(student_copy(number)) + "\n")
            for number in lessons.chosen(numbers)]


def student_copy(number):
    """The lesson as a student gets it: a NotebookNode."""
    notebook = without_solutions(lessons.read(number))
    if not any("progress(" in cell.source for cell in notebook.cells):
        notebook.cells += _progress_cells(lessons.numbered(number))
    return notebook


def without_solutions(notebook):
    """A copy of the notebook that nbgrader has cleared of solutions and outputs."""
    notebook = copy.deepcopy(notebook)
    for step in STEPS:
        notebook, _ = step(config=SETTINGS).preprocess(notebook, {})
    for cell in notebook.cells:
        if cell.cell_type == "code" and "nbgrader" in cell.metadata:
            cell.metadata.tags = [*cell.metadata.get("tags", []), GOES_ON]
    return notebook


def _progress_cells(number):
    hidden = {"slideshow": {"slide_type": "skip"}}
    (_, title), (_, source) = progress.cells(number)
    return [nbformat.v4.new_markdown_cell(title, id=f"{number}-progress-title", metadata=hidden),
            nbformat.v4.new_code_cell(source, id=f"{number}-progress", metadata=hidden)]
