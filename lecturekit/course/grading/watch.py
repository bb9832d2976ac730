"""Watch one sandboxed process from outside of it: take its answers, drop its output, end it at the limits."""

import os
import re
import selectors
import struct
import time

STARTUP = 600   # seconds until a plain process has loaded torch; none of the student's code runs before
LOOK = 0.05     # seconds between two looks at the memory
BASE = 1 << 30  # bytes of memory that may count for the start
SIZE = struct.Struct("<Q")   # before what the fork server tells
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def watch(answers, output, limits, kill, memory):
    """Read two pipes until both are closed; returns {"answers": bytes, "output": bytes seen, "ended": why, "seconds"}.

    The clock starts with the first byte of `answers`. `kill()` ends the process with all that it started, whose
    `Memory` is looked at; "ended" is "time", "memory", "answer" (too large), or "" if it ended by itself.
    """
    seen, sizes, ended = [], {answers: 0, output: 0}, ""
    started, first = time.monotonic(), None
    with selectors.DefaultSelector() as ready:
        for pipe in sizes:
            ready.register(pipe, selectors.EVENT_READ)
        while ready.get_map() and not ended:
            deadline = started + STARTUP if first is None else first + limits["wall"]
            events = ready.select(max(0, min(LOOK, deadline - time.monotonic())))
            for key, _ in events:
                chunk = os.read(key.fd, 1 << 16)
                sizes[key.fd] += len(chunk)
                if not chunk:
                    ready.unregister(key.fd)
                elif key.fd == answers:
                    seen.append(chunk)
                    first = first or memory.start()
            ended = ("time" if time.monotonic() > deadline else "answer" if sizes[answers] > limits["answer"]
                     else "memory" if first and memory.beyond(limits["memory"]) else "")
    if ended:
        kill()
    return {"answers": b"".join(seen), "output": sizes[output], "ended": ended,
            "seconds": time.monotonic() - (first or started)}


class Memory:
    """What a process and all that it started hold together beyond what they held when their clock started."""

    def __init__(self, pid):
        self.pid, self.base, self.looked = pid, 0, 0.0

    def start(self):
        """Take what is held now for the start; returns the time. A late look finds more, so there is a limit to it."""
        self.base = min(BASE, self._sum(resident))
        return time.monotonic()

    def beyond(self, limit):
        """Whether there are more than `limit` bytes; looks every now and then, exactly only where it may be so."""
        if time.monotonic() - self.looked < LOOK:
            return False
        self.looked = time.monotonic()
        return all(self._sum(measure) - self.base > limit for measure in (resident, share))

    def _sum(self, measure):
        return sum(map(measure, family(self.pid)))


def family(pid):
    """The ids of a process and all that it started."""
    found = [pid]
    for number in found:
        try:
            tasks = os.listdir(f"/proc/{number}/task")
            found += [child for task in tasks for child in open(f"/proc/{number}/task/{task}/children").read().split()]
        except OSError:
            pass   # it has ended
    return found


def resident(number):
    """Bytes of a process in memory: a page that several have counts for each."""
    return _read(number, "statm", r"\d+ (\d+)") * PAGE


def share(number):
    """Bytes of a process in memory: of a page that several have, its share. Takes milliseconds."""
    return _read(number, "smaps_rollup", r"(?m)^Pss:\s+(\d+)") * 1024


def _read(number, name, pattern):
    """A number from a file of a process; 0 where it has ended."""
    try:
        with open(f"/proc/{number}/{name}") as file:
            found = re.search(pattern, file.read())
    except OSError:
        return 0
    return int(found[1]) if found else 0
