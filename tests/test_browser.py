"""A student's copy of a lesson in JupyterLab, driven by a real browser: every cell run, a slider moved, the picture changed."""

import io
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

LESSONS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION.*?^ *### END SOLUTION", re.MULTILINE | re.DOTALL)
SWITCHES = ("--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
            "--disable-component-update --disable-sync").split()
SETTINGS = {"notebook-extension/tracker": {"windowingMode": "none"},
            "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False}}
READY = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady"
RUN_EACH_CELL = """async () => {    // one by one, as a student does: an exercise still to be written stops nothing
    const panel = jupyterapp.shell.currentWidget, end = Date.now() + 300_000;
    await panel.sessionContext.session.kernel.info;
    for (let i = 0; i < panel.content.widgets.length; i++) {
        panel.content.activeCellIndex = i;
        const late = new Promise((_, fail) => setTimeout(() => fail(`cell ${i} runs on`), end - Date.now()));
        await Promise.race([jupyterapp.commands.execute('notebook:run-cell'), late]);
    }
    return panel.content.widgets.map(cell => cell.model.toJSON()).filter(cell => cell.cell_type == 'code');
}"""


def student_copy(lesson, folder):
    """The lesson without solutions and outputs, as a student gets it; returns its path."""
    notebook = nbformat.read(lesson, as_version=4)
    for cell in notebook.cells:
        cell.source = SOLUTION.sub(r"\1# YOUR CODE HERE\n\1raise NotImplementedError()", cell.source)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / "lesson.ipynb")
    return folder / "lesson.ipynb"


def private_settings(folder):
    """Environment of a JupyterLab that reads and writes no settings but those below `folder`."""
    for name, values in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    places = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "share", "JUPYTER_RUNTIME_DIR": "runtime",
              "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}
    return os.environ | {variable: str(folder / name) for variable, name in places.items()}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_until_up(address, process, seconds=60):
    for _ in range(seconds * 5):
        try:
            return urllib.request.urlopen(f"{address}/api", timeout=5)
        except OSError:
            assert process.poll() is None, "JupyterLab stopped"
            time.sleep(0.2)
    raise TimeoutError(f"no answer from {address} in {seconds} s")


@pytest.fixture
def lab(tmp_path):
    """A running JupyterLab on the folder tmp_path/work: (its address, its token)."""
    port, token = free_port(), secrets.token_hex(16)
    (tmp_path / "work").mkdir()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser",
               "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    with open(tmp_path / "lab.log", "w") as log:
        process = subprocess.Popen(command, cwd=tmp_path / "work", env=private_settings(tmp_path), stdout=log, stderr=log)
    try:
        wait_until_up(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}", token
    finally:
        process.terminate()   # stops the kernels too
        process.wait(30)


@pytest.fixture
def page(program):
    """A page of a headless Chromium, with the addresses that it asked for in `page.asked`."""
    chromium = program("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("websocket", lambda channel: page.asked.append(channel.url))
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        yield page
        browser.close()


def errors(cells):
    """The names of the errors in the outputs of code cells."""
    return [output["ename"] for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]


def picture(image):
    return np.asarray(Image.open(io.BytesIO(image.screenshot())).convert("RGB"), dtype=int)


def move_first_slider(page):
    """Press the right arrow on the first slider; the picture of its widget before and after."""
    widget = page.locator(".jp-OutputArea-output", has=page.locator(".noUi-handle")).first
    image, handle = widget.locator("img").first, widget.locator(".noUi-handle").first
    expect(image).to_be_visible()
    before, source = picture(image), image.get_attribute("src")
    handle.focus()
    handle.press("ArrowRight")
    expect(image).not_to_have_attribute("src", source)
    return before, picture(image)


def pytest_generate_tests(metafunc):
    if "lesson" in metafunc.fixturenames:
        chosen = LESSONS if metafunc.config.getoption("every_lesson") else LESSONS[:1]
        metafunc.parametrize("lesson", chosen, ids=lambda path: path.stem)


def test_a_student_runs_a_lesson_and_moves_its_widget(lesson, page, lab, tmp_path):
    address, token = lab
    student_copy(lesson, tmp_path / "work")
    page.goto(f"{address}/lab/tree/lesson.ipynb?token={token}")
    page.wait_for_function(READY)
    unexpected = [error for error in errors(page.evaluate(RUN_EACH_CELL)) if error != "NotImplementedError"]
    assert not unexpected
    before, after = move_first_slider(page)
    assert before.shape != after.shape or (abs(before - after) > 20).mean() > 0.001
    outside = [url for url in page.asked if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))]
    assert page.asked and not outside


def test_a_student_copy_keeps_the_stub_and_loses_the_solution(tmp_path):
    source = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    lesson = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbformat.write(lesson, tmp_path / "source.ipynb")
    copy = nbformat.read(student_copy(tmp_path / "source.ipynb", tmp_path), as_version=4)
    assert copy.cells[0].source == "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
