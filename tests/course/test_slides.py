"""The decks in a real browser, at two sizes: whole in one file, nothing overflows, all can be read; and the cutting."""

import base64
import io
import re

import browser
import nbformat
import pytest
from PIL import Image

from lecturekit import files
from lecturekit.course import deck, exercises, lecture, lessons, slides

SIZES = (1920, 1080), (1280, 720)
TEXT_PX, CODE_PX, FOOTER_PX = 27, 21, 19   # the least at 1280x720; formulas are text with indices
MEASURE = """() => Reveal.getSlides().map(slide => {
    const {h, v} = Reveal.getIndices(slide);
    Reveal.slide(h, v);
    const page = slide.querySelector('.page').getBoundingClientRect(), body = slide.querySelector('.body');
    const scale = page.height / 720, bottom = body.getBoundingClientRect().bottom, name = `${h}.${v} `;
    const parts = [...slide.querySelectorAll('.body *, h2, footer *')].filter(
        part => !part.closest('.katex') || part.classList.contains('katex'));
    const wrong = parts.filter(part => {
        const box = part.getBoundingClientRect();
        return box.width && (box.right > page.right - 10 || box.left < page.left - 1 || box.bottom > page.bottom
                             || (body.contains(part) && box.bottom > bottom + 1));
    }).map(part => name + part.tagName + ' ' + part.className);
    const gaps = slide.querySelector('h2').getBoundingClientRect().bottom - body.getBoundingClientRect().top;
    const texts = parts.filter(part => [...part.childNodes].some(node => node.nodeType == 3 && node.data.trim()));
    const sizes = kind => texts.filter(kind).map(part => parseFloat(getComputedStyle(part).fontSize));
    const code = part => part.closest('pre'), footer = part => part.closest('footer');
    return {
        name, wrong, title: gaps <= 0, fills: Math.abs(page.width - innerWidth) < 2 && scale == innerHeight / 720,
        broken: [...slide.querySelectorAll('img')].filter(i => !i.complete || !i.naturalWidth).length,
        figure: Math.max(0, ...[...slide.querySelectorAll('figure img')].map(i => i.height / 720)),
        code: Math.min(99, ...sizes(code)), footer: Math.min(99, ...sizes(footer)),
        text: Math.min(99, ...sizes(part => !code(part) && !footer(part) && !part.closest('.text code'))),
        lines: slide.querySelectorAll('pre.code .line').length, notes: !!slide.querySelector('aside.notes'),
        shows: !!slide.querySelector('pre, figure'),
        formulas: slide.querySelectorAll('.math').length, drawn: slide.querySelectorAll('.math .katex').length,
        errors: slide.querySelectorAll('.katex-error').length,
        swollen: [...slide.querySelectorAll('.katex .text')].filter(   // words of a formula that the deck's rules reach
            part => getComputedStyle(part).fontSize != getComputedStyle(part.parentElement).fontSize).length, words: body.innerText,
    };
})"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """{number: path of its deck}, and beside each the lecture's, NAME-lecture.html."""
    paths = slides.build(folder=tmp_path_factory.mktemp("decks"))
    assert len(paths) == 2 * len(lessons.paths())
    return {path.name[:2]: path for path in paths if not path.stem.endswith("-lecture")}


@pytest.fixture
def chromium(program):
    return program("chromium", "chromium-browser", "google-chrome")


