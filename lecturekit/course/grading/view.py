"""What an answer can see of this machine: bubblewrap's options, an allow-list that is the same wherever things lie.

What lies below /usr stays where it is. Everything else, be it below /home, /tmp or a folder with spaces, is shown below
/python and /environment: nothing in the sandbox can stand in its way, and no path of the machine is told.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from lecturekit.course.grading.rights import FILTER, SECOND_USER

HERE = Path(__file__).resolve().parent
INSIDE = ("plain.py", "worker.py", "watch.py", "rights.py", "zygote.py")
CLOSED = ["--remount-ro", "/dev", "--remount-ro", "/"]


def python():
    """The interpreter itself, not the link to it in a virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def packages():
    return dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))


def inside(path):
    """Where a path of this machine lies in the sandbox."""
    roots = {sys.prefix: "/environment", sys.base_prefix: "/python", "/usr": "/usr"}
    for root, shown in reversed(roots.items()):
        if Path(path).is_relative_to(root) and Path(root) != Path("/"):
            return str(shown / Path(path).relative_to(root))
    return f"/elsewhere{path}"


def _readable():
    """The interpreter, the standard library and what it links to, the installed packages, the system's libraries."""
    stdlib = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    return filter(None, {python(), sysconfig.get_config_var("LIBDIR"), *stdlib, *packages(), "/usr/lib", "/usr/lib64"})


def allowed_files():
    """bwrap's options for what may be read."""
    binds = sorted((inside(path), path) for path in _readable())
    folders = {str(parent) for target, _ in binds for parent in Path(target).parents} | {"/grader"}
    options = []
    for folder in sorted(folders):
        options += ["--perms", "0755", "--dir", folder]   # else they are closed to the sandbox's second user
    for target, path in binds:
        options += ["--ro-bind-try", path, target]
    for path in ("/lib", "/lib64"):
        options += ["--symlink", os.readlink(path), path] if os.path.islink(path) else ["--ro-bind-try", path, path]
    for folder in (folder for folder in packages() if os.path.isdir(os.path.join(folder, "lecturekit"))):
        hidden = os.path.join(inside(folder), "lecturekit")   # installed, not linked: it has the references
        options += ["--tmpfs", hidden, "--remount-ro", hidden]
    for name in INSIDE:
        options += ["--ro-bind", str(HERE / name), f"/grader/{name}"]
    return [*options, "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]


def environment(shown=inside):
    """The variables of a process that runs an answer; `shown` tells under which path it sees one of this machine."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    libraries = shown(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
    return {"PYTHONPATH": os.pathsep.join(map(shown, packages())), "PYTHONHASHSEED": "0", "HOME": "/tmp",
            "PYTHONDONTWRITEBYTECODE": "1", "IPYTHONDIR": "/tmp/.ipython", "MPLBACKEND": "agg", "LANG": "C.UTF-8",
            "LD_LIBRARY_PATH": libraries, **threads}


def _common(disk):
    """bwrap's options that both kinds share."""
    options = ["--die-with-parent", "--new-session", "--clearenv", "--proc", "/proc", "--dev", "/dev",
               "--size", str(disk), "--tmpfs", "/tmp", "--size", str(disk), "--tmpfs", "/dev/shm",
               "--hostname", "sandbox", "--chdir", "/tmp", *allowed_files()]
    for name, value in environment().items():
        options += ["--setenv", name, value]
    return options


def plain(disk, course=None, filter=None):
    """The command that starts a process without any rights; bubblewrap does it all.

    `course` is the folder with the copy of lecturekit, `filter` the descriptor of a file with the seccomp filter.
    """
    course = ["--ro-bind", str(course), "/course"] if course else []
    filter = ["--seccomp", str(filter)] if filter is not None else []
    return [shutil.which("bwrap"), "--unshare-all", "--unshare-user", "--disable-userns", "--uid", "1000", "--gid",
            "1000", "--cap-drop", "ALL", *_common(disk), *course, *filter, "--remount-ro", "/proc", *CLOSED, "--",
            inside(python())]


def fork_server(disk, copies, filter):
    """The command that starts the fork server, which keeps rights in a user namespace of its own to make others."""
    marker = ["--ro-bind", str(HERE / "__init__.py"), SECOND_USER] if os.getuid() == 0 else []
    return [python(), "-I", "-S", str(HERE / "launch.py"), shutil.which("bwrap"), "--unshare-ipc", "--unshare-pid",
            "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--cap-add", "ALL", *_common(disk), *marker,
            "--ro-bind", str(filter), FILTER, "--ro-bind", str(copies), "/copies", "--dir", "/course", *CLOSED, "--",
            inside(python()), "-S", "-s", "/grader/zygote.py"]
