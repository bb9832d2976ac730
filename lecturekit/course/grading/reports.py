"""Pages of a graded class: one of feedback for each student; class.html and similarity.html for the teacher.

What a student wrote reaches a page as plain text only: control characters taken out here, HTML escaped by Jinja. The
pages are static, load nothing, and forbid scripts.
"""

import base64
import io
import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from lecturekit.course import lessons
from lecturekit.course.grading import overview

TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\|$)|.)", re.DOTALL)
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
LONGEST = 4000    # characters of one text on a page
INK, BAR = "#24323d", "#2a7f86"


def write_all(results, lesson, marked, rows, comments, nobodys, alike):
    """Write the pages to the folder `results`, and where it stands to each row, as "page".

    `marked` are the results of counting, `rows` those of overview, `comments` what the gradebook holds, {student:
    {cell: text}}; `nobodys` is {name of a file: why it was not graded}, `alike` what similarity found.
    """
    columns, title = cells(lesson)
    pages, assignment = _environment(), lessons.path(lesson).stem

    def write(name, path, **content):
        lessons.write(Path(results) / path, pages.get_template(name).render(title=title, columns=columns, **content))

    for result, row in zip(marked, rows):
        path = Path("feedback") / result["student"] / assignment / f"{assignment}.html"
        row["page"] = path.as_posix()
        write("feedback.html", path, result=result, row=row, comments=comments.get(result["student"], {}))
    names = {row["student"]: row["name"] for row in rows}
    write("class.html", "class.html", rows=rows, nobodys=nobodys, figure=distribution(rows, columns), similar=alike,
          names=names, pages={row["student"]: row["page"] for row in rows}, **overview.of_class(marked, rows, columns))
    write("similarity.html", "similarity.html", similar=alike, names=names)


def cells(lesson):
    """({question: its points}, in the lesson's order, the written ones included; the lesson's title)."""
    notebook = lessons.read(lesson)
    about = [cell.metadata.get("nbgrader", {}) for cell in notebook.cells]
    heading = next(cell.source for cell in notebook.cells if cell.source.startswith("# "))
    return ({lessons.identifier(a["grade_id"]).removesuffix("-check"): a["points"] for a in about if a.get("grade")},
            heading.splitlines()[0].removeprefix("# "))


def distribution(rows, columns):
    """A histogram of the totals as a data URI."""
    most, totals = sum(columns.values()), [row["total"] for row in rows if row["handed_in"]]
    figure = Figure(figsize=(4.4, 2), layout="constrained")
    axes = figure.subplots()
    axes.hist(totals, bins=[number - 0.5 for number in range(int(most) + 2)], rwidth=0.86, color=BAR)
    axes.set(xlabel="points", ylabel="students", xlim=(-0.7, most + 0.7), xticks=range(0, int(most) + 1, 5))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    picture = io.BytesIO()
    figure.savefig(picture, format="svg", transparent=True, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(picture.getvalue()).decode()


def clean(text):
    """Text without terminal escapes, control characters and marks that turn the direction of writing, cut if long."""
    text = UNSEEN.sub("", TERMINAL.sub("", str(text)))
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."


def prose(text):
    """Escaped text, its `code` set as code."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(clean(text)))))


def number(value):
    """Points without needless decimals: 5, 3.75."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _environment():
    pages = Environment(loader=PackageLoader("lecturekit.course.grading"), autoescape=True, undefined=StrictUndefined,
                        trim_blocks=True, lstrip_blocks=True)
    pages.filters |= {"clean": clean, "prose": prose, "number": number}
    pages.globals |= {"outcome_of": overview.outcome, "by_kind": overview.by_kind}
    return pages
