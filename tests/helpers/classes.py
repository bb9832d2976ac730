"""A made-up class for lesson 3, as nbgrader, Moodle or Canvas would hand it over, with the marks that it must get.

    python tests/helpers/classes.py DIR --count 60     # DIR/moodle.zip, DIR/worksheet.csv

Every kind of student is there: right, wrong, blank, with helper cells, with lost metadata, late, resubmitted, with a
broken file, with nothing, with a name that gives trouble.
"""

import argparse
import csv
import io
import json
import zipfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import submissions

LESSON, NAME = "03", "03_occlusion.ipynb"
DEADLINE = datetime(2026, 5, 4, 23, 59)
NAMES = ["Ana Díaz", "Zoë O'Brien", "R&D Smith", "Li Wei", "\u202eevil name", "=cmd Name", "Jürgen Groß", "Σοφία Παππά",
         "José María de la Cruz", "Nguyễn Thị Minh"]


@dataclass(frozen=True)
class Student:
    """`points` are those of the three questions, None where the grader decides on the amount but not on all or none."""

    name: str
    number: int
    kind: str
    files: tuple[bytes, ...]
    days_late: int = 0

    @property
    def points(self):
        if self.kind in ("right", "helpers", "no metadata", "late", "resubmitted"):
            return {"03.1": 5, "03.2": 5, "03.3": 5}
        wrong = {"03.1": None} if self.kind == "wrong" else {"03.1": 0, "03.2": 0, "03.3": 0}
        return {"03.1": 5, "03.2": 5, "03.3": 5} | wrong

    @property
    def email(self):
        return f"s{self.number}@example.org"


def notebook(kind):
    """The bytes of a notebook of a kind."""
    if kind == "broken":
        return b'{"cells": [{"cell_type"'
    answers = {} if kind == "blank" else {**submissions.HONEST, "03.4": f"Because of {kind}."}
    if kind == "wrong":
        answers["03.1"] = submissions.MISTAKES["03.1"][0]
    own = submissions.submission(LESSON, answers)
    if kind == "helpers":
        _move_helper(own)
    if kind == "no metadata":
        for cell in own["cells"]:
            cell["metadata"] = {}
    return json.dumps(own).encode()


def _move_helper(own):
    """What the answer to 03.1 needs stands in a cell of its own, with an import."""
    place = next(n for n, cell in enumerate(own["cells"]) if cell["source"] == submissions.HONEST["03.1"])
    helper = "import math\n\ndef stop_of(start, window, length):\n    return math.floor(min(start + window, length))"
    own["cells"][place]["source"] = submissions.HONEST["03.1"].replace("min(start + window, length)",
                                                                      "stop_of(start, window, length)")
    own["cells"].insert(place, {"cell_type": "code", "id": "helper", "metadata": {}, "outputs": [],
                                "execution_count": None, "source": helper})


KINDS = ("right", "wrong", "blank", "helpers", "no metadata", "late", "resubmitted", "broken", "nothing", "right")


def make(count=60):
    """`count` students, every kind as often as the others."""
    students = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        name = NAMES[number % len(NAMES)] + (f" {number}" if number >= len(NAMES) else "")
        first = {"late": "right", "resubmitted": "blank"}.get(kind, kind)
        files = () if kind == "nothing" else (notebook(first), *((notebook("right"),) if kind == "resubmitted" else ()))
        students.append(Student(name, 1000 + number, kind, files, 2 if kind == "late" else 0))
    return students


def moodle(students, path):
    """Moodle's "Download all submissions": a zip with a folder for each student, the last hand-in alone."""
    with zipfile.ZipFile(path, "w") as archive:
        for student in (student for student in students if student.files):
            archive.writestr(f"{student.name}_{student.number}_assignsubmission_file/{NAME}", student.files[-1])
    return path


def worksheet(students, path):
    """Moodle's "Download grading worksheet"."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade",
                    "Grade can be changed", "Last modified (submission)", "Last modified (grade)", "Feedback comments"])
    for student in students:
        when = DEADLINE - timedelta(hours=3) + timedelta(days=student.days_late)
        handed = f"{when:%A}, {when.day} {when:%B} {when.year}, {when:%I:%M %p}" if student.files else "-"
        status = "Submitted for grading - " if student.files else "No submission - "
        table.writerow([f"Participant {student.number}", student.name, student.email, status, "", "20.00", "Yes",
                        handed, "-", ""])
    Path(path).write_text(text.getvalue(), encoding="utf-8-sig")
    return path


def canvas(students, folder):
    """Canvas' "Download submissions", unpacked: flat files; a second hand-in has -1 behind its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for student in students:
        letters = "".join(letter for letter in student.name.lower() if letter.isalnum())
        late = "LATE_" if student.days_late else ""
        for number, content in enumerate(student.files):
            stem, ending = NAME.split(".")
            name = f"{stem}-{number}.{ending}" if number else NAME
            (folder / f"{letters}_{late}{student.number}_{5000 + number}_{name}").write_bytes(content)
    return folder


def nbgrader(students, folder):
    """nbgrader's own folders, with the time of each hand-in."""
    for student in students:
        place = folder / f"s{student.number}" / NAME.removesuffix(".ipynb")
        place.mkdir(parents=True)
        for content in student.files[-1:]:
            (place / NAME).write_bytes(content)
            when = DEADLINE - timedelta(hours=3) + timedelta(days=student.days_late)
            (place / "timestamp.txt").write_text(f"{when} Europe/Berlin")
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=60)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    students = make(options.count)
    moodle(students, options.folder / "moodle.zip")
    worksheet(students, options.folder / "worksheet.csv")


if __name__ == "__main__":
    main()
