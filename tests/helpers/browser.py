"""A real browser and a JupyterLab for it, for the tests that look at pages as a reader does."""

import io
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from axe_playwright_python import sync_playwright as axe
from PIL import Image
from playwright.sync_api import expect, sync_playwright

SWITCHES = ("--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
            "--disable-component-update --disable-sync").split()
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
SETTINGS = {"notebook-extension/tracker": {"windowingMode": "none"},
            "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False}}
PLACES = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "share", "JUPYTER_RUNTIME_DIR": "runtime",
          "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}


@contextmanager
def opened(chromium, width=1200, height=900):
    """A page of a headless Chromium: `page.asked` holds the addresses that it asked for, `page.failed` its errors."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.asked, page.failed = [], []
        page.context.on("request", lambda request: page.asked.append(request.url))
        page.context.on("console", lambda said: page.failed.append(said.text) if said.type == "error" else None)
        page.on("websocket", lambda channel: page.asked.append(channel.url))
        page.on("pageerror", lambda error: page.failed.append(str(error)))
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        yield page
        browser.close()


def against_wcag_aa(page):
    """[(rule, how many elements, the first of them)] of what axe holds against WCAG AA on a page."""
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text())
    found = page.evaluate(f"axe.run(document, {{runOnly: {LEVELS}}})")
    assert found["passes"]
    return [(rule["id"], len(rule["nodes"]), rule["nodes"][0]["target"]) for rule in found["violations"]]


def outside(page, *inside):
    """The addresses that a page asked for and that do not begin with one of `inside`, nor lie in the page itself."""
    return [url for url in page.asked if not url.startswith((*inside, "data:", "blob:", "about:"))]


def until(page, condition):
    """Wait for a JavaScript condition; page.wait_for_function calls eval, which a deck's security policy forbids."""
    page.evaluate(f"""new Promise((done, fail) => {{
        const end = Date.now() + 60_000, again = () => {{
            if ({condition}) done(); else if (Date.now() > end) fail("timeout"); else setTimeout(again, 20); }};
        again();
    }})""")


def picture(image):
    """What an element shows: int (H,W,3)."""
    return np.asarray(Image.open(io.BytesIO(image.screenshot())).convert("RGB"), dtype=int)


@contextmanager
def jupyterlab(folder):
    """A running JupyterLab on folder/work, with settings of its own: (its address, its token)."""
    port, token = _free_port(), secrets.token_hex(16)
    (folder / "work").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser",
               "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    with open(folder / "lab.log", "w") as log:
        process = subprocess.Popen(command, cwd=folder / "work", env=_private_settings(folder), stdout=log, stderr=log)
    try:
        _wait_until_up(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}", token
    finally:
        process.terminate()   # stops the kernels too
        process.wait(30)


def _private_settings(folder):
    for name, values in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    return os.environ | {variable: str(folder / name) for variable, name in PLACES.items()}


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _wait_until_up(address, process, seconds=60):
    for _ in range(seconds * 5):
        try:
            return urllib.request.urlopen(f"{address}/api", timeout=5)
        except OSError:
            assert process.poll() is None, "JupyterLab stopped"
            time.sleep(0.2)
    raise TimeoutError(f"no answer from {address} in {seconds} s")
