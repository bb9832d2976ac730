"""What students handed in is found in every layout, and nobody is left out."""

import io
import os
import subprocess
import sys
import zipfile
from datetime import datetime

import classes
import pytest

from lecturekit.course.grading import folders, layouts, records, roster, trees

NAME = "03_occlusion.ipynb"
CONTENT = b'{"cells": [], "grade_id": "03-1"}'


def put(folder, *paths, content=CONTENT):
    for path in paths:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder


def zipped(path, *names, content=CONTENT):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return path


def found(folder, lesson="03", people=None):
    """{id: the names of the files that were handed in, or the flags}."""
    students = folders.find(folder, lesson, people).students
    return {student.id: [one.file for one in student.hand_ins] or list(student.flags) for student in students}


LAYOUTS = {
    "nbgrader": ("ana/03_occlusion/03_occlusion.ipynb", "bo/03_occlusion/03_occlusion.ipynb"),
    "another case": ("ana/03_Occlusion/03_Occlusion.ipynb", "bo/03_OCCLUSION/03_occlusion.IPYNB"),
    "no folder of the lesson": (f"ana/{NAME}", f"bo/{NAME}"),
    "a folder of another name": (f"ana/Lesson 3/{NAME}", f"bo/work/{NAME}"),
    "a folder around them": (f"class 7/ana/{NAME}", f"class 7/bo/{NAME}"),
    "nbgrader's course": (f"submitted/ana/03_occlusion/{NAME}", f"submitted/bo/03_occlusion/{NAME}",
                          f"source/03_occlusion/{NAME}", f"release/03_occlusion/{NAME}"),
    "copies": ("ana/03_occlusion (1).ipynb", "bo/03_occlusion - Copy.ipynb"),
    "checkpoints and hidden files": (f"ana/{NAME}", f"bo/{NAME}", f"bo/.ipynb_checkpoints/{NAME}", f"ana/._{NAME}",
                                     f"__MACOSX/ana/{NAME}")}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_folders_of_students(tmp_path, layout, packed):
    if packed and layout == "nbgrader's course":
        pytest.skip("a zip of a whole course is not handed over")
    names = LAYOUTS[layout]
    place = zipped(tmp_path / "class.zip", *names) if packed else put(tmp_path / "in", *names)
    got = found(place)
    assert list(got) == ["ana", "bo"] and all(len(files) == 1 and files[0].lower().startswith("03_occlusion")
                                              for files in got.values())


MOODLE = [f"Ana Díaz_12345_assignsubmission_file_/{NAME}", f"R&D Smith_12346_assignsubmission_file/work/{NAME}",
          f"Bo Flat_12347_assignsubmission_file_{NAME}", "Cy Words_12348_assignsubmission_onlinetext_/onlinetext.html"]


@pytest.mark.parametrize("around", ["", "03 Occlusion-77/"])
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_moodles_download(tmp_path, around, packed):
    names = [around + name for name in MOODLE]
    place = zipped(tmp_path / "class.zip", *names) if packed else put(tmp_path / "in", *names)
    students = {student.number: student for student in folders.find(place, "03").students}
    assert [(one.lms, [file.file for file in one.hand_ins]) for _, one in sorted(students.items())] == [
        ("moodle", [NAME])] * 3 + [("moodle", [])]
    assert students["12345"].person.name == "Ana Díaz" and students["12346"].person.name == "R&D Smith"
    assert students["12346"].place == "R&D Smith_12346_assignsubmission_file/"
    assert students["12347"].place == "Bo Flat_12347_assignsubmission_file_"
    assert students["12348"].flags == ("no notebook, but onlinetext.html",)


CANVAS = [f"doejane_1000_555000_{NAME}", f"smithrd_LATE_1001_555001_{NAME}",
          "doejane_1000_555009_03_occlusion-1.ipynb", "noteson_1002_555002_essay.pdf"]


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_canvas_flat_files(tmp_path, packed):
    place = zipped(tmp_path / "submissions.zip", *CANVAS) if packed else put(tmp_path / "in", *CANVAS)
    students = {student.number: student for student in folders.find(place, "03").students}
    assert [file.file for file in students["1000"].hand_ins] == [NAME, "03_occlusion-1.ipynb"]
    assert [file.late for file in students["1001"].hand_ins] == [True] and students["1001"].person.name == "smithrd"
    assert students["1002"].flags == ("no notebook, but essay.pdf",)


