"""The workers that grade: processes of this machine, or those of a Dask cluster, by one mechanism.

A submission whose worker died is graded again, alone. Is it alone and its worker dies again, then it is to blame.
"""

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lecturekit.course.grading import scratch

LONGEST = 60    # bytes of the temporary folder: longer ones leave no room for the name of a socket


@dataclass(frozen=True)
class Task:
    """What a worker does with a submission. It gets the bytes: it may not share a file system with the sender."""

    grade: Callable
    lesson: str
    secret: int
    options: dict = field(default_factory=dict)

    def __call__(self, student, content):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "submission.ipynb"
            path.write_bytes(content)
            return self.grade(path, self.lesson, self.secret, student=student, **self.options)


class Processes:
    """`workers` processes of this machine; where one died, all are replaced."""

    death = BrokenProcessPool

    def __init__(self, workers, preload):
        self.room, self._workers = 2 * workers, workers   # for each that is under way the next one waits
        self._preload = preload
        self._start()

    def _start(self):
        self._pool = ProcessPoolExecutor(self._workers, _context(self._preload), _begin_worker, [str(scratch.own())])

    def submit(self, *call):
        try:
            return self._pool.submit(*call)
        except BrokenProcessPool:
            self._pool.shutdown()
            self._start()
            return self._pool.submit(*call)

    def close(self):
        self._pool.shutdown(cancel_futures=True)

    def end(self):
        """Close at once: what is under way is ended."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.kill()


def _context(preload):
    """Processes forked from a server that has imported some modules; where there can be none, started anew."""
    short = len(os.fsencode(tempfile.gettempdir())) <= LONGEST
    method = "forkserver" if sys.platform == "linux" and short else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(preload)
    return context


def _begin_worker(scratch):
    """A worker leaves Ctrl-C to its parent, ends when that is killed, and keeps its temporary files in `scratch`."""
    tempfile.tempdir = scratch
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


class Cluster:
    """The workers of a Dask cluster. The scheduler itself runs a task again when its worker died, a few times."""

    def __init__(self, address):
        from distributed import Client, KilledWorker
        self.death = KilledWorker
        self._client = Client(address)
        self._executor = self._client.get_executor(pure=False)

    @property
    def room(self):
        """How many submissions to have under way: enough for all threads, which may come and go."""
        return max(32, 2 * sum(self._client.nthreads().values()))

    def submit(self, *call):
        return self._executor.submit(*call)

    def close(self):
        self._client.close()

    end = close


@contextmanager
def open_pool(workers=1, scheduler=None, preload=()):
    """The pool of a run: `workers` processes, or the Dask cluster whose scheduler has that address.

    `preload` names modules that take long to import, and are imported once for all workers of this machine.
    What is temporary lies in a folder that the next run takes away where this one is killed.
    """
    with scratch.everything_in_it():
        pool = Cluster(scheduler) if scheduler else Processes(workers, list(preload))
        try:
            yield pool
        except BaseException:
            pool.end()
            raise
        pool.close()


def complete(pool, task, jobs, arguments):
    """Run `task(*arguments(job))` for each job; yields (job, its future) in the order in which they end.

    A future that ended in `pool.death` is yielded only for a job that died again when it ran alone.
    """
    suspects = []
    for job, future in _window(pool, task, jobs, arguments):
        if isinstance(future.exception(), pool.death):
            suspects.append(job)
        else:
            yield job, future
    yield from _window(pool, task, suspects, arguments, room=1)


def _window(pool, task, jobs, arguments, room=None):
    """Never more than `room` jobs are under way, so that not all submissions are in memory at once."""
    waiting, running = deque(jobs), {}
    while waiting or running:
        while waiting and len(running) < (room or pool.room):
            job = waiting.popleft()
            running[pool.submit(task, *arguments(job))] = job
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future
