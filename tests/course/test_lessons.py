"""What every lesson has: twenty points, exercises that come from their one definition, a widget, a beginning and an end."""

import re
from pathlib import Path

import nbformat
import pytest

from lecturekit.course import questions

NOTEBOOKS = {path.name[:2]: path for path in sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))}
ADDRESS = re.compile(r"\]\(https://(arxiv\.org/abs|doi\.org|jmlr\.org|research\.google)/")
lessons = pytest.mark.parametrize("number", questions.LESSONS)


def cells(number):
    return nbformat.read(NOTEBOOKS[number], as_version=4).cells


def graded(number):
    """{id of the question, of its check: cell} of the cells that nbgrader knows."""
    return {cell.metadata.nbgrader.grade_id.replace("-", ".", 1): cell for cell in cells(number) if "nbgrader" in cell.metadata}


@lessons
def test_twenty_points(number):
    points = {key: cell.metadata.nbgrader.points for key, cell in graded(number).items() if cell.metadata.nbgrader.grade}
    assert sum(points.values()) == 20
    for asked in questions.questions(number):
        assert points[f"{asked.id}-check"] == asked.points


@lessons
def test_one_written_answer_graded_by_hand(number):
    written = [cell for cell in graded(number).values() if cell.cell_type == "markdown"]
    assert len(written) == 1
    mark = written[0].metadata.nbgrader
    assert mark.grade and mark.solution and not mark.locked and mark.points == 5


@lessons
def test_exercises_come_from_their_definition(number):
    found = graded(number)
    for asked in questions.questions(number):
        exercise, check = found[asked.id], found[f"{asked.id}-check"]
        assert re.search(rf"^def {asked.function}\(", exercise.source, re.M)
        assert exercise.source.count("### BEGIN SOLUTION") == exercise.source.count("### END SOLUTION") == 1
        assert check.source.strip() == f'check("{asked.id}", {asked.function})'
        assert check.metadata.nbgrader.locked and "✓" in check.outputs[0]["data"]["text/plain"]


@lessons
def test_students_are_told_what_an_exercise_costs_and_can_unfold_a_hint(number):
    text = "\n".join(cell.source for cell in cells(number) if cell.cell_type == "markdown")
    for asked in questions.questions(number):
        place = text.index(f"Exercise {asked.id}")
        assert re.search(rf"{asked.minutes} min", text[place:place + 400])
        assert re.search(r"difficulty|easy|medium|hard", text[place:place + 400])
    assert text.count("<details>") >= 3


@lessons
def test_students_are_told_what_an_exercise_allows(number):
    """The sentence comes from the question: what its cell says is what the check and the grader hold."""
    text = [cell.source for cell in cells(number) if cell.cell_type == "markdown"]
    for asked in questions.questions(number):
        told, = (source for source in text if re.search(rf"^#+ .*Exercise {asked.id}\b", source, re.M))
        assert asked.rules in told, f"{asked.id} should say: {asked.rules}"


@lessons
def test_no_later_cell_needs_the_students_answer(number):
    every = [cell.source for cell in cells(number) if cell.cell_type == "code"]
    for asked in questions.questions(number):
        users = [source for source in every if re.search(rf"(?<![.\w]){asked.function}\(", source)]   # not module.name(
        assert len(users) == 1, f"{asked.function} is called outside its exercise"


@lessons
def test_has_a_widget_that_the_comparison_of_outputs_leaves_out(number):
    widgets = [cell for cell in cells(number) if cell.cell_type == "code" and "widgets." in cell.source]
    assert widgets and all("nbval-ignore-output" in cell.metadata.get("tags", []) for cell in widgets)


@lessons
def test_questions_before_cells_are_short(number):
    """Prose between two code cells stays readable: 150 words at most in one cell, exercises and the ends aside."""
    for cell in cells(number)[3:-5]:
        if cell.cell_type == "markdown" and "nbgrader" not in cell.metadata and "Exercise" not in cell.source:
            words = re.sub(r"\$[^$]*\$|\|[^\n]*\|", " ", cell.source).split()
            assert len(words) <= 150, cell.source[:200]


@lessons
def test_slides_are_marked(number):
    kinds = [cell.metadata.get("slideshow", {}).get("slide_type") for cell in cells(number)]
    assert kinds.count("slide") >= 8 and None not in kinds


@lessons
def test_every_reference_is_a_link_and_the_lessons_beside_it_are_too(number):
    last = next(cell.source for cell in reversed(cells(number)) if "References" in cell.source)
    entries = re.findall(r"^(?:- |\d+\. )[A-Z]\..*(?:\n {3}.*)*", last.partition("References")[2], re.M)
    assert entries and [entry for entry in entries if not ADDRESS.search(entry)] == []
    beside = [NOTEBOOKS.get(f"{int(number) + step:02d}") for step in (-1, 1)]
    assert all(f"]({path.name})" in last for path in beside if path)
