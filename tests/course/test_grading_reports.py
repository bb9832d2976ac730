"""What a graded class leads to: nbgrader's gradebook, grades.csv, feedback pages, the teacher's page."""

import csv
import hashlib
import json
import re
import shutil
from datetime import datetime, timezone

import graders
import nbformat
import pytest

from lecturekit.course import lessons
from lecturekit.course.grading import exports, gradebook, overview, reports, roster
from lecturekit.course.student import student_copy

NAMES = {"s001": "Ana Díaz", "s003": "<b>Zoë</b> & Co"}
LESSON, ASSIGNMENT = "03", "03_occlusion"
EVIL = "<script>alert(1)</script>\x1b[31m<img src=x onerror=alert(2)> [look](javascript:alert(3))"
ANSWERS = {
    "s001": {"03.1": "right", "03.2": "right", "03.3": "right", "written": "A square of grey."},
    "s002": {"03.1": "wrong", "03.2": "right", "written": "One | of & two\n\n$x < y$"},
    "s003": {"03.1": "wrong", "03.2": EVIL, "03.3": "right", "written": EVIL, "flags": [EVIL]},
    "s004": {"03.1": "right", "03.2": "right", "03.3": "right"},
}


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """The results of four students; a fifth handed in nothing."""
    folder = tmp_path_factory.mktemp("in")
    results = []
    for student, answers in ANSWERS.items():
        path = folder / f"{student}.ipynb"
        path.write_text(json.dumps({"answers": answers, "student": student}))
        results.append(graders.instantly(path, LESSON, 5 * 7, student))
    missing = [{**q, "earned": 0, "state": "missing", "cases": [], "hint": "", "answer_sha256": ""}
               for q in results[0]["questions"]]
    results.append({**results[0], "student": "s005", "sha256": "", "questions": missing, "written": []})
    return [result | about(result["student"]) for result in results]


def about(student, **more):
    """What counting says of a student beside the marks."""
    person = roster.Person(student, NAMES.get(student, student), f"{student}@example.org", "A")
    return {"name": person.name, "email": person.email, "section": "A", "person": person, "lms": "", "number": "",
            "place": f"{student}/", "file": "x.ipynb", "received": None, "late": "", "percent": 0.0, "hand_ins": [],
            "changed": []} | more


def sources():
    """What each student wrote, by grade id."""
    return {student: {"03.1": f"def spans(length, window, stride):\n    return {answers['03.1']!r}",
                      **({"03.4": answers["written"]} if "written" in answers else {})}
            for student, answers in ANSWERS.items()}


@pytest.fixture
def own_course(course, tmp_path):
    """A copy of the course folder for a test that changes it."""
    return shutil.copytree(course, tmp_path / "course")


@pytest.fixture(scope="module")
def course(tmp_path_factory, marked):
    """A course folder with all of it."""
    folder = tmp_path_factory.mktemp("course")
    gradebook.enter(folder, LESSON, student_copy(LESSON), marked, sources())
    report(folder, marked)
    return folder


ALIKE = {"usual": 0.3, "count": 50, "pairs": [{"students": ("s002", "s003"), "share": 0.9, "questions": {"03.1": 0.9},
                                               "sources": {"03.1": (EVIL, "def spans(): pass")}}]}


def report(folder, marked):
    columns, _ = reports.cells(LESSON)
    rows = overview.rows(marked, columns, gradebook.points(folder, LESSON))
    comments = gradebook.comments(folder, LESSON)
    reports.write_all(folder, LESSON, marked, rows, comments, {EVIL: "a file of nobody"}, ALIKE)
    exports.write_all(folder, LESSON, rows, roster.Roster(), "Occlusion")


def grades(folder, student):
    from nbgrader.api import Gradebook
    with Gradebook(gradebook.url(folder)) as book:
        submitted = book.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student)
        return {grade.name.replace("-", ".", 1): (grade.auto_score, grade.manual_score, grade.needs_manual_grade)
                for grade in submitted.grades}


def mark_by_hand(folder, student, score, comment):
    """What formgrader does when the teacher marks the written answer."""
    from nbgrader.api import Gradebook
    with Gradebook(gradebook.url(folder)) as book:
        grade = book.find_grade("03-4", ASSIGNMENT, ASSIGNMENT, student)
        grade.manual_score, grade.needs_manual_grade = score, False
        book.find_comment("03-4", ASSIGNMENT, ASSIGNMENT, student).manual_comment = comment
        book.db.commit()


