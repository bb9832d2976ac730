"""The commands: what they print, what they write, how they refuse."""

import subprocess
import sys

import pytest

import lecturekit
from lecturekit import __main__ as commands
from lecturekit.course.grading import runs


def test_makes_the_student_copies_that_were_asked_for(tmp_path, capsys):
    assert commands.main(["student", "3", "01", "--to", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01_filters.ipynb", "03_occlusion.ipynb"]
    printed = [str(tmp_path / name) for name in ("03_occlusion.ipynb", "01_filters.ipynb")]
    assert capsys.readouterr().out.splitlines() == printed


def test_a_students_work_is_never_overwritten(tmp_path, capsys):
    assert commands.main(["exercises", "01", "03", "--to", str(tmp_path)]) == 0
    mine = tmp_path / "03_occlusion.ipynb"
    mine.write_text("my work")
    assert commands.main(["exercises", "03", "04", "--to", str(tmp_path)]) == 0
    assert mine.read_text() == "my work"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"2 new in {tmp_path}" and lines[3:] == [f"1 new in {tmp_path}", str(tmp_path / "04_saliency.ipynb")]
    assert commands.main(["exercises", "03", "--to", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"0 new in {tmp_path}: what is there stays as it is\n"


def test_exercises_and_slides_need_nothing_of_the_lecturers():
    program = ("import sys; sys.modules['nbgrader'] = None; from lecturekit.course import exercises, slides\n"
               "exercises.exercise('03'); print('made')")
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "made\n"


def test_tells_its_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        commands.main(["--version"])
    assert stopped.value.code == 0 and capsys.readouterr().out == f"lecturekit {lecturekit.__version__}\n"


@pytest.mark.parametrize("command", ["student", "exercises", "slides"])
def test_an_unknown_lesson_is_refused_in_one_line(command, tmp_path, capsys):
    assert commands.main([command, "99", "--to", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("lesson: got '99'. It takes one of: 01, ")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def asked(monkeypatch):
    """What the grade command asks of the grader, which grades nothing."""
    calls = []
    monkeypatch.setattr(runs, "grade_all", lambda *values: calls.append(values) or [])
    monkeypatch.setattr(runs, "test", lambda numbers, how: calls.append(numbers) or numbers or [])
    return calls


def test_grade_hands_its_options_on(asked, tmp_path):
    (tmp_path / "roster.csv").write_text("id,name\n1,Ana\n")
    assert commands.main(["grade", str(tmp_path), "--lesson", "3", "--to", "out", "--workers", "2", "--keep", "best",
                          "--roster", str(tmp_path / "roster.csv"), "--deadline", "2026-05-04 23:59", "--late",
                          "10% a day, at most 3", "--column", "Week 3"]) == 0
    ((folder, lesson, results, how),) = asked
    assert (str(folder), lesson, str(results)) == (str(tmp_path), "3", "out")
    assert (how.workers, how.keep, how.column, how.unsafe, how.scheduler) == (2, "best", "Week 3", False, None)
    assert how.roster.people[0].name == "Ana" and (how.rule.percent, how.rule.most) == (10, 3)


def test_the_self_test_alone_needs_no_submissions(asked, capsys):
    assert commands.main(["grade", "--self-test", "--lesson", "3"]) == 0 and asked == [["3"]]
    assert "lesson 3: full marks" in capsys.readouterr().out
    assert commands.main(["grade", "--self-test"]) == 0 and asked[-1] is None   # every lesson


@pytest.mark.parametrize("arguments, why", [
    ([], "grade: got no submissions"),
    (["DIR", "--lesson", "3", "--late", "some"], "late: got 'some' without a deadline"),
    (["DIR", "--lesson", "3", "--roster", "none.csv"], "none.csv"),
    (["DIR", "--lesson", "3", "--workers", "0"], "workers: got 0"),
    (["DIR", "--lesson", "3", "--deadline", "soon"], "deadline: got 'soon'")])
def test_grade_refuses_in_one_line(arguments, why, capsys):
    assert commands.main(["grade", *arguments]) == 2
    told = capsys.readouterr().err
    assert why in told and len(told.splitlines()) == 1


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
