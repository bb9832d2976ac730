"""A class is graded: hand-ins that count, workers that die, runs that are cut off, a Dask cluster, the self-test."""

import csv
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import zipfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import patch

import classes
import graders
import pytest
import submissions

from lecturekit import __main__ as commands
from lecturekit.course import questions
from lecturekit.course.grading import answers, gradebook, roster, runs, selftest, times, trees

ASSIGNMENT = "03_occlusion"


def hand_in(folder, student, answers, name=ASSIGNMENT):
    path = folder / student / ASSIGNMENT / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"answers": answers, "student": student, "log": str(folder.parent / "graded.log")}))
    return path


@pytest.fixture
def class_of_six(tmp_path, monkeypatch):
    """Submissions of s001 to s006, all of whose answers but the first student's are right; no reports are made."""
    monkeypatch.setattr(runs.publish, "publish", lambda *arguments: None)
    for number in range(1, 7):
        right = {q: "right" for q in ("03.1", "03.2", "03.3")}
        hand_in(tmp_path / "in", f"s00{number}", {"03.1": "wrong"} if number == 1 else right)
    return tmp_path / "in"


def grade(folder, results, grade=graders.instantly, **how):
    return runs.grade_all(folder, "03", results, runs.How(grade=grade, **({"test": False} | how)))


def earned(marked):
    return {result["student"]: [(q["id"], q["earned"], q["state"]) for q in result["questions"]] for result in marked}


def graded_twice(tmp_path):
    names = (tmp_path / "graded.log").read_text().split()
    return {name for name in names if names.count(name) > 1}


# runs

def test_a_class_is_graded_and_a_rerun_grades_nothing_again(class_of_six, tmp_path):
    (class_of_six / "s007").mkdir()
    marked = grade(class_of_six, tmp_path / "out", graders.slowly)
    assert [r["student"] for r in marked] == [f"s00{n}" for n in range(1, 8)]
    assert earned(marked)["s002"][:2] == [("03.1", 5, "answered"), ("03.2", 5, "answered")]
    assert earned(marked)["s001"][:2] == [("03.1", 2.5, "answered"), ("03.2", 0, "blank")]
    assert {state for _, _, state in earned(marked)["s007"]} == {"missing"}
    assert grade(class_of_six, tmp_path / "out", graders.slowly) == marked
    assert not graded_twice(tmp_path)


def test_a_changed_file_is_graded_anew_with_the_same_secret(class_of_six, tmp_path):
    before = grade(class_of_six, tmp_path / "out", graders.slowly)
    hand_in(class_of_six, "s001", {q: "right" for q in ("03.1", "03.2", "03.3")})
    after = grade(class_of_six, tmp_path / "out", graders.slowly)
    assert graded_twice(tmp_path) == {"s001"} and after[1:] == before[1:]
    assert earned(after)["s001"] == earned(after)["s002"]


def test_the_secret_is_the_teachers_alone_and_drawn_for_each_run(class_of_six, tmp_path):
    for name in ("one", "two"):
        grade(class_of_six, tmp_path / name)
    one, two = (tmp_path / name / "run.json" for name in ("one", "two"))
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert json.loads(one.read_text())["secret"] != json.loads(two.read_text())["secret"]
    with pytest.raises(ValueError, match="results: got .* marks of lesson 03"):
        runs.records.secret(tmp_path / "one", "02")


PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
if __name__ == "__main__":   # workers import the rest as they need it
    import graders
    from lecturekit.course.grading import runs
    runs.grade_all({submissions!r}, "03", {results!r}, runs.How(workers=2, grade=graders.slowly, test=False))
