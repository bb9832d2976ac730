"""The commands of the course: check this machine, make student copies and slides, grade submissions."""

import argparse
import sys
from pathlib import Path

LECTURERS = {"nbgrader", "distributed"}   # packages of the extra `teach`


def main(arguments=None):
    """Run a command; returns the exit status: 1 if something must be done, 2 if it could not be carried out."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
    except ModuleNotFoundError as error:
        if error.name.split(".")[0] not in LECTURERS:
            raise
        print(f"{error.name} is not installed: it is in requirements-teach.lock, the extra `teach`.", file=sys.stderr)
    return 2


def _parser():
    parser = argparse.ArgumentParser(prog="python -m lecturekit", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    doctor = commands.add_parser("doctor", help="check that this machine has what the lessons need")
    doctor.set_defaults(run=_doctor)
    for name, run, text in (("student", _student, "copies of the lessons without solutions"),
                            ("slides", _slides, "a deck of slides for each lesson")):
        command = commands.add_parser(name, help=text)
        command.add_argument("lessons", nargs="*", metavar="LESSON", help="numbers such as 03; all by default")
        command.add_argument("--to", default=Path("build", name), type=Path, metavar="DIR", help="default: %(default)s")
        command.set_defaults(run=run)
    execute = commands.add_parser("execute", help="run lessons from a clean kernel and store their outputs")
    execute.add_argument("lessons", nargs="*", metavar="LESSON", help="numbers such as 03; all by default")
    execute.add_argument("--to", type=Path, metavar="DIR", help="default: notebooks, which are written anew")
    execute.set_defaults(run=_execute)
    _add_grade(commands)
    return parser


def _add_grade(commands):
    command = commands.add_parser("grade", help="grade a folder of submissions")
    command.add_argument("submissions", type=Path, metavar="DIR", help="submissions as nbgrader lays them out")
    command.add_argument("--lesson", required=True, metavar="LESSON", help="a number such as 03")
    command.add_argument("--to", default=Path("build", "grades"), type=Path, metavar="RESULTS",
                         help="default: %(default)s")
    command.add_argument("--workers", default=1, type=int, metavar="N", help="processes on this machine; default: 1")
    command.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, to grade on its cluster instead")
    command.add_argument("--without-sandbox", action="store_true",
                         help="run the submitted programs with all your own rights, where bubblewrap is missing")
    command.set_defaults(run=_grade)


# Each command imports what it needs: nbgrader alone takes three seconds.

def _doctor(options):
    from lecturekit.course import doctor
    healthy = True
    for name, passed, text in doctor.examine():
        print(f"{'ok   ' if passed else 'TO DO'}  {name:12}{text}", flush=True)
        healthy = healthy and passed
    return 0 if healthy else 1


def _student(options):
    from lecturekit.course import student
    return _report(student.build(options.lessons, options.to))


def _slides(options):
    from lecturekit.course import slides
    return _report(slides.build(options.lessons, options.to))


def _execute(options):
    from lecturekit.course import execute
    return _report(execute.build(options.lessons, options.to))


def _grade(options):
    from lecturekit.course import lessons
    from lecturekit.course.grading.runs import grade_all
    grade_all(options.submissions, lessons.numbered(options.lesson), options.to, workers=options.workers,
              scheduler=options.scheduler, unsafe=options.without_sandbox)
    return _report([options.to])


def _report(paths):
    print(*paths, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