def test_anonymous_canvas(tmp_path):
    put(tmp_path, f"anon_Ab3xY_77_{NAME}", f"LATE_anon_Cd4zQ_78_{NAME}")
    assert {(one.number, one.hand_ins[0].late) for one in folders.find(tmp_path, "03").students} == {
        ("Ab3xY", False), ("Cd4zQ", True)}


def test_a_zip_that_a_student_handed_in(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr(f"my work/{NAME}", CONTENT)
    put(tmp_path / "in", "ana/work.zip", content=inner.getvalue())
    put(tmp_path / "in", f"bo/{NAME}")
    assert found(tmp_path / "in") == {"ana": [NAME], "bo": [NAME]}
    zipped(tmp_path / "class.zip", "Ana_1_assignsubmission_file/work.zip", content=inner.getvalue())
    assert [one.number for one in folders.find(tmp_path / "class.zip", "03").handed_in] == ["1"]


def test_zips_in_zips(tmp_path):
    """A teacher packs Moodle's zip once more, a student a zip of a zip."""
    work, again, moodle = io.BytesIO(), io.BytesIO(), io.BytesIO()
    for target, files in ((work, {f"my/{NAME}": CONTENT}), (again, {"again.zip": work}), (moodle, {
            f"Ana_1_assignsubmission_file/{NAME}": CONTENT, "Bo_2_assignsubmission_file/work.zip": work,
            "Cy_3_assignsubmission_file/work.zip": again})):
        with zipfile.ZipFile(target, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content if isinstance(content, bytes) else content.getvalue())
    put(tmp_path / "in", "section a/moodle.zip", content=moodle.getvalue())
    for place in (tmp_path / "in", zipped(tmp_path / "class.zip", "moodle.zip", content=moodle.getvalue())):
        students = folders.find(place, "03").students
        assert [(one.number, [file.file for file in one.hand_ins]) for one in students] == [(n, [NAME]) for n in "123"]
        assert all(one.hand_ins[0].entry.content(100) == CONTENT for one in students)


def test_a_zip_of_zips_without_end_costs_its_student_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(trees, "ZIPPED", 3000)
    inner = b""
    for _ in range(8):
        with zipfile.ZipFile(outer := io.BytesIO(), "w") as archive:
            for copy in range(3):
                archive.writestr(f"{copy}.zip", inner)
        inner = outer.getvalue()
    place = zipped(tmp_path / "class.zip", "Bo_2_assignsubmission_file/bomb.zip", content=inner)
    with zipfile.ZipFile(place, "a") as archive:
        archive.writestr(f"Ana_1_assignsubmission_file/{NAME}", CONTENT)
    assert [one.number for one in folders.find(place, "03").handed_in] == ["1"]
    assert len(trees.entries(place)) < 200


def test_a_large_zip_is_opened_once(tmp_path, monkeypatch):
    students = 50
    place = zipped(tmp_path / "class.zip", *(f"N_{n}_assignsubmission_file/{NAME}" for n in range(students)))
    opened, real = [], zipfile.ZipFile
    monkeypatch.setattr(trees.zipfile, "ZipFile", lambda *of: opened.append(of) or real(*of))
    assert all(one.hand_ins[0].entry.content(100) == CONTENT for one in folders.find(place, "03").students)
    assert len(opened) == 1


OTHERS = {   # {what: ({file: (student, name in the roster)}, files beside)}
    "Brightspace, flat": ({f"1-7 - Jane Doe - May 4, 2026 1030 PM - {NAME}": "Jane Doe",
                           f"2-7 - Bo Ek - May 4, 2026 131 AM - {NAME}": "Bo Ek"}, ["index.html"]),
    "Brightspace, folders": ({f"1-7 - Jane Doe - May 4, 2026 1030 PM/{NAME}": "Jane Doe",
                              f"2-7 - Bo Ek - May 4, 2026 10:31 PM/{NAME}": "Bo Ek"}, ["index.html"]),
    "Blackboard": ({f"Occlusion_jdoe_attempt_2026-05-04-22-30-00_{NAME}": "jdoe",
                    f"Occlusion_bek_attempt_2026-05-04-22-31-00_{NAME}": "bek"},
                   ["Occlusion_jdoe_attempt_2026-05-04-22-30-00.txt"]),
    "Sakai": ({f"Lesson 3/Doe, Jane(jdoe)/Submission attachment(s)/{NAME}": "Doe, Jane",
               f"Lesson 3/Ek, Bo(bek)/Submission attachment(s)/{NAME}": "Ek, Bo"},
              ["Lesson 3/grades.csv", "Lesson 3/Doe, Jane(jdoe)/comments.txt"]),
    "ILIAS": ({f"Occlusion/Doe_Jane_jdoe_1234/20260504223000_{NAME}": "Doe_Jane_jdoe_1234",
               f"Occlusion/Ek_Bo_bek_1235/20260504223100_{NAME}": "Ek_Bo_bek_1235"}, []),
    "Google Classroom": ({f"Jane Doe - {NAME}": "Jane Doe", f"Bo Ek - {NAME}": "Bo Ek"}, []),
    "by hand, name first": ({f"jdoe_{NAME}": "jdoe", "bek-03 Occlusion (1).ipynb": "bek"}, []),
    "by hand, lesson first": ({"03_occlusion_jdoe.ipynb": "jdoe", "03_occlusion - bek.ipynb": "bek"}, []),
    "by hand, name and number": ({f"jdoe_20261234_{NAME}": "jdoe_20261234", f"bek_20261235_{NAME}": "bek_20261235"}, []),
    "flat in a folder": ({"class 7/jdoe.ipynb": "jdoe", "class 7/bek.ipynb": "bek"}, ["class 7/notes.txt"]),
    "a folder of the lesson around": ({f"down/03_occlusion/jdoe/{NAME}": "jdoe", f"down/03_occlusion/bek/{NAME}": "bek"}, []),
    "the same, flat": ({"down/03_occlusion/jdoe.ipynb": "jdoe", "down/03_occlusion/bek.ipynb": "bek"}, [])}
CLASS_OF_TWO = roster.Roster((roster.Person("jdoe", "Jane Doe"), roster.Person("bek", "Bo Ek")))


@pytest.mark.parametrize("layout", OTHERS)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_other_systems_and_hands(tmp_path, layout, packed):
    names, beside = OTHERS[layout]
    place = (zipped(tmp_path / "class.zip", *names, *beside) if packed else put(tmp_path / "in", *names, *beside))
    students = folders.find(place, "03").handed_in
    assert {one.person.name for one in students} == set(names.values()) and all(len(s.hand_ins) == 1 for s in students)
    known = folders.find(place, "03", CLASS_OF_TWO).handed_in
    assert [one.id for one in known] == ["bek", "jdoe"] and not any("roster" in f for s in known for f in s.flags)


@pytest.mark.parametrize("layout", ["Brightspace, flat", "Brightspace, folders", "Blackboard"])
def test_the_time_that_stands_in_a_name(tmp_path, layout):
    found = folders.find(put(tmp_path, *OTHERS[layout][0]), "03", CLASS_OF_TWO).handed_in
    jane = next(one for one in found if one.id == "jdoe")
    assert jane.hand_ins[0].received == datetime(2026, 5, 4, 22, 30).astimezone()


@pytest.mark.parametrize("names, student", [
    ([f"ana/work/{NAME}", "bo/essay.pdf"], "ana"), ([f"ana/03_occlusion/{NAME}"], "ana"), ([f"ana/{NAME}"], "ana"),
    ([f"ana/{NAME}", "ana/notes.ipynb"], "ana"), ([f"class 7/ana/03_occlusion/{NAME}", "class 7/bo/a.txt"], "ana")])
def test_a_class_of_whom_one_handed_in(tmp_path, names, student):
    assert [one.raw for one in folders.find(put(tmp_path, *names), "03").handed_in] == [student]


def test_a_folder_that_nobody_may_write_to(tmp_path, program):
    put(tmp_path / "in", f"ana/{NAME}", "bo.zip")
    code = ("from lecturekit.course.grading import folders; import sys; "
            "print([s.hand_ins[0].entry.content(9) for s in folders.find(sys.argv[1], '03').handed_in])")
    ran = subprocess.run([program("bwrap"), "--dev-bind", "/", "/", "--ro-bind", tmp_path / "in", tmp_path / "in",
                          sys.executable, "-c", code, tmp_path / "in"], capture_output=True, text=True)
    assert ran.returncode == 0 and "cells" in ran.stdout, ran.stderr


def test_the_class_may_be_a_link_to_a_folder(tmp_path):
    put(tmp_path / "in", f"ana/{NAME}", f"bo/{NAME}")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "ana" / "around").symlink_to(tmp_path / "in")
    assert [one.id for one in folders.find(tmp_path / "link", "03").handed_in] == ["ana", "bo"]


