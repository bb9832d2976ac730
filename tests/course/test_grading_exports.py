"""The files for an LMS, in its own columns."""

import csv
import io
import re
import zipfile

import classes
import pytest

from lecturekit.course.grading import exports, roster


WHEN = "2026-05-04T20:59:00+02:00"


def row(student="17", lms="moodle", waiting=(), handed_in=True, **more):
    person = roster.Person(student, "Ana Díaz", "ana@example.org", "A", "sis9", "ana")
    return {"student": student, "name": person.name, "email": person.email, "section": "A", "person": person,
            "lms": lms, "number": student, "place": f"Ana Díaz_{student}_assignsubmission_file/", "received": WHEN,
            "late": "", "percent": 0.0, "changed": [], "handed_in": handed_in, "waiting": list(waiting), "flags": [],
            "points": {"03.1": 5, "03.2": 2.5, "03.4": None if waiting else 4}, "total": 11.5, "max": 20,
            "page": "feedback/page.html"} | more


def table(text, delimiter=","):
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_grades_hold_everybody_with_name_and_mail():
    text = exports.grades([row(), row("18", waiting=["03.4"], percent=20.0), row("19", handed_in=False, received=None)])
    head, first, second, third = table(text)
    assert head == ["id", "name", "email", "section", "03.1", "03.2", "03.4", "late", "total", "max", "handed in"]
    assert first == ["17", "Ana Díaz", "ana@example.org", "A", "5", "2.5", "4", "", "11.5", "20", WHEN]
    assert second[6:8] == ["", "-20%"] and third[-1] == "no"


@pytest.mark.parametrize("start", "=+-@\t\r")
def test_no_field_is_a_formula(start):
    assert table(exports.grades([row(name=f"{start}cmd|' /C calc'!A0")]))[1][1].startswith("'")


def test_moodles_own_columns_for_those_whose_mark_is_final():
    rows = [row(), row("18", waiting=["03.4"]), row("19", handed_in=False), row("20", lms="")]
    head, *lines = table(exports.moodle(rows, roster.Roster()))
    assert {"Identifier", "Grade", "Last modified (grade)"} <= set(head)   # what Moodle's importer asks for
    assert [line[head.index("Identifier")] for line in lines] == ["Participant 17"]
    assert lines[0][head.index("Grade")] == "11.5" and lines[0][head.index("Maximum grade")] == "20"
    assert exports.moodle([row(lms="")], roster.Roster()) == ""


def test_moodles_worksheet_comes_back_as_it_was_with_the_grades_filled_in(tmp_path):
    students = classes.make(5)
    people = roster.read(classes.worksheet(students, tmp_path / "w.csv"))
    before = table((tmp_path / "w.csv").read_text(encoding="utf-8-sig"))
    after = table(exports.moodle([row(str(students[0].number))], people))
    place = before[0].index("Grade")
    assert after[1][place] == "11.5" and [line[place] for line in after[2:]] == [""] * 4
    for line in after[1:]:
        line[place] = ""
    assert after == [[re.sub("^=", "'=", field) for field in line] for line in before]


@pytest.mark.parametrize("most, grade", [("100,00", "57.5"), ("10.00", "5.75"), ("", "11.5"), ("Pass", "11.5")])
def test_points_are_those_of_the_assignment_in_moodle_and_commas_part_them(tmp_path, most, grade):
    """Moodle's importer reads commas alone; an assignment there has 100 points unless somebody says otherwise."""
    (tmp_path / "w.csv").write_text("Identifier;Full name;Grade;Maximum grade;Last modified (grade)\n"
                                    f"Participant 17;Ana;;{most};-\n")
    head, line = table(exports.moodle([row()], roster.read(tmp_path / "w.csv")))
    assert dict(zip(head, line)) == {"Identifier": "Participant 17", "Full name": "Ana", "Grade": grade,
                                     "Maximum grade": most, "Last modified (grade)": "-"}


def test_canvas_own_columns(tmp_path):
    head, possible, line = table(exports.canvas([row(lms="canvas"), row("18", lms="canvas", waiting=["03.4"])],
                                                roster.Roster(), "Occlusion"))
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Occlusion"]
    assert "Points Possible" in possible[0] and possible[-1] == "20"
    assert line == ["Ana Díaz", "17", "sis9", "ana", "A", "11.5"]
    assert exports.canvas([row()], roster.Roster(), "Occlusion") == ""


def test_canvas_finds_the_assignment_in_its_own_export(tmp_path):
    (tmp_path / "c.csv").write_text("Student,ID,SIS User ID,SIS Login ID,Section,Occlusion (77)\n"
                                    "    Points Possible,,,,,40\nAna Díaz,17,sis9,ana,A,\n")
    people = roster.read(tmp_path / "c.csv")
    head, possible, line = table(exports.canvas([row(lms="")], people, "Occlusion"))
    assert head[-1] == "Occlusion (77)" and possible[-1] == "40" and line[1] == "17" and line[-1] == "23"


def test_feedback_lies_where_moodle_looks_for_it(tmp_path):
    (tmp_path / "feedback").mkdir()
    (tmp_path / "feedback" / "page.html").write_text("<p>Well done</p>")
    rows = [row(), row("18", place="Bo_18_assignsubmission_file_"), row("19", lms=""), row("20", handed_in=False)]
    with zipfile.ZipFile(io.BytesIO(exports.feedback(tmp_path, "03", rows))) as archive:
        names = archive.namelist()
        assert names == ["Ana Díaz_17_assignsubmission_file/03_occlusion_feedback.html",
                         "Bo_18_assignsubmission_file_03_occlusion_feedback.html", "19/03_occlusion_feedback.html"]
        assert archive.read(names[0]) == b"<p>Well done</p>"
    for name in names[:2]:   # as Moodle's importer takes a path apart: NAME_ID_PLUGINTYPE_PLUGIN, in one of its parts
        _, number, kind, plugin, *_ = name.split("/")[0].split("_")
        assert number.isdigit() and (kind, plugin) == ("assignsubmission", "file")


def test_changes_are_listed_and_nothing_where_there_are_none():
    change = {"question": "03.1", "before": 2.5, "after": 5, "until": "2026-05-06T10:00:00+02:00"}
    assert table(exports.changes([row(changed=[change])]))[1][3:] == ["03.1", "2.5", "5", change["until"]]
    assert exports.changes([row()]) == ""
