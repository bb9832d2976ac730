"""A notebook's kernel and the sandbox's worker in this process: quick stand-ins that run the very same code."""

import importlib
import sys
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from lecturekit.course import grading
from lecturekit.course.grading import plain

SETTINGS = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "NoColor", "xmode": "Minimal"}})


def shell():
    """The shell of this process, with nothing in it."""
    main = sys.modules["__main__"]
    found = InteractiveShell.instance(config=SETTINGS)
    sys.modules["__main__"] = main   # IPython puts its own there; a process started later looks for its program in it
    found.user_ns.clear()   # reset() collects garbage, which takes most of a second
    found.init_user_ns()
    for history in (found.history_manager.input_hist_raw, found.history_manager.input_hist_parsed):
        history[:] = [""]
    return found


def passes(cells, identifier, function):
    """Whether the check says ✓ after these cells ran in a notebook."""
    kernel = shell()
    for cell in (*cells, "from lecturekit.course.checks import check, hint"):
        kernel.run_cell(cell, store_history=True)
    return kernel.run_cell(f'check("{identifier}", {function})', store_history=True).success


def _worker():
    """The module that runs in the sandbox, where it finds `plain` beside itself."""
    folder = str(Path(grading.__file__).parent)
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("worker")
    finally:
        sys.path.remove(folder)


class Box:
    """Takes the place of a sandbox, for answers that are known to do no harm."""

    def run(self, asked, before, source, cases, limits):
        task = {"function": asked.function, "before": before, "source": source, "limit": limits.answer // 2}
        frames = []
        request = b"".join([plain.pack(task), *(plain.pack({}, arguments) for arguments in cases)])
        _worker().answer(shell(), request, frames.append)
        return {"frames": b"".join([*frames, plain.pack({"done": True})]), "output": 0, "ended": "", "code": 0}
