"""Starts the sandbox: bubblewrap with an allow-list of files, no network, and limits; a fork server where it can be."""

import ast
import atexit
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from lecturekit.course.grading import copies, plain, scratch, seccomp, submissions, view, watch

GRACE = 30   # seconds after which a fork server that does not reply is taken for dead
LINGER = 2   # seconds after which a process that has closed its pipes is ended
SWITCH = "Nothing was run. --without-sandbox runs the submissions all the same, with all that you may do yourself."


@dataclass(frozen=True)
class Limits:
    """Of one question: seconds of wall clock and CPU; bytes of memory, file, disk, answer, output; processes.

    `memory` is that of all processes together. `submission` is the size of the file handed in.
    """

    wall: float = 20.0
    cpu: float = 20.0
    memory: int = 2 << 30
    processes: int = 32
    file: int = 16 << 20
    disk: int = 64 << 20
    answer: int = 16 << 20
    output: int = 1 << 20
    submission: int = 10 << 20


@lru_cache(maxsize=1)
def available():
    """"" where bubblewrap can build the sandbox on this machine, else the reason why not."""
    if not shutil.which("bwrap"):
        return "bubblewrap (bwrap) is not installed"
    probe = subprocess.run([*view.plain(Limits.disk), "-I", "-S", "-c", ""], capture_output=True, text=True)
    return "" if probe.returncode == 0 else f"bubblewrap cannot make a sandbox here: {probe.stderr.strip()[-300:]}"


@lru_cache(maxsize=1)
def modules():
    """The modules from elsewhere that the package imports: what the fork server loads before it forks."""
    found = {"IPython", "numpy", "torch", "torchvision", "matplotlib.pyplot"}
    for path in copies.modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module)
    return sorted(name for name in found if not name.startswith("lecturekit"))