def test_files_by_hand_are_their_students(tmp_path):
    assert found(put(tmp_path, "ana.ipynb", "bo.ipynb", "notes.txt")) == {"ana": ["ana.ipynb"], "bo": ["bo.ipynb"]}
    assert folders.find(tmp_path, "03").nobodys == {"notes.txt": "file that belongs to no student"}


def test_of_several_notebooks_those_of_the_lesson_count(tmp_path):
    put(tmp_path, f"ana/{NAME}", "ana/notes.ipynb", "ana/02_neighbours_and_tsne.ipynb")
    put(tmp_path, "bo/final.ipynb", content=b'{"cells": [], "source": "def spans(length"}')
    put(tmp_path, "bo/draft of something.ipynb", content=b"{}")
    put(tmp_path, "cy/a.ipynb", "cy/b.ipynb", content=b"{}")
    put(tmp_path, "di/02_neighbours_and_tsne.ipynb")
    put(tmp_path, "ed/lesson three (1).ipynb", content=b"{}")
    put(tmp_path, f"flo/{NAME}.txt")
    got = found(tmp_path)
    assert got["ana"] == [NAME] and got["bo"] == ["final.ipynb"] and got["ed"] == ["lesson three (1).ipynb"]
    assert got["flo"] == [f"{NAME}.txt"]
    assert "no notebook of this lesson, but a.ipynb, b.ipynb" in got["cy"]
    assert "no notebook of this lesson, but 02_neighbours_and_tsne.ipynb" in got["di"]


