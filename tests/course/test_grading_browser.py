"""Formgrader and the teacher's page in a real browser: nothing from the network, nothing that a phone cannot show."""


import browser
import pytest
from playwright.sync_api import expect

from lecturekit.course.grading import counting, exports, gradebook, overview, reports, roster, similarity
from lecturekit.course.student import student_copy

NAMES = ["Ana Díaz", "José María de la Cruz y Fernández-Villaverde", "Li Wei"]
FLAGS = ["2 days late, 20 % off", "03.1: uses getattr with a computed name",
         "an earlier hand-in earned more: 15 instead of 2.5"]
HINT = "Some pixels at the end are never hidden: where whole squares do not fit exactly, one more is needed."


@pytest.fixture
def page(program):
    with browser.opened(program("chromium", "chromium-browser", "google-chrome"), 390, 844) as page:
        yield page


@pytest.fixture
def course(tmp_path):
    """A course folder with three students' marks, pages and a gradebook, without anything having been run."""
    folder = tmp_path / "work"
    results = [_result(f"s{number:03}", name, number) for number, name in enumerate(NAMES)]
    own = {"03.1": "def spans():\n    pass", "03.4": "Because $x^2 < y$ and **so**."}
    answers = {result["student"]: own for result in results}
    gradebook.enter(folder, "03", student_copy("03"), results, answers)
    columns, title = reports.cells("03")
    rows = overview.rows(results, columns, gradebook.points(folder, "03"))
    alike = {"usual": 0.3, "count": 1, "pairs": [{"students": (similarity.SOLUTION, "s001"), "share": 0.97,
                                                  "questions": {"03.1": 0.97}, "sources": {"03.1": ("a", "b")}}]}
    reports.write_all(folder, "03", results, rows, {}, {}, alike)
    exports.write_all(folder, "03", rows, roster.Roster(), title)
    return folder


def _result(student, name, number):
    result = counting.nothing("03", "answered", "")
    for question in result["questions"]:
        question |= {"earned": 1.25 * number, "hint": HINT}
    person = roster.Person(student, name, f"{student}@example.org", "Section A" if number else "Section B")
    return result | {"student": student, "name": name, "email": person.email, "section": person.section,
                     "person": person, "lms": "", "number": "", "place": f"{student}/", "sha256": f"{number}",
                     "file": "x.ipynb", "received": "2026-05-04T10:00:00+02:00", "late": "", "percent": 0.0,
                     "hand_ins": [], "changed": [], "flags": FLAGS[:number],
                     "written": [{"id": "03.4", "points": 5, "text": "Because."}]}


WRAPPED = """() => [...document.querySelectorAll("td.right, td.number, .points, .figures b, .hints b")].filter(one => {
    const text = document.createRange();
    text.selectNodeContents(one);
    const lines = [...text.getClientRects()].map(line => (line.top + line.bottom) / 2);
    return Math.max(...lines) - Math.min(...lines) > 10;
}).map(one => one.textContent.trim())"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("name", ["class.html", "similarity.html", "feedback/s001/03_occlusion/03_occlusion.html"])
def test_pages_fit_on_a_phone_and_no_number_is_wrapped(page, course, name):
    page.goto((course / name).as_uri())
    assert page.evaluate(TOO_WIDE) <= 0 and page.evaluate(WRAPPED) == []
    assert browser.outside(page, "file:") == [] and page.failed == []


def test_the_teachers_page_leads_to_each_student(page, course):
    page.goto((course / "class.html").as_uri())
    page.locator("a", has_text=NAMES[1]).first.click()
    expect(page.locator("h1")).to_be_visible()
    assert NAMES[1] in page.locator("p.soft").first.text_content()


@pytest.mark.slow
def test_formgrader_asks_nothing_of_the_network_and_draws_formulas(page, course):
    with gradebook.opened(course) as book:
        number = book.find_submission_notebook("03_occlusion", "03_occlusion", "s001").id
    with browser.jupyterlab(course.parent) as (address, token):
        page.goto(f"{address}/formgrader/submissions/{number}?token={token}")
        expect(page.locator("math").first).to_be_visible()
        assert "Because" in page.locator("#notebook").first.text_content()
        assert browser.outside(page, address) == [] and not any("http" in told for told in page.failed)
