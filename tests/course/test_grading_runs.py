"""A class is graded: folders, workers that die, runs that are cut off, a Dask cluster, nbgrader's gradebook."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

import graders
import pytest
import submissions

from lecturekit.course import questions
from lecturekit.course.grading import folders, gradebook, runs

ASSIGNMENT = "03_occlusion"


def hand_in(folder, student, answers, name=ASSIGNMENT):
    path = folder / student / ASSIGNMENT / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"answers": answers, "student": student, "log": str(folder.parent / "graded.log")}))
    return path


@pytest.fixture
def class_of_six(tmp_path, monkeypatch):
    """Submissions of s001 to s006, all of whose answers but the first student's are right; no reports are made."""
    monkeypatch.setattr(runs, "_report", lambda *arguments: None)
    for number in range(1, 7):
        right = {q: "right" for q in ("03.1", "03.2", "03.3")}
        hand_in(tmp_path / "in", f"s00{number}", {"03.1": "wrong"} if number == 1 else right)
    return tmp_path / "in"


def earned(marked):
    return {result["student"]: [(q["id"], q["earned"], q["state"]) for q in result["questions"]] for result in marked}


def graded_twice(tmp_path):
    names = (tmp_path / "graded.log").read_text().split()
    return {name for name in names if names.count(name) > 1}


# folders

def test_submissions_are_found_in_nbgraders_layout(tmp_path):
    hand_in(tmp_path, "s001", {})
    hand_in(tmp_path, "s002", {}, name="lesson three (1)")
    (tmp_path / "s003").mkdir()
    hand_in(tmp_path, "s004", {}, name="a")
    hand_in(tmp_path, "s004", {}, name="b")
    hand_in(tmp_path, "s005", {}, name="draft")
    hand_in(tmp_path, "s005", {})
    found, refused = folders.find(tmp_path, ASSIGNMENT)
    assert not refused and [s.student for s in found] == ["s001", "s002", "s003", "s004", "s005"]
    assert [s.path and s.path.stem for s in found] == [ASSIGNMENT, "lesson three (1)", None, None, ASSIGNMENT]
    assert [bool(s.flags) for s in found] == [False, True, False, True, False]


@pytest.mark.parametrize("name", ["-rf", "=1+1", "<img src=x onerror=alert(1)>", "a\nb", "\x1b[31mred", "x" * 120,
                                  "a\u202eb"])
def test_odd_names_are_refused_and_recorded(tmp_path, name):
    hand_in(tmp_path, name, {})
    hand_in(tmp_path, "O'Brien, Zoë", {})
    found, refused = folders.find(tmp_path, ASSIGNMENT)
    assert [s.student for s in found] == ["O'Brien, Zoë"] and list(refused) == [name]


def test_links_out_of_a_students_folder_are_refused(tmp_path):
    other = hand_in(tmp_path / "in", "s001", {"03.1": "right"})
    for student, link, target in (("s002", f"{ASSIGNMENT}/{ASSIGNMENT}.ipynb", other),
                                  ("s003", ASSIGNMENT, other.parent)):
        place = tmp_path / "in" / student / link
        place.parent.mkdir(parents=True)
        place.symlink_to(target)
    (tmp_path / "in" / "s004").symlink_to(tmp_path / "in" / "s001")
    found, refused = folders.find(tmp_path / "in", ASSIGNMENT)
    assert [(s.student, bool(s.path), s.flags) for s in found] == [
        ("s001", True, ()), ("s002", False, ("link out of the folder",)), ("s003", False, ("link out of the folder",))]
    assert list(refused) == ["s004"]


def test_a_submission_is_read_no_further_than_the_limit(tmp_path):
    path = hand_in(tmp_path, "s001", {})
    path.write_bytes(b"x" * 100)
    assert len(folders.Submission("s001", path).content(10)) == 11


def test_no_folder_and_no_lesson(tmp_path):
    with pytest.raises(NotADirectoryError, match="submissions: got"):
        folders.find(tmp_path / "none", ASSIGNMENT)
    with pytest.raises(ValueError, match="lesson: got '77'"):
        runs.grade_all(tmp_path, "77", tmp_path / "out", grade=graders.instantly)


