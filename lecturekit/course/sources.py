"""Where a function that lives in this process was written, and what of the package it calls."""

import functools
import inspect
import linecache
import sys
import textwrap
from contextlib import contextmanager

from lecturekit.course.grading import copies, needs


def of(function, name):
    """What of this kernel's cells makes up `function`, which they call `name`: a list of sources.

    It is found as the grader finds it in a notebook's file. Without a kernel the function's own file is read in place
    of the cells; [] where nothing is found.
    """
    function = _inner(function)
    code = getattr(function, "__code__", None)
    if code is None:
        return []
    written = "".join(linecache.getlines(code.co_filename)).strip()
    cells = [cell.strip() for cell in _history()]
    if written not in cells:   # outside of a kernel, or a cell with magics
        cells.append(written)
    last = max(number for number, cell in enumerate(cells) if cell == written)
    notebook = needs.Notebook(cells, [True] * len(cells))
    places = [place for known in (name, function.__name__) for place in notebook.places(known) if place[0] == last]
    return [notebook.get(place).source for place in needs.of(notebook, places[-1])] if places else _alone(function)


def _inner(function):
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.unwrap(function)


def _history():
    """The cells that ran in this kernel, in order."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return list(shell.history_manager.input_hist_raw) if shell else []


def _alone(function):
    """The function's own lines, where it stands in no cell and at no file's top level."""
    try:
        return [textwrap.dedent(inspect.getsource(function))]
    except (OSError, TypeError):
        return []


@contextmanager
def watched(asked):
    """Collects the names of the package's functions that are called in the block though they are not there for this
    question when it is graded: whatever name or way leads to them."""
    found, before = set(), sys.getprofile()
    reference = copies.reference_name(asked)

    def look(frame, event, argument):
        code = frame.f_code
        if event == "call" and (code.co_name in asked.forbidden or reference and code.co_name == reference[1]):
            if code.co_qualname == code.co_name and _hidden(asked, reference, frame):
                found.add(code.co_name)

    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(before)


def _hidden(asked, reference, frame):
    """Whether the function that a frame runs is one of the package's that the grading copy does not have."""
    module = frame.f_globals.get("__name__", "")
    inside = module.startswith("lecturekit.") and not module.startswith(copies.COURSE)
    own = reference is not None and (module.partition(".")[2], frame.f_code.co_name) == reference
    return inside and (own or frame.f_code.co_name in asked.forbidden)
