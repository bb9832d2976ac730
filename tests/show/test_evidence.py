"""Stored evidence: written whole, read back, found stale, drawn with its nulls and the live values; and the one that is stored."""

import json
import re
import runpy
import subprocess
import sys

import matplotlib.pyplot as plt
import nbformat
import pytest

from lecturekit import files
from lecturekit.course import doctor, lessons
from lecturekit.show import evidence
from lecturekit.show.evidence import Row

RUNNER = files.root() / "recipes/evidence"
ROWS = [Row("Grad-CAM", 0.9, 0.8, 0.95, 200), Row("saliency", 0.6, 0.5, 0.7, 200), Row("flat", 0.5, 0.5, 0.5, 100, null=True)]
CURVES = [Row(name, 1 - eps / 10, 0.1, 1.0, 300, eps, null=name == "noise") for name in ("net", "noise") for eps in (0, 1, 2)]
PROGRAM = """
from lecturekit.show.evidence import Row
QUESTION, UNIT, INTERVAL = "How much?", "share", "range over seeds"
SETTINGS = {"n": 3}
WEIGHTS = ("weights/a.safetensors",)
def measured(k):
    calls = open(__file__ + ".calls", "a"); calls.write(str(k)); calls.close()
    if k == 2 and not open(__file__ + ".calls").read().count("2") > 1:
        raise KeyboardInterrupt
    return k / 10
def parts():
    return {str(k): (lambda k=k: measured(k)) for k in range(SETTINGS["n"])}
def rows(results):
    return [Row(name, value, 0, 1, 3) for name, value in results.items()]
"""


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder of its own, with one weights file and a folder of programs."""
    (tmp_path / "data/weights").mkdir(parents=True)
    (tmp_path / "data/weights/a.safetensors").write_bytes(b"weights")
    (tmp_path / "data/recipes/evidence").mkdir(parents=True)
    digest = files.sha256(tmp_path / "data/weights/a.safetensors")
    (tmp_path / "data/SHA256SUMS").write_text(f"{digest}  weights/a.safetensors\n")
    monkeypatch.setenv("LECTUREKIT_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def written(rows=ROWS, settings={"n": 3}):
    return evidence.write("05-objects", "Whose object?", "share", "95 % interval", rows, settings, ["weights/a.safetensors"])


def test_what_is_written_is_read_back(data):
    path = written()
    found = evidence.load("05-objects")
    assert path == data / "evidence/05-objects.json" and evidence.names() == ["05-objects"]
    assert found.rows == tuple(ROWS) and found["Grad-CAM"] == 0.9 and found.n() == "100 to 200"
    assert found.weights == {"weights/a.safetensors": files.sha256(data / "weights/a.safetensors")}
    assert [p.name for p in path.parent.iterdir()] == ["05-objects.json"]
    written(CURVES)
    assert evidence.load("05-objects")["net", 2] == 0.8


def test_rows_of_shares_and_of_seeds_have_their_intervals():
    share, mean = evidence.share("a", 9, 10, 0.5), evidence.over_seeds("b", [0.2, 0.6], 40, null=True)
    assert (share.value, share.n, share.at) == (0.9, 10, 0.5) and 0.59 < share.low < 0.6 and 0.98 < share.high < 0.99
    assert evidence.share("a", 10, 10).high == 1 and evidence.share("a", 0, 10).low == 0
    assert mean == Row("b", 0.4, 0.2, 0.6, 40, null=True)


def test_errors_say_what_is_there(data):
    written()
    with pytest.raises(ValueError, match="name: got '05-object'. Did you mean '05-objects'"):
        evidence.load("05-object")
    with pytest.raises(ValueError, match="key: got 'Grad-Cam'. Did you mean 'Grad-CAM'"):
        evidence.load("05-objects")["Grad-Cam"]
    with pytest.raises(ValueError, match="value: got 0.9 of 'a'. It takes a number within its interval, 0.1 to 0.2"):
        Row("a", 0.9, 0.1, 0.2, 3)
    (data / "evidence/05-objects.json").write_text('{"question": "?", "rows": [')
    with pytest.raises(ValueError, match="05-objects.json cannot be read"):
        evidence.load("05-objects")


def test_evidence_of_other_weights_or_settings_is_stale(data):
    program = data / "recipes/evidence/05_objects.py"
    program.write_text('A, B = 1, 2\nSETTINGS = {"n": 3}\n')
    written()
    assert evidence.stale("05-objects") == [] and "1 stored findings" in doctor.evidence()
    program.write_text('SETTINGS = {"n": 4}\n')
    assert evidence.stale("05-objects") == ["other settings in 05_objects.py"]
    (data / "SHA256SUMS").write_text(f"{'0' * 64}  weights/a.safetensors\n")
    assert evidence.stale("05-objects") == ["other weights in weights/a.safetensors", "other settings in 05_objects.py"]
    with pytest.raises(RuntimeError, match="stale: 05-objects .other weights .*`make evidence`"):
        doctor.evidence()
    program.unlink()
    assert "no program makes it" in evidence.stale("05-objects")


def test_an_interrupted_run_goes_on_where_it_stopped(data, monkeypatch):
    runner = runpy.run_path(str(RUNNER / "__main__.py"))
    path = data / "recipes/evidence/05_objects.py"
    path.write_text(PROGRAM)
    monkeypatch.setitem(runner["kept"].__globals__, "ROOT", data.parent)
    with pytest.raises(KeyboardInterrupt):
        runner["make"]("05-objects", runner["imported"](path))
    assert evidence.names() == []
    runner["make"]("05-objects", runner["imported"](path))
    assert (path.parent / (path.name + ".calls")).read_text() == "0122"
    assert [row.value for row in evidence.load("05-objects").rows] == [0, 0.1, 0.2]
    path.write_text(PROGRAM.replace('"n": 3', '"n": 2'))   # other settings: nothing of the old parts is used
    runner["make"]("05-objects", runner["imported"](path))
    assert (path.parent / (path.name + ".calls")).read_text() == "012201"


def test_the_runner_names_what_it_knows():
    result = subprocess.run([sys.executable, RUNNER, "99-nothing"], capture_output=True, text=True)
    assert result.returncode == 2 and "NAME: got 99-nothing. It takes some of: " in result.stderr


def test_nulls_and_live_values_are_drawn(data):
    written()
    evidence.load("05-objects").draw(live={"saliency": 0.65})
    axis = plt.gcf().axes[0]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["flat", "saliency", "Grad-CAM"]
    assert axis.get_xlabel() == "share" and "Grad-CAM 0.9 (0.8 to 0.95)" in plt.gcf().alt and "n = 100 to 200" in plt.gcf().alt
    written(CURVES)
    evidence.load("05-objects").draw(live={"net": ([1], [0.85])}, xlabel="eps")
    axis = plt.gcf().axes[0]
    assert [t.get_text() for t in axis.texts] == ["net", "noise"] and axis.get_ylabel() == "share"
    evidence.load("05-objects").only(lambda series: series == "net").draw()
    assert [t.get_text() for t in plt.gcf().axes[0].texts] == ["net"]
    plt.close("all")


STORED = evidence.names()


@pytest.mark.parametrize("name", STORED)
def test_what_is_stored_was_made_with_the_weights_and_settings_that_stand(name):
    assert evidence.stale(name) == []
    found = evidence.load(name)
    assert found.question and found.interval and any(row.null for row in found.rows)


def test_every_program_has_its_evidence_and_the_other_way_round():
    programs = {path.stem.replace("_", "-") for path in RUNNER.glob("[0-9]*.py")}
    assert programs == set(STORED)


QUOTED = re.compile(r"<!-- evidence (\S+) -->")
NUMBER = re.compile(r"(?<![\w.])-?\d\.\d+|(?<![\w.])\d+ %(?! interval)")


def unsupported(text, found):
    """The numbers of a text that are no value, bound or n of the evidence, rounded as they are written."""
    known = [number for row in found.rows for number in (row.value, row.low, row.high)]

    def holds(written):
        percent = written.endswith("%")
        digits = 0 if percent else len(written.partition(".")[2])
        given = float(written.rstrip(" %"))
        return any(abs(round(number * (100 if percent else 1), digits) - given) < 1e-9 for number in known)

    return [written for written in NUMBER.findall(text) if not holds(written)]


def test_a_number_that_the_evidence_does_not_have_is_found(data):
    written()
    found = evidence.load("05-objects")
    assert unsupported("Grad-CAM has 0.90 (80 % at least), saliency 0.6 in lesson 5.", found) == []
    assert unsupported("Grad-CAM has 0.91, saliency 61 %.", found) == ["0.91", "61 %"]
    assert unsupported("Grad-CAM has -0.90 in a 95 % interval.", found) == ["-0.90"]


def test_a_sentence_quotes_the_stored_numbers():
    """A cell that says `<!-- evidence NAME -->` has no number with a decimal point and no percentage but those of NAME."""
    quoting = [(number, cell.source, QUOTED.search(cell.source)[1]) for number in lessons.paths()
               for cell in lessons.read(number).cells if QUOTED.search(cell.source)]
    assert {name for _, _, name in quoting} == set(STORED)
    for number, source, name in quoting:
        assert unsupported(source, evidence.load(name)) == [], (number, source)
