"""Cuts Python off from every machine but this one; Python imports it at its start where this folder is on PYTHONPATH.

An audit hook sees each connection and each look-up of a name before it happens, and cannot be taken out again.
"""

import socket
import sys

NAMES = {"", "localhost", "ip6-localhost", "::", "::1", "0.0.0.0", socket.gethostname()}
ADDRESS = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1,
           "socket.getaddrinfo": 0, "socket.gethostbyname": 0}


class NetworkBlocked(OSError):
    """A program under test tried to reach another machine."""


def is_local(address):
    host = address[0] if isinstance(address, tuple) and address else address
    host = host.decode() if isinstance(host, bytes) else host
    return not isinstance(host, str) or host in NAMES or host.startswith(("127.", "/", "\0"))


def block(event, arguments):
    if event in ADDRESS and not is_local(arguments[ADDRESS[event]]):
        raise NetworkBlocked(f"network blocked: {event} {arguments[ADDRESS[event]]!r}")


sys.addaudithook(block)
