"""Grading measured: a made-up class for lesson 3, by one worker, by two, by a Dask cluster that loses one half-way.

    python bench/grading.py --count 200 --autograde 3      # --ways one two: without the cluster
    python bench/grading.py --simulate 1000

The marks are known beforehand, and asserted: full ones for right answers, none for blank ones, less than full for each
planted mistake, with its own hint; and the same from each way of grading. Prints seconds per submission, and the
processor time of one after all is loaded, which does not depend on what else the machine does: the self-test, the
reports and the start of the workers apart. Two workers on two cores take half as long where that time is the same.
`--autograde` adds what `nbgrader autograde` takes for some of the same files (it runs the whole lesson for each,
without a sandbox), and writes all of it to bench/GRADING.md. `--simulate` grades a large class on Dask with a stand-in
for the grader, workers killed all the time, and asserts that no mark is lost and none is another one.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))
import graders
import submissions

from lecturekit.course import lessons, questions, timing
from lecturekit.course.grading import records, runs, watch

LESSON = "03"
RESULTS, SAID = Path(__file__).with_name("GRADING.md"), []
ASSIGNMENT = lessons.path(LESSON).stem
KINDS = ["right", "blank",
         *((name, number) for name, sources in submissions.MISTAKES.items() for number in range(len(sources)))]


def answers(kind):
    """The sources of a student of one kind; who makes a planted mistake has all else right."""
    if kind == "blank":
        return {}
    mistake = {} if kind == "right" else {kind[0]: submissions.MISTAKES[kind[0]][kind[1]]}
    return {**submissions.HONEST, **mistake}


def hand_in(folder, count, seed):
    """Write `count` submissions, every kind as often as the others; returns {student: kind}."""
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]
    random.Random(seed).shuffle(kinds)
    class_ = {f"s{number:03}": kind for number, kind in enumerate(kinds, 1)}
    for student, kind in class_.items():
        place = folder / student / ASSIGNMENT
        place.mkdir(parents=True)
        submissions.write(place, submissions.submission(LESSON, answers(kind)), f"{ASSIGNMENT}.ipynb")
    return class_


def assert_expected(marked, class_):
    """Every mark and every hint is the one that the student's kind must get."""
    assert [result["student"] for result in marked] == sorted(class_)
    for result in marked:
        kind = class_[result["student"]]
        for question in result["questions"]:
            where = result["student"], kind, question
            if kind == "blank":
                assert (question["earned"], question["state"]) == (0, "blank"), where
            elif kind[0] == question["id"]:
                assert question["earned"] < question["points"], where
                assert question["hint"] == questions.question(kind[0]).mistakes[kind[1]].hint, where
            else:
                assert (question["earned"], question["hint"]) == (question["points"], ""), where


def processor_time():
    """Seconds of this process and all that it started, with those that have ended."""
    spent = 0
    for pid in watch.family(os.getpid()):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue   # it has ended: its time is its parent's
        spent += sum(map(int, fields[11:15]))
    return spent / os.sysconf("SC_CLK_TCK")


class Meter:
    """Processor time and wall time between a quarter of a class and its end, read as results are recorded. All workers
    have started by then: they do so at once, as the run begins."""

    def __init__(self, count):
        self.first, self.count, self.seen, self.times = count // 4, count, 0, {}

    def __enter__(self):
        self.real = records.add
        records.add = self.add
        return self

    def __exit__(self, *_):
        records.add = self.real

    def add(self, *arguments):
        self.seen += 1
        if self.seen in (self.first, self.count):
            self.times[self.seen] = processor_time(), time.perf_counter()
        return self.real(*arguments)

    def of_one(self):
        """(processor time, wall time) of one submission."""
        (start, began), (stop, ended) = self.times[self.first], self.times[self.count]
        return (stop - start) / (self.count - self.first), (ended - began) / (self.count - self.first)


def say(text):
    print(text, flush=True)
    SAID.append(f"- {text}")


def timed(name, class_, folder, **how):
    """Grade the class in one way; returns the marks, and says how long that took."""
    started = time.perf_counter()
    with Meter(len(class_)) as meter:
        marked = runs.grade_all(folder / "submitted", LESSON, folder / name, runs.How(**how))
    seconds = time.perf_counter() - started
    assert_expected(marked, class_)
    processor, wall = meter.of_one()
    say(f"{name}: {seconds / len(marked):.2f} s per submission of {len(marked)} ({seconds:.0f} s with the start, "
        f"gradebook and reports); once started {wall:.2f} s, {processor:.2f} s of processor time")
    return [{key: result[key] for key in ("student", "questions", "written", "flags")} for result in marked]


def same_secret(folder, name, other):
    (folder / other).mkdir(exist_ok=True)
    shutil.copy(folder / name / "run.json", folder / other)