ODD = ["-rf", "=1+1", "<img src=x onerror=alert(1)>", "a\nb", "\x1b[31mred", "x" * 120, "a\u202eb", "R&D", "50% off",
       "Zoë", "Zoe\u0308", "ZOË", "con.", "Łukasz／x", "😀"]


def test_odd_names_drop_nobody_and_make_plain_file_names(tmp_path):
    """Each is a student of its own, under a name that can be a file's and stand in an address."""
    for name in ODD:
        put(tmp_path, f"{name}/{NAME}")
    students = folders.find(tmp_path, "03").handed_in
    assert {student.raw for student in students} == set(ODD)
    ids = [student.id for student in students]
    assert len({one.casefold() for one in ids}) == len(ids) == len(students)
    for one in ids:
        assert folders.PLAIN.fullmatch(one) and len(one.encode()) <= folders.LONGEST and one.isprintable()


def test_two_of_one_name_are_two(tmp_path):
    put(tmp_path, f"Ana Díaz_1_assignsubmission_file/{NAME}", f"Ana Díaz_2_assignsubmission_file/{NAME}")
    assert [one.id for one in folders.find(tmp_path, "03").students] == ["Ana Díaz_1", "Ana Díaz_2"]


def test_empty_folders_are_students_without_a_hand_in(tmp_path):
    put(tmp_path, f"ana/03_occlusion/{NAME}")
    (tmp_path / "bo").mkdir(), (tmp_path / "cy" / "03_occlusion").mkdir(parents=True)
    assert found(tmp_path) == {"ana": [NAME], "bo": [], "cy": []}


def test_links_are_told_of_and_not_followed(tmp_path):
    other = put(tmp_path / "in", f"ana/03_occlusion/{NAME}") / "ana" / "03_occlusion"
    for student, link, target in (("bo", f"03_occlusion/{NAME}", other / NAME), ("cy", "03_occlusion", other)):
        place = tmp_path / "in" / student / link
        place.parent.mkdir(parents=True)
        place.symlink_to(target)
    (tmp_path / "in" / "di").symlink_to(tmp_path / "in" / "ana")
    got = found(tmp_path / "in")
    assert got == {"ana": [NAME], **dict.fromkeys(("bo", "cy", "di"), ["link, not followed"])}


