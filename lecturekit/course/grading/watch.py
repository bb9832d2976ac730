"""Watch one sandboxed process from outside of it: take its answers, drop its output, end it at the limits."""

import os
import selectors
import struct
import time

STARTUP = 120   # seconds until a plain process has loaded torch; none of the student's code runs before
SIZE, SIZES = struct.Struct("<Q"), struct.Struct("<QQ")   # before a request and a reply of the fork server
SECOND_USER = "/grader/second_user"                       # stands in the sandbox where there is another user than 0


def watch(answers, output, limits, kill):
    """Read two pipes until both are closed; returns {"answers": bytes, "output": bytes seen, "ended": why, "seconds"}.

    The clock starts with the first byte of `answers`. `kill()` ends the process with all that it started; "ended" is
    "time", "answer" (too large), or "" if it ended by itself.
    """
    seen, sizes, ended = [], {answers: 0, output: 0}, ""
    started, first = time.monotonic(), None
    with selectors.DefaultSelector() as ready:
        for pipe in sizes:
            ready.register(pipe, selectors.EVENT_READ)
        while ready.get_map() and not ended:
            deadline = started + STARTUP if first is None else first + limits["wall"]
            events = ready.select(max(0, min(0.2, deadline - time.monotonic())))
            for key, _ in events:
                chunk = os.read(key.fd, 1 << 16)
                sizes[key.fd] += len(chunk)
                if not chunk:
                    ready.unregister(key.fd)
                elif key.fd == answers:
                    seen.append(chunk)
                    first = first or time.monotonic()
            ended = "time" if time.monotonic() > deadline else "answer" if sizes[answers] > limits["answer"] else ""
    if ended:
        kill()
    return {"answers": b"".join(seen), "output": sizes[output], "ended": ended,
            "seconds": time.monotonic() - (first or started)}