# runs

def test_a_class_is_graded_and_a_rerun_grades_nothing_again(class_of_six, tmp_path):
    (class_of_six / "s007").mkdir()
    marked = runs.grade_all(class_of_six, "03", tmp_path / "out", grade=graders.slowly)
    assert [r["student"] for r in marked] == [f"s00{n}" for n in range(1, 8)]
    assert earned(marked)["s002"][:2] == [("03.1", 5, "answered"), ("03.2", 5, "answered")]
    assert earned(marked)["s001"][:2] == [("03.1", 2.5, "answered"), ("03.2", 0, "blank")]
    assert {state for _, _, state in earned(marked)["s007"]} == {"missing"}
    assert runs.grade_all(class_of_six, "03", tmp_path / "out", grade=graders.slowly) == marked
    assert not graded_twice(tmp_path)


def test_a_changed_file_is_graded_anew_with_the_same_secret(class_of_six, tmp_path):
    before = runs.grade_all(class_of_six, "03", tmp_path / "out", grade=graders.slowly)
    hand_in(class_of_six, "s001", {q: "right" for q in ("03.1", "03.2", "03.3")})
    after = runs.grade_all(class_of_six, "03", tmp_path / "out", grade=graders.slowly)
    assert graded_twice(tmp_path) == {"s001"} and after[1:] == before[1:]
    assert earned(after)["s001"] == earned(after)["s002"]


def test_the_secret_is_the_teachers_alone_and_drawn_for_each_run(class_of_six, tmp_path):
    for name in ("one", "two"):
        runs.grade_all(class_of_six, "03", tmp_path / name, grade=graders.instantly)
    one, two = (tmp_path / name / "run.json" for name in ("one", "two"))
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert json.loads(one.read_text())["secret"] != json.loads(two.read_text())["secret"]
    with pytest.raises(ValueError, match="results: got .* marks of lesson 03"):
        runs.grade_all(class_of_six, "02", tmp_path / "one", grade=graders.instantly)


PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
import graders
from lecturekit.course.grading import runs
if __name__ == "__main__":
    runs.grade_all({submissions!r}, "03", {results!r}, workers=2, grade=graders.slowly)
