"""What each student handed in, from the files of a class in any layout (see layouts), by the roster where there is one.

All names are other people's input and become the names of files: odd ones are written otherwise, nobody is left out.
"""

import hashlib
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from lecturekit.course import lessons, questions
from lecturekit.course.grading import layouts, times, trees
from lecturekit.course.grading.roster import Person, Roster

PLAIN = re.compile(r"\w[\w .,'@()+=-]*")
LONGEST = 100    # bytes of a student's name: with the endings that are added it stays a valid file name


@dataclass(frozen=True)
class HandIn:
    """One notebook of a student, with the time at which it was handed in, None where that is not known."""

    entry: trees.Entry
    file: str
    received: datetime | None = None
    late: bool = False               # as the LMS says


@dataclass(frozen=True)
class Student:
    """A student: `id` names files and stands in the gradebook, `hand_ins` are in order, the last one last."""

    id: str
    person: Person
    raw: str = ""
    lms: str = ""
    number: str = ""                 # the LMS' own id
    place: str = ""                  # before the name of a feedback file, as Moodle wants it
    hand_ins: tuple[HandIn, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass
class Found:
    """The students, by id; the entries that are nobody's; how many notebooks of which other lesson there were."""

    students: list
    nobodys: dict
    others: dict = field(default_factory=dict)

    @property
    def handed_in(self):
        return [student for student in self.students if student.hand_ins]


def find(folder, lesson, roster=None):
    """The `Found` of a lesson below `folder`, a folder or a zip. Raises ValueError where nobody handed in."""
    roster, assignment = roster or Roster(), lessons.path(lesson).stem
    root = Path(folder) / "submitted" if (Path(folder) / "submitted").is_dir() else Path(folder)
    owned = layouts.owners(trees.entries(root), assignment)
    groups = defaultdict(list)
    for entry, owner in owned:
        if owner:
            groups[_key(owner)].append((entry, owner))
    students = [_student(own, lesson, roster) for own in groups.values()]
    students = _with_ids(_merged(students))
    absent = [person for person in roster.people if person not in {student.person for student in students}]
    students += _with_ids([Student("", person) for person in absent])
    nobodys = {"/".join(entry.parts): f"{entry.kind} that belongs to no student" for entry, owner in owned if not owner}
    found = Found(sorted(students, key=lambda s: s.id), nobodys, _other_lessons(owned, lesson))
    if not found.handed_in:
        raise ValueError(nobody(folder, lesson, found))
    return found


def nobody(folder, lesson, found):
    """Why a run ends with an error."""
    seen = [f"{count} notebooks of lesson {other}" for other, count in sorted(found.others.items())]
    seen += [f"{len(found.students)} students with nothing of lesson {lesson}"] if found.students else []
    seen += [f"{len(found.nobodys)} files that belong to nobody"] if found.nobodys else []
    return (f"submissions: got {folder}, where nobody handed in lesson {lesson} ({lessons.path(lesson).name}). It has "
            f"{', '.join(seen) or 'no files'}. It takes what nbgrader, Moodle or Canvas lets you download.")


def _key(owner):
    return owner.lms, owner.id or owner.name


def _student(own, lesson, roster):
    """The student of some (Entry, Owner), with the notebooks that are of the lesson."""
    owner = own[0][1]
    person, flags = roster.match(owner)
    chosen, more = _chosen(own, lesson)
    handed = times.stamp([entry for entry, _ in own])
    hand_ins = [HandIn(entry, own_owner.file, _received(entry, owner, person, handed), own_owner.late)
                for entry, own_owner in chosen]
    hand_ins.sort(key=lambda one: (one.received.timestamp() if one.received else 0, _natural(one.file)))
    return Student("", person, _raw(owner), owner.lms, owner.id, owner.place, tuple(hand_ins), (*flags, *more))


def _raw(owner):
    return f"{owner.name}_{owner.id}" if owner.id not in ("", owner.name) else owner.name


def _received(entry, owner, person, stamped):
    """When it was handed in: as the roster says, as nbgrader noted; a download from an LMS has no times of its own."""
    return person.received or owner.received or stamped or (None if owner.lms else entry.modified)


def _chosen(own, lesson):
    """([(Entry, Owner)] that are hand-ins of the lesson, flags)."""
    notebooks = [pair for pair in own if layouts.is_notebook(pair[1].file) and pair[0].kind == trees.FILE]
    links = ("link, not followed",) if any(entry.kind == trees.LINK for entry, _ in own) else ()
    named = [pair for pair in notebooks if _names(pair[1].file) == lesson]
    if named:
        return named, (*links, *(("several notebooks of the lesson's name",) if len(named) > 1 else ()))
    unnamed = [pair for pair in notebooks if _names(pair[1].file) is None]
    speaking = unnamed if len(unnamed) == 1 else [pair for pair in unnamed if _speaks_of(pair[0], lesson)]
    if speaking:
        return speaking, (*links, "file of another name")
    return [], (*links, *_instead(own, notebooks))


def _instead(own, notebooks):
    """What was handed in where there is no notebook of the lesson."""
    if notebooks:
        return (f"no notebook of this lesson, but {', '.join(sorted({owner.file for _, owner in notebooks})[:3])}",)
    broken = [entry.kind for entry, _ in own if entry.kind not in (trees.FILE, trees.FOLDER, trees.LINK)]
    files = sorted({owner.file for entry, owner in own if entry.kind == trees.FILE})
    return (broken[0],) if broken else (f"no notebook, but {', '.join(files[:3])}",) if files else ()


def _names(file):
    """The lesson that a file is named after, or None."""
    stem = re.split(r"(?i)\.ipynb", file)[0]
    known = {number: path.stem for number, path in lessons.paths().items()}
    exact = [number for number, name in known.items() if layouts.same(stem, name)]
    inside = [number for number, name in known.items() if name.casefold() in stem.casefold().replace(" ", "_")]
    return next(iter(exact + inside), None)


def _speaks_of(entry, lesson):
    """Whether a notebook of some name has anything of the lesson in it: a grade id, or a function that it asks for."""
    try:
        text = entry.content(trees.ZIPPED)
    except Exception:   # whatever a zip or a file system says
        return False
    marks = [f'"{lesson}-', *(f"def {asked.function}(" for asked in questions.questions(lesson))]
    return any(mark.encode() in text for mark in marks)


def _other_lessons(owned, lesson):
    counts = defaultdict(int)
    for entry, owner in owned:
        if owner and layouts.is_notebook(owner.file) and (other := _names(owner.file)) not in (None, lesson):
            counts[other] += 1
    return dict(counts)


def _merged(students):
    """Students that the roster takes for one person become one."""
    by_person = defaultdict(list)
    for student in students:
        by_person[student.person if student.person.id else student.raw].append(student)
    return [own[0] if len(own) == 1 else _one_of(own) for own in by_person.values()]


def _one_of(own):
    hand_ins = sorted((one for student in own for one in student.hand_ins),
                      key=lambda one: one.received.timestamp() if one.received else 0)
    flags = dict.fromkeys(flag for student in own for flag in student.flags)
    return replace(own[0], hand_ins=tuple(hand_ins), flags=(*flags, "handed in under several names"))


def _with_ids(students):
    """The students with ids that can name files, each another one."""
    wanted = [student.person.id or student.raw for student in students]
    folded = [_folded(name) for name in wanted]
    return [replace(student, id=_id(name, folded.count(_folded(name)) > 1)) for student, name in zip(students, wanted)]


def _folded(name):
    return unicodedata.normalize("NFC", name).casefold()


def _id(name, taken):
    """The name itself where it can be a file's, else what of it can, with a digest that keeps it apart from others."""
    normal = unicodedata.normalize("NFC", name)
    plain = re.sub(r"[^\w .,'@()+=-]", "_", normal).lstrip(" .,'@()+=-") or "_"
    plain = plain.encode(errors="replace")[:LONGEST - 8].decode(errors="ignore").rstrip(" .")
    if plain == normal and not taken:
        return plain
    return f"{plain}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:6]}"


def _natural(name):
    stem = re.split(r"(?i)\.ipynb", name)[0]
    return [(0, int(part), "") if part.isdigit() else (1, 0, part.casefold()) for part in re.split(r"(\d+)", stem)]
