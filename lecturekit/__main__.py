"""The commands of the package: `python -m lecturekit doctor`."""

import argparse
import sys

from lecturekit import doctor


def main(arguments=None):
    """Run a command; returns the exit status, 1 if something must be done."""
    parser = argparse.ArgumentParser(prog="python -m lecturekit", description=__doc__)
    parser.add_argument("command", choices=["doctor"], help="check that this machine has what the lessons need")
    parser.parse_args(arguments)
    healthy = True
    for name, passed, text in doctor.examine():
        print(f"{'ok   ' if passed else 'TO DO'}  {name:12}{text}", flush=True)
        healthy = healthy and passed
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
