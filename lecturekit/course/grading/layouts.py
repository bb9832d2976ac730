"""Whose is a file? What nbgrader, Moodle and Canvas call the files of a class, and people who sort them by hand.

- nbgrader: STUDENT/ASSIGNMENT/NOTEBOOK.ipynb, with timestamp.txt beside it.
- Moodle, "Download all submissions" (mod/assign/classes/downloader.php): the folder NAME_ID_assignsubmission_file (with
  another underscore at its end up to 4.0), or flat files NAME_ID_assignsubmission_file_FILE; NAME has no underscore.
- Canvas, "Download submissions" (lib/content_zipper.rb): flat files NAME_ID_ATTACHMENT_FILE, or
  NAME_LATE_ID_ATTACHMENT_FILE where it came late, NAME in lower case without spaces; anon_ID_ATTACHMENT_FILE where
  names are hidden.
- Brightspace, "Download all": the folder ID-ID - NAME - DATE, or flat files ID-ID - NAME - DATE - FILE.
- Blackboard, "Assignment File Download": flat files TITLE_USER_attempt_DATE_FILE, and a text without FILE.
- Sakai, "Download All": NAME(USER)/Submission attachment(s)/FILE.
- By hand: STUDENT/NOTEBOOK.ipynb, or STUDENT.ipynb, also with the lesson's name before or behind the student's.
"""

import os
import re
from dataclasses import dataclass
from datetime import datetime

from lecturekit.course.grading.trees import FILE

MOODLE = re.compile(r"(?P<prefix>(?P<name>[^_]*)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?)(?P<file>.*)",
                    re.DOTALL)
CANVAS = re.compile(r"(?P<name>.+?)_(?P<late>LATE_)?(?P<id>\d+)_(?P<attachment>\d+)_(?P<file>.+)", re.DOTALL)
ANONYMOUS = re.compile(r"(?P<late>LATE_)?(?P<name>anon)_(?P<id>[^_]+)_(?P<attachment>\d+)_(?P<file>.+)", re.DOTALL)
OTHERS = {   # {name: (pattern, how its time is written)}
    "brightspace": (re.compile(r"(?P<id>\d+-\d+) ?- (?P<name>.+?) ?- (?P<when>\w+ \d+, \d{4} \d{1,2}:?\d\d [AP]M)"
                               r"(?: ?- (?P<file>.+))?", re.DOTALL), "%b %d, %Y %I%M %p"),
    "blackboard": (re.compile(r"(?P<title>.+?)_(?P<id>[^_]+)_attempt_(?P<when>\d{4}(?:-\d\d){5})"
                              r"(?:_(?P<file>.+)|\.txt)", re.DOTALL), "%Y-%m-%d-%H-%M-%S"),
    "sakai": (re.compile(r"(?P<name>[^()]+)\((?P<id>[^()]+)\)"), "")}
SAKAI = "submission attachment(s)"


@dataclass(frozen=True)
class Owner:
    """Whose an entry is: the name as it stands there, the LMS and its id of the student, where to put the feedback."""

    name: str
    lms: str = ""
    id: str = ""
    place: str = ""      # before the name of a feedback file, as Moodle wants it
    file: str = ""       # what the student called the file
    late: bool = False   # as Canvas marks it
    received: datetime | None = None     # as the name says


def owners(entries, assignment):
    """[(Entry, Owner or None)]: None for what is nobody's, such as a text beside the students' folders."""
    shared = _shared(entries)
    level = _level(entries, assignment, shared)
    others = _others(entries)
    return [(entry, _in_lms(entry, shared, assignment) or _elsewhere(entry, others)
             or _in_folders(entry, level, assignment)) for entry in entries]


def same(name, other):
    """Whether a folder or the stem of a file has this name, but for case, spaces and what copies are called."""
    return _plain(name) == _plain(other)


def _plain(name):
    name = re.sub(r"(?i)([ _-]*(\(\d+\)|copy|kopie|copie|copia))+$|-\d+$", "", name.strip())
    return re.sub(r"[ _-]+", "_", name.strip()).casefold()


