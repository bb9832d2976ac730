"""Where the course's data and lessons lie, proof that a file is the one that was published, and files written whole."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path

SUMS = "SHA256SUMS"
PACKAGE = Path(__file__).resolve().parent
RESTORE = "`git checkout -- data` restores it, and where the package was installed from a wheel, installing that again."


def beside(name):
    """The folder `name` of the course: beside the package in a clone, inside of it where it was installed from a wheel."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def root():
    """The course's folder data/, or what the environment variable LECTUREKIT_DATA names."""
    folder = Path(os.environ.get("LECTUREKIT_DATA") or beside("data"))
    if not folder.is_dir():
        raise FileNotFoundError(f"The data folder is missing: looked for {folder}. Run the course from a clone of its "
                                "repository or from its wheel, or set LECTUREKIT_DATA to a clone's folder data/.")
    return folder


def checksums():
    """{path relative to data/: sha256} from data/SHA256SUMS."""
    try:
        lines = (root() / SUMS).read_text().splitlines()
    except FileNotFoundError:
        raise FileNotFoundError(f"{SUMS} is missing from {root()}. {RESTORE}") from None
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines if line.strip())}


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified(name):
    """The path of `name` below data/, after its sha256 was compared with data/SHA256SUMS."""
    path = root() / name
    if not path.is_file():
        raise FileNotFoundError(f"{name} is missing from {root()}. {RESTORE}")
    status = path.stat()
    _compare(path, name, status.st_mtime_ns, status.st_size)
    return path


@lru_cache(maxsize=None)
def _compare(path, name, modified, size):
    expected = checksums().get(name)
    if sha256(path) != expected:
        raise ValueError(f"{name} in {path.parent} is not the published file: its sha256 is not the one in {SUMS} "
                         f"(it has {size} bytes; cut short or altered?). {RESTORE}")


def write(path, content):
    """Write a file whole, from text or bytes: it appears under its name only when it is complete."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path
