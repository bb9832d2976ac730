"""The commands: what they print, what they write, how they refuse."""

import subprocess
import sys
import types

import pytest

from lecturekit import __main__ as commands
from lecturekit.course import grading


def test_makes_the_student_copies_that_were_asked_for(tmp_path, capsys):
    assert commands.main(["student", "3", "01", "--to", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01_filters.ipynb", "03_occlusion.ipynb"]
    printed = [str(tmp_path / name) for name in ("03_occlusion.ipynb", "01_filters.ipynb")]
    assert capsys.readouterr().out.splitlines() == printed


@pytest.mark.parametrize("command", ["student", "slides"])
def test_an_unknown_lesson_is_refused_in_one_line(command, tmp_path, capsys):
    assert commands.main([command, "99", "--to", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("lesson: got '99'. It takes one of: 01, ")
    assert not list(tmp_path.iterdir())


def test_grade_hands_its_options_on(monkeypatch, tmp_path):
    asked = []
    runs = types.SimpleNamespace(grade_all=lambda *values, **named: asked.append((values, named)))
    monkeypatch.setitem(sys.modules, "lecturekit.course.grading.runs", runs)
    monkeypatch.setattr(grading, "runs", runs, raising=False)
    assert commands.main(["grade", str(tmp_path), "--lesson", "3", "--to", "out", "--workers", "2"]) == 0
    (folder, lesson, results), named = asked[0]
    assert (str(folder), lesson, str(results)) == (str(tmp_path), "03", "out")
    assert named == {"workers": 2, "scheduler": None, "unsafe": False}


def test_a_missing_package_of_the_lecturers_is_named(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "lecturekit.course.student", raising=False)
    monkeypatch.delattr("lecturekit.course.student", raising=False)
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    assert commands.main(["student"]) == 2
    assert "nbgrader is not installed" in capsys.readouterr().err


def test_help_loads_no_heavy_package():
    program = ("import sys; from lecturekit.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
               "print(sorted({'torch', 'nbgrader', 'nbformat'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
