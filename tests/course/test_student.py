"""The student copies: no solution, no output, valid for nbgrader; they run from any folder, only the stubs unsolved."""

import re

import nbformat
import pytest
import solutions
from nbclient import NotebookClient
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.utils import determine_grade

from lecturekit.course import checks, exercises, lessons, progress, questions, student

QUICKEST = "01"
SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.S)
every_lesson = pytest.mark.parametrize("number", questions.LESSONS)


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """{number: the copy as read from its file}."""
    paths = student.build(folder=tmp_path_factory.mktemp("student"))
    return {path.name[:2]: nbformat.read(path, as_version=4) for path in paths}


def strict(cell):
    """What a student sees of a cell, and how it runs."""
    return cell.id, cell.cell_type, cell.source, cell.get("outputs"), cell.metadata.get("tags")


@every_lesson
def test_nothing_of_a_solution_is_left(number, copies):
    sources = {cell.id: cell.source for cell in copies[number].cells}
    solved = [cell for cell in lessons.read(number).cells if SOLUTION.search(cell.source)]
    assert len(solved) >= 3
    for cell in solved:
        solution, = SOLUTION.findall(cell.source)
        left = {line.strip() for line in sources[cell.id].splitlines()}
        assert not left & set(filter(None, map(str.strip, solution.splitlines())))
        assert not any(solution.strip() in source for source in sources.values())
    assert not any("SOLUTION" in source for source in sources.values())


@every_lesson
def test_stubs_checks_and_the_rest_stay(number, copies):
    before, after = lessons.read(number).cells, copies[number].cells
    assert [cell.id for cell in after[:len(before)]] == [cell.id for cell in before]
    for old, new in zip(before, after):
        assert new.source == old.source or (old.metadata.nbgrader.solution and new.metadata.nbgrader.solution)
    assert sum("raise NotImplementedError()" in cell.source for cell in after) == len(questions.questions(number))


@every_lesson
def test_holds_no_output(number, copies):
    cells = [cell for cell in copies[number].cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


@every_lesson
def test_exercises_and_checks_alone_may_fail(number, copies):
    for cell in copies[number].cells:
        if cell.cell_type == "code":
            assert (exercises.GOES_ON in cell.metadata.get("tags", [])) == ("nbgrader" in cell.metadata)
    source = [tag for cell in lessons.read(number).cells for tag in cell.metadata.get("tags", [])]
    assert exercises.GOES_ON not in source


@every_lesson
def test_tells_minutes_difficulty_and_points_of_each_exercise(number, copies):
    found = [(re.search(r"^##+ Exercise (\d\d\.\d)", cell.source, re.M), cell.source) for cell in copies[number].cells]
    told = {heading[1]: source[heading.end():] for heading, source in found if heading}
    for asked in questions.questions(number):
        assert re.search(rf"\b{asked.minutes} minutes\b", told[asked.id])
        assert re.search(rf"\b{asked.points} points\b", told[asked.id])
    assert all(re.search(r"\b(easy|medium|hard|difficulty \d of 3)\b", text) for text in told.values())
    assert len(told) == len(questions.questions(number)) + 1


@every_lesson
def test_a_students_own_copy_has_the_same_cells_without_nbgraders_seals(number, copies):
    own = exercises.exercise(number)
    nbformat.validate(own)
    for cell in own.cells:
        assert "checksum" not in cell.metadata.get("nbgrader", {}) and cell.metadata.get("editable", True)
    assert [strict(cell) for cell in own.cells] == [strict(cell) for cell in copies[number].cells]


@every_lesson
def test_is_valid_for_jupyter(number, copies):
    nbformat.validate(copies[number])


@every_lesson
def test_is_valid_for_nbgrader(number, copies):
    MetadataValidator().validate_nb(copies[number])
    identifiers = [cell.metadata.nbgrader.grade_id for cell in copies[number].cells if "nbgrader" in cell.metadata]
    assert len(set(identifiers)) == len(identifiers) == 7


@every_lesson
def test_graded_cells_are_sealed(number, copies):
    graded = [cell for cell in copies[number].cells if "nbgrader" in cell.metadata]
    assert graded and all(cell.metadata.nbgrader.checksum and not cell.metadata.deletable for cell in graded)
    checks = [cell for cell in graded if cell.metadata.nbgrader.locked]
    assert checks and not any(cell.metadata.editable for cell in checks)


@every_lesson
def test_ends_with_the_progress(number, copies):
    assert f'progress("{number}")' in copies[number].cells[-1].source
    written = [cell.metadata.nbgrader.points for cell in copies[number].cells
               if cell.cell_type == "markdown" and "nbgrader" in cell.metadata]
    assert written == [checks.WRITTEN_POINTS]


def test_runs_to_its_end_from_another_folder(copies, tmp_path):
    notebook = copies[QUICKEST]
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [(cell, output) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for _, output in outputs if output.output_type == "error"]   # papermill would exit with 1
    untried = [(cell, output.text) for cell, output in outputs if output.get("name") == "stderr"]
    assert [text for _, text in untried] == [f"{asked.id}: {asked.function} is still to be written.\n"
                                             for asked in questions.questions(QUICKEST)]
    assert all(determine_grade(cell) == (0, cell.metadata.nbgrader.points) for cell, _ in untried)
    shown = notebook.cells[-1].outputs[0].data
    assert shown["text/plain"].count("not tried") == shown["text/html"].count("not tried") == len(untried)
    assert not list(tmp_path.iterdir())


def test_the_progress_follows_the_checks(monkeypatch):
    monkeypatch.setattr(checks, "_states", {})
    first, second, third = questions.questions("03")
    checks.check(first.id, solutions.function(first))
    with pytest.raises(AssertionError):
        checks.check(second.id, lambda *arguments: None)
    told = checks.progress("03")
    states = [row.state for row in told.rows]
    assert states == [progress.PASSED, progress.NOT_YET, progress.NOT_TRIED, progress.BY_HAND]
    assert f"{first.points} of 15 points by the checks; 5 more are marked by hand." in repr(told)
    assert "✓ passed" in told._repr_html_() and "✗ not yet" in repr(told)
    with pytest.raises(AssertionError):
        checks.check(first.id, lambda *arguments: None)
    assert checks.progress("03").rows[0].state == progress.NOT_YET


def test_a_stub_is_not_tried_however_often_it_is_checked(monkeypatch):
    def stub(*arguments):
        raise NotImplementedError
    monkeypatch.setattr(checks, "_states", {})
    with pytest.raises(NotImplementedError):
        checks.check("03.1", stub)
    assert checks.progress("03").rows[0].state == progress.NOT_TRIED


def test_progress_of_an_unknown_lesson():
    with pytest.raises(ValueError, match="lesson: got '99'"):
        checks.progress("99")


def test_a_lesson_goes_by_number_and_is_written_whole(tmp_path):
    assert lessons.numbered(3) == lessons.numbered("3") == lessons.numbered("03") == "03"
    with pytest.raises(ValueError, match="lesson: got '99'. It takes one of: 01, 02"):
        student.build(["99"], tmp_path)
    path = lessons.write(tmp_path / "new" / "file.txt", "one")
    with pytest.raises(TypeError):
        lessons.write(path, 1)
    assert path.read_text() == "one" and [entry.name for entry in path.parent.iterdir()] == ["file.txt"]
