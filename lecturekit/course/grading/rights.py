"""What a fork of the server sees and may do: mounts and rights of its own, by the system calls of Linux."""

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
CAPABILITIES = 64
SECOND_USER = "/grader/second_user"   # stands in the sandbox where there is another user than 0
FILTER = "/grader/filter.bpf"         # the seccomp filter, empty where there is none
DROP_BOUND, NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER_MODE = 24, 38, 22, 2   # of prctl
KEYCTL = {"x86_64": 250, "aarch64": 219}
JOIN_SESSION_KEYRING = 1


class _Program(ctypes.Structure):
    """The kernel's sock_fprog: a filter of so many instructions of 8 bytes."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def check(result, what):
    if result:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source, target, kind, flags, options=None):
    encoded = [value and value.encode() for value in (source, target, kind)]
    check(LIBC.mount(*encoded, ctypes.c_ulong(flags), options and options.encode()), f"mount {target}")


def unshare(*namespaces):
    check(LIBC.unshare(sum(namespaces)), "unshare")


def fork_apart(home):
    """Fork a process that is the first of a new namespace of processes; `home` is the descriptor of our own."""
    unshare(NEWPID)
    child = os.fork()
    if child:
        check(LIBC.setns(home, NEWPID), "setns")
    return child


def show_course(copy):
    """Mounts of one question's server: its copy of lecturekit, no other."""
    unshare(NEWNS)
    mount(None, "/", None, REC | PRIVATE)
    mount(f"/copies/{copy}", "/course", None, BIND)
    mount(None, "/course", None, BIND | REMOUNT | RDONLY | NOSUID | NODEV)
    mount("tmpfs", "/copies", "tmpfs", RDONLY | NOSUID | NODEV, "size=4k")


def own_view(disk):
    """Mounts of one answer: its processes, and an empty /tmp of limited size."""
    mount("proc", "/proc", "proc", RDONLY | NOSUID | NODEV | NOEXEC)
    mount("tmpfs", "/tmp", "tmpfs", NOSUID | NODEV, f"size={disk},nr_inodes=4096,mode=1777")
    mount("/tmp", "/dev/shm", None, BIND)
    check(LIBC.sethostname(b"sandbox", 7), "sethostname")
    os.chdir("/tmp")


def give_up():
    """No capability, now or by any exec; not root's id where the sandbox has another; no call that the filter has."""
    for number in range(CAPABILITIES):
        LIBC.prctl(DROP_BOUND, number, 0, 0, 0)
    if os.path.exists(SECOND_USER):
        os.setgroups([])
        os.setresgid(1, 1, 1)
        os.setresuid(1, 1, 1)
    own_keyring()
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    check(LIBC.capset(header, data), "capset")
    check(LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no_new_privs")
    restrict()


def own_keyring():
    """A new session keyring: what one answer puts there no other finds. The filter denies keyrings altogether."""
    if number := KEYCTL.get(os.uname().machine):
        LIBC.syscall(number, JOIN_SESSION_KEYRING, None)


def restrict():
    """Put the seccomp filter in force, where there is one."""
    with open(FILTER, "rb") as file:
        content = file.read()
    if content:
        program = _Program(len(content) // 8, content)
        check(LIBC.prctl(SET_SECCOMP, FILTER_MODE, ctypes.byref(program), 0, 0), "seccomp")
