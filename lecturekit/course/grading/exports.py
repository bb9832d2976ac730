"""Files for an LMS: grades.csv, import files in Moodle's and Canvas' own columns, the feedback as one zip for Moodle.

- Moodle, "Upload grading worksheet" (docs.moodle.org, "Assignment FAQ" and "Using Assignment"; source:
  mod/assign/feedback/offline/importgradeslib.php and mod/assign/gradingtable.php): a CSV file with commas and at least
  the columns Identifier ("Participant ID"), Grade and Last modified (grade), which must not be older than the grade in
  Moodle; a row without a grade is skipped. A worksheet that Moodle exported comes back as it is, its grades filled in.
- Canvas, "How do I import grades in the Gradebook?" (Instructure's Instructor Guide; lib/gradebook_importer.rb):
  Student, ID, SIS User ID, SIS Login ID, Section, then the assignment, as "Title" or "Title (id)"; a row "Points
  Possible" first, which would change the assignment's own points. An empty field would take a grade away: who has none
  is left out.
- Moodle, "Upload multiple feedback files in a zip" (source: mod/assign/feedback/file/importziplib.php): each file below
  a folder named as in the download, NAME_ID_assignsubmission_file.

Who still waits for a mark in formgrader, or handed nothing in, is in grades.csv alone.
"""

import csv
import io
import zipfile
from pathlib import Path

from lecturekit.course import lessons
from lecturekit.course.grading.roster import identifier

IDENTIFIER, GRADE, MAXIMUM, MODIFIED = "Identifier", "Grade", "Maximum grade", "Last modified (grade)"
MOODLE = (IDENTIFIER, "Full name", "Email address", GRADE, MAXIMUM, MODIFIED)
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
POINTS = "    Points Possible"     # as Canvas itself writes it
SPENT = 1980, 1, 1, 0, 0, 0        # the same zip from the same pages


def write_all(results, lesson, rows, roster, column):
    """Write the files to `results`; `rows` are those of overview, `column` is the assignment's name in the LMS."""
    files = {"grades.csv": grades(rows), "moodle.csv": moodle(rows, roster), "canvas.csv": canvas(rows, roster, column),
             "changes.csv": changes(rows)}
    for name, text in files.items():
        if text:
            lessons.write(Path(results) / name, text)
    lessons.write(Path(results) / "feedback.zip", feedback(results, lesson, rows))


def grades(rows):
    """Everybody: who, points by question (empty where they wait for a person), what being late cost, total, maximum."""
    columns = list(rows[0]["points"]) if rows else []
    table = [["id", "name", "email", "section", *columns, "late", "total", "max", "handed in"]]
    for row in rows:
        points = ["" if value is None else _number(value) for value in row["points"].values()]
        table.append([row["student"], row["name"], row["email"], row["section"], *points,
                      f"-{row['percent']:g}%" if row["percent"] else "", _number(row["total"]), _number(row["max"]),
                      row["received"] or ("yes" if row["handed_in"] else "no")])
    return _csv(table)


def changes(rows):
    """The marks that were others before a question was corrected, or "" where there are none."""
    table = [[row["student"], row["name"], row["email"], change["question"], _number(change["before"]),
              _number(change["after"]), change["until"]] for row in rows for change in row["changed"]]
    return _csv([["id", "name", "email", "question", "before", "after", "changed"], *table]) if table else ""


def moodle(rows, roster):
    """Moodle's grading worksheet, or "" where nobody has an id of Moodle's."""
    if IDENTIFIER in roster.header and GRADE in roster.header:
        by_id = {row["person"].id: row for row in _final(rows)}
        return _csv([roster.header, *(_filled(line, roster, by_id) for line in roster.rows)])
    own = [row for row in _final(rows) if row["lms"] == "moodle"]
    return _csv([MOODLE, *([f"Participant {row['number']}", row["name"], row["email"], _number(row["total"]),
                            _number(row["max"]), "-"] for row in own)]) if own else ""


def _filled(line, roster, by_id):
    """A line of Moodle's worksheet with the grade of its student, where there is one."""
    own = dict(zip(roster.header, line))
    row = by_id.get(identifier(own.get(IDENTIFIER, "")))
    place = roster.header.index(GRADE)
    return (*line[:place], _scaled(row, own.get(MAXIMUM, "")), *line[place + 1:]) if row else line


def _scaled(row, most):
    """The total, in points of the LMS' own maximum, a text, where that is known."""
    try:
        most = float(most.replace(",", "."))
    except ValueError:
        most = 0
    return _number(row["total"] * most / row["max"] if most > 0 else row["total"])


def canvas(rows, roster, column):
    """Canvas' gradebook, or "" where nobody has an id of Canvas'."""
    exported = set(CANVAS[:2]) <= set(roster.header)
    own = [row for row in _final(rows) if row["lms"] == "canvas" or exported and row["person"].id]
    if not own:
        return ""
    name, most = _assignment(roster, column, _number(own[0]["max"]))
    return _csv([[*CANVAS, name], [POINTS, "", "", "", "", most], *(
        [row["name"], row["number"] or row["person"].id, row["person"].sis, row["person"].login, row["section"],
         _scaled(row, most)] for row in own)])


def _assignment(roster, column, most):
    """(name, points) of an assignment as Canvas' export has them; where it does not, as they are given."""
    name = next((name for name in roster.header if name == column or name.rpartition(" (")[0] == column), column)
    possible = [dict(zip(roster.header, line)) for line in roster.rows if line[0].strip() == POINTS.strip()]
    return name, next((own[name] for own in possible if own.get(name)), most)


def feedback(results, lesson, rows):
    """The zip with everybody's page, where Moodle looks for it."""
    written, name = io.BytesIO(), f"{lessons.path(lesson).stem}_feedback.html"
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in (row for row in rows if row["handed_in"]):
            place = row["place"] if row["lms"] == "moodle" else f"{row['student']}/"
            archive.writestr(zipfile.ZipInfo(f"{place}{name}", SPENT), (Path(results) / row["page"]).read_bytes(),
                             zipfile.ZIP_DEFLATED)
    return written.getvalue()


def _final(rows):
    return [row for row in rows if row["handed_in"] and not row["waiting"]]


def _csv(table):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([map(_inert, line) for line in table])
    return text.getvalue()


def _inert(field):
    """A spreadsheet takes a field that begins so for a formula."""
    formula = isinstance(field, str) and field.startswith(("=", "+", "@", "\t", "\r")) or _minus(field)
    return f"'{field}" if formula else field


def _minus(field):
    """Whether a text begins with a minus sign and is neither a number nor Moodle's "-"."""
    if not isinstance(field, str) or not field.startswith("-") or field == "-":
        return False
    return not field[1:].rstrip("%").replace(".", "", 1).isdigit()


def _number(value):
    """Points without needless decimals: 5, 3.75."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
