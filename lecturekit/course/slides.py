"""A reveal.js deck of a lesson: one HTML file that holds all it needs, so that it opens from disk with no network."""

import base64
import re
import shutil
from functools import lru_cache
from html import escape
from pathlib import Path

from nbconvert.exporters import TemplateExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from lecturekit.course import deck, exercises, lecture, lessons

ASSETS = Path(__file__).parent / "slides_assets"
URL = re.compile(r"url\(([^)]+\.woff2)\)")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
OTHER_FONTS = re.compile(r",\s*url\([^)]*\)\s*format\(\"(?:woff|truetype)\"\)")


def build(numbers=None, folder=Path("build/slides")):
    """Write two decks of each lesson (of all by default) into `folder`: all of it, NAME.html, and as a lecture,
    NAME-lecture.html; returns their paths."""
    kinds = {"": deck, "-lecture": lecture}
    return [lessons.write(Path(folder) / f"{lessons.path(number).stem}{suffix}.html",
                          html(lessons.read(number), lessons.path(number), kind))
            for number in lessons.chosen(numbers) for suffix, kind in kinds.items()]


def pdf(path):
    """A deck as PDF, printed beside it by Chromium; returns the PDF's path. FileNotFoundError where there is none."""
    from playwright.sync_api import sync_playwright   # of the extra `teach`
    program, target = next(filter(None, map(shutil.which, CHROMIUM)), None), Path(path).with_suffix(".pdf")
    if program is None:
        raise FileNotFoundError(f"A PDF is printed by a browser, and none of {', '.join(CHROMIUM)} is installed.")
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"]).new_page()
        page.goto(f"{Path(path).resolve().as_uri()}?print-pdf")
        page.wait_for_selector(".pdf-page")
        page.evaluate("document.fonts.ready.then(() => true)")
        page.pdf(path=target, prefer_css_page_size=True, print_background=True)
    return target


def html(notebook, path, kind=deck):
    """The deck of a lesson (a NotebookNode read from `path`), of the kind that the module `kind` cuts."""
    stubs = {cell.id: cell.source for cell in exercises.without_solutions(notebook).cells}
    slides = kind.sections(notebook, stubs, path.name)
    resources = {"sections": slides, "title": slides[0][0].title, "count": sum(map(len, slides)), "lesson": path.name,
                 "formulas": any("$" in slide.text + slide.reveal + "".join(slide.notes) for section in slides for slide in section),
                 "metadata": {"path": str(path.parent)}}
    return DeckExporter().from_notebook_node(notebook, resources)[0]


class DeckExporter(TemplateExporter):
    """nbconvert with this course's template; the slides stand in `resources`."""

    file_extension = ".html"
    output_mimetype = "text/html"

    def __init__(self, **settings):
        super().__init__(template_name="lecture", extra_template_basedirs=[str(ASSETS)], **settings)

    def from_notebook_node(self, nb, resources=None, **settings):
        markdown = _Markdown(resources["metadata"]["path"])
        for name, function in (("markdown", markdown), ("heading", markdown.heading), ("python", python),
                               ("lines", _lines), ("asset", asset)):
            self.register_filter(name, function)
        return super().from_notebook_node(nb, resources, **settings)


class _Markdown:
    """A filter from Markdown to HTML, with the formulas marked for KaTeX."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, source):
        renderer = _Renderer(escape=False, embed_images=True, exclude_anchor_links=True, path=self.folder)
        return MarkdownWithMath(renderer=renderer).render(source)

    def heading(self, source):
        return re.sub(r"</?h1[^>]*>", "", self(f"# {source}")).strip()


class _Renderer(IPythonRenderer):
    def inline_math(self, body):
        return f'<span class="math">{self.escape_html(body)}</span>'

    def block_math(self, body):
        return f'<span class="math display">{self.escape_html(body)}</span>'


def python(source):
    """Python as HTML, each line an element of its own: a long one is wrapped and hangs by the indentation."""
    coloured = Highlight2HTML(pygments_lexer="python")(source, language="python")
    body = re.search(r"<pre>(.*)</pre>", coloured, re.S)[1].replace("<span></span>", "", 1).rstrip("\n")
    return _as_lines(body)


def _lines(text):
    return _as_lines(escape(text, quote=False))


def _as_lines(markup):
    return "".join(f'<span class="line">{line or " "}</span>' for line in markup.split("\n"))


@lru_cache
def asset(name):
    """A vendored file as text for the page: the fonts of a style sheet inside it, no closing tag in a script."""
    path = ASSETS / name
    text = OTHER_FONTS.sub("", path.read_text(encoding="utf-8"))
    if path.suffix == ".css":
        return URL.sub(lambda match: f"url({_data_uri(path.parent / match[1])})", text)
    return text.replace("</script", "<\\/script")


def _data_uri(path):
    return f"data:font/woff2;base64,{base64.b64encode(path.read_bytes()).decode()}"