def is_notebook(name):
    return bool(re.search(r"(?i)\.ipynb(\.(txt|json))?$", name))


def _shared(entries):
    """How many folders all notebooks lie in, one in the other: what a zip puts around its content.

    Where all lie in one folder it is that of one student, if other folders stand beside it.
    """
    ways = [entry.parts[:-1] for entry in entries if is_notebook(entry.name)]
    every = [entry.parts[:-1] for entry in entries if len(entry.parts) > 1]
    return len(os.path.commonprefix(every if len(set(ways)) == 1 else ways)) if ways else 0


def _in_lms(entry, shared, assignment):
    """The Owner by a name that an LMS gave to a folder or the file."""
    for found in filter(None, map(MOODLE.fullmatch, entry.parts)):
        file, place = found["file"] or entry.name, found["prefix"] + ("" if found["file"] else "/")
        return Owner(found["name"], "moodle", found["id"], place, file)
    top = entry.parts[shared] if shared < len(entry.parts) else ""
    found = ANONYMOUS.fullmatch(top) or CANVAS.fullmatch(top)
    if found and not same(_stem(f"{found['attachment']}_{found['file']}"), assignment):
        return Owner(found["name"], "canvas", found["id"], "", found["file"], bool(found["late"]))
    return None


def _others(entries):
    """What of OTHERS there may be: a name in Sakai's form alone tells nothing."""
    sakai = any(SAKAI in map(str.casefold, entry.parts) for entry in entries)
    return {lms: form for lms, form in OTHERS.items() if lms != "sakai" or sakai}


def _elsewhere(entry, others):
    """The Owner by the name that one of the `others` gave to a folder or the file."""
    for lms, (pattern, when) in others.items():
        for found in filter(None, map(pattern.fullmatch, entry.parts)):
            named = found.groupdict()
            name, file = named.get("name") or named["id"], named.get("file") or entry.name
            return Owner(name, lms, named["id"], f"{name}/", file, received=_time(named.get("when"), when))
    return None


def _time(text, form):
    try:
        return datetime.strptime(text.replace(":", ""), form).astimezone() if text else None
    except ValueError:
        return None


def _level(entries, assignment, shared):
    """The place of an entry's parts where its student stands: before the assignment, else below what all share.

    Notebooks that lie in one folder are those of one student where any of them has the lesson's name, or is alone.
    """
    notebooks = [entry for entry in entries if is_notebook(entry.name)]
    alone = len({entry.parts[:-1] for entry in notebooks}) == 1 and (
        len(notebooks) == 1 or any(same(_stem(entry.name), assignment) for entry in notebooks))
    above = [number - 1 for entry in entries for number, part in enumerate(entry.parts[:-1])
             if number and same(part, assignment) and (number >= shared or alone and number == len(entry.parts) - 2)]
    if above:
        return min(above)
    students = {entry.parts[shared] for entry in entries if len(entry.parts) > shared + 1}
    return shared - 1 if alone and shared and not students else shared


def _in_folders(entry, level, assignment):
    parts = entry.parts[level:]
    if len(parts) > 1 or parts and entry.kind != FILE:
        return Owner(parts[0], place=f"{parts[0]}/", file=entry.name)
    if not parts or not is_notebook(parts[0]):
        return None
    stem = _without(_stem(parts[0]), assignment)
    return Owner(stem, place=f"{stem}/", file=entry.name)


def _stem(file):
    return re.split(r"(?i)\.ipynb", file)[0]


def _without(stem, assignment):
    """The name of a file without that of the lesson, where anything else is left."""
    lesson = r"[ _-]+".join(map(re.escape, re.split(r"[ _-]+", assignment)))
    left = re.sub(rf"(?i)^{lesson}[ _.-]+|[ _.-]+{lesson}([ _-]*\(\d+\))?$", "", stem).strip()
    return left if left and not same(stem, assignment) else stem
