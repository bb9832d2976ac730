"""The fork server inside bubblewrap: torch is loaded once, each question runs in a fork with namespaces of its own.

It is the one process of the sandbox that keeps rights (in the sandbox's user namespace alone), to make namespaces and
mounts for its forks. A fork gives all of them up before it runs a student's code, sees no process but its own, and has
only the pipe for its answers in common with the rest.
"""

import ctypes
import gc
import json
import os
import signal
import struct
import sys

import watch
import worker

LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID, NEWNET = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
CAPABILITIES = 64


def check(result, what):
    if result:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source, target, kind, flags, options=None):
    encoded = [value and value.encode() for value in (source, target, kind)]
    check(LIBC.mount(*encoded, ctypes.c_ulong(flags), options and options.encode()), f"mount {target}")


def own_view(copy, disk):
    """Mounts of this fork alone: its processes, its question's copy of lecturekit, an empty /tmp of limited size."""
    mount(None, "/", None, REC | PRIVATE)
    mount("proc", "/proc", "proc", RDONLY | NOSUID | NODEV | NOEXEC)
    mount(f"/copies/{copy}", "/course", None, BIND)
    mount(None, "/course", None, BIND | REMOUNT | RDONLY | NOSUID | NODEV)
    mount("tmpfs", "/copies", "tmpfs", RDONLY | NOSUID | NODEV, "size=4k")
    mount("tmpfs", "/tmp", "tmpfs", NOSUID | NODEV, f"size={disk},nr_inodes=4096,mode=1777")
    mount("/tmp", "/dev/shm", None, BIND)
    check(LIBC.sethostname(b"sandbox", 7), "sethostname")
    os.chdir("/tmp")


def give_up_rights():
    """No capability, now or by any exec, and not root's id where the sandbox has another."""
    for number in range(CAPABILITIES):
        LIBC.prctl(24, number, 0, 0, 0)   # PR_CAPBSET_DROP
    if os.path.exists(watch.SECOND_USER):
        os.setgroups([])
        os.setresgid(1, 1, 1)
        os.setresuid(1, 1, 1)
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    check(LIBC.capset(header, data), "capset")
    check(LIBC.prctl(38, 1, 0, 0, 0), "no_new_privs")


def start(shell, request, task, pipes):
    """Process 1 of the new namespace: sets it up, starts the answer, ends when it ends and takes all others along."""
    answers, output, broken = pipes
    try:
        keep_only(answers, output, broken)
        with open("/proc/self/oom_score_adj", "w") as file:   # where memory runs out, this goes first
            file.write("1000")
        own_view(task["copy"], task["limits"]["disk"])
        give_up_rights()
    except BaseException as error:
        os.write(broken, str(error).encode())
        os._exit(1)
    os.close(broken)
    child = os.fork()
    if child == 0:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.path.insert(0, "/course")
        worker.run(shell, request, task["limits"], answers)
    for descriptor in (0, 1, 2, answers, output):
        os.close(descriptor)
    reap(child)


def keep_only(answers, output, broken):
    null = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    for descriptor in set(range(3, 1024)) - {answers, output, broken}:
        try:
            os.close(descriptor)
        except OSError:
            pass


def reap(child):
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def serve(shell, request, reply):
    """One question, in a fork of the server: namespaces, the answer in them, and the watch over it."""
    header = struct.unpack_from("<I", request)[0]
    task = json.loads(request[8:8 + header])
    check(LIBC.unshare(NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWPID | NEWNET), "unshare")
    pipes = [os.pipe() for _ in range(3)]
    child = os.fork()
    if child == 0:
        start(shell, request, task, [pipe[1] for pipe in pipes])
    for _, end in pipes:
        os.close(end)
    (answers, _), (output, _), (broken, _) = pipes
    fault = os.read(broken, 1000).decode(errors="replace")
    seen = watch.watch(answers, output, task["limits"], lambda: os.kill(child, signal.SIGKILL))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    frames = seen.pop("answers")
    send(reply, {**seen, "code": code, "fault": fault}, frames)


def send(reply, record, data=b""):
    text = json.dumps(record).encode()
    worker.write(reply, watch.SIZES.pack(len(text), len(data)) + text + data)


def receive(source):
    head = source.read(watch.SIZE.size)
    return source.read(watch.SIZE.unpack(head)[0]) if len(head) == watch.SIZE.size else None


def main():
    """Load the modules that argv names, say so, then serve requests from stdin until it closes."""
    reply, source = os.dup(1), os.fdopen(os.dup(0), "rb")
    os.dup2(os.open("/dev/null", os.O_RDWR), 1)
    shell = worker.prepare(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.collect()
    gc.freeze()
    send(reply, {"ready": len(os.listdir("/proc/self/task"))})
    while (request := receive(source)) is not None:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                serve(shell, request, reply)
                code = 0
            except BaseException as error:
                send(reply, {"fault": f"{type(error).__name__}: {error}"})
            finally:
                os._exit(code)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
