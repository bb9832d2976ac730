"""How long a lesson takes to start: its first cell beside `import torch, matplotlib.pyplot`, in new processes that take turns.

    python bench/start.py

Asked: at most 1.5 times. Prints the medians of three and what the first cells bring along besides.
"""

import os
import statistics
import subprocess
import sys
import time

from lecturekit.course import lessons

ALONE, TIMES = "import torch, matplotlib.pyplot", 3


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
    print(f"{ALONE}: {alone:.2f} s")
    for name, times in spent.items():
        print(f"lesson {name}: {statistics.median(times):.2f} s, {statistics.median(times) / alone:.2f} times")


if __name__ == "__main__":
    main()
