"""Write the course's site to build/site: the lessons, the gallery, the evidence, the package, the teacher's pages.

    python docs/site/build.py [FOLDER]

It opens from a disk, with no network. Nothing is executed: the outputs are those that are stored.
"""

import argparse
import importlib
import json
import pkgutil
import re
import shutil
from html import escape
from pathlib import Path

import nbformat
from sphinx.cmd.build import build_main

import lecturekit
from lecturekit import files
from lecturekit.course import exercises, lessons, slides
from lecturekit.show import evidence

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGES = {"teaching": "docs/teaching.md", "grading": "docs/grading.md", "running": "docs/running.md",
         "glossary": "docs/glossary.md", "contributing": "CONTRIBUTING.md", "changes": "CHANGELOG.md"}
FRONT = """# lecturekit

Ten lessons on understanding and visualizing convolutional networks, as Jupyter notebooks that run on a laptop with two
cores, no GPU and no network connection. One idea carries them: **fix the weights, move the image.**

<div class="gallery">
{pictures}
</div>

## The lessons

{lessons}

```{{toctree}}
:hidden:
:caption: Lessons

{toctree}
```

```{{toctree}}
:hidden:
:caption: More

evidence
glossary
teaching
grading
running
contributing
changes
api/index
```
"""


def build(folder):
    """Write the sources and let Sphinx make pages of them; returns its exit status."""
    source = folder.with_name(f"{folder.name}-source")
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("*.py[co]", "__pycache__", "build.py"))
    shutil.copytree(slides.ASSETS / "katex", source / "static/katex")
    numbers = list(lessons.paths())
    for number in numbers:
        files.write(source / "lessons" / lessons.path(number).name, nbformat.writes(page(number)))
    for name, path in PAGES.items():
        files.write(source / f"{name}.md", on_the_site((ROOT / path).read_text()))
    files.write(source / "index.md", front(numbers))
    files.write(source / "evidence.md", findings())
    write_reference(source / "api")
    status = build_main(["-q", "-W", "--keep-going", "-b", "html", str(source), str(folder)])
    downloads(folder / "files")
    shutil.copytree(files.root() / "gallery", folder / "gallery", dirs_exist_ok=True)
    return status


def page(number):
    """A lesson as a page: each figure with its text, solutions folded, of widgets the first picture, downloads on top."""
    notebook, stem = lessons.read(number), lessons.path(number).stem
    for cell in notebook.cells:
        if cell.cell_type == "code":
            prepare(cell)
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(
        '<ul class="downloads">'
        f'<li><a href="../files/{stem}-exercises.ipynb" download>Notebook to work in</a></li>'
        f'<li><a href="../files/{stem}.ipynb" download>Notebook with solutions</a></li>'
        f'<li><a href="../files/{stem}-lecture.html">Lecture</a></li>'
        f'<li><a href="../files/{stem}.html">All slides</a></li></ul>'))
    return notebook


def prepare(cell):
    texts = [output.metadata[kind]["alt"] for output in cell.outputs for kind in output.get("data", {})
             if "alt" in output.get("metadata", {}).get(kind, {})]
    tags = ["hide-input"] if cell.metadata.get("nbgrader", {}).get("solution") else []
    for output in cell.outputs:   # of a widget stays the picture that it begins with
        if output.get("data", {}).pop(lessons.WIDGET, None) and not any(kind.startswith("image/") for kind in output.data):
            output.data = {}
    cell.outputs = [output for output in cell.outputs if output.get("data", True)]
    cell.metadata = {"tags": tags, "mystnb": {"image": {"alt": " ".join(texts)}} if texts else {}}


def downloads(folder):
    """The files that the lessons' pages offer."""
    slides.build(folder=folder)
    for number in lessons.paths():
        path = lessons.path(number)
        shutil.copyfile(path, folder / path.name)
        files.write(folder / f"{path.stem}-exercises.ipynb", nbformat.writes(exercises.exercise(number)))


def front(numbers):
    entries = json.loads((files.root() / "gallery/index.json").read_text())
    pictures = "\n".join(f'<figure><a href="gallery/{name}.jpg" aria-label="{name}, large"><img src="gallery/{name}.jpg" alt="" loading="lazy"></a>'
                         f'<figcaption>{escape(entry["shows"])}</figcaption></figure>' for name, entry in entries.items())
    listed = "\n".join(f"- [{heading(number)}](lessons/{lessons.path(number).name}): {question(number)}" for number in numbers)
    return FRONT.format(pictures=pictures, lessons=listed,
                        toctree="\n".join(f"lessons/{lessons.path(number).stem}" for number in numbers))


def heading(number):
    return lessons.read(number).cells[0].source.splitlines()[0].lstrip("# ")


def question(number):
    """The question that a lesson opens with."""
    return re.search(r"\*\*(.+?)\*\*", lessons.read(number).cells[0].source, re.S)[1].replace("\n", " ")


def findings():
    """What is stored of each finding, as tables."""
    return "# Evidence\n\nWhat takes minutes was computed once, on all pictures: each number with its interval and n. A null "\
           "is what could have given such a number without the claim being true.\n\n" + "\n\n".join(map(finding, evidence.names()))


def finding(name):
    told = evidence.load(name)
    placed = any(row.at is not None for row in told.rows)
    rows = [[row.series + (" (null)" if row.null else ""), *([str(row.at)] if placed else []), f"{row.value:.3g}",
             f"{row.low:.3g} to {row.high:.3g}", str(row.n)] for row in told.rows]
    head = ["what", *(["at"] if placed else []), told.unit, "interval", "n"]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([f"## {told.question}\n", f"*{name}. {told.interval}.*\n", *(f"| {' | '.join(line)} |" for line in lines)])


def write_reference(folder):
    """A page for each wing, from the docstrings of its modules."""
    wings = [name for _, name, package in pkgutil.iter_modules(lecturekit.__path__) if package]
    for wing in wings:
        files.write(folder / f"{wing}.md", reference(f"lecturekit.{wing}"))
    files.write(folder / "index.md", "# The package\n\n```{toctree}\n" + "\n".join(wings) + "\n```\n")


def reference(wing):
    package = importlib.import_module(wing)
    modules = [f"{wing}.{name}" for _, name, is_package in pkgutil.iter_modules(package.__path__) if not is_package]
    blocks = [f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```" for name in modules]
    return f"# {wing}\n\n```{{eval-rst}}\n.. automodule:: {wing}\n```\n\n" + "\n\n".join(blocks) + "\n"


def on_the_site(text):
    """A page of the repository with its links to pages that the site has; other files keep their names alone."""
    known = {Path(path).name: f"{name}.md" for name, path in PAGES.items()}

    def link(match):
        target, _, place = match[2].partition("#")
        if target.startswith("http") or not target:
            return match[0]
        place = f"#{place}" if place else ""
        return f"[{match[1]}]({known[Path(target).name]}{place})" if Path(target).name in known else match[1]

    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", link, text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build/site")
    raise SystemExit(build(parser.parse_args().folder.resolve()))