def on_dask(name, class_, folder):
    """Two worker processes; the first is killed when half of the class is graded."""
    from distributed import LocalCluster
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        victim = cluster.workers[0].pid
        killer = threading.Thread(target=kill_half_way, args=(victim, folder / name, len(class_)), daemon=True)
        killer.start()
        marked = timed(name, class_, folder, scheduler=cluster.scheduler_address)
        assert not killer.is_alive(), "no worker was killed"
    return marked


WAYS = {"one": timed, "two": partial(timed, workers=2), "dask": on_dask}


def simulate(folder, count, workers=4):
    """A class of `count` on Dask, by a stand-in for the grader, a worker killed for each fiftieth of the class."""
    import dask
    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})   # workers that come back at once
    from distributed import LocalCluster
    for number in range(count):
        place = folder / "in" / f"s{number:04}"
        place.mkdir(parents=True)
        answers = {f"{LESSON}.{n}": "right" if (number + n) % 3 else "wrong" for n in (1, 2, 3)}
        (place / f"{ASSIGNMENT}.ipynb").write_text(json.dumps({"answers": answers, "student": number}))
    killed, done = [], threading.Event()
    with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        arguments = cluster, folder / "out", count, killed, done
        killer = threading.Thread(target=kill_again_and_again, args=arguments, daemon=True)
        killer.start()
        how = runs.How(scheduler=cluster.scheduler_address, grade=graders.shortly, test=False)
        started = time.perf_counter()
        with Recorded() as recorded:
            marked = runs.grade_all(folder / "in", LESSON, folder / "out", how)
        seconds = time.perf_counter() - started
        done.set(), killer.join()
    assert len(marked) == count and killed
    assert set(recorded.times.values()) == {1} and len(recorded.times) == count, "somebody was marked twice"
    for number, result in enumerate(marked):
        expected = [5 if (number + n) % 3 else 2.5 for n in (1, 2)]
        assert [question["earned"] for question in result["questions"][:2]] == expected and not result["flags"], result
    print(f"{count} simulated on Dask: {seconds:.0f} s, {len(killed)} workers killed; all marked, nobody twice, no mark "
          "another one")


class Recorded:
    """How often each student's result is recorded."""

    def __enter__(self):
        self.real, self.times = records.add, Counter()
        records.add = self.add
        return self

    def __exit__(self, *_):
        records.add = self.real

    def add(self, results, student, *rest):
        self.times[student.id] += 1
        return self.real(results, student, *rest)


def kill_again_and_again(cluster, results, count, killed, done):
    """Kill one of the workers that run, never the last one: a nanny gives a worker up that is killed as it starts."""
    random.seed(0)
    while not done.wait(0.1):
        graded = len(list(results.glob("marks/*.json")))
        running = [nanny.pid for nanny in cluster.workers.values()
                   if nanny.status.name == "running" and nanny.worker_address in cluster.scheduler.workers]
        alive = [pid for pid in running if pid not in killed]
        if count * 0.98 > graded > (len(killed) + 1) * count / 50 and len(alive) > 1:
            os.kill(pid := random.choice(alive), signal.SIGKILL)
            killed.append(pid)


def kill_half_way(pid, results, count):
    while len(list(results.glob("marks/*.json"))) < count // 2:
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)


def copied(notebook, folder):
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(notebook, folder)


def autograde(folder, students):
    """Seconds that `nbgrader autograde` takes for each of some submissions, in a course of its own."""
    course = folder / "stock"
    copied(lessons.path(LESSON), course / "source" / ASSIGNMENT)
    for student in students:
        place = Path(student, ASSIGNMENT)
        copied(folder / "submitted" / place / f"{ASSIGNMENT}.ipynb", course / "submitted" / place)
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for command in ("generate_assignment", "autograde"):
        started = time.perf_counter()
        with open(folder / f"{command}.log", "w") as log:
            subprocess.run([sys.executable, "-m", "nbgrader", command, ASSIGNMENT], cwd=course, stdout=log, stderr=log,
                           env=os.environ | {"PATH": beside}, check=True)
    return (time.perf_counter() - started) / len(students)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--autograde", type=int, default=3, help="how many of them nbgrader grades; 0 for none")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="some of the ways alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--simulate", type=int, metavar="COUNT", help="nothing but the simulated class of this size")
    options = parser.parse_args()
    if options.simulate:
        with tempfile.TemporaryDirectory() as folder:
            return simulate(Path(folder), options.simulate)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        class_ = hand_in(folder / "submitted", options.count, options.seed)
        graded = []
        for way in options.ways:
            if graded:
                same_secret(folder, options.ways[0], way)
            graded.append(WAYS[way](way, class_, folder))
            assert graded[0] == graded[-1]
        say(f"the same marks from {' and '.join(options.ways)}, as expected for {len(KINDS)} kinds of submissions")
        if options.autograde:
            seconds = autograde(folder, sorted(class_)[:options.autograde])
            say(f"`nbgrader autograde`: {seconds:.2f} s per submission of {options.autograde}")
            RESULTS.write_text("\n".join(["# Grading beside nbgrader", "", f"{timing.machine()}.", "", *SAID]) + "\n")


if __name__ == "__main__":
    main()
