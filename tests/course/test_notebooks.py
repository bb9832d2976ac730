"""The lessons as stored: executed in order, light, plain Python, readable. Running them is nbval's part."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

LESSONS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MEGABYTE = 1_000_000
PATHS = re.compile(r"(?<![\w.:/])/(home|root|Users|tmp|usr|opt|var|mnt|work|content)/|\b[A-Z]:\\")
lessons = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def texts(cell):
    """The source of a cell and its outputs that are text."""
    bundles = [output.get("data", {}) for output in cell.get("outputs", [])]
    streams = [output["text"] for output in cell.get("outputs", []) if output["output_type"] == "stream"]
    shown = [value for bundle in bundles for kind, value in bundle.items() if kind.startswith("text/")]
    return [cell.source, *streams, *shown]


ALT = re.compile(r"""^ +alt=f?".*(?:\n +f?".*)*$""", re.M)   # the text of a figure on lines of its own


def code_lines(source):
    """The lines that count as code: no blank ones, not nbgrader's two markers around a solution, and no text that says
    what a figure shows."""
    return [line for line in ALT.sub("", source).splitlines() if line.strip() and not line.strip().startswith("### ")]


@lessons
def test_was_executed_once_from_top_to_bottom_without_an_error(path):
    cells = [cell for cell in code_cells(path) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = [output.output_type for cell in cells for output in cell.outputs]
    assert "error" not in kinds and "display_data" in kinds


@lessons
def test_weighs_at_most_two_and_a_half_megabytes(path):
    assert path.stat().st_size <= 2.5 * MEGABYTE


@lessons
def test_the_package_comes_before_torch(path):
    """It sets how torch's threads wait, which counts only before torch is loaded."""
    first = ast.parse(code_cells(path)[0].source).body[0]
    assert isinstance(first, ast.ImportFrom) and first.module.partition(".")[0] == "lecturekit"


@lessons
def test_every_figure_has_a_text_that_says_what_it_shows(path):
    figures = [(cell.id, output.metadata.get(kind, {}).get("alt", "")) for cell in code_cells(path) for output in cell.outputs
               for kind in output.get("data", {}) if kind.startswith("image/")]
    assert figures and [cell for cell, alt in figures if len(alt) < 20] == []


@lessons
def test_code_is_short_and_plain_python(path):
    for cell in code_cells(path):
        ast.parse(cell.source)   # a magic, a ! or a ? is no Python
        assert "get_ipython" not in cell.source
        built = cell.metadata.get("nbgrader", {}).get("solution")   # an exercise to build, solved
        assert len(code_lines(cell.source)) <= (15 if built else 12), cell.source


@lessons
def test_names_no_place_on_the_authors_machine(path):
    for cell in nbformat.read(path, as_version=4).cells:
        for text in texts(cell):
            assert not PATHS.search(text), text


@lessons
def test_is_valid_and_its_cells_have_unique_ids(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_the_text_of_a_figure_is_no_code():
    source = 'x = 1\nplots.images(x,\n             alt="Eight photos, and "\n                 "eight maps.")\nprint(x)'
    assert code_lines(source) == ["x = 1", "plots.images(x,", "print(x)"]


def test_a_path_of_the_author_is_recognised():
    assert PATHS.search("open('/home/ann/cat.jpg')") and PATHS.search(r"C:\Users") and PATHS.search("/tmp/x")
    assert not PATHS.search("data/home/x https://example.org/home/ 1/work/2 a/tmp/")


def test_a_lessons_kernel_has_no_network():
    source = "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=3)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, allow_errors=True).execute()
    assert notebook.cells[0].outputs[-1].ename == "NetworkBlocked"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_no_line_of_code_is_too_wide_for_a_projector(path):
    wide = [(cell.id, line) for cell in code_cells(path) for line in cell.source.splitlines() if len(line) > 98]
    assert wide == []
