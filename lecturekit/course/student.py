"""The student copy of a lesson as a lecturer hands it out: nbgrader itself takes solutions and outputs out, and seals it."""

import copy
from pathlib import Path

import nbformat
from nbgrader import preprocessors
from traitlets.config import Config

from lecturekit.course import exercises, lessons

STEPS = [getattr(preprocessors, name) for name in (   # the order of nbgrader's own generate_assignment
    "LockCells", "ClearSolutions", "ClearOutput", "ClearHiddenTests", "ClearMarkScheme", "ComputeChecksums",
    "CheckCellMetadata")]
SETTINGS = Config({"ClearSolutions": {"text_stub": exercises.TEXT_STUB}})


def build(numbers=None, folder=Path("build/student")):
    """Write the student copies of lessons (all by default) into `folder`; returns their paths."""
    return [lessons.write(Path(folder) / lessons.path(number).name, nbformat.writes(student_copy(number)) + "\n")
            for number in lessons.chosen(numbers)]


def student_copy(number):
    """The lesson as a student gets it: a NotebookNode."""
    return exercises.with_progress(without_solutions(lessons.read(number)), lessons.numbered(number))


def without_solutions(notebook):
    """A copy of the notebook that nbgrader has cleared of solutions and outputs, and sealed."""
    notebook = copy.deepcopy(notebook)
    for step in STEPS:
        notebook, _ = step(config=SETTINGS).preprocess(notebook, {})
    return exercises.tolerant(notebook)
