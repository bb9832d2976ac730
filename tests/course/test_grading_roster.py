"""The roster, the times of hand-ins, the rule for late ones."""

from datetime import datetime, timedelta, timezone

import classes
import pytest

from lecturekit.course.grading import layouts, roster, times

OWN = 'id,name,e-mail,section\n17,"Díaz, Ana",ana@example.org,A\n18,Bo Ek,bo@example.org,B\n'
GERMAN = "Last name;First name;Email address;ID number\nGroß;Jürgen;j@example.org;19\n"
CANVAS = ("Student,ID,SIS User ID,SIS Login ID,Section,Occlusion (77)\n    Points Possible,,,,,20\n"
          '"Díaz, Ana",1000,sis9,ana,A,\n"Student, Test",,,,A,\n')


@pytest.fixture
def people(tmp_path):
    """`people(text)` is the roster in a CSV file with this text."""
    def read(text, encoding="utf-8"):
        (tmp_path / "roster.csv").write_bytes(text.encode(encoding))
        return roster.read(tmp_path / "roster.csv")
    return read


def test_a_roster_of_ones_own(people):
    ana, bo = people(OWN).people
    assert (ana.id, ana.name, ana.email, ana.section) == ("17", "Díaz, Ana", "ana@example.org", "A")
    assert bo.section == "B"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_and_delimiters(people, encoding):
    (one,) = people(GERMAN, encoding).people
    assert (one.id, one.name, one.email) == ("19", "Jürgen Groß", "j@example.org")


def test_canvas_export(people):
    (one,) = people(CANVAS).people
    assert (one.id, one.name, one.sis, one.login, one.section) == ("1000", "Díaz, Ana", "sis9", "ana", "A")


def test_moodles_worksheet_with_the_time_of_each_hand_in(tmp_path):
    students = classes.make(10)
    known = {one.id: one for one in roster.read(classes.worksheet(students, tmp_path / "w.csv")).people}
    late = next(one for one in students if one.days_late)
    received = known[str(late.number)].received
    assert received.replace(tzinfo=None) == classes.DEADLINE.replace(minute=59) - timedelta(hours=3) + timedelta(days=2)
    assert known[str(next(one for one in students if not one.files).number)].received is None


@pytest.mark.parametrize("text, why", [("", "none"), ("a,b\n1,2\n", "a, b"), ("id,name\n", "no students")])
def test_what_is_no_roster(people, text, why):
    with pytest.raises(ValueError, match=f"roster: got .*{why}"):
        people(text)


@pytest.mark.parametrize("text", [
    "sep=;\nid;name\n0017;Ana\n", "\ufeffid;name;e-mail\r\n0017;Ana;a@example.org\r\n", 'id,name\n="0017",Ana\n',
    "id,name\n'0017,Ana\n", "id,name\n17,Ana\n", "id,name\n17.0,Ana\n", "Course 7\n\nid,name\n0017,Ana\n",
    "id\tname\n0017\tAna\n", '"id","name"\n"0017","Ana"\n', "ID , Name\n 0017 , Ana \n"])
def test_what_spreadsheets_make_of_a_roster(people, text):
    """A mark of the byte order, semicolons, a title, ids without their zeros."""
    found = people(text)
    assert [int(one.id) for one in found.people] == [17] and found.people[0].name == "Ana"
    for owner in (layouts.Owner("0017"), layouts.Owner("17"), layouts.Owner("Ana Ek", "moodle", "0017")):
        assert found.match(owner)[0] is found.people[0]


@pytest.mark.parametrize("short", ["1.23457E+11", "1,23457E+11", "1E+11"])
def test_ids_that_a_spreadsheet_has_shortened_are_an_error(people, short):
    with pytest.raises(ValueError, match="roster: got .* shortened the id of a student to 1.*as text"):
        people(f'id;name\n"{short}";Ana\n')


def test_who_is_in_two_sections_is_one(people):
    found = people("id,name,section\n17,Ana,A\n18,Bo,A\n17,Ana,B\n")
    assert [(one.id, one.section) for one in found.people] == [("17", "A, B"), ("18", "A")]
    assert found.match(layouts.Owner("17")) == (found.people[0], ())


def test_an_id_that_is_part_of_a_name(people):
    found = people("id,name\njdoe,Jane Doe\nbek,Bo Ek\n00042,Cy Ord\n")
    for name, known in (("Doe_Jane_jdoe_1234", "jdoe"), ("Ord Cy (42)", "00042"), ("lesson 3, bek", "bek")):
        assert found.match(layouts.Owner(name))[0].id == known
    assert found.match(layouts.Owner("jdoe and bek"))[1] == ("several people of this name in the roster",)
    assert found.match(layouts.Owner("somebody"))[1] == ("not in the roster",)


def test_signs_of_all_planes_in_a_name(people):
    found = people("id,name\n17,Ana \U0001f600\n18,Ａｎａ Ek\n")
    assert found.match(layouts.Owner("ana\U0001f600"))[0].id == "17" and found.match(layouts.Owner("anaek"))[0].id == "18"


