"""Where the submissions of a class lie: nbgrader's layout FOLDER/STUDENT/ASSIGNMENT/NOTEBOOK.ipynb.

All names below FOLDER are other people's input: they become the names of files, so odd ones are refused.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lecturekit import files

STUDENT = re.compile(r"\w[\w .,'@()+=-]*")
LONGEST = 100    # bytes of a student's name: with the endings that are added it stays a valid file name


@dataclass(frozen=True)
class Submission:
    """What one student handed in: `path` is None where that is nothing, or nothing that may be read."""

    student: str
    path: Path | None
    flags: tuple[str, ...] = ()

    @cached_property
    def sha256(self):
        return files.sha256(self.path) if self.path else ""

    def content(self, limit):
        """The file's bytes, cut off one after `limit`, so that who reads them sees that there are too many."""
        with open(self.path, "rb") as file:
            return file.read(limit + 1)


def find(folder, assignment):
    """The submissions below `folder`, by student, and {name: why} of the entries that are refused."""
    root = Path(folder).resolve()
    if not root.is_dir():
        raise NotADirectoryError(f"submissions: got {folder}. It takes a folder with a folder for each student.")
    entries = sorted(entry for entry in root.iterdir() if not entry.name.startswith("."))
    refused = {entry.name: why for entry in entries if (why := _odd(entry))}
    return [_submission(entry, assignment) for entry in entries if entry.name not in refused], refused


def _odd(entry):
    """Why an entry cannot be the folder of a student, or None."""
    if entry.is_symlink() or not entry.is_dir():
        return "not a folder"
    plain = STUDENT.fullmatch(unicodedata.normalize("NFC", entry.name))
    if not plain or len(entry.name.encode(errors="surrogateescape")) > LONGEST:
        return "not a student's name: rename the folder"
    return None


def _submission(home, assignment):
    """A file named like the assignment, else the only notebook there is."""
    folder = home / assignment
    if not _within(folder, home):
        return Submission(home.name, None, ("link out of the folder",))
    notebooks = sorted(path for path in folder.glob("*.ipynb") if not path.name.startswith("."))
    named = [path for path in notebooks if path.stem == assignment] or notebooks
    if len(named) != 1:
        return Submission(home.name, None, ("several notebooks, none of the lesson's name",) if named else ())
    if not _within(named[0], home) or not named[0].is_file():
        return Submission(home.name, None, ("link out of the folder",))
    return Submission(home.name, named[0], () if named[0].stem == assignment else ("file of another name",))


def _within(path, home):
    return path.resolve().is_relative_to(home)
