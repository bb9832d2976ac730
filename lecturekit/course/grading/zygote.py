"""The fork server inside bubblewrap: torch is loaded once, each question has a room, each answer runs in a fork.

The server and its rooms are the processes of the sandbox that keep rights (in the sandbox's user namespace alone), to
make namespaces and mounts for their forks. A room has loaded the question's copy of lecturekit, and never holds an
answer: the fork that runs one reads it itself. That fork gives all rights up before it runs a student's code, sees no
process but its own, and has only the pipes for its answers and output in common with the rest. The network, which leads
nowhere, is one for all: to make another takes the kernel long, and what a fork opens there ends with it.
"""

import gc
import json
import os
import signal
import socket
import struct
import sys

import rights
import watch
import worker

ORDER = 1 << 16     # bytes of an order for a room


def main():
    """Load the modules that argv names, say so, then open a room for each order that comes with a socket for it."""
    control = socket.socket(fileno=os.dup(0))
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0), os.dup2(null, 1)
    shell = worker.prepare(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    send(control.fileno(), ready())
    while True:
        order, doors, _, _ = socket.recv_fds(control, ORDER, 1)
        if not order:
            break
        if os.fork() == 0:
            control.close()
            attempt(lambda: room(shell, json.loads(order), socket.socket(fileno=doors[0])), doors[0])
        os.close(doors[0])


def ready():
    """Nothing that stands now is looked at again by the collector. Says how many threads there are: a fork has one."""
    gc.collect()
    gc.freeze()
    return {"ready": len(os.listdir("/proc/self/task"))}


def attempt(action, door):
    """What a fork does, and its end; an error is told to who waits at the door."""
    try:
        action()
    except BaseException as error:
        send(door, {"fault": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(0)


def room(shell, order, door):
    """The server of one question: runs its own cells `before`, then each answer in a fork, until nobody asks.

    Who asks sends three descriptors, for the request, the answers and the output, and gets one for the fork in return.
    """
    rights.show_course(order["copy"])
    sys.path.insert(0, "/course")
    for source in order["before"]:
        shell.run_cell(source)
    home = os.open("/proc/self/ns/pid", os.O_RDONLY)
    send(door.fileno(), ready())
    while True:
        message, pipes, _, _ = socket.recv_fds(door, 1, 3)
        if not message:
            return
        child = rights.fork_apart(home)
        if child == 0:
            answer(shell, *pipes)
        process = os.pidfd_open(child)
        socket.send_fds(door, [message], [process])
        for descriptor in (*pipes, process):
            os.close(descriptor)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        send(door.fileno(), {"code": code if code >= 0 else 128 - code})


def answer(shell, request, answers, output):
    """The one process 1 of its namespace: reads its request, sets up its view, gives up its rights, runs the answer."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:   # where memory runs out, this goes first
            file.write("1000")
        rights.unshare(rights.NEWNS, rights.NEWCGROUP, rights.NEWUTS, rights.NEWIPC)
        with open(request, "rb") as file:
            content = file.read()
        limits = json.loads(content[8:8 + struct.unpack_from("<I", content)[0]])["limits"]
        keep_only(answers, output)
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        rights.own_view(limits["disk"])
        rights.give_up()
    except BaseException as error:
        os.write(output, str(error).encode())
        os._exit(1)
    worker.run(shell, content, limits, answers)


def keep_only(answers, output):
    null = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    for descriptor in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2, answers}:
        try:
            os.close(descriptor)
        except OSError:
            pass   # that of the list itself


def send(door, record):
    text = json.dumps(record).encode()
    worker.write(door, watch.SIZE.pack(len(text)) + text)


if __name__ == "__main__":
    main()
