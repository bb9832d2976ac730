"""The house: a wing for each part of the course, and imports that only go down the stairs."""

import ast
from pathlib import Path

import pytest

import lecturekit

PACKAGE = Path(lecturekit.__file__).parent
WINGS = ("", "pictures", "networks", "show", "representation", "attribution", "moving", "robustness", "course")


def modules(package):
    """{dotted name below lecturekit: syntax tree} of every module but the commands."""
    paths = [path for path in package.rglob("*.py") if path.name != "__main__.py"]
    return {".".join(path.relative_to(package).with_suffix("").parts): ast.parse(path.read_text()) for path in paths}


def wing(name):
    """The wing of a module ("attribution.cam" or "attribution"); "" for those at the root."""
    return name.partition(".")[0] if name.partition(".")[0] in WINGS else ""


def imported(tree, known):
    """The modules of lecturekit that a module imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("lecturekit").lstrip(".") for alias in node.names
                      if alias.name.partition(".")[0] == "lecturekit"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "lecturekit":
            owner = node.module.removeprefix("lecturekit").lstrip(".")
            inside = {f"{owner}.{alias.name}".lstrip(".") for alias in node.names}
            found |= {name if name in known else owner for name in inside}
    return found


def violations(package):
    """Each import of a wing that stands later in WINGS, as "who -> whom"."""
    trees = modules(package)
    known = {name.removesuffix(".__init__") for name in trees}
    return sorted(f"{name} -> {other}" for name, tree in trees.items() for other in imported(tree, known)
                  if WINGS.index(wing(other)) > WINGS.index(wing(name)))


def cycle(package):
    """A list of modules that import one another in a ring, or []."""
    trees = modules(package)
    known = {name.removesuffix(".__init__") for name in trees}
    arrows = {name.removesuffix(".__init__"): imported(tree, known) & known - {name.removesuffix(".__init__")}
              for name, tree in trees.items()}
    done = set()

    def visit(name, way):
        if name in way:
            return [*way[way.index(name):], name]
        if name in done:
            return []
        for other in sorted(arrows[name]):
            if ring := visit(other, [*way, name]):
                return ring
        done.add(name)
        return []

    return next(filter(None, (visit(name, []) for name in sorted(arrows))), [])


def test_every_module_has_a_wing():
    at_the_root = {name for name in modules(PACKAGE) if "." not in name}
    assert at_the_root == {"__init__", "devices", "files", "validate"}
    assert {wing(name) for name in modules(PACKAGE)} == set(WINGS)


def test_a_wing_imports_only_from_the_wings_before_it():
    assert violations(PACKAGE) == []
    assert cycle(PACKAGE) == []


@pytest.fixture
def house(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "moving").mkdir()
    for name in ("files", "pictures/__init__", "pictures/pixels", "moving/__init__", "moving/steps"):
        (tmp_path / f"{name}.py").write_text("")
    return tmp_path


@pytest.mark.parametrize("source", ["from lecturekit.moving import steps", "import lecturekit.moving.steps",
                                    "def late():\n    from lecturekit.moving.steps import adam"])
def test_a_planted_violation_is_found(house, source):
    assert violations(house) == []
    (house / "pictures/pixels.py").write_text(source)
    assert violations(house) == ["pictures.pixels -> moving.steps"]


def test_a_planted_cycle_is_found(house):
    assert cycle(house) == []
    (house / "moving/steps.py").write_text("from lecturekit.moving import loop")
    (house / "moving/loop.py").write_text("from lecturekit.moving.steps import adam")
    assert cycle(house) == ["moving.loop", "moving.steps", "moving.loop"]


@pytest.mark.parametrize("name", WINGS[1:])
def test_a_wing_says_what_it_is_for(name):
    text = ast.get_docstring(modules(PACKAGE)[f"{name}.__init__"])
    assert 3 <= len(text.splitlines()) <= 8