"""


def run_program(class_of_six, tmp_path, temporary):
    """The program of a run in a process of its own, its temporary files in a folder of its own."""
    program = tmp_path / "grade.py"
    temporary.mkdir(exist_ok=True)
    program.write_text(PROGRAM.format(tests=str(Path(graders.__file__).parent), submissions=str(class_of_six),
                                      results=str(tmp_path / "out")))
    return subprocess.Popen([sys.executable, program], start_new_session=True,
                            env=os.environ | {"TMPDIR": str(temporary)})


def wait_for_marks(process, results, count):
    while len(list(results.glob("marks/*.json"))) < count:
        assert process.poll() is None
        time.sleep(0.02)


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_where_it_stopped_and_leaves_nothing_behind(class_of_six, tmp_path):
    results, temporary = tmp_path / "out", tmp_path / "t"
    process = run_program(class_of_six, tmp_path, temporary)
    wait_for_marks(process, results, 2)
    process.kill(), process.wait()
    no_process_left(process.pid)
    done = {path.stem for path in results.glob("marks/*.json")}
    assert 2 <= len(done) < 6 and left_in(temporary)   # a killed process cannot tidy up
    assert run_program(class_of_six, tmp_path, temporary).wait() == 0
    assert left_in(temporary) == []
    assert len(list(results.glob("marks/*.json"))) == 6
    assert not done & graded_twice(tmp_path) and len(graded_twice(tmp_path)) <= 2
    assert earned(grade(class_of_six, results)) == earned(again(class_of_six, tmp_path, results))


def left_in(temporary):
    """What lies in a temporary folder, but for the one that torch makes for each user as it is imported."""
    return [path.name for path in temporary.iterdir() if not path.name.startswith("torchinductor_")]


def again(submissions, tmp_path, results):
    """The same class graded without interruption, with the same secret."""
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "run.json").write_text((results / "run.json").read_text())
    return grade(submissions, tmp_path / "again")


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
    marked = grade(class_of_six, tmp_path / "out", graders.murdered, workers=2)
    killed = {r["student"] for r in marked if r["flags"]}
    assert killed == {"s004"} and {state for _, _, state in earned(marked)["s004"]} == {"killed"}
    assert earned(marked)["s005"][:2] == [("03.1", 5, "answered"), ("03.2", 5, "answered")]
    assert (tmp_path / "graded.log").read_text().split().count("s004") == 2
    grade(class_of_six, tmp_path / "out", graders.murdered, workers=2)
    assert (tmp_path / "graded.log").read_text().split().count("s004") == 2


def test_a_submission_whose_worker_was_killed_by_chance_is_graded(class_of_six, tmp_path):
    marked = grade(class_of_six, tmp_path / "out", graders.killed_once, workers=2)
    assert earned(marked) == earned(again(class_of_six, tmp_path, tmp_path / "out"))
    assert not any(r["flags"] for r in marked) and graded_twice(tmp_path) >= {"s003"}


def test_an_error_of_the_grader_is_no_mark(class_of_six, tmp_path):
    with pytest.raises(runs.NotGraded, match="1 of 6 students could not be graded. no space left .s002."):
        grade(class_of_six, tmp_path / "out", graders.broken)
    assert not (tmp_path / "out" / "marks" / "s002.json").exists()
    assert len(grade(class_of_six, tmp_path / "out")) == 6


@pytest.mark.parametrize("workers", [0, -1, 1.5, "two"])
def test_workers_is_a_positive_number(workers):
    with pytest.raises(ValueError, match="workers: got"):
        runs.How(workers=workers)


@pytest.fixture
def cluster():
    from distributed import LocalCluster
    with patch.dict(os.environ), LocalCluster(   # its nannies set OMP_NUM_THREADS=1 in this process, for good
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        yield cluster


def test_dask_gives_the_same_marks_and_sets_aside_what_kills_its_workers(class_of_six, tmp_path, cluster):
    hand_in(class_of_six, "s004", {"03.1": "kill"})
    cluster.scheduler.allowed_failures = 0
    marked = grade(class_of_six, tmp_path / "out", graders.murdered, scheduler=cluster.scheduler_address)
    assert {r["student"] for r in marked if r["flags"]} == {"s004"}
    os.remove(class_of_six / "s004" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb")
    local = again(class_of_six, tmp_path, tmp_path / "out")
    del local[3], marked[3]
    assert earned(marked) == earned(local)


# what counts

RIGHT = {q: "right" for q in ("03.1", "03.2", "03.3")}
DUE = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)


def stamp(path, hours):
    (path.parent / "timestamp.txt").write_text(f"{DUE + timedelta(hours=hours):%Y-%m-%d %H:%M:%S} UTC")


@pytest.fixture
def twice(class_of_six, tmp_path):
    """`twice(**how)`: s002 hands in something right a day early, then something worse 30 hours late."""
    def graded(**how):
        for path in class_of_six.glob("*/*/*.ipynb"):
            stamp(path, -24)
        grade(class_of_six, tmp_path / "out", **how)
        stamp(hand_in(class_of_six, "s002", {"03.1": "wrong"}), 30)
        return grade(class_of_six, tmp_path / "out", **how)[1]
    return graded


def test_the_last_hand_in_counts_less_what_being_late_costs_and_the_worse_one_is_told(twice):
    result = twice(rule=times.rule(DUE.isoformat(), "10% a day, at most 3"))
    assert result["percent"] == 20 and result["questions"][0]["earned"] == 2.5
    assert [one["counts"] for one in result["hand_ins"]] == [False, True]
    assert "2 days late, 20 % off" in result["flags"]
    assert any("an earlier hand-in earned more" in flag for flag in result["flags"])


def test_the_best_hand_in_counts_where_that_is_wished(twice):
    result = twice(keep="best")
    assert result["questions"][0]["earned"] == 5 and result["percent"] == 0
    assert [one["counts"] for one in result["hand_ins"]] == [True, False]


def test_what_came_too_late_does_not_replace_what_came_in_time(twice):
    result = twice(rule=times.rule(DUE.isoformat(), "10% a day, at most 1"))
    assert result["questions"][0]["earned"] == 5 and "a later hand-in came too late to count" in result["flags"]


def test_hand_ins_are_kept(twice, tmp_path):
    twice()
    kept = sorted((tmp_path / "out" / "hand_ins" / "s002").iterdir())
    assert len(kept) == 2 and {json.loads(path.read_text())["answers"]["03.1"] for path in kept} == {"right", "wrong"}
    record = json.loads((tmp_path / "out" / "marks" / "s002.json").read_text())
    assert [one["result"]["questions"][0]["earned"] for one in record["hand_ins"]] == [5, 2.5]


def test_a_student_whose_folder_is_gone_keeps_the_marks(class_of_six, tmp_path):
    before = grade(class_of_six, tmp_path / "out")
    shutil.rmtree(class_of_six / "s003")
    after = grade(class_of_six, tmp_path / "out")
    assert earned(after) == earned(before) and "nothing in this folder" in after[2]["flags"][0]


def test_a_roster_names_who_is_missing_and_who_is_unknown(class_of_six, tmp_path):
    (tmp_path / "roster.csv").write_text("id,name,e-mail,section\n" + "".join(
        f"s00{n},Name {n},s{n}@example.org,A\n" for n in range(2, 9)))
    people = roster.read(tmp_path / "roster.csv")
    marked = {r["student"]: r for r in grade(class_of_six, tmp_path / "out", roster=people)}
    assert [name for name, r in marked.items() if not r["sha256"]] == ["s007", "s008"]
    assert marked["s001"]["flags"] == ["not in the roster"] and marked["s002"]["email"] == "s2@example.org"


# one bad file

def test_a_file_that_cannot_be_read_costs_its_student_alone(class_of_six, tmp_path, monkeypatch):
    real = trees.Entry.content

    def content(entry, limit):
        if "s003" in entry.parts:
            raise OSError(5, "Input/output error")
        return real(entry, limit)
    monkeypatch.setattr(trees.Entry, "content", content)
    marked = {r["student"]: r for r in grade(class_of_six, tmp_path / "out")}
    assert len(marked) == 6 and "cannot be read" in marked["s003"]["flags"][0]
    assert {q["state"] for q in marked["s003"]["questions"]} == {"missing"} and marked["s003"]["sha256"]
    monkeypatch.undo()
    monkeypatch.setattr(runs.publish, "publish", lambda *arguments: None)
    assert not any(r["flags"] for r in grade(class_of_six, tmp_path / "out"))


def test_of_a_huge_sparse_file_nothing_is_read(class_of_six, tmp_path, monkeypatch):
    path = class_of_six / "s003" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    with open(path, "wb") as file:
        file.truncate(8 << 30)
    monkeypatch.setattr(trees.Entry, "content", lambda entry, limit: b"{}" if "s003" not in entry.parts else 1 / 0)
    marked = {r["student"]: r for r in grade(class_of_six, tmp_path / "out", graders.blank)}
    assert "larger than 100 MB" in marked["s003"]["flags"][0]


def test_figures_do_not_make_a_notebook_too_large(tmp_path):
    folder = tmp_path / "in" / "s001"
    folder.mkdir(parents=True)
    notebook = submissions.submission("03", {})
    notebook["cells"][2]["outputs"] = [{"data": {"image/png": "A" * (11 << 20)}}]
    submissions.write(folder, notebook)
    runs.folders.find(tmp_path / "in", "03")
    student = runs.folders.find(tmp_path / "in", "03").students[0]
    (job,) = runs._jobs(student, "03", tmp_path / "out", {}, "last")
    assert len(runs.records.content(tmp_path / "out", job)) < 1 << 20


# one run at a time, and runs that end badly

def test_the_second_run_on_a_folder_says_so_and_a_lock_of_a_dead_one_is_no_lock(class_of_six, tmp_path):
    with runs.records.alone(tmp_path / "out"):
        with pytest.raises(OSError, match=f"results: got .* process {os.getpid()} on .* grades since"):
            grade(class_of_six, tmp_path / "out")
    (tmp_path / "out" / ".running.json").write_text('{"process": 1, "machine": "x", "since": "long ago"}')
    assert len(grade(class_of_six, tmp_path / "out")) == 6


COMMAND = """
import sys
sys.path.insert(0, {tests!r})
if __name__ == "__main__":
    import graders
    from lecturekit import __main__ as commands
    from lecturekit.course.grading import runs
    real = runs.How
    runs.How = lambda *a, **k: real(*a, **k, grade=graders.slowly, test=False)
    runs.publish.publish = lambda *a: None
    {first}
    sys.exit(commands.main(["grade", {submissions!r}, "--lesson", "03", "--to", {results!r}]))
