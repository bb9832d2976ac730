"""What stands around the lessons: links that lead somewhere, tables and versions that agree with what they tell of."""

import json
import re
from pathlib import Path

import pytest
import yaml

import lecturekit
from lecturekit.course import lessons

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "data/README.md"])
LINK = re.compile(r"\]\(([^)\s]+)\)")
TEACHING = (ROOT / "docs/teaching.md").read_text()


def anchor(heading):
    """The address of a heading on its page, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(path):
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", path.read_text(), re.M)}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http", "../../actions")):   # the second: where GitHub shows a repository's workflows
            continue
        name, _, place = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not place or place in anchors(target), link


def test_a_broken_anchor_would_be_found():
    assert anchor("Without CUDA's 2 GB") in anchors(ROOT / "docs/running.md") and "no-such" not in anchors(ROOT / "README.md")


def words(heading):
    """A heading without the mark that its section is optional, and without its punctuation."""
    return " ".join(word for word in re.findall(r"[a-z0-9]+", heading.lower()) if word != "optional")


@pytest.mark.parametrize("number", lessons.paths())
def test_the_teachers_guide_tells_a_lessons_minutes_sections_and_answer(number):
    cells = [cell.source for cell in lessons.read(number).cells if cell.cell_type == "markdown"]
    row, = re.findall(rf"^\| {int(number)} [A-Z].*\| \d+ \|.*$", TEACHING, re.M)
    minutes, optional = map(str.strip, row.split("|")[2:4])
    assert re.search(rf"\b{minutes} minutes", cells[0])
    headings = [heading for source in cells for heading in re.findall(r"^#+ (.+)$", source, re.M)]
    told = set(map(words, optional.split("; ")))
    assert told <= set(map(words, headings)) and {words(heading) for heading in headings if "ptional" in heading} <= told
    assert re.search(rf"^### Lesson {int(number)}: .+\n\n\*Model answer\.\*", TEACHING, re.M)


def test_the_readme_names_every_lesson_and_wing():
    text = (ROOT / "README.md").read_text()
    assert all(f"(notebooks/{path.name})" in text for path in lessons.paths().values())


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+), (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert citation["version"] == newest[1] == lecturekit.__version__
    assert str(citation["date-released"]) == newest[2] and {"title", "authors", "message", "cff-version"} <= citation.keys()


@pytest.mark.parametrize("path", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.name)
def test_workflows_call_what_is_there(path):
    targets = set(re.findall(r"^([a-z ]+):", (ROOT / "Makefile").read_text().replace(".PHONY", ""), re.M))
    known = {name for line in targets for name in line.split()}
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        for step in job["steps"]:
            command = step.get("run", "")
            assert step.keys() & {"uses", "run"}
            assert set(re.findall(r"\bmake ([a-z]+)", command)) <= known
            assert all((ROOT / name).exists() for name in re.findall(r"\.ci/\w+|requirements[\w-]*\.lock", command))


def test_the_dev_container_opens_what_its_command_writes():
    told = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    for name in told["customizations"]["codespaces"]["openFiles"]:
        assert Path(name).name in {path.name for path in lessons.paths().values()} and name.startswith("exercises/")
    assert "lecturekit exercises" in told["postCreateCommand"] and "lecturekit exercises" in (ROOT / "postBuild").read_text()