@pytest.mark.parametrize("owner", [
    layouts.Owner("Ana Díaz", "moodle", "17"), layouts.Owner("diazana", "canvas", "555"), layouts.Owner("anadíaz"),
    layouts.Owner("17"), layouts.Owner("ana@example.org"), layouts.Owner("DÍAZ, ANA"), layouts.Owner("Ana  Diaz")])
def test_who_it_is(people, owner):
    person, flags = people(OWN).match(owner)
    assert person.id == "17" and flags == ()


def test_who_it_may_be(people):
    twice = people(OWN + "20,Bo Ek,other@example.org,B\n")
    person, flags = twice.match(layouts.Owner("Bo Ek"))
    assert person == roster.Person("", "Bo Ek") and flags == ("several people of this name in the roster",)
    assert twice.match(layouts.Owner("Cy")) == (roster.Person("", "Cy"), ("not in the roster",))
    assert roster.Roster().match(layouts.Owner("Cy")) == (roster.Person("", "Cy"), ())


DUE = datetime(2026, 5, 4, 23, 59, tzinfo=timezone.utc)


@pytest.mark.parametrize("late, hours, percent", [
    ("10% a day, at most 3", -1, 0), ("10% a day, at most 3", 0, 0), ("10% a day, at most 3", 0.1, 10),
    ("10% a day, at most 3", 24, 10), ("10% a day, at most 3", 24.1, 20), ("10% a day, at most 3", 72, 30),
    ("10% a day, at most 3", 72.1, 100), ("2.5 % per hour", 3, 7.5), ("50% a week", 1000, 100), (None, 500, 0)])
def test_what_late_costs(late, hours, percent):
    rule = times.rule("2026-05-04 23:59 UTC", late)
    found = rule.of(DUE + timedelta(hours=hours))
    assert found.percent == percent and bool(found.text) == (hours > 0)


def test_a_time_that_is_not_known_costs_nothing_and_is_told():
    rule = times.rule("2026-05-04 23:59", "10% a day")
    assert rule.of(None) == times.Late() and rule.of(None, marked_late=True).percent == 0
    assert "not how late" in rule.of(None, marked_late=True).text


@pytest.mark.parametrize("deadline, late, why", [
    ("soon", None, "deadline: got 'soon'"), (None, "10% a day", "late: got .* without"),
    ("2026-05-04", "a bit", "late: got 'a bit'"), ("2026-05-04", "10 a day", "late: got"),
    ("4/5/2026 23:59", None, "deadline: got"), ("23:59", None, "deadline: got"), ("2026-05-04 24:00", None, "deadline: got"),
    ("2026-05-04 23:59 MEZ", None, "deadline: got"), ("2026-05-04 23:59 Europe/Nowhere", None, "deadline: got")])
def test_rules_that_are_none(deadline, late, why):
    with pytest.raises(ValueError, match=why):
        times.rule(deadline, late)


@pytest.mark.parametrize("text, utc", [
    ("2026-05-04 23:59:00.123456 America/Los_Angeles", (2026, 5, 5, 6, 59)),
    ("2026-05-04 23:59 UTC", (2026, 5, 4, 23, 59)),
    ("2026-05-04T23:59:00+02:00", (2026, 5, 4, 21, 59))])
def test_moments(text, utc):
    assert times.moment(text).astimezone(timezone.utc).timetuple()[:5] == utc


@pytest.mark.parametrize("text, utc", [
    ("2026-05-04 23:59 Europe/Berlin", (21, 59)), ("2026-05-04 23:59 CEST", (21, 59)), ("2026-05-04T23:59+02:00", (21, 59)),
    ("2026-05-04 23:59 UTC+2", (21, 59)), ("2026-05-04 23:59 GMT+2", (21, 59)), ("2026-05-04 23:59 (Europe/Berlin)", (21, 59)),
    ("2026-05-04T21:59Z", (21, 59)), ("04.05.2026 23:59 CEST", (21, 59)), ("4 May 2026 11:59 pm UTC", (23, 59)),
    ("2026-05-04 16:59 PDT", (23, 59)), ("2026-05-04 02:59 +0300", (23, 59))])
def test_deadlines_with_a_zone(text, utc):
    found = times.rule(text).deadline.astimezone(timezone.utc)
    assert (found.hour, found.minute) == utc and found.date() in (DUE.date(), DUE.date() - timedelta(days=1))


@pytest.mark.parametrize("day", ["2026-05-04", "04.05.2026", "4 May 2026", "May 4, 2026"])
def test_a_day_alone_is_all_of_that_day(day):
    assert times.rule(day).deadline == datetime(2026, 5, 4, 23, 59, 59).astimezone()


def test_a_time_in_a_zone_that_nobody_knows_is_not_known():
    assert times.moment("2026-05-04 23:59 XYZT") is None


def test_a_moment_without_a_zone_is_of_this_machine_and_nonsense_is_none():
    assert times.moment("Monday, 4 May 2026, 11:59 PM") == datetime(2026, 5, 4, 23, 59).astimezone()
    assert times.moment("Montag, 4. Maienmond") is None and times.moment("") is None
