"""Temporary folders that are found again: what a run leaves that was killed, the next one takes away."""

import hashlib
import os
import re
import shutil
import socket
import tempfile
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing.util import Finalize
from pathlib import Path

import psutil

HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]   # containers may share a temporary folder
LAST = -1000   # at the end of the process after the fork server of multiprocessing, which lies in it, has gone
NAME = re.compile(rf"lecturekit-{HOST}-(\d+)-(\d+)-.+")


def own():
    """The temporary folder of this process, made at the first call, gone with the process."""
    return _own(os.getpid())


@lru_cache(maxsize=None)
def _own(pid):
    sweep()
    started = int(psutil.Process(pid).create_time())
    folder = Path(tempfile.mkdtemp(prefix=f"lecturekit-{HOST}-{pid}-{started}-"))
    Finalize(None, shutil.rmtree, [folder], {"ignore_errors": True}, exitpriority=LAST)
    return folder


def sweep():
    """Remove the folders of processes that have ended."""
    for folder in Path(tempfile.gettempdir()).glob("lecturekit-*"):
        found = NAME.fullmatch(folder.name)
        if found and not _runs(int(found[1]), int(found[2])):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(pid, started):
    try:
        return abs(psutil.Process(pid).create_time() - started) < 2
    except psutil.Error:
        return False


@contextmanager
def everything_in_it():
    """Meanwhile, whatever this process makes that is temporary lies in its own folder."""
    before, tempfile.tempdir = tempfile.tempdir, str(own())
    try:
        yield tempfile.tempdir
    finally:
        tempfile.tempdir = before
