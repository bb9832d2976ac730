"""Whose is a file? What nbgrader, Moodle and Canvas call the files of a class, and people who sort them by hand.

- nbgrader: STUDENT/ASSIGNMENT/NOTEBOOK.ipynb, with timestamp.txt beside it.
- Moodle, "Download all submissions" (mod/assign/classes/downloader.php): the folder NAME_ID_assignsubmission_file (with
  another underscore at its end up to 4.0), or flat files NAME_ID_assignsubmission_file_FILE; NAME has no underscore.
- Canvas, "Download submissions" (lib/content_zipper.rb): flat files NAME_ID_ATTACHMENT_FILE, or
  NAME_LATE_ID_ATTACHMENT_FILE where it came late, NAME in lower case without spaces; anon_ID_ATTACHMENT_FILE where
  names are hidden.
- By hand: STUDENT/NOTEBOOK.ipynb, or STUDENT.ipynb.
"""

import os
import re
from dataclasses import dataclass

from lecturekit.course.grading.trees import FILE

MOODLE = re.compile(r"(?P<prefix>(?P<name>[^_]*)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?)(?P<file>.*)",
                    re.DOTALL)
CANVAS = re.compile(r"(?P<name>.+?)_(?P<late>LATE_)?(?P<id>\d+)_(?P<attachment>\d+)_(?P<file>.+)", re.DOTALL)
ANONYMOUS = re.compile(r"(?P<late>LATE_)?(?P<name>anon)_(?P<id>[^_]+)_(?P<attachment>\d+)_(?P<file>.+)", re.DOTALL)


@dataclass(frozen=True)
class Owner:
    """Whose an entry is: the name as it stands there, the LMS and its id of the student, where to put the feedback."""

    name: str
    lms: str = ""
    id: str = ""
    place: str = ""      # before the name of a feedback file, as Moodle wants it
    file: str = ""       # what the student called the file
    late: bool = False   # as Canvas marks it


def owners(entries, assignment):
    """[(Entry, Owner or None)]: None for what is nobody's, such as a text beside the students' folders."""
    shared = _shared(entries)
    level = _level(entries, assignment, shared)
    return [(entry, _in_lms(entry, shared) or _in_folders(entry, level)) for entry in entries]


def same(name, other):
    """Whether a folder or the stem of a file has this name, but for case, spaces and what copies are called."""
    return _plain(name) == _plain(other)


def _plain(name):
    name = re.sub(r"(?i)([ _-]*(\(\d+\)|copy|kopie|copie|copia))+$|-\d+$", "", name.strip())
    return re.sub(r"[ _-]+", "_", name.strip()).casefold()


def is_notebook(name):
    return bool(re.search(r"(?i)\.ipynb(\.(txt|json))?$", name))


def _shared(entries):
    """How many folders all notebooks lie in, one in the other: what a zip puts around its content."""
    ways = [entry.parts[:-1] for entry in entries if is_notebook(entry.name)]
    return len(os.path.commonprefix(ways)) if ways else 0


def _in_lms(entry, shared):
    """The Owner by a name that Moodle or Canvas gave to a folder or the file."""
    for found in filter(None, map(MOODLE.fullmatch, entry.parts)):
        file, place = found["file"] or entry.name, found["prefix"] + ("" if found["file"] else "/")
        return Owner(found["name"], "moodle", found["id"], place, file)
    top = entry.parts[shared] if shared < len(entry.parts) else ""
    found = ANONYMOUS.fullmatch(top) or CANVAS.fullmatch(top)
    return Owner(found["name"], "canvas", found["id"], "", found["file"], bool(found["late"])) if found else None


def _level(entries, assignment, shared):
    """The place of an entry's parts where its student stands: before the assignment, else below what all share."""
    above = [number - 1 for entry in entries for number, part in enumerate(entry.parts[:-1])
             if number and same(part, assignment)]
    if above:
        return min(above)
    students = {entry.parts[shared] for entry in entries if len(entry.parts) > shared + 1}
    return shared if students or not shared else shared - 1


def _in_folders(entry, level):
    parts = entry.parts[level:]
    if len(parts) > 1 or parts and entry.kind != FILE:
        return Owner(parts[0], place=f"{parts[0]}/", file=entry.name)
    if not parts or not is_notebook(parts[0]):
        return None
    stem = parts[0][:parts[0].lower().index(".ipynb")]
    return Owner(stem, place=f"{stem}/", file=entry.name)
