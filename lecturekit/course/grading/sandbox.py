"""Starts the sandbox: bubblewrap with an allow-list of files, no network, and limits; a fork server where it can be."""

import ast
import atexit
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import tempfile
import threading
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from lecturekit.course.grading import copies, plain, watch

HERE = Path(__file__).resolve().parent
INSIDE = ("plain.py", "worker.py", "watch.py", "zygote.py")
GRACE = 30   # seconds after which a fork server that does not reply is taken for dead
SWITCH = "Nothing was run. --without-sandbox runs the submissions all the same, with all that you may do yourself."


@dataclass(frozen=True)
class Limits:
    """Of one question: seconds of wall clock and CPU; bytes of memory, file, disk, answer, output; processes.

    `submission` is the size of the file handed in.
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
    probe = subprocess.run([*plain_bwrap(), "--", python(), "-I", "-S", "-c", ""], capture_output=True, text=True)
    return "" if probe.returncode == 0 else f"bubblewrap cannot make a sandbox here: {probe.stderr.strip()[-300:]}"


def python():
    return os.path.realpath(sys.executable)


def allowed_files():
    """bwrap's options for what may be read: the interpreter, the installed packages, the system's libraries."""
    folders = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    binds = {python(), sysconfig.get_config_var("LIBDIR"), *folders, "/usr/lib", "/usr/lib64"}
    options = []
    for parent in sorted({str(parent) for path in filter(None, binds) for parent in Path(path).parents} | {"/grader"}):
        options += ["--perms", "0755", "--dir", parent]   # else they are closed to the sandbox's second user
    for path in sorted(filter(None, binds)):
        options += ["--ro-bind-try", path, path]
    for path in ("/lib", "/lib64"):
        options += ["--symlink", os.readlink(path), path] if os.path.islink(path) else ["--ro-bind-try", path, path]
    for folder in {os.path.join(folder, "lecturekit") for folder in folders[2:]}:
        if os.path.isdir(folder):   # installed, not linked: it has the references
            options += ["--tmpfs", folder, "--remount-ro", folder]
    for name in INSIDE:
        options += ["--ro-bind", str(HERE / name), f"/grader/{name}"]
    return [*options, "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]


def environment():
    packages = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {"PYTHONPATH": os.pathsep.join(packages), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": "/tmp", "IPYTHONDIR": "/tmp/.ipython", "MPLBACKEND": "agg", "LANG": "C.UTF-8", **threads}


def common(disk):
    """bwrap's options that both kinds share."""
    options = ["--die-with-parent", "--new-session", "--clearenv", "--proc", "/proc", "--dev", "/dev",
               "--size", str(disk), "--tmpfs", "/tmp", "--size", str(disk), "--tmpfs", "/dev/shm",
               "--hostname", "sandbox", "--chdir", "/tmp", *allowed_files()]
    for name, value in environment().items():
        options += ["--setenv", name, value]
    return options


CLOSED = ["--remount-ro", "/dev", "--remount-ro", "/"]


def plain_bwrap(course=None, disk=Limits.disk):
    """The command that starts a process without any rights; bubblewrap does it all."""
    view = ["--ro-bind", str(course), "/course"] if course else []
    return [shutil.which("bwrap"), "--unshare-all", "--unshare-user", "--disable-userns", "--uid", "1000", "--gid",
            "1000", "--cap-drop", "ALL", *common(disk), *view, "--remount-ro", "/proc", *CLOSED]


def zygote_bwrap(folder):
    """The command that starts the fork server, which keeps rights in a user namespace of its own to make others."""
    marker = ["--ro-bind", str(HERE / "__init__.py"), watch.SECOND_USER] if os.getuid() == 0 else []
    return [python(), "-I", "-S", str(HERE / "launch.py"), shutil.which("bwrap"), "--unshare-ipc", "--unshare-pid",
            "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--cap-add", "ALL", *common(Limits.disk), *marker,
            "--ro-bind", str(folder), "/copies", "--dir", "/course", *CLOSED]


@lru_cache(maxsize=1)
def modules():
    """The modules from elsewhere that the package imports: what the fork server loads before it forks."""
    found = {"IPython", "numpy", "torch", "torchvision", "matplotlib.pyplot"}
    for path in copies.PACKAGE.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module)
    return sorted(name for name in found if not name.startswith("lecturekit"))