def test_what_cannot_be_read_costs_its_student_alone(tmp_path, monkeypatch):
    put(tmp_path, f"ana/{NAME}", f"bo/{NAME}", f"cy/{NAME}")
    (tmp_path / "di" / NAME).mkdir(parents=True)
    os.mkfifo(tmp_path / "bo" / "pipe.ipynb")
    real = os.scandir

    def scandir(folder):
        if str(folder).endswith("cy"):
            raise PermissionError(13, "Permission denied")
        return real(folder)
    monkeypatch.setattr(trees.os, "scandir", scandir)
    got = found(tmp_path)
    assert got["ana"] == got["bo"] == [NAME]
    assert got["cy"] == ["folder that cannot be read (Permission denied)"] and got["di"] == []


def test_a_broken_zip_costs_its_student_alone(tmp_path):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr(NAME, CONTENT)
    put(tmp_path, "ana/work.zip", content=whole.getvalue()[:30] + b"x" * 40 + whole.getvalue()[70:])
    put(tmp_path, f"bo/{NAME}")
    put(tmp_path, "cy/work.zip", content=b"PK no zip at all")
    got = found(tmp_path)
    assert got["bo"] == [NAME] and got["cy"] == ["no notebook, but work.zip"] and "ana" in got


def test_names_in_a_zip_lead_nowhere_else(tmp_path):
    place = zipped(tmp_path / "class.zip", f"../../ana/{NAME}", f"/bo/{NAME}", f"cy\\{NAME}")
    assert found(place) == {"ana": [NAME], "bo": [NAME], "cy": [NAME]}


def test_an_entry_is_read_no_further_than_the_limit(tmp_path):
    put(tmp_path, f"ana/{NAME}", content=b"x" * 100)
    entry = folders.find(tmp_path, "03").students[0].hand_ins[0].entry
    assert entry.size == 100 and len(entry.content(10)) == 11


@pytest.mark.parametrize("names, why", [
    ((), "It has no files"),
    (("ana/02_neighbours_and_tsne.ipynb", "bo/02_neighbours_and_tsne.ipynb"), "2 notebooks of lesson 02"),
    (("ana/essay.pdf",), "1 students with nothing"), (("notes.txt",), "1 files that belong to nobody")])
def test_nobody_handed_in_is_an_error(tmp_path, names, why):
    (tmp_path / "in").mkdir()
    with pytest.raises(ValueError, match=f"submissions: got .* nobody handed in lesson 03.*{why}"):
        folders.find(put(tmp_path / "in", *names), "03")


def test_what_is_neither_folder_nor_zip(tmp_path):
    for place in (tmp_path / "none", put(tmp_path, "a.txt") / "a.txt"):
        with pytest.raises(NotADirectoryError, match="submissions: got"):
            folders.find(place, "03")


def test_the_whole_made_up_class_in_every_layout(tmp_path):
    students = classes.make(20)
    with_files = sum(bool(student.files) for student in students)
    people = roster.read(classes.worksheet(students, tmp_path / "worksheet.csv"))
    for place in (classes.moodle(students, tmp_path / "moodle.zip"), classes.canvas(students, tmp_path / "canvas")):
        got = folders.find(place, "03", people)
        assert len(got.students) == 20 and len(got.handed_in) == with_files
        assert {one.person.email for one in got.students} == {one.email for one in students}
        assert not any("roster" in flag for one in got.students for flag in one.flags)
    got = folders.find(classes.nbgrader(students, tmp_path / "nbgrader"), "03")
    assert len(got.students) == 20 and len(got.handed_in) == with_files
    assert all(one.hand_ins[0].received.utcoffset() for one in got.handed_in)


def test_outputs_are_dropped_from_what_is_kept():
    heavy = b'{"cells": [{"source": "x", "outputs": [{"data": "' + b"A" * 10_000 + b'"}]}], "nbformat": 4}'
    assert len(records.slim(heavy)) < 100 and b'"source": "x"' in records.slim(heavy)
    for content in (b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"cells": 3}', b'{"cells": [3]}'):
        assert records.slim(content) == content


@pytest.mark.parametrize("name, other", [("03_occlusion", "03_Occlusion (2)"), ("03_occlusion", "03 occlusion"),
                                         ("03_occlusion", "03_occlusion-1"), ("03_occlusion", "03_occlusion - Kopie")])
def test_names_that_are_the_same(name, other):
    assert layouts.same(name, other) and not layouts.same(name, "02_neighbours_and_tsne")