def measured(page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    browser.until(page, "Math.abs(Reveal.getScale() - innerHeight / 720) < 0.001")
    return page.evaluate(MEASURE)


@pytest.mark.parametrize("number", lessons.paths())
def test_every_slide_fits_and_can_be_read(number, built, chromium):
    with browser.opened(chromium) as page:
        page.goto(built[number].as_uri())
        page.wait_for_selector(".reveal.ready")
        page.evaluate("document.fonts.ready.then(() => true)")
        browser.until(page, "[...document.images].every(image => image.complete)")
        found = sum((measured(page, *size) for size in SIZES), [])
        fonts = page.evaluate("[...document.fonts].filter(font => font.status == 'loaded').map(font => font.family)")
        assert not browser.outside(page, "file:") and not page.failed
    assert len(found) >= 60 and {"Lecture", "Lecture code"} <= {font.strip('"') for font in fonts}
    for slide in found:
        assert not slide["wrong"] and slide["title"] and slide["fills"] and not slide["broken"], slide
        assert slide["text"] >= TEXT_PX and slide["code"] >= CODE_PX and slide["footer"] >= FOOTER_PX, slide
        assert slide["lines"] <= deck.CODE_LINES, slide
        assert slide["notes"] or not slide["shows"], slide
        assert slide["formulas"] == slide["drawn"] and not slide["errors"] and not slide["swollen"], slide
        assert "$" not in re.sub(r"`.*?`", "", slide["words"]) or slide["shows"], slide


def lecture_of(path):
    return path.with_name(f"{path.stem}-lecture.html")


@pytest.mark.parametrize("number", ["04", *(pytest.param(n, marks=pytest.mark.slow) for n in lessons.paths() if n != "04")])
def test_a_lecture_fits_its_slides_and_prints_without_a_blank_page(number, built, chromium, tmp_path):
    with browser.opened(chromium) as page:
        page.goto(lecture_of(built[number]).as_uri())
        page.wait_for_selector(".reveal.ready")
        page.evaluate("document.fonts.ready.then(() => true)")
        browser.until(page, "[...document.images].every(image => image.complete)")
        found = measured(page, 1280, 720)
        page.goto(lecture_of(built[number]).as_uri() + "?print-pdf")
        page.wait_for_selector(".pdf-page")
        page.pdf(path=tmp_path / "deck.pdf", prefer_css_page_size=True, print_background=True)
        assert not browser.outside(page, "file:") and not page.failed
    for slide in found:
        assert not slide["wrong"] and slide["title"] and not slide["broken"] and slide["text"] >= TEXT_PX, slide
        assert not slide["lines"] and slide["notes"] and slide["formulas"] == slide["drawn"], slide
    printed_pages = re.findall(rb"/Type\s*/Page\b", (tmp_path / "deck.pdf").read_bytes())
    assert len(found) == len(printed_pages)


@pytest.mark.parametrize("kind", ["", "-lecture"])
def test_axe_finds_nothing_against_wcag_aa(kind, built, chromium):
    """On the first slide as it is presented, and on all of them as they are printed."""
    address = built["04"].with_name(f"{built['04'].stem}{kind}.html").as_uri()
    with browser.opened(chromium) as page:
        for view, shown in (("", ".reveal.ready"), ("?print-pdf", ".pdf-page")):
            page.goto(address + view)
            page.wait_for_selector(shown)
            found = browser.against_wcag_aa(page)
            assert [rule for rule in found if not view or rule[0] != "aria-hidden-focus"] == []   # paper takes no focus


def test_a_deck_becomes_a_pdf_or_says_what_is_missing(built, chromium, monkeypatch):
    path = slides.pdf(lecture_of(built["01"]))
    assert path.suffix == ".pdf" and len(re.findall(rb"/Type\s*/Page\b", path.read_bytes())) >= lecture.LEAST
    monkeypatch.setattr(slides.shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="none of chromium"):
        slides.pdf(path)


@pytest.mark.parametrize("number", lessons.paths())
def test_a_lecture_asks_shows_and_tells_later(number):
    notebook = lessons.read(number)
    stubs = {cell.id: cell.source for cell in exercises.without_solutions(notebook).cells}
    told = [slide for topic in lecture.sections(notebook, stubs, "lesson.ipynb") for slide in topic]
    assert lecture.LEAST <= len(told) <= lecture.MOST and told[0].opening
    assert not any(slide.code or slide.printed or re.match("Exercise|References", slide.title) for slide in told)
    assert all(re.match(r"About [\d.]+ minutes, from minute \d+\.$", slide.notes[0]) for slide in told)
    assert sum(bool(slide.figure and slide.reveal) for slide in told) >= 8 and any(slide.live for slide in told)
    assert all(slide.text or slide.figure for slide in told)


@pytest.mark.parametrize("number", lessons.paths())
def test_holds_every_figure_and_no_solution(number, built):
    notebook, page = lessons.read(number), built[number].read_text()
    shown, _ = re.subn(r'<aside class="notes">.*?</aside>', "", page, flags=re.S)
    for cell in notebook.cells:
        optional = cell.metadata.slideshow.slide_type == "skip"   # an optional section stays in the lesson
        for output in [] if optional or deck.has_widget(cell) else cell.get("outputs", []):
            for kind in deck.FIGURES & output.get("data", {}).keys():
                assert "".join(output.data[kind].split()) in shown
        for solution in re.findall(r"### BEGIN SOLUTION\n(.*?)\s*### END SOLUTION", cell.source, re.S):
            last = re.sub(r"<[^>]+>", "", slides.python(solution.splitlines()[-1].strip()))
            assert last not in re.sub(r"<[^>]+>", "", shown)
    assert "BEGIN SOLUTION" not in page and "<details>" not in page and shown.count("YOUR CODE HERE") >= 3


def test_the_speaker_sees_notes(built, chromium):
    with browser.opened(chromium) as page:
        page.goto(built["01"].as_uri())
        page.wait_for_selector(".reveal.ready")
        page.evaluate("Reveal.slide(0, Reveal.getSlides().findIndex(slide => slide.querySelector('aside.notes')))")
        expected = page.evaluate("Reveal.getCurrentSlide().querySelector('aside.notes').textContent.trim()")
        with page.expect_popup() as popup:
            page.keyboard.press("s")
        notes = popup.value.wait_for_selector(".speaker-controls-notes:not(.hidden) .value")
        assert expected and notes.text_content().strip() == expected
        assert not browser.outside(page, "file:")


def test_vendored_files_are_the_ones_that_the_list_names():
    listed = re.findall(r"^\| `(\S+)` \|.*\| `([0-9a-f]{64})` \|$", (slides.ASSETS / "README.md").read_text(), re.M)
    vendored = {str(path.relative_to(slides.ASSETS)) for folder in ("reveal", "katex", "fonts")
                for path in (slides.ASSETS / folder).rglob("*") if path.is_file()}
    assert {name for name, _ in listed} == vendored
    assert all(files.sha256(slides.ASSETS / name) == digest for name, digest in listed)
    assert sum((slides.ASSETS / name).stat().st_size for name in vendored) < 2_500_000


def lesson(*cells):
    """A notebook of (slide type, cell)."""
    for number, (kind, cell) in enumerate(cells):
        cell.metadata["slideshow"], cell["id"] = {"slide_type": kind}, f"cell-{number}"
    return nbformat.v4.new_notebook(cells=[cell for _, cell in cells])


def code(source, *outputs):
    return nbformat.v4.new_code_cell(source, outputs=list(outputs), execution_count=7)


def figure(width, height):
    stored = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(stored, "PNG")
    return nbformat.v4.new_output("display_data", {"image/png": base64.b64encode(stored.getvalue()).decode()})


def printed(text):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


WIDGET = nbformat.v4.new_output("execute_result", {lessons.WIDGET: {}})
STILL = nbformat.v4.new_output("execute_result", {"image/png": "", "text/plain": ""}, metadata={lessons.WIDGET: {}})
markdown = nbformat.v4.new_markdown_cell


def cut(*cells):
    return deck.sections(lesson(*cells), {}, "00_test.ipynb")


def test_a_question_its_code_its_figure_with_the_sentence_that_reads_it():
    drawn = code("plots.images(x)", figure(600, 200))
    (question, program, picture), = cut(("slide", markdown("## Where?\n\nWhere is it?")), ("-", drawn),
                                        ("-", markdown("It is there.")))
    assert (question.title, question.text, question.code) == ("Where?", "Where is it?", "")
    assert (program.title, program.code, program.figure) == ("Where?", "plots.images(x)", None)
    assert picture.text == "It is there." and (picture.figure.width, picture.figure.height) == (600, 200)
    assert question.notes == ["What the picture will show: It is there."]
    assert program.notes == picture.notes == ["Live: cell [7] of 00_test.ipynb."]


def test_a_figure_that_its_reading_would_shrink_has_a_slide_of_its_own_first():
    reading = "A long sentence reads it. " * 14
    (*_, alone, read), = cut(("slide", code("show()", figure(1000, 500))), ("-", markdown(reading)))
    assert alone.figure and not alone.text and read.figure is alone.figure and read.text and read.beside


@pytest.mark.parametrize("output", [WIDGET, STILL])
def test_sliders_are_replaced_by_the_figure_beside_them(output):
    (*_, moved), = cut(("slide", code("show()", figure(600, 200))), ("subslide", markdown("Move them.")),
                       ("-", code("widgets.explore(draw)", output)))
    assert moved.live and moved.figure and moved.text == "Move them." and not moved.code
    assert moved.notes[-1] == "Live: run cell [7] of 00_test.ipynb and move the sliders."


def test_metadata_skips_cells_and_gives_the_speaker_notes():
    (only,), = cut(("slide", markdown("## One\n\nText.")), ("skip", markdown("unseen")),
                   ("notes", markdown("Say this.")))
    assert only.text == "Text." and only.notes == ["Say this."]


def test_the_heading_of_an_exercise_ends_with_it():
    (_, task), (after,) = cut(("slide", markdown("## Topic\n\nText.")),
                              ("subslide", markdown("### Exercise\n\nDo it.")), ("slide", markdown("Text.")))
    assert (task.title, after.title) == ("Exercise", "Topic")


def test_an_exercise_shows_its_stub_and_check_and_the_speaker_the_solution():
    marks = [{"grade": False, "solution": True}, {"grade": True, "solution": False}]
    solved = "def f():\n    ### BEGIN SOLUTION\n    return 42\n    ### END SOLUTION"
    cells = [code(solved), code('check("00.1", f)')]
    for cell, mark in zip(cells, marks):
        cell.metadata["nbgrader"] = mark
    hint = "<details><summary>Hint</summary>Forty-two.</details>"
    notebook = lesson(("slide", markdown(f"### Exercise\n\nDo it.\n{hint}")), *[("-", cell) for cell in cells])
    (task,), = deck.sections(notebook, {"cell-1": "def f():\n    raise NotImplementedError()"}, "00_test.ipynb")
    assert task.text == "Do it." and task.code == 'def f():\n    raise NotImplementedError()\n\ncheck("00.1", f)'
    assert task.notes[0] == "Hint: Forty-two." and task.notes[1].endswith("```python\ndef f():\n    return 42\n```")


@pytest.mark.parametrize("line", ["{}", "{} " + "wide " * 60])
def test_long_prints_go_on_on_the_next_slide(line):
    text = "\n".join(line.format(number) for number in range(40))
    (program, *pages), = cut(("slide", code("for i in range(40):\n    print(i)", printed(text))))
    assert program.code and not program.printed and len(pages) > 1
    assert "\n".join(slide.printed for slide in pages) == text
    assert all(slide.height() <= deck.HEIGHT for slide in pages)


def test_code_is_cut_between_statements():
    source = "a = 1\n" * 7 + "def f():\n" + "    b = 2\n" * 9 + "c = (1,\n     2)"
    first, second = deck.split_code(source)
    assert first == "\n".join(["a = 1"] * 7) and second.startswith("def f():") and f"{first}\n{second}" == source


@pytest.mark.parametrize("source", ["x = [\n" + "    1,\n" * 30 + "]", "y = 1  # " + "long " * 400, "z = 0\n\n" * 20])
def test_any_code_is_cut(source):
    pieces = deck.split_code(source)
    assert all(len(piece.splitlines()) <= deck.CODE_LINES for piece in pieces)
    assert "\n".join(pieces).split() == source.split()


@pytest.mark.parametrize("source", ["One two three four five six. " * 60, "- an item of a list\n" * 40,
                                    "1. first\n2. second\n\nAnd a paragraph.\n\n" * 12])
def test_long_text_is_cut_and_nothing_is_lost(source):
    pieces = deck.pack(source, deck.WIDTH, deck.HEIGHT)
    assert len(pieces) > 1 and " ".join(pieces).split() == source.split()


def test_text_is_enlarged_only_where_there_is_room():
    assert deck.Slide("", text="Short?").size == max(deck.SIZES)
    assert deck.Slide("", text="Long. " * 170).size == 1
    assert deck.Slide("", code="x" * 90).size < deck.Slide("", code="x" * 70).size
