"""Who is in the class: a CSV file with the columns id, name, e-mail, section, or what an LMS exports.

Moodle's "Download grading worksheet" (columns Identifier, Full name, Email address, ..., Last modified (submission))
and Canvas' gradebook export (Student, ID, SIS User ID, SIS Login ID, Section, ...) are taken as they are.
"""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from lecturekit.course.grading import times

COLUMNS = {"id": ("id", "identifier", "student id", "id number", "matriculation number", "username", "user name"),
           "name": ("name", "full name", "student", "student name"), "first": ("first name", "firstname", "given name"),
           "last": ("last name", "lastname", "surname", "family name"),
           "email": ("e-mail", "email", "email address", "e-mail address", "mail"),
           "section": ("section", "group", "class"), "received": ("last modified (submission)", "handed in"),
           "sis": ("sis user id",), "login": ("sis login id",)}
WHO = {"id", "name", "email"}
TITLES = 10          # lines that may stand above the header
SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE)
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
                self._by_id.setdefault(_key(key), []).append(person)
            for key in spellings(person.name):
                self._by_name.setdefault(key, []).append(person)

    def match(self, owner):
        """(Person, flags) for the owner of a file: by id, by e-mail, by name, then by the one id that is part of it."""
        stranger = Person("", owner.name)
        if not self.people:
            return stranger, ()
        for found in (self._by_id.get(_key(owner.id or owner.name)), self._by_id.get(_key(owner.name)),
                      self._by_name.get(_letters(owner.name)), self._by_part(owner.name)):
            if found and len(found) == 1:
                return found[0], ()
            if found:
                return stranger, ("several people of this name in the roster",)
        return stranger, ("not in the roster",)

    def _by_part(self, name):
        """Who has an id that is a part of a name, such as jdoe in Doe_Jane_jdoe_1234."""
        parts = [*re.split(r"[\s_,;()-]+", name), *re.split(r"[\s,;()]+", name)]
        return list(dict.fromkeys(person for part in parts if part for person in self._by_id.get(_key(part), ())))


def read(path):
    """The Roster in a CSV file, with commas, semicolons or tabs. Raises ValueError where it has no students."""
    rows = _rows(_decoded(Path(path).read_bytes()))
    start = next((number for number, row in enumerate(rows[:TITLES]) if WHO & set(_places(row))), None)
    if start is None:
        raise ValueError(f"roster: got {path} with the columns {', '.join(rows[0]) if rows else '(none)'}. It takes a CSV "
                         "file with the columns id, name, e-mail and section, or what Moodle or Canvas exports.")
    header, rows = rows[start], rows[start + 1:]
    people = _once(person for row in rows if (person := _person(row, _places(header))))
    if not people:
        raise ValueError(f"roster: got {path}, which has no students.")
    if short := next((person.id for person in people if SHORTENED.fullmatch(person.id)), None):
        raise ValueError(f"roster: got {path}, in which a spreadsheet has shortened the id of a student to {short}. It "
                         "takes whole ids: save the file again with that column as text.")
    return Roster(people, header, tuple(rows))


def _rows(text):
    """The lines of the table that are not empty, without the one that tells Excel what parts the fields."""
    first = text.partition("\n")[0].strip()
    told = first.casefold().startswith("sep=") and first[4:5]
    delimiter = told or max(",;\t", key="\n".join(text.split("\n")[:TITLES]).count)
    lines = csv.reader(io.StringIO(text.partition("\n")[2] if told else text, newline=""), delimiter=delimiter)
    return [tuple(line) for line in lines if any(line)]


def _places(header):
    """{kind: place of its column}."""
    return {kind: place for kind, names in COLUMNS.items() for place, column in enumerate(header)
            if column.strip().casefold() in names}


def _once(people):
    """The people, one who stands there for each of several sections once."""
    found = {}
    for person in people:
        before = found.get((person.id, person.name), person)
        sections = dict.fromkeys(filter(None, (*before.section.split(", "), person.section)))
        found[person.id, person.name] = replace(before, section=", ".join(sections))
    return tuple(found.values())


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
    return Person(identifier(_whole(given)), name, get.get("email", ""), get.get("section", ""),
                  get.get("sis", ""), get.get("login", ""), received)


def _whole(text):
    """A field without what keeps a spreadsheet from changing it, ="0017" or '0017, or what one made of it, 17.0."""
    return re.sub(r'^="(.*)"$', r"\1", re.sub(r"^(\d+)\.0+$", r"\1", text)).removeprefix("'")


def _key(text):
    """An id as it is looked up: in any case, and without the zeros that a spreadsheet takes from its start."""
    return text.casefold().lstrip("0") if text.isdigit() else text.casefold()


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