class Sandbox:
    """Runs answers of one process' submissions, one question at a time. `fork_server=False`: plain processes only."""

    def __init__(self, fork_server=True, trusted=False):
        self.base = Path(tempfile.mkdtemp(dir=scratch.own()))
        self.folder, self.filter = self.base / "copies", self.base / "filter.bpf"
        self.folder.mkdir(mode=0o755)
        self.filter.write_bytes(seccomp.program())
        self.trusted, self.fork_server = trusted, fork_server and not trusted
        self.server, self.control, self.doors = None, None, {}
        self.lock, self.owner = threading.Lock(), os.getpid()
        atexit.register(self.close)

    def run(self, asked, before, source, cases, limits):
        """{"frames": bytes, "output": bytes seen, "ended", "code", "seconds"} of `source` after the cells `before`."""
        task = {"function": asked.function, "before": before, "source": source, "limit": limits.answer // 2,
                "limits": asdict(limits), "modules": modules()}
        request = b"".join([plain.pack(task), *(plain.pack({}, arguments) for arguments in cases)])
        with self.lock:
            copy = self._copy(asked)
            reply = self._forked(asked, request, limits) or self._alone(request, copy, limits)
        if b'"started"' not in reply["frames"] and not reply["ended"]:
            raise RuntimeError(f"the sandbox could not start (code {reply['code']})")
        return reply

    def prepare(self, questions):
        """Open the rooms of some questions before there are answers; whatever goes wrong will be told then."""
        with self.lock, suppress(OSError, ValueError):
            for asked in questions if self.fork_server else ():
                self._copy(asked)
                self._door(asked)

    def close(self):
        if os.getpid() == self.owner:
            self._stop()
            shutil.rmtree(self.base, ignore_errors=True)

    def _copy(self, asked):
        """The folder with the copy of lecturekit for a question."""
        folder = self.folder / asked.id
        if not folder.exists():
            copies.make(asked, folder)
        return folder

    def _start(self):
        """Start the fork server; raises OSError where there can be none."""
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self.server = subprocess.Popen([*view.fork_server(Limits.disk, self.folder, self.filter), *modules()],
                                           stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            told(self.control, watch.STARTUP)
        except (OSError, ValueError):
            self.fork_server = False
            raise OSError("no fork server here") from None

    def _stop(self):
        for door in (self.control, *self.doors.values()):
            if door:
                door.close()
        if self.server:
            self.server.kill()
            self.server.wait()
        self.server, self.control, self.doors = None, None, {}

    def _door(self, asked):
        """The socket to the room of a question in the fork server; both are started where they are not there yet."""
        if self.server is None:
            self._start()
        if asked.id not in self.doors:
            self.doors[asked.id], theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            order = {"copy": asked.id, "before": submissions.setup(asked.lesson)}
            with theirs:
                socket.send_fds(self.control, [json.dumps(order).encode()], [theirs.fileno()])
            if "ready" not in told(self.doors[asked.id], watch.STARTUP):
                raise OSError("no room for the question")
        return self.doors[asked.id]

    def _forked(self, asked, request, limits):
        """What the fork server's fork gave; None if there is no server, or it failed, started afresh, a second time."""
        for _ in range(2):
            if not self.fork_server:
                return None
            try:
                given = self._visit(self._door(asked), request, limits)
                if b'"started"' in given["frames"] or given["ended"]:
                    return given
            except (OSError, ValueError):
                pass   # it has ended, or does not answer
            self._stop()
        return None

    def _visit(self, door, request, limits):
        """Have a fork of a room run one answer; the room gets no more of it than descriptors."""
        with Pipes() as pipes, open(os.memfd_create("request"), "w+b") as file:
            file.write(request)
            file.seek(0)
            socket.send_fds(door, [b"?"], [file.fileno(), *pipes.given()])
            pipes.close_given()
            _, (process, *_), _, _ = socket.recv_fds(door, 1, 1)   # a ValueError where the room has ended
            try:
                seen = pipes.watch(limits, lambda: signal.pidfd_send_signal(process, signal.SIGKILL), pid_of(process))
                ended, _, _ = select.select([process], [], [], LINGER)
                if not ended:
                    signal.pidfd_send_signal(process, signal.SIGKILL)
            finally:
                os.close(process)
        return {**seen, "code": told(door, GRACE)["code"]}

    def _alone(self, request, copy, limits):
        """A process of its own for one question; without the sandbox if the submissions are trusted."""
        with Pipes() as pipes, tempfile.TemporaryFile() as file, open(self.filter, "rb") as filter:
            file.write(request)
            file.seek(0)
            answers, output = pipes.given()
            command, shown = [view.python(), "-S", "-s", str(view.HERE / "worker.py"), str(answers), str(copy)], str
            if not self.trusted:
                denied = filter.fileno() if self.filter.stat().st_size else None
                inside = ["-S", "-s", "/grader/worker.py", str(answers), "/course"]
                command = [*view.plain(limits.disk, copy, denied), *inside]
                shown = view.inside
            process = subprocess.Popen(command, stdin=file, stdout=output, stderr=output, env=view.environment(shown),
                                       pass_fds=[answers, filter.fileno()], start_new_session=True)
            last_to_live(process.pid)
            pipes.close_given()
            end = lambda: os.killpg(process.pid, signal.SIGKILL)
            seen = pipes.watch(limits, end, process.pid)
            try:
                process.wait(LINGER)
            except subprocess.TimeoutExpired:
                end()
        return {**seen, "code": process.wait()}


class Pipes:
    """The two pipes of an answer: what it returns, and what it prints."""

    def __enter__(self):
        (self.answers, give), (self.output, say) = os.pipe(), os.pipe()
        self.open, self._given = [self.answers, self.output, give, say], [give, say]
        return self

    def __exit__(self, *_):
        for descriptor in self.open:
            os.close(descriptor)

    def given(self):
        return self._given

    def close_given(self):
        while self._given:
            os.close(descriptor := self._given.pop())
            self.open.remove(descriptor)

    def watch(self, limits, kill, pid):
        seen = watch.watch(self.answers, self.output, asdict(limits), kill, watch.Memory(pid))
        return {"frames": seen.pop("answers"), **seen}


def told(door, seconds):
    """What the fork server tells through a socket; raises OSError or ValueError where it ends or takes too long."""
    door.settimeout(seconds)
    size = watch.SIZE.unpack(_exactly(door, watch.SIZE.size))[0]
    return json.loads(_exactly(door, size))


def _exactly(door, size):
    parts = []
    while size:
        parts.append(door.recv(size))
        if not parts[-1]:
            raise OSError("the fork server ended")
        size -= len(parts[-1])
    return b"".join(parts)


def pid_of(process):
    """The id of a process by its descriptor, as this process sees it."""
    return int(re.search(r"(?m)^Pid:\s*(-?\d+)", Path(f"/proc/self/fdinfo/{process}").read_text())[1])


def last_to_live(pid):
    """Where memory runs out, this process goes first."""
    if sys.platform == "linux":
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")


def shared(trusted=False):
    """This process' sandbox, started at its first answer and kept."""
    return _shared(os.getpid(), trusted)


@lru_cache(maxsize=None)
def _shared(process, trusted):
    return Sandbox(trusted=trusted)
