"""A student's copy of a lesson in JupyterLab, in a real browser: all cells run, a slider moved, the picture changed."""

import browser
import pytest
from playwright.sync_api import expect

from lecturekit.course import lessons, student

QUICKEST = "01"
READY = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady"
RUN_EACH_CELL = """async () => {    // one by one, as a student does
    const panel = jupyterapp.shell.currentWidget, end = Date.now() + 300_000;
    await panel.sessionContext.session.kernel.info;
    for (let i = 0; i < panel.content.widgets.length; i++) {
        panel.content.activeCellIndex = i;
        const late = new Promise((_, fail) => setTimeout(() => fail(`cell ${i} runs on`), end - Date.now()));
        await Promise.race([jupyterapp.commands.execute('notebook:run-cell'), late]);
    }
    return panel.content.widgets.map(cell => cell.model.toJSON()).filter(cell => cell.cell_type == 'code');
}"""


@pytest.fixture
def page(program):
    with browser.opened(program("chromium", "chromium-browser", "google-chrome")) as page:
        yield page


@pytest.fixture
def lab(tmp_path):
    with browser.jupyterlab(tmp_path) as found:
        yield found


def errors(cells):
    """The names of the errors in the outputs of code cells."""
    return [output["ename"] for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]


def move_first_slider(page):
    """Press the right arrow on the first slider; the picture of its widget before and after."""
    widget = page.locator(".jp-OutputArea-output", has=page.locator(".noUi-handle")).first
    image, handle = widget.locator("img").first, widget.locator(".noUi-handle").first
    expect(image).to_be_visible()
    before, source = browser.picture(image), image.get_attribute("src")
    handle.focus()
    handle.press("ArrowRight")
    expect(image).not_to_have_attribute("src", source)
    return before, browser.picture(image)


def pytest_generate_tests(metafunc):
    if "number" in metafunc.fixturenames:
        metafunc.parametrize("number", lessons.paths() if metafunc.config.getoption("every_lesson") else [QUICKEST])


def test_a_student_runs_a_lesson_and_moves_its_widget(number, page, lab, tmp_path):
    address, token = lab
    copy, = student.build([number], tmp_path / "work")
    page.goto(f"{address}/lab/tree/{copy.name}?token={token}")
    page.wait_for_function(READY)
    cells = page.evaluate(RUN_EACH_CELL)
    assert errors(cells) == []
    assert "text/html" in cells[-1]["outputs"][0]["data"]   # the progress table
    before, after = move_first_slider(page)
    assert before.shape != after.shape or (abs(before - after) > 20).mean() > 0.001
    assert page.asked and not browser.outside(page, address, address.replace("http", "ws"))