"""


@pytest.fixture
def command(class_of_six, tmp_path):
    def start(first="pass", inside=()):
        program = tmp_path / "command.py"
        program.write_text(COMMAND.format(tests=str(Path(graders.__file__).parent), submissions=str(class_of_six),
                                          results=str(tmp_path / "out"), first=first))
        temporary = tmp_path / ("ü long name " * 8)   # no room for the name of a socket
        temporary.mkdir()
        return subprocess.Popen([*inside, sys.executable, program], start_new_session=True, stderr=subprocess.PIPE, text=True,
                                env=os.environ | {"TMPDIR": str(temporary)})
    return start


def test_ctrl_c_is_one_line_and_loses_nothing(command, class_of_six, tmp_path):
    process = command("import os; os.environ['SLOWLY'] = '3'")   # so that a busy machine does not end before it is stopped
    wait_for_marks(process, tmp_path / "out", 1)
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 130 and told.splitlines()[-1].startswith("Stopped.") and "Traceback" not in told
    assert len(list((tmp_path / "out" / "marks").iterdir())) >= 1
    assert len(grade(class_of_six, tmp_path / "out")) == 6


def test_a_disk_that_takes_no_more_is_one_line_and_loses_nothing(command, class_of_six, tmp_path):
    process = command("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))")
    told = process.communicate()[1]
    assert process.returncode == 2 and "Traceback" not in told and "File too large" in told.splitlines()[-1]
    assert None not in map(runs.records.read, (tmp_path / "out").rglob("*.json"))
    assert len(grade(class_of_six, tmp_path / "out")) == 6


def test_a_folder_that_is_read_only_is_one_line(command, program, tmp_path):
    (tmp_path / "out").mkdir()
    inside = [program("bwrap"), "--dev-bind", "/", "/", "--ro-bind", tmp_path / "out", tmp_path / "out"]
    process = command(inside=inside)
    told = process.communicate()[1]
    assert process.returncode == 2 and len(told.splitlines()) == 1 and "Read-only file system" in told


def test_a_database_that_cannot_be_written_is_an_error_of_one_line(tmp_path):
    (tmp_path / "gradebook.db").mkdir()
    with pytest.raises(OSError, match="gradebook.db: unable to open"):
        with gradebook.opened(tmp_path):
            pass


# a corrected question

def test_what_a_corrected_question_changes_is_marked_anew_and_told(class_of_six, tmp_path, monkeypatch):
    before = grade(class_of_six, tmp_path / "out", graders.slowly)
    assert grade(class_of_six, tmp_path / "out", graders.slowly) == before and not graded_twice(tmp_path)
    monkeypatch.setattr(runs.definitions, "digests", lambda lesson: {"03.1": "another"})
    after = grade(class_of_six, tmp_path / "out", graders.generous)
    changed = {r["student"]: r["changed"] for r in after if r["changed"]}
    assert list(changed) == ["s001"]
    assert [(one["question"], one["before"], one["after"]) for one in changed["s001"]] == [
        ("03.1", 2.5, 5), ("03.2", 0, 5)]
    assert {r["student"]: r["changed"] for r in grade(class_of_six, tmp_path / "out")}["s001"] == changed["s001"]


# the self-test

def test_the_lesson_grades_itself_first_and_a_machine_that_does_it_wrong_grades_nobody(class_of_six, tmp_path):
    with pytest.raises(selftest.SelfTestFailed, match="Nothing was graded: lesson 03 .* 03.2: the lesson's own "
                                                      "solution earned 0 of 5 points .failed: ModuleNotFoundError"):
        grade(class_of_six, tmp_path / "out", graders.without_a_module, test=True)
    assert not (tmp_path / "out" / "marks").exists()
    with pytest.raises(selftest.SelfTestFailed, match="its blank copy earned 5 of 5"):
        grade(class_of_six, tmp_path / "out", graders.always_right, test=True)
    with pytest.raises(selftest.SelfTestFailed, match="could not be graded: no space left"):
        grade(class_of_six, tmp_path / "out", graders.never, test=True)


@pytest.mark.parametrize("lesson", questions.LESSONS)
def test_every_lesson_comes_with_its_solution_and_its_blank_copy(lesson, tmp_path):
    """The notebooks that a run grades first have all answers, and none."""
    from lecturekit.course.grading import submissions as reading
    for name, content in selftest.notebooks(lesson).items():
        (tmp_path / "x.ipynb").write_bytes(runs.records.slim(content))
        found = reading.read(tmp_path / "x.ipynb", lesson, 10 << 20)
        for asked in questions.questions(lesson):
            assert answers.is_blank(found.code[asked.id], asked.function) == (name == selftest.BLANK)


def test_nobody_whose_notebook_has_an_answer_is_an_error_after_all_is_written(class_of_six, tmp_path):
    with pytest.raises(ValueError, match="no notebook has an answer to lesson 03"):
        grade(class_of_six, tmp_path / "out", graders.missing)
    assert len(list((tmp_path / "out" / "marks").iterdir())) == 6


# all of it

def test_a_class_from_the_download_to_the_files_for_the_lms(tmp_path, program):
    """Moodle's zip and worksheet in, by the command; marks, gradebook, pages, import file and feedback zip out."""
    program("bwrap")
    students = classes.make(10)
    classes.moodle(students, tmp_path / "moodle.zip"), classes.worksheet(students, tmp_path / "worksheet.csv")
    status = commands.main(["grade", str(tmp_path / "moodle.zip"), "--lesson", "3", "--to", str(tmp_path / "out"),
                            "--roster", str(tmp_path / "worksheet.csv"), "--deadline", str(classes.DEADLINE),
                            "--late", "10% a day, at most 3"])
    assert status == 0
    points = gradebook.points(tmp_path / "out", "03")
    for student in (student for student in students if student.files):
        own = points[str(student.number)]
        for name, expected in student.points.items():
            got = own[f"{name}-check"]
            assert got == expected if expected is not None else 0 <= got < 5, (student, name, got)
    with open(tmp_path / "out" / "grades.csv", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert len(rows) == 10 and {row["late"] for row in rows.values()} == {"", "-20%"}
    assert all(row["email"].endswith("@example.org") for row in rows.values())
    with open(tmp_path / "out" / "moodle.csv", newline="") as file:
        graded = [row["Identifier"] for row in csv.DictReader(file) if row["Grade"]]
    final = [student for student in students if student.kind == "blank"]   # the others' words wait, or what is broken
    assert graded == [f"Participant {student.number}" for student in final]
    with zipfile.ZipFile(tmp_path / "out" / "feedback.zip") as archive:
        assert len(archive.namelist()) == sum(bool(student.files) for student in students)
    assert "handed nothing in" in (tmp_path / "out" / "class.html").read_text()
