"""Run programs of data/recipes with --help, as `python PROGRAM --help` would, in one process:

    python helps.py PROGRAM ...

Prints a line for each: its path, how it ended, and its first line of help.
"""

import contextlib
import io
import runpy
import sys
from pathlib import Path


def answer(program):
    out, folder = io.StringIO(), str(Path(program).parent)
    sys.argv[:] = [program, "--help"]
    sys.path.insert(0, folder)
    try:
        with contextlib.redirect_stdout(out):
            runpy.run_path(program, run_name="__main__")
        ended = "went on"
    except SystemExit as stop:
        ended = stop.code
    except ModuleNotFoundError as error:
        ended = f"needs {error.name}"
    sys.path.remove(folder)
    return f"{program}|{ended}|{(out.getvalue().splitlines() or [''])[0]}"


if __name__ == "__main__":
    programs = sys.argv[1:]
    del sys.path[0]   # this folder, whose modules have names that recipes have, too
    for program in programs:
        print(answer(program), flush=True)
