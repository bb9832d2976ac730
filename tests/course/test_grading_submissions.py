"""What is read from a submission: the answers by grade id, and nothing else."""

import os

import pytest
from submissions import HONEST, submission, write

from lecturekit.course import questions
from lecturekit.course.grading import answers, submissions

SIZE = 10 << 20
SPANS = questions.question("03.1")


@pytest.fixture
def read(tmp_path):
    return lambda notebook: submissions.read(write(tmp_path, notebook), "03", SIZE)


def marked(notebook, grade_id):
    """The cells of a notebook with a grade id."""
    return [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id.replace(".", "-")]


def test_answers_by_grade_id(read):
    found = read(submission("03", {**HONEST, "03.4": "Because."}))
    assert found.code == HONEST and found.written == {"03.4": "Because."} and not found.flags and not found.message


@pytest.mark.parametrize("lesson", questions.LESSONS)
def test_the_student_copy_of_every_lesson_is_blank_and_without_flags(lesson, tmp_path):
    found = submissions.read(write(tmp_path, submission(lesson)), lesson, SIZE)
    assert not found.flags
    for asked in questions.questions(lesson):
        assert answers.is_blank(found.code[asked.id], asked.function)


@pytest.mark.parametrize("content, why", [
    (b"", "is empty"), (b"{", "no notebook"), (b"\xff\xfe\x00", "no notebook"), (b"[" * 200_000, "no notebook"),
    (b"[]", "no notebook"), (b'{"cells": 3}', "no notebook"), (b"null", "no notebook"), (b"9" * 5000, "no notebook"),
    (b'{"cells": []}' + b" " * SIZE, "larger than 10 MB")])
def test_what_is_no_notebook_has_no_answers_and_says_why(read, content, why):
    found = read(content)
    assert why in found.message and found.message in found.flags and set(found.code.values()) == {None}


def test_100_mb_are_not_parsed_but_have_their_sha256(tmp_path):
    path = tmp_path / "large.ipynb"
    with open(path, "wb") as file:
        file.truncate(100 << 20)
    found = submissions.read(path, "03", SIZE)
    assert "larger" in found.message
    assert found.sha256 == "20492a4d0d84f8beb1767f6616229f85d44c2827b64bdbfb260ee12fa1109e0e"


def test_links_and_pipes_are_not_followed(tmp_path):
    secret = write(tmp_path, submission("03", HONEST))
    (tmp_path / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "missing"):
        assert "cannot be read" in submissions.read(tmp_path / name, "03", SIZE).message