class Sandbox:
    """Runs answers of one process' submissions, one question at a time. `fork_server=False`: plain processes only."""

    def __init__(self, fork_server=True, trusted=False):
        self.base = Path(tempfile.mkdtemp(prefix="lecturekit-"))
        self.folder = self.base / "copies"
        self.folder.mkdir(mode=0o755)
        self.trusted, self.fork_server, self.server = trusted, fork_server and not trusted, None
        self.lock, self.owner = threading.Lock(), os.getpid()
        atexit.register(self.close)

    def run(self, asked, before, source, cases, limits):
        """{"frames": bytes, "output": bytes seen, "ended", "code", "seconds"} of `source` after the cells `before`."""
        copy = self.folder / asked.id
        task = {"copy": asked.id, "function": asked.function, "before": before, "source": source,
                "limit": limits.answer // 2, "limits": asdict(limits), "modules": modules()}
        request = b"".join([plain.pack(task), *(plain.pack({}, arguments) for arguments in cases)])
        with self.lock:
            if not copy.exists():
                copies.make(asked, copy)
            reply = self._forked(request, limits) or self._alone(request, copy, limits)
        if b'"started"' not in reply["frames"] and not reply["ended"]:
            raise RuntimeError(f"the sandbox could not start (code {reply['code']})")
        return reply

    def close(self):
        if os.getpid() == self.owner:
            self._stop()
            shutil.rmtree(self.base, ignore_errors=True)

    def _serves(self):
        if self.fork_server and self.server is None:
            try:
                self._start()
            except OSError:
                self.fork_server = False
        return self.fork_server

    def _start(self):
        self.server = subprocess.Popen([*zygote_bwrap(self.folder), "--", python(), "-S", "-s", "/grader/zygote.py",
                                        *modules()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL)
        if not self._reply(watch.STARTUP) or not self._ran_a_probe():
            self._stop()
            raise OSError("no fork server here")

    def _ran_a_probe(self):
        task = {"copy": ".", "function": "f", "before": [], "source": "f = len", "limit": 0, "limits": asdict(Limits())}
        return b'"done"' in self._exchange(plain.pack(task), GRACE).get("frames", b"")

    def _stop(self):
        if self.server:
            self.server.kill()
            self.server.communicate()
        self.server = None

    def _forked(self, request, limits):
        """What the fork server's fork gave; None if there is no server, or it failed, started afresh, a second time."""
        for _ in range(2):
            if not self._serves():
                return None
            reply = self._exchange(request, limits.wall + GRACE)
            if reply and not reply.get("fault"):
                return reply
            self._stop()
        return None

    def _exchange(self, request, seconds):
        try:
            self.server.stdin.write(watch.SIZE.pack(len(request)) + request)
            self.server.stdin.flush()
        except OSError:
            return {}
        return self._reply(seconds)

    def _reply(self, seconds):
        """What the fork server says next, {} if it ends instead; it is ended when it takes too long."""
        timer = threading.Timer(seconds, self.server.kill)
        timer.start()
        try:
            head = self.server.stdout.read(watch.SIZES.size)
            text, data = (self.server.stdout.read(size) for size in watch.SIZES.unpack(head))
            return {**json.loads(text), "frames": data}
        except (struct.error, ValueError):   # it ended, maybe in the middle
            return {}
        finally:
            timer.cancel()

    def _alone(self, request, copy, limits):
        """A process of its own for one question; without the sandbox if the submissions are trusted."""
        (answers, give), (output, say) = os.pipe(), os.pipe()
        if self.trusted:
            command = [python(), "-S", "-s", str(HERE / "worker.py"), str(give), str(copy)]
        else:
            command = [*plain_bwrap(copy, limits.disk), "--", python(), "-S", "-s", "/grader/worker.py", str(give),
                       "/course"]
        with tempfile.TemporaryFile() as file:
            file.write(request)
            file.seek(0)
            process = subprocess.Popen(command, stdin=file, stdout=say, stderr=say, pass_fds=[give], env=environment(),
                                       start_new_session=True)
        if sys.platform == "linux":
            Path(f"/proc/{process.pid}/oom_score_adj").write_text("1000")   # where memory runs out, this goes first
        os.close(give), os.close(say)
        seen = watch.watch(answers, output, asdict(limits), lambda: os.killpg(process.pid, signal.SIGKILL))
        os.close(answers), os.close(output)
        return {"frames": seen.pop("answers"), **seen, "code": process.wait()}


def shared(trusted=False):
    """This process' sandbox, started at its first answer and kept."""
    return _shared(os.getpid(), trusted)


@lru_cache(maxsize=None)
def _shared(process, trusted):
    return Sandbox(trusted=trusted)
