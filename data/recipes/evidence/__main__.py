"""Make the evidence that is missing or stale: data/evidence/NAME.json, all of it (`make evidence`) or some by name.

    python data/recipes/evidence [NAME ...]

A program NAME.py beside this file has QUESTION, UNIT, INTERVAL, SETTINGS (a literal), WEIGHTS (files below data/), and
`parts()`, {key: function without arguments}, whose results (plain data) `rows` turns into rows. Each part is kept in
build/evidence as soon as it is there: an interrupted run goes on where it stopped.
"""

import argparse
import hashlib
import importlib.util
import json
import sys
from pathlib import Path

from tqdm import tqdm

from lecturekit import files
from lecturekit.show import evidence

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def programs():
    """{name of the evidence: path of its program}."""
    return {path.stem.replace("_", "-"): path for path in sorted(HERE.glob("[0-9]*.py"))}


def imported(path):
    spec = importlib.util.spec_from_file_location(f"evidence_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def kept(name, program):
    """Where the parts of a finding are kept: in a file named by what they hang on."""
    hangs_on = [program.SETTINGS, {weights: files.checksums()[weights] for weights in program.WEIGHTS}]
    digest = hashlib.sha256(json.dumps(hangs_on, sort_keys=True).encode()).hexdigest()[:12]
    return ROOT / "build/evidence" / f"{name}-{digest}.json"


def make(name, program):
    """Compute what is missing of a finding and write it."""
    cache = kept(name, program)
    done = json.loads(cache.read_text()) if cache.exists() else {}
    parts = program.parts()
    for key in tqdm([key for key in parts if key not in done], desc=name, initial=len(done), total=len(parts)):
        done[key] = parts[key]()
        files.write(cache, json.dumps(done))
    results = {key: done[key] for key in parts}
    return evidence.write(name, program.QUESTION, program.UNIT, program.INTERVAL, program.rows(results),
                          program.SETTINGS, program.WEIGHTS)


def current(name):
    return name in evidence.names() and not evidence.stale(name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all that is missing or stale")
    wanted = parser.parse_args().names or [name for name in programs() if not current(name)]
    if unknown := set(wanted) - set(programs()):
        parser.error(f"NAME: got {', '.join(sorted(unknown))}. It takes some of: {', '.join(programs())}.")
    for name in wanted:
        print(make(name, imported(programs()[name])).relative_to(files.root().parent), flush=True)