@pytest.mark.parametrize("junk", [None, 3, "text", [], {"cell_type": 3}, {"source": {"a": 1}}, {"metadata": "x"},
                                  {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": ["03.1"]}}},
                                  {"cell_type": "code", "source": ["\ud800", 3], "metadata": {"nbgrader": []}}])
def test_cells_of_any_shape_do_no_harm(read, junk):
    notebook = submission("03", HONEST)
    notebook["cells"].insert(0, junk)
    assert read(notebook).code == HONEST


def test_a_deleted_cell_is_missing(read):
    notebook = submission("03", HONEST)
    notebook["cells"].remove(marked(notebook, "03.2")[0])
    found = read(notebook)
    assert found.code["03.2"] is None and found.code["03.1"] == HONEST["03.1"]


def test_of_duplicates_the_last_that_is_not_blank_counts(read):
    notebook = submission("03", HONEST)
    cell = marked(notebook, "03.1")[0]
    later = {**cell, "source": "def spans(length, window, stride):\n    return []"}
    stub = {**cell, "source": "def spans(length, window, stride):\n    raise NotImplementedError"}
    notebook["cells"] += [later, stub]
    found = read(notebook)
    assert found.code["03.1"] == later["source"] and any("03.1: several" in flag for flag in found.flags)


def test_without_metadata_an_answer_is_found_by_what_it_defines(read):
    notebook = submission("03", HONEST)
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    found = read(notebook)
    assert found.code == HONEST and "no nbgrader metadata" in found.flags


def test_changes_besides_the_answers_are_flagged_and_do_not_count(read):
    notebook = submission("03", HONEST)
    check = marked(notebook, "03.1-check")[0]
    check["source"], check["metadata"]["nbgrader"]["points"] = "pass", 5000
    marked(notebook, "03.2-check")[0]["source"] = "print('passed')"
    notebook["cells"].append({**check, "metadata": {"nbgrader": {**check["metadata"]["nbgrader"], "grade_id": "03-9"}}})
    found = read(notebook)
    assert found.code == HONEST and found.flags == [
        "03.1-check: changed points", "03.2-check: a locked cell was changed",
        "grade ids that the lesson does not have"]


def test_formats_other_than_4_are_flagged(read):
    assert "not notebook format 4" in read({**submission("03", HONEST), "nbformat": 3}).flags


def test_a_long_answer_in_words_is_cut(read):
    assert len(read(submission("03", {"03.4": "a" * 100_000})).written["03.4"]) == submissions.WORDS


def test_the_setup_is_our_own_imports():
    for lesson in questions.LESSONS:
        assert any("lecturekit" in line for line in submissions.setup(lesson))
        assert all(line.startswith(("import ", "from ")) for line in submissions.setup(lesson))


@pytest.mark.parametrize("source", [
    "", "  \n# to do", "def spans(length):\n    raise NotImplementedError()", "def spans(*a):\n    pass",
    'def spans(a):\n    """Doc."""\n    # YOUR CODE HERE\n    raise NotImplementedError'])
def test_blank(source):
    assert answers.is_blank(source, "spans")


@pytest.mark.parametrize("source", [HONEST["03.1"], "spans = 3", "def spans(:", "import os\ndef spans(*a):\n    pass"])
def test_not_blank(source):
    assert not answers.is_blank(source, "spans")


@pytest.mark.parametrize("source", [
    "spans = attribution.spans", "from lecturekit.attribution import spans as own", "import lecturekit\n"
    "spans = lecturekit.attribution.spans"])
def test_the_reference_is_forbidden(source):
    assert answers.forbidden(SPANS, source) == ["spans"]


@pytest.mark.parametrize("source, used", [
    ("def map_scores(map, mask):\n    return iou(map, mask)", ["iou"]),
    ("def map_scores(map, mask):\n    return localisation.pointing_game(map, mask)", ["pointing_game"]),
    ("from lecturekit.attribution.localisation import energy_inside as energy", ["energy_inside"]),
    ("def map_scores(map, mask):\n    return getattr(localisation, 'iou')(map, mask)", ["iou"]),
    ("%matplotlib inline\nx = localisation.iou(1, 2)", ["iou"]),
    ("def map_scores(map, mask):\n    iou = 3\n    return iou", []), (HONEST["03.3"], [])])
def test_forbidden_names(source, used):
    assert answers.forbidden(questions.question("03.3"), source) == used


@pytest.mark.parametrize("source, flags", [("eval('1')", ["eval"]), ("import importlib", ["importlib"]),
                                           ("getattr(torch, 'a' + 'b')", ["getattr with a computed name"]),
                                           ("getattr(torch, 'sum')", []), (HONEST["03.2"], [])])
def test_what_is_worth_a_look(source, flags):
    assert answers.suspicious(source) == flags


def test_identical_answers_have_one_digest_whatever_their_comments_and_spacing():
    assert answers.digest("def f(a):\n    return a  # mine") == answers.digest("def f( a ):\n\n  return a")
    assert answers.digest("def f(a): return a") != answers.digest("def f(a): return -a")


def test_a_source_that_no_parser_survives_is_no_python():
    for source in ("(" * 5000 + ")" * 5000, "-" * 40_000 + "1", "a" * 200_000, "\ud800", "x = !ls"):
        assert answers.tree(source) is None and not answers.uses(source) and not answers.defines(source)
        assert len(answers.digest(source)) == 64


def test_a_source_that_can_be_read_but_is_deep_has_a_digest():
    assert all(len(answers.digest("+".join(["a"] * terms))) == 64 for terms in (100, 400, 900, 2000, 9000))
