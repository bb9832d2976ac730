"""Enter a user namespace of our own, then start bubblewrap in it: `python -I -S launch.py bwrap ...`.

In it, no further user namespace can be made. A grader that runs as root gets a second user there (65534 outside), so
that no answer ever runs as root's own id, for which the kernel checks no limit of processes.
"""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
OTHER = 65534
LIBC = ctypes.CDLL(None, use_errno=True)


def enter():
    """Unshare the user namespace; a helper that stayed outside writes its maps."""
    uid, gid, owner = os.getuid(), os.getgid(), os.getpid()
    entered, tell = os.pipe()
    helper = os.fork()
    if helper == 0:
        os.read(entered, 1)
        os._exit(_try(lambda: write_maps(owner, uid, gid)))
    if LIBC.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare: no user namespace")
    os.write(tell, b"x")
    if os.waitpid(helper, 0)[1]:
        raise OSError("the maps of the user namespace could not be written")
    write("/proc/sys/user/max_user_namespaces", "0")


def write_maps(pid, uid, gid):
    if uid:
        write(f"/proc/{pid}/setgroups", "deny")
    for name, own in (("uid_map", uid), ("gid_map", gid)):
        write(f"/proc/{pid}/{name}", f"0 {own} 1" + (f"\n1 {OTHER} 1" if uid == 0 else ""))


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def _try(action):
    try:
        action()
        return 0
    except BaseException:
        return 1


if __name__ == "__main__":
    enter()
    os.execv(sys.argv[1], sys.argv[1:])
