"""Measure how long each lesson takes, run as a whole by itself: data/times.json. On a machine that does nothing else.

    python data/recipes/show/times.py
"""

import argparse
import json
import tempfile
import time

from lecturekit import files
from lecturekit.course import execute, lessons, timing


def seconds(number):
    """Wall time of a lesson, with the start of its kernel; its outputs are thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        execute.build([number], folder)
        return time.perf_counter() - begun


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    before, taken = timing.probe(), {number: round(seconds(number), 1) for number in lessons.chosen()}
    found = {"machine": timing.machine(), "probe": round((before + timing.probe()) / 2, 4), "lessons": taken}
    files.write(files.root() / timing.FILE, json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