"""


def test_a_run_that_is_killed_goes_on_where_it_stopped(class_of_six, tmp_path):
    results = tmp_path / "out"
    program = tmp_path / "grade.py"
    tests = str(Path(graders.__file__).parent)
    program.write_text(PROGRAM.format(tests=tests, submissions=str(class_of_six), results=str(results)))
    process = subprocess.Popen([sys.executable, program], start_new_session=True)
    while len(list(results.glob("marks/*.json"))) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    done = {path.stem for path in results.glob("marks/*.json")}
    assert 2 <= len(done) < 6
    marked = runs.grade_all(class_of_six, "03", results, grade=graders.slowly)
    assert len(marked) == 6 and not done & graded_twice(tmp_path) and len(graded_twice(tmp_path)) <= 2
    assert earned(marked) == earned(again(class_of_six, tmp_path, results))
    no_process_left(process.pid)


def again(submissions, tmp_path, results):
    """The same class graded without interruption, with the same secret."""
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "run.json").write_text((results / "run.json").read_text())
    return runs.grade_all(submissions, "03", tmp_path / "again", grade=graders.instantly)


def no_process_left(session, seconds=10):
    """The workers of a killed run end by themselves."""
    for _ in range(seconds * 20):
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(session, signal.SIGKILL)
    pytest.fail("workers outlived the run that was killed")


def test_a_submission_that_kills_its_workers_is_set_aside_and_harms_no_other(class_of_six, tmp_path):
    hand_in(class_of_six, "s004", {"03.1": "kill"})
    marked = runs.grade_all(class_of_six, "03", tmp_path / "out", workers=2, grade=graders.murdered)
    killed = {r["student"] for r in marked if r["flags"]}
    assert killed == {"s004"} and {state for _, _, state in earned(marked)["s004"]} == {"killed"}
    assert earned(marked)["s005"][:2] == [("03.1", 5, "answered"), ("03.2", 5, "answered")]
    assert (tmp_path / "graded.log").read_text().split().count("s004") == 2
    runs.grade_all(class_of_six, "03", tmp_path / "out", workers=2, grade=graders.murdered)
    assert (tmp_path / "graded.log").read_text().split().count("s004") == 2


def test_a_submission_whose_worker_was_killed_by_chance_is_graded(class_of_six, tmp_path):
    marked = runs.grade_all(class_of_six, "03", tmp_path / "out", workers=2, grade=graders.killed_once)
    assert earned(marked) == earned(again(class_of_six, tmp_path, tmp_path / "out"))
    assert not any(r["flags"] for r in marked) and graded_twice(tmp_path) >= {"s003"}


def test_an_error_of_the_grader_is_no_mark(class_of_six, tmp_path):
    with pytest.raises(runs.NotGraded, match="1 of 6 submissions could not be graded. no space left .s002."):
        runs.grade_all(class_of_six, "03", tmp_path / "out", grade=graders.broken)
    assert not (tmp_path / "out" / "marks" / "s002.json").exists()
    assert len(runs.grade_all(class_of_six, "03", tmp_path / "out", grade=graders.instantly)) == 6


@pytest.mark.parametrize("workers", [0, -1, 1.5, "two"])
def test_workers_is_a_positive_number(workers, tmp_path):
    with pytest.raises(ValueError, match="workers: got"):
        runs.grade_all(tmp_path, "03", tmp_path / "out", workers=workers, grade=graders.instantly)


@pytest.fixture
def cluster():
    from distributed import LocalCluster
    with patch.dict(os.environ), LocalCluster(   # its nannies set OMP_NUM_THREADS=1 in this process, for good
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        yield cluster


def test_dask_gives_the_same_marks_and_sets_aside_what_kills_its_workers(class_of_six, tmp_path, cluster):
    hand_in(class_of_six, "s004", {"03.1": "kill"})
    cluster.scheduler.allowed_failures = 0
    marked = runs.grade_all(class_of_six, "03", tmp_path / "out", scheduler=cluster.scheduler_address,
                            grade=graders.murdered)
    assert {r["student"] for r in marked if r["flags"]} == {"s004"}
    os.remove(class_of_six / "s004" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb")
    local = again(class_of_six, tmp_path, tmp_path / "out")
    del local[3], marked[3]
    assert earned(marked) == earned(local)


# all of it

def test_a_class_of_three_from_the_files_to_the_gradebook(tmp_path, program):
    program("bwrap")
    asked = questions.questions("03")
    wrong = {name: sources[0] for name, sources in submissions.MISTAKES.items()}
    right = submissions.HONEST | {"03.4": "A square of grey."}
    for student, answers in (("s001", right), ("s002", wrong), ("s003", {})):
        folder = tmp_path / "in" / student / ASSIGNMENT
        folder.mkdir(parents=True)
        submissions.write(folder, submissions.submission("03", answers))
    right, mistaken, blank = runs.grade_all(tmp_path / "in", "3", tmp_path / "out", workers=2)
    assert [q["earned"] for q in right["questions"]] == [q.points for q in asked]
    assert all(0 <= q["earned"] < q["points"] for q in mistaken["questions"])
    assert [q["hint"] for q in mistaken["questions"]] == [q.mistakes[0].hint for q in asked]
    assert {(q["earned"], q["state"]) for q in blank["questions"]} == {(0, "blank")}
    points = gradebook.points(tmp_path / "out", "03")
    for result in (right, mistaken, blank):
        own = {f"{q['id']}-check": q["earned"] for q in result["questions"]}
        assert own.items() <= points[result["student"]].items()
    assert [points[student]["03.4"] for student in ("s001", "s002", "s003")] == [None, 0, 0]
    assert (tmp_path / "out" / "class.html").exists() and (tmp_path / "out" / "grades.csv").exists()
