"""A digest of what a mark depends on: the question's definition, as far as it reaches, and the programs that judge.

When it changes, as a question is corrected, the marks that were made before are made anew. Comments, docstrings and the
order in a file make no difference.
"""

import ast
import hashlib
import re
from functools import lru_cache
from pathlib import Path

import lecturekit
from lecturekit.course.grading import submissions
from lecturekit.course.questions import questions

ROOT = Path(lecturekit.__file__).resolve().parent
JUDGES = ("course.grading.marks", "course.grading.worker", "networks.small")
NO_JUDGES = re.compile(r"grading\.(sandbox|view|watch|rights|seccomp|scratch)$|questions\.lesson_\d+$")


def digests(lesson):
    """{question id: digest} of a lesson ("03")."""
    return {asked.id: digest(asked.id) for asked in questions(lesson)}


@lru_cache(maxsize=None)
def digest(identifier):
    lesson = identifier.split(".")[0]
    first = f"course.questions.lesson_{lesson}", identifier
    parts = [ast.dump(node) for node in reached(first)] + _judges()
    return hashlib.sha256("\n".join([*parts, *submissions.setup(lesson)]).encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _judges():
    """The modules of the grader that make a mark, with those of the course that they import, as text."""
    found = list(JUDGES)
    for name in found:
        found += [other for node in ast.walk(module(name)) for other, _ in _imported(node).values()
                  if other.startswith("course.") and other not in found and module(other)
                  and not NO_JUDGES.search(other)]
    return [ast.dump(_bare(module(name))) for name in sorted(set(found))]


def reached(first):
    """The statements that define a question, and all that they name, in any module of the package, in order."""
    waiting, seen, found = [first], set(), []
    while waiting:
        if (place := waiting.pop()) in seen:
            continue
        seen.add(place)
        for node in _statements(*place):
            found.append(node)
            waiting += _named(place[0], node)
    return found


def _statements(name, wanted):
    """The statements at the top of a module that define a name, or, for a question's id, hold it as the first word."""
    body = (module(name) or ast.parse("")).body
    return [_bare(node) for node in body if wanted in _defined(node) or _asks(node) == wanted]


def _defined(node):
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return set()


def _asks(node):
    """The id of the question that a statement assigns, or None."""
    match node:
        case ast.Assign(value=ast.Call(args=[ast.Constant(value=str(identifier)), *_])):
            return identifier
    return None


def _named(name, node):
    """The places (module, name) of whatever a statement names: in its own module, or in one that it imports from."""
    imports = {alias: place for other in module(name).body for alias, place in _imported(other).items()}
    found = []
    for part in ast.walk(node):
        match part:
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if owner in imports:
                found.append((".".join(filter(None, imports[owner])), attribute))
            case ast.Name(id=known) if known in imports:
                found.append(imports[known])
            case ast.Name(id=known):
                found.append((name, known))
    return [place for known in found for place in (known, *_handed_on(*known))]


def _handed_on(name, wanted):
    """Where a package's `__init__` has a name from."""
    return [place for node in (module(name) or ast.parse("")).body for alias, place in _imported(node).items()
            if alias == wanted]


def _imported(node):
    """{name: (module below lecturekit, what of it or "")} of an import of the package's own."""
    if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "lecturekit":
        owner = node.module.removeprefix("lecturekit").lstrip(".")
        return {alias.asname or alias.name: _place(owner, alias.name) for alias in node.names}
    return {}


def _place(owner, name):
    inside = ".".join(filter(None, (owner, name)))
    return (inside, "") if module(inside) else (owner, name)


@lru_cache(maxsize=None)
def module(name):
    """The syntax tree of a module below lecturekit, or None."""
    path = ROOT.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text()) if path.is_file() else None


def _bare(node):
    """A statement without docstrings."""
    for part in ast.walk(node):
        body = getattr(part, "body", None)
        if isinstance(body, list) and len(body) > 1 and isinstance(body[0], ast.Expr) and isinstance(
                body[0].value, ast.Constant):
            part.body = body[1:]
    return node
