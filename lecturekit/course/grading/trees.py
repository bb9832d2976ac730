"""The files of a class as they were downloaded: a folder, a zip, or zips in either, read alike and never unpacked.

All names in them are other people's input. Links are told of and not followed.
"""

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path

FILE, FOLDER, LINK, OTHER = "file", "empty folder", "link", "neither file nor folder"
SKIPPED = {"__MACOSX", "Thumbs.db", "desktop.ini"}
MOST = 200_000       # entries below one folder
DEEPEST = 30         # folders in one another
ZIPPED = 512 << 20   # bytes of the zips inside a zip, one of which is held at a time
NESTED = 3           # zips in one another inside a zip


@dataclass(frozen=True)
class Entry:
    """One file, or an empty folder; `parts` are the names on the way to it, `modified` is of its file system or zip."""

    parts: tuple[str, ...]
    kind: str = FILE
    size: int = 0
    modified: datetime | None = None
    open: Callable | None = None

    @property
    def name(self):
        return self.parts[-1] if self.parts else ""

    def content(self, limit):
        """The file's bytes, cut off one after `limit`, so that who reads them sees that there are too many."""
        with self.open() as file:
            return file.read(limit + 1)


def entries(root):
    """Every Entry below a folder or in a zip, in order; a folder that cannot be read is an Entry that says so."""
    root = Path(root)
    if root.is_dir():
        found = _below(root.resolve(), ())
    elif zipfile.is_zipfile(root):
        found = _in_file(root, ())
    else:
        raise NotADirectoryError(f"submissions: got {root}. It takes a folder with what a class handed in, or a zip.")
    return [entry for number, entry in enumerate(found) if number < MOST]


def _below(folder, parts):
    try:
        listed = sorted(os.scandir(folder), key=lambda item: item.name)
    except OSError as error:
        yield Entry(parts, f"folder that cannot be read ({error.strerror})")
        return
    listed = [item for item in listed if not _skipped(item.name)]
    if not listed and parts:
        yield Entry(parts, FOLDER)
    for item in listed:
        yield from _one(item, (*parts, item.name))


def _one(item, parts):
    try:
        status = item.stat(follow_symlinks=False)
    except OSError as error:
        status = None
        yield Entry(parts, f"file that cannot be read ({error.strerror})")
    kind = status and stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR and len(parts) < DEEPEST:
        yield from _below(item.path, parts)
    elif kind == stat.S_IFREG and item.name.lower().endswith(".zip") and zipfile.is_zipfile(item.path):
        yield from _in_file(item.path, (*parts[:-1], item.name[:-4]))
    elif kind == stat.S_IFREG:
        when = datetime.fromtimestamp(status.st_mtime).astimezone()
        yield Entry(parts, FILE, status.st_size, when, lambda: open(_plain(item.path), "rb"))
    elif kind:
        yield Entry(parts, LINK if kind == stat.S_IFLNK else OTHER)


def _plain(path):
    """A descriptor of a file that is no link and no pipe, also if it has become one since it was listed."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a plain file")
    return descriptor


def _in_file(path, parts):
    """The entries of a zip that is a file."""
    status = os.stat(path)
    return _zipped(partial(_archive, str(path), status.st_size, status.st_mtime_ns), parts)


@lru_cache(maxsize=8)
def _archive(path, *_):
    """The opened zip at a path, of which a class' download is read again and again."""
    return zipfile.ZipFile(path)


def _zipped(archive, parts, room=None, depth=0):
    """The entries of the zip that `archive()` opens, and those of zips in it, `room` the bytes that these may have.

    What lies in a zip inside a zip is unpacked anew where it is read: nothing is held meanwhile.
    """
    try:
        listed = archive().infolist()
    except (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        yield Entry(parts, f"zip that cannot be read ({error})")
        return
    for item in listed:
        names = tuple(name for name in item.filename.replace("\\", "/").split("/") if name not in ("", ".", ".."))
        if item.is_dir() or not names or any(map(_skipped, names)):
            continue
        whole, own = (*parts, *names), [ZIPPED] if room is None else room
        if stat.S_ISLNK(item.external_attr >> 16):
            yield Entry(whole, LINK)
        elif names[-1].lower().endswith(".zip") and depth < NESTED and item.file_size <= own[0]:
            own[0] -= item.file_size
            yield from _zipped(partial(_inner, archive, item), (*whole[:-1], names[-1][:-4]), own, depth + 1)
        else:
            yield Entry(whole, FILE, item.file_size, _time(item), partial(_opened, archive, item))


def _inner(archive, item):
    return zipfile.ZipFile(io.BytesIO(archive().read(item)))


def _opened(archive, item):
    return archive().open(item)


def _time(item):
    try:
        return datetime(*item.date_time).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def _skipped(name):
    return name.startswith((".", "~$")) or name in SKIPPED
