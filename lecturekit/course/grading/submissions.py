"""What a student handed in: the answers by grade id, whatever else the file holds. Nothing of it is run here."""

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass, field
from functools import lru_cache

from lecturekit.course import lessons, progress
from lecturekit.course.grading import answers, finding
from lecturekit.course.grading.finding import Cell
from lecturekit.course.questions import questions

CELLS = 5_000
NO_METADATA = "no nbgrader metadata"
WITHOUT_ID = re.compile(r": no cell of this id(, taken from|$)")
UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{")


@dataclass
class Submission:
    """Answers by grade id (None where there is none), and what a teacher should look at."""

    sha256: str = ""
    found: dict = field(default_factory=dict)      # {id: finding.Answer or None}
    written: dict = field(default_factory=dict)
    flags: list = field(default_factory=list)
    message: str = ""            # why nothing could be read, if so

    @property
    def code(self):
        """{id: the source of the answer's cell, or None}."""
        return {name: answer and answer.source for name, answer in self.found.items()}

    def flag(self, text):
        if text not in self.flags:
            self.flags.append(text)


class Unreadable(ValueError):
    """Says why a file is no notebook."""


def read(path, lesson, size):
    """The submission at `path` of at most `size` bytes. What cannot be read has no answers, and says why."""
    found = Submission(found={asked.id: None for asked in questions(lesson)}, written=dict.fromkeys(written(lesson), ""))
    try:
        found.sha256, content = _content(path, size)
        if content is None:
            raise Unreadable(f"the file is larger than {size >> 20} MB")
        cells = _cells(_notebook(content), found)
    except OSError as error:
        found.message = f"the file cannot be read ({type(error).__name__})"
    except Unreadable as error:
        found.message = str(error)
    if found.message:
        found.flag(found.message)
        return found
    _compare(cells, lesson, found)
    own = lesson_cells(lesson)
    for asked in questions(lesson):
        found.found[asked.id] = finding.answer(cells, own, asked, found.flag)
    for name in found.written:
        found.written[name] = finding.words(cells, own, name, found.flag)
    if NO_METADATA in found.flags:   # says all that these say
        found.flags = [flag for flag in found.flags if not WITHOUT_ID.search(flag)]
    return found


def written(lesson):
    """{grade id: points} of the answers in words."""
    return {name: cell.points for name, cell in ours(lesson).items() if cell.kind == "markdown"}


def ours(lesson):
    """{id: cell} of our own copy of the lesson."""
    return {cell.grade_id: cell for cell in lesson_cells(lesson) if cell.grade_id}


@lru_cache(maxsize=None)
def lesson_cells(lesson):
    """The cells of our own copy of the lesson, and those that the student copy has besides."""
    added = (Cell(kind, source) for kind, source in progress.cells(lesson))
    return *(_cell(cell) for cell in lessons.read(lesson).cells), *added


def setup(lesson):
    """The import statements of the lesson's cells, but for those of the checks: what runs before an answer."""
    return [line for line in finding.imported(lesson_cells(lesson)) if "lecturekit.course" not in line]


def _content(path, size):
    """(sha256, bytes or None where there are more than `size`) of a plain file."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("not a plain file")
        content = file.read(size + 1)
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest(), content if len(content) <= size else None


def _notebook(content):
    """The notebook in a file's bytes. Raises Unreadable where there is none."""
    if not content.strip():
        raise Unreadable("the file is empty")
    if content.startswith(UTF_16):
        raise Unreadable("the file is written in UTF-16, which Jupyter does not open: save it as UTF-8")
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable("the file is not written in UTF-8, so Jupyter does not open it") from None
    except (ValueError, RecursionError, MemoryError):
        raise Unreadable("the file is no notebook (invalid JSON)") from None


def _cells(notebook, found):
    """The cells, in known types. Raises Unreadable where there are none at all."""
    listed = notebook.get("cells", _of_format_3(notebook)) if isinstance(notebook, dict) else None
    if isinstance(notebook, dict) and notebook.get("nbformat") != 4:
        found.flag("not notebook format 4")
    if not isinstance(listed, list):
        raise Unreadable("the file is no notebook (it has no cells)")
    if len(listed) > CELLS:
        found.flag(f"more than {CELLS} cells")
    return [_cell(entry) for entry in listed[:CELLS] if isinstance(entry, dict)]


def _of_format_3(notebook):
    """The cells as format 3 has them, which Jupyter opens too; None where there are none."""
    sheets = notebook.get("worksheets")
    cells = [sheet["cells"] for sheet in sheets if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)
             ] if isinstance(sheets, list) else []
    return [{"source": cell.get("input"), "execution_count": cell.get("prompt_number")} | cell
            for listed in cells for cell in listed if isinstance(cell, dict)] if cells else None


def _cell(entry):
    source, metadata, ran = entry.get("source"), entry.get("metadata"), entry.get("execution_count")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    mark = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    mark = mark if isinstance(mark, dict) else {}
    return Cell(str(entry.get("cell_type")), _text(source), lessons.identifier(_text(mark.get("grade_id"))),
                mark.get("points"), bool(mark.get("locked")), ran if isinstance(ran, int) else None)


def _text(value):
    """A string without lone surrogates and NULs, "" for anything else."""
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "replace").decode().replace("\0", "").replace("\r\n", "\n")


def _compare(cells, lesson, found):
    """Flag what was changed besides the answers; none of it counts."""
    own = ours(lesson)
    if not any(cell.grade_id for cell in cells):
        found.flag(NO_METADATA)
    for cell in (cell for cell in cells if cell.grade_id):
        mark = own.get(cell.grade_id)
        if mark is None:
            found.flag("grade ids that the lesson does not have")
        elif cell.points != mark.points and cell.points is not None:
            found.flag(f"{cell.grade_id}: changed points")
        elif mark.locked and cell.source.strip() != mark.source.strip():
            found.flag(f"{cell.grade_id}: a locked cell was changed")
