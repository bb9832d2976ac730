"""Who is in the class: a CSV file with the columns id, name, e-mail, section, or what an LMS exports.

Moodle's "Download grading worksheet" (columns Identifier, Full name, Email address, ..., Last modified (submission))
and Canvas' gradebook export (Student, ID, SIS User ID, SIS Login ID, Section, ...) are taken as they are.
"""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from lecturekit.course.grading import times

COLUMNS = {"id": ("id", "identifier", "student id", "id number", "matriculation number", "username", "user name"),
           "name": ("name", "full name", "student", "student name"), "first": ("first name", "firstname", "given name"),
           "last": ("last name", "lastname", "surname", "family name"),
           "email": ("e-mail", "email", "email address", "e-mail address", "mail"),
           "section": ("section", "group", "class"), "received": ("last modified (submission)", "handed in"),
           "sis": ("sis user id",), "login": ("sis login id",)}
PARTICIPANT = re.compile(r"\D+?\s*(\d+)")   # Moodle's "Participant 12345", in its own language


@dataclass(frozen=True)
class Person:
    """A student of the roster, or, without an id, what is known of one who is not in it."""

    id: str = ""
    name: str = ""
    email: str = ""
    section: str = ""
    sis: str = ""
    login: str = ""
    received: datetime | None = None


@dataclass(frozen=True)
class Roster:
    """The people, and the table that they came from, for an import file of the same columns."""

    people: tuple[Person, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    _by_id: dict = field(default_factory=dict)
    _by_name: dict = field(default_factory=dict)

    def __post_init__(self):
        for person in self.people:
            for key in {person.id, person.email, person.sis, person.login} - {""}:
                self._by_id.setdefault(key.casefold(), []).append(person)
            for key in spellings(person.name):
                self._by_name.setdefault(key, []).append(person)

    def match(self, owner):
        """(Person, flags) for the owner of a file: by id, by e-mail, then by name."""
        stranger = Person("", owner.name)
        if not self.people:
            return stranger, ()
        for found in (self._by_id.get((owner.id or owner.name).casefold()), self._by_id.get(owner.name.casefold()),
                      self._by_name.get(_letters(owner.name))):
            if found and len(found) == 1:
                return found[0], ()
            if found:
                return stranger, ("several people of this name in the roster",)
        return stranger, ("not in the roster",)


def read(path):
    """The Roster in a CSV file, with commas, semicolons or tabs. Raises ValueError where it has no students."""
    text = _decoded(Path(path).read_bytes())
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    lines = csv.reader(io.StringIO(text), delimiter=delimiter)
    rows = [tuple(line) for line in lines if any(line)]
    header = rows[0] if rows else ()
    places = {kind: place for kind, names in COLUMNS.items() for place, column in enumerate(header)
              if column.strip().casefold() in names}
    if not {"id", "name", "email"} & set(places):
        raise ValueError(f"roster: got {path} with the columns {', '.join(header) or '(none)'}. It takes a CSV file "
                         "with the columns id, name, e-mail and section, or what Moodle or Canvas exports.")
    people = tuple(person for row in rows[1:] if (person := _person(row, places)))
    if not people:
        raise ValueError(f"roster: got {path}, which has no students.")
    return Roster(people, header, tuple(rows[1:]))


def _decoded(content):
    for encoding in ("utf-8-sig", "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            pass
    return content.decode("latin-1")


def _person(row, places):
    """The person of a row, or None for one of Canvas' own rows, such as "Points Possible"."""
    get = {kind: row[place].strip() if place < len(row) else "" for kind, place in places.items()}
    name = get.get("name") or " ".join(filter(None, (get.get("first"), get.get("last"))))
    given = get.get("id") or get.get("email") or name
    if not given or "Points Possible" in name or not get.get("id", "x") and "Test" in name:
        return None
    received = times.moment(get["received"]) if re.search(r"\d", get.get("received", "")) else None
    return Person(identifier(given), name, get.get("email", ""), get.get("section", ""),
                  get.get("sis", ""), get.get("login", ""), received)


def identifier(text):
    """The number in Moodle's "Participant 12345", else the text itself."""
    found = PARTICIPANT.fullmatch(text) if " " in text else None
    return found[1] if found else text


def spellings(name):
    """The letters of a name in every order in which its parts are written: "Doe, Jane" and "janedoe" are one."""
    parts = [part for part in re.split(r"[\s,]+", name) if part]
    return {_letters("".join(parts[turn:] + parts[:turn])) for turn in range(len(parts) or 1)} - {""}


def _letters(name):
    """A name without case, accents, spaces and signs."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in plain if letter.isalnum())
