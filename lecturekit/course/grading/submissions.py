"""What a student handed in: the answers by grade id, whatever else the file holds. Nothing of it is run here."""

import hashlib
import json
import os
import stat
from dataclasses import dataclass, field

from lecturekit.course import lessons
from lecturekit.course.grading import answers
from lecturekit.course.questions import questions

CELLS = 5_000
WORDS = 20_000       # characters that are kept of an answer in words


@dataclass
class Submission:
    """Sources by grade id (None where the cell is missing), and what a teacher should look at."""

    sha256: str = ""
    code: dict = field(default_factory=dict)
    written: dict = field(default_factory=dict)
    flags: list = field(default_factory=list)
    message: str = ""            # why nothing could be read, if so

    def flag(self, text):
        if text not in self.flags:
            self.flags.append(text)


@dataclass(frozen=True)
class Cell:
    """One cell of a submission in known types, whatever stood in the file."""

    kind: str
    source: str
    grade_id: str
    points: object


def read(path, lesson, size):
    """The submission at `path` of at most `size` bytes. What cannot be read has no answers, and says why."""
    found = Submission(code={asked.id: None for asked in questions(lesson)}, written=dict.fromkeys(written(lesson), ""))
    try:
        found.sha256, content = _content(path, size)
        cells = _cells(json.loads(content.decode("utf-8")), found) if content is not None else None
        found.message = "" if cells is not None else f"the file is larger than {size >> 20} MB"
    except OSError as error:
        found.message = f"the file cannot be read ({type(error).__name__})"
    except (ValueError, RecursionError, MemoryError):
        found.message = "the file is empty" if not content else "the file is no notebook (invalid JSON)"
    if found.message:
        found.flag(found.message)
        return found
    _compare(cells, lesson, found)
    _take(cells, lesson, found)
    return found


def written(lesson):
    """{grade id: points} of the answers in words."""
    return {name: cell.metadata.nbgrader.points for name, cell in ours(lesson).items() if cell.cell_type == "markdown"}


def ours(lesson):
    """{id: cell} of our own copy of the lesson."""
    return {lessons.identifier(cell.metadata.nbgrader.grade_id): cell for cell in lessons.read(lesson).cells
            if "nbgrader" in cell.metadata}


def setup(lesson):
    """The import statements of the lesson's first code cell: what runs before every answer."""
    first = next(cell for cell in lessons.read(lesson).cells if cell.cell_type == "code")
    return answers.imports(first.source)


def _content(path, size):
    """(sha256, bytes or None where there are more than `size`) of a plain file."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("not a plain file")
        content = file.read(size + 1)
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest(), content if len(content) <= size else None


def _cells(notebook, found):
    """The cells, in known types. Raises ValueError where there are none at all."""
    listed = notebook.get("cells") if isinstance(notebook, dict) else None
    if isinstance(notebook, dict) and notebook.get("nbformat") != 4:
        found.flag("not notebook format 4")
    if not isinstance(listed, list):
        raise ValueError("no cells")
    if len(listed) > CELLS:
        found.flag(f"more than {CELLS} cells")
    return [_cell(entry) for entry in listed[:CELLS] if isinstance(entry, dict)]


def _cell(entry):
    source, metadata = entry.get("source"), entry.get("metadata")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    mark = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    mark = mark if isinstance(mark, dict) else {}
    return Cell(str(entry.get("cell_type")), _text(source), lessons.identifier(_text(mark.get("grade_id"))), mark.get("points"))


def _text(value):
    """A string without lone surrogates and NULs, "" for anything else."""
    return value.encode("utf-8", "replace").decode().replace("\0", "") if isinstance(value, str) else ""


def _compare(cells, lesson, found):
    """Flag what was changed besides the answers; none of it counts."""
    own = ours(lesson)
    if not any(cell.grade_id for cell in cells):
        found.flag("no nbgrader metadata")
    for cell in (cell for cell in cells if cell.grade_id):
        mark = own[cell.grade_id].metadata.nbgrader if cell.grade_id in own else None
        if mark is None:
            found.flag("grade ids that the lesson does not have")
        elif cell.points != mark.get("points") and cell.points is not None:
            found.flag(f"{cell.grade_id}: changed points")
        elif mark.locked and cell.source.strip() != own[cell.grade_id].source.strip():
            found.flag(f"{cell.grade_id}: a locked cell was changed")


def _take(cells, lesson, found):
    """Fill in the answers."""
    for asked in questions(lesson):
        found.code[asked.id] = _answer(cells, asked, found)
    for name in found.written:
        texts = [cell.source for cell in cells if cell.grade_id == name and cell.kind == "markdown"]
        if len(texts) != 1:
            found.flag(f"{name}: {'missing' if not texts else 'several cells, the last one counts'}")
        found.written[name] = texts[-1][:WORDS] if texts else ""


def _answer(cells, asked, found):
    """The source of one answer: of several cells the last that is not blank; without metadata, by what it defines."""
    code = [cell for cell in cells if cell.kind == "code"]
    chosen = [cell.source for cell in code if cell.grade_id == asked.id]
    if not chosen:
        chosen = [cell.source for cell in code if not cell.grade_id and asked.function in answers.defines(cell.source)]
        if chosen:
            found.flag(f"{asked.id}: no cell of this id, taken from the cell that defines {asked.function}")
    elif len(chosen) > 1:
        found.flag(f"{asked.id}: several cells, the last one that is not blank counts")
    return next((source for source in reversed(chosen) if not answers.is_blank(source, asked.function)),
                chosen[-1] if chosen else None)
