"""How long a lesson takes to start: its first cell beside `import torch, matplotlib.pyplot`, in new processes that take turns.

    python bench/start.py

Asked: at most 1.5 times. Prints and writes (bench/START.md) the medians of three, of what the first cell imports.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from lecturekit.course import lessons, timing

ALONE, TIMES, GOAL = "import torch, matplotlib.pyplot", 3, 1.5
RESULTS = Path(__file__).with_name("START.md")


def seconds(source):
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, cwd=lessons.FOLDER,
                   env=os.environ | {"MPLBACKEND": "agg"})
    return time.perf_counter() - begun


def main():
    first = {number: next(cell.source for cell in lessons.read(number).cells if cell.cell_type == "code")
             for number in lessons.chosen()}
    spent = {name: [] for name in ("alone", *first)}
    seconds(ALONE)
    for _ in range(TIMES):
        for name, source in {"alone": ALONE, **first}.items():
            spent[name].append(seconds(source))
    alone = statistics.median(spent.pop("alone"))
    lines = ["# What a lesson takes to start", "",
             f"Its first cell beside `{ALONE}`, which takes {alone:.2f} s in a new process; "
             f"medians of {TIMES}. {timing.machine()}.", "", f"| lesson | s | times (asked: {GOAL}) |", "|---|---|---|"]
    for name, times in spent.items():
        ratio = statistics.median(times) / alone
        lines.append(f"| {name} | {statistics.median(times):.2f} | {ratio:.2f}{'' if ratio <= GOAL else ' (missed)'} |")
    RESULTS.write_text("\n".join(lines) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
