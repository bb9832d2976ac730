"""What all tests share: no network, the bundled data and network, the time and memory that each lesson took."""

import os
import re
import runpy
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

import about
import psutil
import pytest

import lecturekit   # noqa: F401  before torch: it says how threads wait

OFFLINE = Path(__file__).parent / "tests" / "offline"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")]))
runpy.run_path(str(OFFLINE / "sitecustomize.py"))   # this process; PYTHONPATH carries it into every kernel
os.environ["LECTUREKIT_QUIET"] = "1"   # bars are no output that could be compared
for setting in ("LECTUREKIT_MODEL", "LECTUREKIT_DATA"):
    os.environ.pop(setting, None)
os.environ["TORCH_HOME"] = tempfile.mkdtemp()   # no weights that happen to be cached: the lessons' outputs name them


def pytest_addoption(parser):
    parser.addoption("--every-lesson", action="store_true", help="open every lesson in the browser, not just the first")


def pytest_collection_modifyitems(items):
    about.compare_tagged(items)


@pytest.fixture
def program():
    """`program("chromium", ...)`: the path of the first that is installed; else skip by name, or fail where CI is set."""
    def find(*names):
        found = next(filter(None, map(shutil.which, names)), None)
        if found is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {names[0]}, which is not installed")
        return found
    return find


def peak_memory(pid):
    """Bytes that a process held at most so far (Linux), or holds now (elsewhere)."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])
    return psutil.Process(pid).memory_info().rss


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    try:
        return (yield)
    finally:
        kernel = getattr(item.parent, "kernel", None)   # nbval's items: the cells of a lesson
        if kernel is not None and kernel.is_alive():
            item.user_properties.append(("peak", peak_memory(kernel.km.provisioner.pid)))


def pytest_terminal_summary(terminalreporter):
    """A line for each lesson: its cells, wall time with the start of its kernel, and peak memory."""
    lessons = defaultdict(list)
    for report in sum(terminalreporter.stats.values(), []):
        lesson, notebook, _ = getattr(report, "nodeid", "").partition(".ipynb::")
        if notebook and isinstance(report, pytest.TestReport):
            lessons[lesson].append(report)
    if lessons:
        terminalreporter.section("lessons")
    for lesson, reports in sorted(lessons.items()):
        peak = max((value for r in reports for name, value in r.user_properties if name == "peak"), default=0)
        cells = sum(r.when == "call" for r in reports)
        terminalreporter.write_line(f"{lesson}: {cells} cells, {sum(r.duration for r in reports):.1f} s wall, "
                                    f"{peak / 1e6:.0f} MB peak")
