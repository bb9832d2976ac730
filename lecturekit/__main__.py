"""The commands of the course: check this machine, make student copies and slides, grade submissions."""

import argparse
import sys
from pathlib import Path

from lecturekit import __version__

LECTURERS = {"copydetect", "nbgrader", "distributed", "playwright"}   # packages of the extra `teach`
STOPPED = 130   # as a shell says of a program that Ctrl-C ended


def main(arguments=None):
    """Run a command; returns the exit status: 1 if something must be done, 2 if it could not be carried out, 130 if it
    was stopped."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped. What is done is kept: the same command goes on from there.", file=sys.stderr)
        return STOPPED
    except ModuleNotFoundError as error:
        if error.name.split(".")[0] not in LECTURERS:
            raise
        print(f"{error.name} is not installed: it is in requirements-teach.lock, the extra `teach`.", file=sys.stderr)
    return 2


def _parser():
    parser = argparse.ArgumentParser(prog="lecturekit", description=__doc__)
    parser.add_argument("--version", action="version", version=f"lecturekit {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    doctor = commands.add_parser("doctor", help="check that this machine has what the lessons need")
    doctor.add_argument("--time", action="store_true", help="tell how long each lesson will take here, from a probe of 5 s")
    doctor.set_defaults(run=_doctor)
    exercises = commands.add_parser("exercises", help="your own copies of the lessons, to work in")
    exercises.add_argument("lessons", nargs="*", metavar="LESSON", help="numbers such as 03; all by default")
    exercises.add_argument("--to", default=Path("exercises"), type=Path, metavar="DIR", help="default: %(default)s")
    exercises.set_defaults(run=_exercises)
    for name, run, text in (("student", _student, "copies of the lessons without solutions"),
                            ("slides", _slides, "a deck of slides for each lesson")):
        command = commands.add_parser(name, help=text)
        command.add_argument("lessons", nargs="*", metavar="LESSON", help="numbers such as 03; all by default")
        command.add_argument("--to", default=Path("build", name), type=Path, metavar="DIR", help="default: %(default)s")
        command.set_defaults(run=run)
    command.add_argument("--pdf", action="store_true", help="print each deck as PDF too, by an installed Chromium")
    execute = commands.add_parser("execute", help="run lessons from a clean kernel and store their outputs")
    execute.add_argument("lessons", nargs="*", metavar="LESSON", help="numbers such as 03; all by default")
    execute.add_argument("--to", type=Path, metavar="DIR", help="default: notebooks, which are written anew")
    execute.set_defaults(run=_execute)
    _add_grade(commands)
    return parser


def _add_grade(commands):
    command = commands.add_parser("grade", help="grade the submissions of a class")
    command.add_argument("submissions", type=Path, nargs="?", metavar="DIR",
                         help="the download of a class, a folder or a zip, as nbgrader, Moodle or Canvas makes it")
    command.add_argument("--lesson", metavar="LESSON", help="a number such as 03")
    command.add_argument("--to", default=Path("build", "grades"), type=Path, metavar="RESULTS",
                         help="default: %(default)s")
    for name, metavar, text in OPTIONS:
        command.add_argument(name, metavar=metavar, help=text)
    command.add_argument("--keep", choices=("last", "best"), default="last", help="what counts of several hand-ins")
    command.add_argument("--workers", default=1, type=int, metavar="N", help="processes on this machine; default: 1")
    command.add_argument("--self-test", action="store_true",
                         help="grade nothing but the lesson's own solution and its blank copy")
    command.add_argument("--without-sandbox", action="store_true",
                         help="run the submitted programs with all your own rights, where bubblewrap is missing")
    command.set_defaults(run=_grade)


OPTIONS = (("--roster", "CSV", "who is in the class: id, name, e-mail, section, or what Moodle or Canvas exports"),
           ("--deadline", "TIME", 'such as "2026-05-04 23:59"'),
           ("--late", "RULE", 'what being late costs, such as "10%% a day, at most 3"'),
           ("--column", "NAME", "what the assignment is called in Canvas; default: the lesson's title"),
           ("--scheduler", "ADDRESS", "a Dask scheduler, to grade on its cluster instead"))


# Each command imports what it needs: nbgrader alone takes three seconds.

def _doctor(options):
    from lecturekit.course import doctor
    healthy = True
    for name, passed, text in doctor.examine():
        print(f"{'ok   ' if passed else 'TO DO'}  {name:12}{text}", flush=True)
        healthy = healthy and passed
    return _times() if options.time and healthy else 0 if healthy else 1


def _times():
    from lecturekit.course import timing
    print("Run as a whole, on this machine as busy as it is now:")
    return _report([f"lesson {lesson}: about {seconds:.0f} s" for lesson, seconds in timing.expected().items()])


def _exercises(options):
    from lecturekit.course import exercises
    new = exercises.build(options.lessons, options.to)
    print(f"{len(new)} new in {options.to}{'' if new else ': what is there stays as it is'}")
    return _report(new)


def _student(options):
    from lecturekit.course import student
    return _report(student.build(options.lessons, options.to))


def _slides(options):
    from lecturekit.course import slides
    decks = slides.build(options.lessons, options.to)
    return _report([*decks, *(map(slides.pdf, decks) if options.pdf else ())])


def _execute(options):
    from lecturekit.course import execute
    return _report(execute.build(options.lessons, options.to))


def _grade(options):
    from lecturekit.course.grading import roster, runs, times
    people = roster.read(options.roster) if options.roster else roster.Roster()
    how = runs.How(options.workers, options.scheduler, options.without_sandbox, roster=people, keep=options.keep,
                   rule=times.rule(options.deadline, options.late), column=options.column)
    if options.self_test:
        return _self_test(options, how)
    if not (options.submissions and options.lesson):
        raise ValueError("grade: got no submissions or no lesson. It takes DIR --lesson LESSON, or --self-test.")
    students = runs.grade_all(options.submissions, options.lesson, options.to, how)
    missing = [student["name"] for student in students if not student["sha256"]]
    print(f"{len(students) - len(missing)} of {len(students)} handed in"
          + (f"; missing: {', '.join(missing)}" if missing else ""))
    return _report([options.to / "class.html"])


def _self_test(options, how):
    from lecturekit.course.grading import runs
    for lesson in runs.test([options.lesson] if options.lesson else None, how):
        print(f"lesson {lesson}: full marks for its solution, none for its blank copy", flush=True)
    return 0


def _report(paths):
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
