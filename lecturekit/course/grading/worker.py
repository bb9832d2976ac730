"""Runs one answer inside the sandbox: sends what it returns, judges nothing. A student's code may do anything to it."""

import os
import resource
import sys

import plain
import rights

SETTINGS = {"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "NoColor", "xmode": "Minimal"}}


def prepare(modules):
    """Import what every answer may use; an IPython shell, so that magics, hooks and transformers exist."""
    import importlib
    import warnings

    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config
    warnings.simplefilter("ignore")
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError:
            pass   # the setup cell will say so
    import torch
    torch.set_num_threads(1)
    shell = InteractiveShell.instance(config=Config(SETTINGS))
    shell.run_cell("None")   # what IPython itself loads late
    return shell


def limit(limits):
    """Limits of this process and its children; memory on top of what is mapped already. Linux only, as the sandbox is."""
    if sys.platform != "linux":
        return
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = int(used.ru_utime + used.ru_stime + limits["cpu"]) + 1
    for name, value in (("AS", mapped + limits["memory"]), ("CPU", cpu), ("FSIZE", limits["file"]), ("CORE", 0),
                        ("NOFILE", 128), ("NPROC", limits["processes"]), ("MSGQUEUE", 0), ("MEMLOCK", 0)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def answer(shell, request, send):
    """Run the statements, each whatever the others did, then the student's function, where there is one by then, on each
    case; `send` gets a frame for each step."""
    task, _ = next(frames := plain.unpack(request, network))
    seed()
    ran = [shell.run_cell(source) for source in (*task["before"], task["source"])]
    errors = [error for one in ran if (error := one.error_before_exec or one.error_in_exec) is not None]
    function = shell.user_ns.get(task["function"])
    if not callable(function):
        return send(plain.pack({"failed": describe(errors[-1]) if errors else
                                f"the cell defines no function {task['function']}"}))
    send(plain.pack({"loaded": True, **({"before": describe(errors[0])} if errors else {})}))
    for _, arguments in frames:
        send(called(function, arguments, task["limit"]))


def network(name, number):
    """The network that stands in a request, from the copy of lecturekit."""
    from lecturekit.networks import small
    return small.build(name, number)


def seed():
    """The same random numbers in every run, for answers that draw some."""
    import random

    import numpy
    import torch
    for start in (random.seed, numpy.random.seed, torch.manual_seed):
        start(0)


def called(function, arguments, limit):
    try:
        return plain.pack({}, [plain.returned(function, arguments)], limit)
    except BaseException as error:
        return plain.pack({"error": describe(error)})


def describe(error):
    try:
        return f"{type(error).__name__}: {error}"[:1000]
    except BaseException:
        return type(error).__name__[:100]


def write(pipe, data):
    while data:
        data = data[os.write(pipe, data):]


def run(shell, request, limits, pipe):
    """Everything for one question, then the end of the process, whatever threads or exit handlers stand."""
    try:
        limit(limits)
        write(pipe, plain.pack({"started": True}))
        answer(shell, request, lambda frame: write(pipe, frame))
        write(pipe, plain.pack({"done": True}))
    except BaseException as error:
        write(pipe, plain.pack({"failed": describe(error)}))
    os._exit(0)


def main():
    """A process for one question, read from stdin; argv: the pipe for the answers, the folder that holds lecturekit."""
    request = sys.stdin.buffer.read()
    task, _ = next(plain.unpack(request))
    sys.path.insert(0, sys.argv[2])
    rights.own_keyring()
    run(prepare(task["modules"]), request, task["limits"], int(sys.argv[1]))


if __name__ == "__main__":
    main()