def page(folder, student):
    return (folder / "feedback" / student / ASSIGNMENT / f"{ASSIGNMENT}.html").read_text()


def table(folder):
    with open(folder / "grades.csv", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


# the gradebook

def test_the_gradebook_holds_the_marks(course, marked):
    for result in marked[:4]:
        own = grades(course, result["student"])
        assert {name: own[name][0] for name in own if name != "03.4"} == {
            f"{q['id']}-check": q["earned"] for q in result["questions"]}
        assert not any(own[f"{q['id']}-check"][2] for q in result["questions"])


def test_a_written_answer_waits_for_the_teacher_and_a_blank_one_does_not(course):
    assert grades(course, "s001")["03.4"] == (None, None, True) and grades(course, "s004")["03.4"] == (0, None, False)


def test_a_student_without_a_submission_is_known_to_the_gradebook(course):
    from nbgrader.api import Gradebook
    with Gradebook(gradebook.url(course)) as book:
        assert sorted(s.id for s in book.students) == ["s001", "s002", "s003", "s004", "s005"]
        assert len(book.assignment_submissions(ASSIGNMENT)) == 4
        assert book.find_assignment(ASSIGNMENT).max_score == 20


def test_formgrader_finds_our_copy_with_the_students_answers_and_no_outputs(course):
    notebook = nbformat.read(course / "autograded" / "s002" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4)
    marked = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    by_id = {lessons.identifier(cell.metadata.nbgrader.grade_id): cell for cell in marked}
    assert by_id["03.1"].source == sources()["s002"]["03.1"]
    assert "NotImplementedError" in by_id["03.2"].source and 'check("03.2"' in by_id["03.2-check"].source
    assert all(re.fullmatch(r"[\w-]+", cell.metadata.nbgrader.grade_id) for cell in marked)   # as jQuery takes them
    assert not any(cell.get("outputs") for cell in notebook.cells)
    assert "BEGIN SOLUTION" not in json.dumps(notebook)


def test_formgrader_draws_no_html_of_a_student(course):
    from nbconvert import HTMLExporter
    path = course / "autograded" / "s003" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    html, _ = HTMLExporter(template_name="classic").from_filename(str(path))
    assert "alert(1)" in html and "<script>alert(1)" not in html and "<img src=x" not in html
    assert "href=\"javascript" not in html and "href='javascript" not in html


def test_a_rerun_updates_and_keeps_what_the_teacher_did(own_course, marked):
    first = [dict(marked[0])]
    mark_by_hand(own_course, "s001", 4, "Well seen.")
    gradebook.enter(own_course, LESSON, student_copy(LESSON), first, sources())
    assert grades(own_course, "s001")["03.4"] == (None, 4, False)
    again = {**first[0], "questions": [{**q, "earned": 1} for q in first[0]["questions"]]}
    gradebook.enter(own_course, LESSON, student_copy(LESSON), [again], {"s001": {"03.4": "Another text."}})
    own = grades(own_course, "s001")
    assert own["03.4"] == (None, 4, True) and [own[f"03.{n}-check"][0] for n in (1, 2, 3)] == [1, 1, 1]
    assert len(own) == 4


def test_marks_given_by_hand_reach_nbgraders_export_and_our_reports(own_course, tmp_path, marked):
    from nbgrader.plugins import CsvExportPlugin
    assert table(own_course)["s001"]["03.4"] == "" and "still to be marked" in page(own_course, "s001")
    mark_by_hand(own_course, "s001", 4, "Well seen.")
    report(own_course, marked)
    with gradebook.opened(own_course) as book:
        CsvExportPlugin(to=str(tmp_path / "nbgrader.csv")).export(book)
    with open(tmp_path / "nbgrader.csv", newline="") as file:
        exported = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert exported == {student: float(row["total"]) for student, row in table(own_course).items()}
    assert table(own_course)["s001"]["03.4"] == "4"
    assert exported["s001"] == sum(q["earned"] for q in marked[0]["questions"]) + 4
    assert "Well seen." in page(own_course, "s001") and "still to be marked" not in page(own_course, "s001")


WORDS = ["[a](javascript:x)", "[a][b]\n\n[b]: javascript:x", "<javascript:x>", "![a](javascript:x)",
         "[a](<javascript:x>)", "<a href='javascript:x'>a</a>", "<b onclick=x>b</b>", "[a]\n\n  [a]:\n javascript:x"]


@pytest.mark.parametrize("text", WORDS)
def test_an_answer_in_words_links_nowhere(text):
    from nbconvert.filters import markdown2html
    assert not re.search("<(a|img|b|script)[ >]", markdown2html(gradebook.harmless(text)))
    assert "<em>seen</em>" in markdown2html(gradebook.harmless("*seen*"))


def test_names_deadline_and_what_being_late_costs_are_in_the_gradebook(own_course, marked):
    late = marked[0] | {"percent": 20.0, "received": "2026-05-06T10:00:00+02:00"}
    due = datetime(2026, 5, 4, tzinfo=timezone.utc)
    gradebook.enter(own_course, LESSON, student_copy(LESSON), [late], sources(), due)
    with gradebook.opened(own_course) as book:
        student, submission = book.find_student("s001"), book.find_submission(ASSIGNMENT, "s001")
        assert (student.first_name, student.last_name, student.email) == ("Ana", "Díaz", "s001@example.org")
        assert submission.late_submission_penalty == submission.score * 0.2 > 0
        assert submission.total_seconds_late == (2 * 24 + 8) * 3600


# pages

def test_a_feedback_page_says_which_inputs_failed_and_why(course):
    html = page(course, "s002")
    assert "for wrong: differs" in html and "as it should be" in html and "kind 2" in html
    assert "Starts are 0, <code>stride</code>" in html and "One | of &amp; two" in html


def test_no_page_echoes_html_or_terminal_escapes(course):
    for html in (page(course, "s003"), (course / "class.html").read_text()):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x" in html
        assert "<script" not in html and "<img src=x" not in html and "\x1b" not in html and "[31m" not in html


def test_pages_forbid_scripts_and_load_nothing(course):
    for html in (page(course, "s001"), (course / "class.html").read_text()):
        assert "default-src &#39;none&#39;" in html or "default-src 'none'" in html
        assert "http:" not in html and "https:" not in html and "<script" not in html and "<link" not in html


def test_a_feedback_page_speaks_of_no_other_student_and_of_no_flag(course):
    html = page(course, "s003")
    assert not any(other in html for other in ("s001", "s002", "s004")) and "flag" not in html


def test_the_teachers_page_says_whom_to_look_at_and_links_to_them(course):
    html = (course / "class.html").read_text()
    assert "1 handed nothing in" in html and "wait for a mark" in html and "Written alike" in html
    assert "Ana Díaz</a>" in html and f'href="feedback/s001/{ASSIGNMENT}/{ASSIGNMENT}.html"' in html
    assert "&lt;b&gt;Zoë&lt;/b&gt; &amp; Co" in html


def test_similar_answers_stand_side_by_side(course):
    html = (course / "similarity.html").read_text()
    assert "&lt;script&gt;alert(1)" in html and "def spans(): pass" in html
    assert "90 %" in html and "no mark depends" in html


def test_a_late_hand_in_is_told_to_its_student(tmp_path, course, marked):
    hand_ins = [{"received": "2026-05-04T10:00:00", "seen": "", "points": 3, "late": "", "counts": False},
                {"received": "2026-05-06T10:00:00", "seen": "", "points": 3, "late": "x", "counts": True}]
    late = marked[0] | about("s001", late="2 days late, 20 % off", percent=20.0, received="2026-05-06T10:00:00",
                             hand_ins=hand_ins)
    columns, _ = reports.cells(LESSON)
    (row,) = overview.rows([late], columns, gradebook.points(course, LESSON))
    assert row["total"] == round(0.8 * sum(filter(None, row["points"].values())), 2)
    reports.write_all(tmp_path, LESSON, [late], [row], {}, {}, {"usual": None, "pairs": [], "count": 0})
    assert "Handed in 2 days late, 20 % off." in page(tmp_path, "s001")
    assert "that of 2026-05-06 10:00" in page(tmp_path, "s001")


@pytest.mark.parametrize("text, seen", [("a\x1b[1;31mb\x1b[0m", "ab"), ("\x1b]0;title\x07x", "x"),
                                        ("a\x00b\x9bc", "abc"), ("x\u202ey\ud800", "xy"),
                                        ("l\n\tm", "l\n\tm"), ("\x1bPq#0\x1b\\z", "z")])
def test_control_characters_are_taken_out(text, seen):
    assert reports.clean(text) == seen


def test_long_texts_are_cut():
    assert len(reports.clean("x" * 10 ** 6)) < 5000


# the class

def result(student, *earned, sources=("a", "b"), state="answered", flags=()):
    asked = [{"id": f"03.{i}", "points": 4, "earned": e, "state": state, "hint": "" if e == 4 else f"hint {e}",
              "answer_sha256": s} for i, (e, s) in enumerate(zip(earned, sources), 1)]
    return {"student": student, "sha256": hashlib.sha256(student[:2].encode()).hexdigest(), "flags": list(flags),
            "seconds": 1.0, "questions": asked, "written": []}


def test_questions_are_listed_by_difficulty_with_their_commonest_hints():
    first, second = overview.difficulty([result("a", 4, 0), result("b", 4, 2), result("c", 2, 0)])
    assert first["share"] == pytest.approx(10 / 12) and second["share"] == pytest.approx(2 / 12)
    assert second["outcomes"] == [("some points", 1), ("no points", 2)] and second["hints"][0] == ("hint 0", 2)


def test_outcomes_name_states_and_shares_of_points():
    outcomes = [overview.outcome(result("a", earned)["questions"][0]) for earned in (4, 1, 0)]
    assert outcomes == ["full marks", "some points", "no points"]
    assert overview.outcome(result("a", 0, state="killed")["questions"][0]) == "killed"


def test_same_answers_are_grouped_wrong_ones_first_and_blank_ones_never():
    groups = overview.alike([result("a", 4, 0, sources=("x", "w")), result("b", 4, 0, sources=("x", "w")),
                             result("c", 4, 0, sources=("x", "")), result("d", 1, 0, sources=("y", ""))])
    assert [(g["students"], g["answers"]) for g in groups] == [
        (["a", "b"], [("03.2", "no points")]), (["a", "b", "c"], [("03.1", "full marks")])]


def test_two_who_share_more_wrong_answers_come_before_two_who_share_one():
    groups = overview.alike([result("a", 0, 4, sources=("x", "r")), result("b", 0, 4, sources=("x", "s")),
                             result("c", 0, 2, sources=("y", "w")), result("d", 0, 2, sources=("y", "w"))])
    assert [g["students"] for g in groups] == [["c", "d"], ["a", "b"]]
    assert groups[0]["answers"] == [("03.1", "no points"), ("03.2", "some points")]


def test_inputs_of_a_kind_stand_in_one_line():
    given = ("even", ""), ("odd", "x"), ("even", ""), ("odd", ""), ("odd", "y")
    cases = [{"kind": kind, "ok": not text, "difference": text} for kind, text in given]
    assert overview.by_kind(cases) == [("even", 2, []), ("odd", 3, ["x", "y"])]


def test_who_only_waits_or_says_a_thing_twice_is_not_listed_to_be_looked_at():
    lost = result("a", 0, state="missing", flags=["no notebook"])
    lost["questions"] = [question | {"message": "no notebook"} for question in lost["questions"]]
    failed = result("b", 0, state="failed")
    failed["questions"] = [question | {"message": "NameError"} for question in failed["questions"]]
    assert overview.look([lost, failed, result("c", 4)]) == [("a", ["no notebook"]), ("b", ["03.1: failed, NameError"])]


def test_same_files_and_flags_are_grouped():
    class_of_three = [result("aa1", 4, flags=["flood"]), result("aa2", 4, flags=["flood", "odd"]), result("bb1", 4)]
    assert overview.same_files(class_of_three) == [["aa1", "aa2"]]
    assert overview.flagged(class_of_three) == [("odd", ["aa2"]), ("flood", ["aa1", "aa2"])]


def test_a_class_of_nobody_has_reports_too(tmp_path):
    reports.write_all(tmp_path, LESSON, [], [], {}, {}, {"usual": None, "pairs": [], "count": 0})
    assert "of 0 handed in" in (tmp_path / "class.html").read_text()
