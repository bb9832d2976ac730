"""How a recipe publishes: files that are whole or not there at all, weights in half precision, checksums, cards."""

import argparse
import inspect
import json
import textwrap
from pathlib import Path

from safetensors.torch import save

from lecturekit import files
from lecturekit.networks.models import stored

ROOT = Path(__file__).resolve().parents[2]
SUMMED = ("styles/*.jpg", "tabletop/*.tar", "weights/*.safetensors")   # what data/SHA256SUMS covers
WIDTH = 118   # characters in a line of a card


def published(name, kind="safetensors"):
    """Where the weights of `name` lie, or its "log" or its card, "md"."""
    return files.root() / "weights" / f"{name}.{kind}"


def publish(part, name, folder=None):
    """Write data/weights/NAME.safetensors, what is stored of a part in half precision, its log, where there is one in
    `folder`, and data/SHA256SUMS."""
    values = {key: value.half().contiguous() for key, value in stored(part).items()}
    files.write(published(name), save(values))
    if folder is not None:
        files.write(published(name, "log"), (folder / f"{name}.log").read_text())
    write_checksums()


def write_checksums():
    """Write data/SHA256SUMS for the files that lie there now."""
    paths = [path for pattern in SUMMED for path in files.root().glob(pattern)]
    names = sorted(path.relative_to(files.root()).as_posix() for path in paths)
    text = "".join(f"{files.sha256(files.root() / name)}  {name}\n" for name in names)
    files.write(files.root() / files.SUMS, text)


def last_row(name):
    """The last row of a published log, as a dictionary; empty where no log was kept."""
    log = published(name, "log")
    return json.loads(log.read_text().splitlines()[-1]) if log.exists() else {}


def described(kind, home, part):
    """How a card begins: the docstring of a class or function `kind` of lecturekit/HOME.py, and the size of `part`."""
    count = sum(value.numel() for value in stored(part).values())
    return f"{inspect.getdoc(kind)}\nDefinition: `lecturekit/{home}.py`. {count:,} stored numbers, half precision."


def table(head, rows):
    """A table in Markdown: the titles of the columns, and the rows, all lists of str."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def write_card(name, about, figures, notes, program):
    """Write data/weights/NAME.md: what the part is, its measured figures, {title: text} on data, recipe and limits,
    the sha256 of the weights, and the program that wrote it."""
    notes = notes | {"sha256": f"`{files.sha256(published(name))}`"}
    bullets = [wrapped(f"- **{title}** {text}") for title, text in notes.items()]
    program = Path(program).resolve().relative_to(ROOT).as_posix()
    text = "\n\n".join([f"# {name}", about, *figures, "\n".join(bullets), f"Written by `{program}`.\n"])
    files.write(published(name, "md"), text)


def wrapped(text):
    """Lines of at most WIDTH characters, those after a break moved in by two."""
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
                     for line in text.splitlines())


def parser(description, imagenette=False):
    """A command line that shows the whole docstring, and asks where Imagenette is."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if imagenette:
        found.add_argument("--imagenette", type=Path, required=True, help="the folder that holds train/ and val/")
    return found
