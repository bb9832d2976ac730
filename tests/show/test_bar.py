"""Long work shows its bar where somebody watches, and only there; threads that wait leave the cores to others."""

import os
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from lecturekit.show import bar as bars

LONG = """
import time
from lecturekit.show import bar as bars
bars.PATIENCE = 0
for _ in bars.bar(range(3)):
    time.sleep(0.15)
"""


def shown(**environment):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(LONG)])
    NotebookClient(notebook, timeout=60).execute(env=os.environ | environment)
    return [output for output in notebook.cells[0].outputs if "widget" in str(output.get("data", {}))]


def test_a_kernel_shows_a_bar_but_a_stored_run_does_not():
    assert shown(LECTUREKIT_QUIET="") and not shown(LECTUREKIT_QUIET="1")


@pytest.mark.parametrize("quiet, terminal, disabled", [(False, True, False), (True, True, True), (False, False, True)])
def test_quiet_work_and_work_in_the_background_have_none(monkeypatch, quiet, terminal, disabled):
    monkeypatch.delenv("LECTUREKIT_QUIET", raising=False)
    monkeypatch.setattr(bars.sys.stderr, "isatty", lambda: terminal, raising=False)
    assert bars.bar(range(3), quiet).disable is disabled
    assert list(bars.bar(range(3), quiet)) == [0, 1, 2]


PROGRAM = "import os; import lecturekit; print(os.environ['OMP_WAIT_POLICY'], 'torch' in __import__('sys').modules)"


@pytest.mark.parametrize("before, after", [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_the_package_says_how_threads_wait_before_torch_is_there(monkeypatch, before, after):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if before:
        monkeypatch.setenv("OMP_WAIT_POLICY", before)
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True).stdout.split()
    assert said == [after, "False"]
