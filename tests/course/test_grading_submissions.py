"""What is read from a submission: the answers by grade id, and nothing else."""

import json
import os
import time

import pytest
from submissions import HONEST, submission, write

from lecturekit.course import questions
from lecturekit.course.grading import answers, finding, submissions

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
    assert set(found.written.values()) == {""}


@pytest.mark.parametrize("content, why", [
    (b"", "is empty"), (b"{", "no notebook"), (b"\xff\xfe\x00", "UTF-16"), ("{}".encode("utf-16-le"), "UTF-16"), (b"{\xe9}", "not written in UTF-8"), (b"[" * 200_000, "no notebook"),
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
    notebook = submission("03", {**HONEST, "03.4": "Because."})
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    found = read(notebook)
    assert found.code == HONEST and found.flags == ["no nbgrader metadata"] and found.written == {"03.4": "Because."}


def place(notebook, grade_id):
    return notebook["cells"].index(marked(notebook, grade_id)[0])


def added(notebook, where, source, kind="code"):
    notebook["cells"].insert(where, {"cell_type": kind, "metadata": {}, "source": source})


def test_a_later_cell_that_defines_the_function_counts_and_is_flagged(read):
    notebook = submission("03", HONEST)
    added(notebook, len(notebook["cells"]), "def spans(length, window, stride):\n    return [1]")
    found = read(notebook)
    assert found.code["03.1"].endswith("[1]") and found.flags == [
        "03.1: taken from a later cell that defines spans"]


def test_an_answer_below_its_stub(read):
    notebook = submission("03")
    added(notebook, place(notebook, "03.1") + 1, HONEST["03.1"])
    found = read(notebook)
    assert found.code["03.1"] == HONEST["03.1"] and len(found.flags) == 1


def test_helpers_imports_constants_and_earlier_answers_come_along(read):
    uses = HONEST["03.2"].replace("attribution.spans", "spans").replace("total / count", "half(total) / math.prod([1]) / K / count")
    notebook = submission("03", {**HONEST, "03.2": uses})
    for source in ("import math\nimport os", "K = 1", "def half(x):\n    return x"):
        added(notebook, place(notebook, "03.2"), source)
    run = read(notebook).found["03.2"].run
    assert [line.split("(")[0].split("\n")[0] for line in run] == [
        "def spans", "import math", "K = 1", "def half", "def hidden_squares"]


def test_a_lesson_cell_comes_along_only_where_it_is_needed(read):
    found = read(submission("03", HONEST))
    assert all(len(answer.run) == 1 for answer in found.found.values())


@pytest.mark.parametrize("cells", [
    ["spans = make()", "def make():\n    return built", "built = build(1)", "def build(n):\n    return helper", "HELPER"],
    ["def make():\n    return K, helper", "spans = make()[1]", "HELPER", "K = 3"],
    ["spans = wrapped(helper)", "HELPER", "def wrapped(f):\n    return f"]])
def test_cells_that_were_run_in_another_order_than_they_stand_in(read, cells):
    notebook = submission("03")
    here = place(notebook, "03.1")
    helper = HONEST["03.1"].replace("def spans", "def helper")
    for number, source in enumerate(cells, 1):
        added(notebook, here + number, source.replace("HELPER", helper))
    names = {}
    for source in read(notebook).found["03.1"].run:
        exec(source, names)
    assert names["spans"](10, 3, 2) == [(0, 3), (2, 5), (4, 7), (6, 9), (8, 10)]


def test_a_value_that_changes_is_taken_in_the_notebooks_order(read):
    notebook = submission("03")
    for number, source in enumerate(("n = 1", "n = n + 1", "def spans(*of):\n    return n"), 1):
        added(notebook, place(notebook, "03.1") + number, source)
    assert read(notebook).found["03.1"].run == ("n = 1", "n = n + 1", "def spans(*of):\n    return n")


def test_a_cell_that_ran_after_the_one_that_counts_is_told(read):
    notebook = submission("03", HONEST)
    marked(notebook, "03.1")[0]["execution_count"] = 12
    added(notebook, len(notebook["cells"]), "def spans(length, window, stride):\n    return [1]")
    later = notebook["cells"][-1]
    told = "03.1: several cells define spans; the last one counts, another one ran after it"
    for count, expected in ((3, True), (13, False), (None, False)):
        later["execution_count"] = count
        found = read(notebook)
        assert found.code["03.1"].endswith("[1]") and (told in found.flags) == expected


@pytest.mark.parametrize("changed", [True, False], ids=["its own cell", "a cell of the student's"])
def test_a_function_of_another_name_that_was_checked_counts(read, changed):
    """`check("03.1", my_spans)` says that it is right: so it is."""
    notebook = submission("03", {"03.1": HONEST["03.1"].replace("def spans", "def my_spans")})
    if changed:
        marked(notebook, "03.1-check")[0]["source"] = 'check("03.1", my_spans)'
    else:
        added(notebook, place(notebook, "03.1") + 1, 'check("03.1", my_spans)')
    found = read(notebook)
    assert found.found["03.1"].run[-1] == "spans = my_spans"
    assert "03.1: no spans, but its check was given my_spans, which counts" in found.flags
    answer = found.found["03.1"]
    assert answers.forbidden(SPANS, answer.made_of) == []


def test_a_checked_function_of_another_name_is_searched_as_any(read):
    source = "def my_spans(*of):\n    return attribution.spans(*of)"
    notebook = submission("03", {"03.1": source})
    added(notebook, place(notebook, "03.1") + 1, 'check("03.1", my_spans)')
    assert answers.forbidden(SPANS, read(notebook).found["03.1"].made_of) == ["spans"]


def test_2000_cells_and_cells_of_one_id_take_no_long(read):
    notebook = submission("03", HONEST)
    notebook["cells"][5:5] = [{"cell_type": "code", "metadata": {}, "source": f"total = {n}\nimage = total * {n}"}
                              for n in range(2000)]
    for cell in notebook["cells"]:
        cell["id"] = "one"
    started = time.monotonic()
    found = read(notebook)
    assert found.code == HONEST and not found.flags and time.monotonic() - started < 20


@pytest.mark.parametrize("source", [
    HONEST["03.1"] + "\nprint(spans(1))\nraise ValueError", "!pip install numpy\n%matplotlib inline\n" + HONEST["03.1"],
    "%%time\n" + HONEST["03.1"], "spans?\n" + HONEST["03.1"], HONEST["03.1"] + "\nfiles = !ls"])
def test_what_else_stands_in_the_cell(read, source):
    answer = read(submission("03", {"03.1": source})).found["03.1"]
    assert answer.source == source and sum("def spans" in line for line in answer.run) == 1
    assert not any("pip" in line or "%" in line for line in answer.run)


def test_what_stands_below_a_syntax_error_is_left_out_and_flagged(read):
    found = read(submission("03", {"03.1": HONEST["03.1"] + "\nspans(10, 3,\n"}))
    assert [line.split("(")[0] for line in found.found["03.1"].run] == ["def spans"]
    assert found.flags == ["03.1: what stands below a syntax error was left out"]


def test_cell_magics_that_run_no_python_define_nothing(read):
    for magic in ("%%bash", "%%writefile x.py", "%%html"):
        found = read(submission("03", {"03.1": f"{magic}\n{HONEST['03.1']}"}))
        assert not answers.defines(found.code["03.1"])


def test_merged_cells(read):
    """Exercise, its check and the next exercise in one cell, as Jupyter merges them: the first one's metadata stay."""
    notebook = submission("03", HONEST)
    first, check, second = (marked(notebook, name)[0] for name in ("03.1", "03.1-check", "03.2"))
    first["source"] = "\n\n".join((first["source"], check["source"], second["source"]))
    notebook["cells"].remove(check), notebook["cells"].remove(second)
    found = read(notebook)
    assert found.code["03.1"] == found.code["03.2"] == first["source"]


def test_split_cells(read):
    notebook = submission("03", HONEST)
    cell = marked(notebook, "03.3")[0]
    cell["source"], rest = "def positive_part(map):\n    return map.clamp(min=0)", HONEST["03.3"]
    added(notebook, place(notebook, "03.3") + 1, rest.replace("map.clamp(min=0)", "positive_part(map)"))
    found = read(notebook)
    assert len(found.found["03.3"].run) == 2 and found.flags == ["03.3: taken from a later cell that defines map_scores"]


def test_moved_cells(read):
    notebook = submission("03", HONEST)
    cells = [marked(notebook, name)[0] for name in ("03.1", "03.2", "03.3")]
    notebook["cells"] = [cell for cell in notebook["cells"] if cell not in cells] + cells[::-1]
    assert read(notebook).code == HONEST


@pytest.mark.parametrize("kind", ["markdown", "raw"])
@pytest.mark.parametrize("form", ["{}", "```python\n{}\n```"])
def test_code_that_was_turned_into_words(read, kind, form):
    notebook = submission("03", HONEST)
    cell = marked(notebook, "03.1")[0]
    cell["cell_type"], cell["source"] = kind, form.format(HONEST["03.1"])
    found = read(notebook)
    assert any("def spans" in line for line in found.found["03.1"].run)
    assert found.flags == ["03.1: the code stood in a cell of words"]


def test_without_metadata_and_without_the_function_an_answer_is_found_by_its_place(read):
    notebook = submission("03", {"03.1": "span = 3"})
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    found = read(notebook)
    assert found.code["03.1"] == "span = 3" and "03.1: no cell of this id, found by its place" in found.flags


WORDS = "The network may use the background, or two parts that each suffice."


def test_words_in_a_new_cell_beside_the_stub(read):
    notebook = submission("03")
    added(notebook, place(notebook, "03.4") + 1, WORDS, "markdown")
    found = read(notebook)
    assert found.written["03.4"] == WORDS and found.flags == ["03.4: the text does not stand in its own cell alone"]


@pytest.mark.parametrize("kind", ["code", "raw"])
def test_words_in_a_cell_of_another_kind(read, kind):
    notebook = submission("03", {"03.4": WORDS})
    marked(notebook, "03.4")[0]["cell_type"] = kind
    assert read(notebook).written["03.4"] == WORDS


@pytest.mark.parametrize("kind", ["code", "markdown"])
def test_words_whose_metadata_and_cell_are_lost(read, kind):
    notebook = submission("03")
    notebook["cells"][place(notebook, "03.4")] = {"cell_type": kind, "metadata": {"id": "x"}, "source": WORDS}
    assert read(notebook).written["03.4"] == WORDS


def test_words_written_into_the_exercise_itself(read):
    notebook = submission("03")
    cell = notebook["cells"][place(notebook, "03.4") - 1]
    cell["source"] += f"\n\n{WORDS}"
    assert read(notebook).written["03.4"] == WORDS


def test_words_anywhere_reach_a_person(read):
    notebook = submission("03")
    notebook["cells"].remove(marked(notebook, "03.4")[0])
    added(notebook, 3, WORDS, "markdown")
    found = read(notebook)
    assert found.written["03.4"] == WORDS
    assert "03.4: nothing in its place, all texts of the student's own are shown" in found.flags


def test_words_beside_code_that_was_turned_into_words_reach_a_person(read):
    notebook = submission("03")
    notebook["cells"].remove(marked(notebook, "03.4")[0])
    text = f"```python\n{HONEST['03.1']}\n```\n\n```\n{WORDS}\n```"
    added(notebook, 3, text, "markdown")
    found = read(notebook)
    assert WORDS in found.written["03.4"] and "def spans" not in found.written["03.4"]


def test_several_cells_of_words_are_all_shown(read):
    notebook = submission("03", {"03.4": WORDS})
    cell = marked(notebook, "03.4")[0]
    notebook["cells"].append({**cell, "source": "And a second reason."})
    assert read(notebook).written["03.4"] == f"{WORDS}\n\nAnd a second reason."


@pytest.mark.parametrize("encode", [lambda text: text.encode(), lambda text: b"\xef\xbb\xbf" + text.encode(),
                                    lambda text: text.replace("\\n", "\\r\\n").encode()], ids=["plain", "BOM", "CRLF"])
def test_whatever_encoding_jupyter_opens(read, encode):
    found = read(encode(json.dumps(submission("03", HONEST))))
    assert found.code == HONEST and not found.flags


def without_ids(notebook):
    """As nbformat 4.0 to 4.4 writes it."""
    notebook["nbformat_minor"] = 0
    for cell in notebook["cells"]:
        cell.pop("id", None)


def as_colab(notebook):
    """As Google Colab writes it: metadata of its own, lines as a list, no nbgrader."""
    notebook["metadata"] = {"colab": {"provenance": []}, "kernelspec": {"name": "python3", "display_name": "Python 3"}}
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"] = {"id": f"c{number}"}
        cell["source"] = cell["source"].splitlines(keepends=True)


def as_vs_code(notebook):
    """As VS Code writes it: trailing spaces trimmed, its own metadata, no nbgrader."""
    for cell in notebook["cells"]:
        cell["metadata"] = {"vscode": {"languageId": "python"}} if cell["cell_type"] == "code" else {}
        cell["source"] = "\n".join(map(str.rstrip, cell["source"].splitlines())) + "\n"


def as_notebook_7(notebook):
    for cell in notebook["cells"]:
        cell["metadata"] |= {"editable": True, "tags": [], "execution": {}, "collapsed": False}


def as_format_3(notebook):
    """As IPython 2 wrote it: worksheets, code as `input`."""
    cells = notebook.pop("cells")
    for cell in cells:
        if cell["cell_type"] == "code":
            cell["input"] = cell.pop("source")
    notebook |= {"nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells, "metadata": {}}]}


@pytest.mark.parametrize("worksheets", [3, [], [3], [{"cells": 3}], [{"cells": [3]}]])
def test_worksheets_of_any_shape_do_no_harm(read, worksheets):
    found = read({"nbformat": 3, "worksheets": worksheets})
    assert set(found.code.values()) == {None} and found.flags


@pytest.mark.parametrize("written", [without_ids, as_format_3, as_colab, as_vs_code, as_notebook_7])
def test_whatever_program_wrote_the_file(read, written):
    notebook = submission("03", {**HONEST, "03.4": WORDS})
    written(notebook)
    found = read(notebook)
    assert {name: source.strip() for name, source in found.code.items()} == {n: s.strip() for n, s in HONEST.items()}
    assert found.written["03.4"].strip() == WORDS


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
    assert len(read(submission("03", {"03.4": "a" * 100_000})).written["03.4"]) == finding.WORDS


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
    "spans = lecturekit.attribution.spans", "import lecturekit.attribution as a\nspans = a.spans",
    "other = attribution\nspans = other.spans", "spans = getattr(attribution, 'spans')"])
def test_the_reference_is_forbidden(source):
    assert answers.forbidden(SPANS, [source]) == ["spans"]


@pytest.mark.parametrize("source, used", [
    ("def map_scores(map, mask):\n    return iou(map, mask)", ["iou"]),
    ("def map_scores(map, mask):\n    return localisation.pointing_game(map, mask)", ["pointing_game"]),
    ("from lecturekit.attribution.localisation import energy_inside as energy", ["energy_inside"]),
    ("def map_scores(map, mask):\n    return getattr(localisation, 'iou')(map, mask)", ["iou"]),
    ("%matplotlib inline\nx = localisation.iou(1, 2)", ["iou"]),
    ("f = vars(localisation)['iou']", ["iou"]), ("f = localisation.__dict__.get('iou')", ["iou"]),
    ("f = lambda *of: iou(*of)", ["iou"]), ("f = [iou(1) for _ in ()]", ["iou"]), ("other = localisation.iou", ["iou"]),
    ("from operator import attrgetter\nf = attrgetter('localisation.iou')", ["iou"]),
    ("def map_scores(map, mask):\n    iou = 3\n    return iou", []), (HONEST["03.3"], []),
    ("def iou(a):\n    return a\ndef map_scores(map, mask):\n    return iou(map)", []),
    ('def map_scores(map, mask):\n    """Not by iou: localisation.iou."""', []), ("found = {'iou': 1}\nfound['iou']", []),
    ("found = {'iou': 1}.get('iou')", []), ("print('iou')", [])])
def test_forbidden_names(source, used):
    assert answers.forbidden(questions.question("03.3"), [source]) == used


@pytest.mark.parametrize("source", [
    "torch.func.vjp(f, 1)", "x.backward()", "torch.autograd.grad(1)", "x.requires_grad_()", "from torch.func import jacrev",
    "getattr(torch.autograd, 'grad')(1)"])
def test_all_that_is_a_gradient_of_pytorch(source):
    assert answers.forbidden(questions.question("02.2"), [source])


@pytest.mark.parametrize("source", ["gradients = 3", "image.unfold(0, 3, 1)", "grads = 1\ngrads", "with torch.no_grad(): pass"])
def test_what_only_sounds_like_it(source):
    assert answers.forbidden(questions.question("02.2"), [source]) == []


@pytest.mark.parametrize("source, flags", [("eval('1')", ["eval"]), ("import importlib", ["importlib"]),
                                           ("getattr(torch, 'a' + 'b')", ["getattr with a computed name"]),
                                           ("vars(F)['conv' + '2d']", ["vars"]), ("from torch import *", ["import *"]),
                                           ("getattr(torch, 'sum')", []), (HONEST["03.2"], [])])
def test_what_is_worth_a_look(source, flags):
    assert answers.suspicious([source]) == flags


def test_identical_answers_have_one_digest_whatever_their_comments_and_spacing():
    assert answers.digest("def f(a):\n    return a  # mine") == answers.digest("def f( a ):\n\n  return a")
    assert answers.digest("def f(a): return a") != answers.digest("def f(a): return -a")


def test_a_source_that_no_parser_survives_is_no_python():
    for source in ("(" * 5000 + ")" * 5000, "-" * 40_000 + "1", "a" * 200_000, "\ud800", "x = = 3"):
        assert answers.tree(source) is None and not answers.defines(source)
        assert len(answers.digest(source)) == 64


def test_a_source_that_can_be_read_but_is_deep_has_a_digest():
    assert all(len(answers.digest("+".join(["a"] * terms))) == 64 for terms in (100, 400, 900, 2000, 9000))
