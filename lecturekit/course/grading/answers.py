"""The source of an answer, read but never run: is it blank, what does it define, does it use what it may not?"""

import ast
import hashlib
import warnings
from functools import lru_cache

from lecturekit.course.grading import copies

LOOK = {"eval", "exec", "compile", "__import__", "importlib", "get_ipython", "ctypes", "subprocess", "socket", "os",
        "gc", "inspect", "sys", "builtins"}
MAXIMUM = 50_000     # characters of an answer


@lru_cache(maxsize=64)
def tree(source):
    """The syntax tree of a cell without its magics; None where it is no Python or too long."""
    if len(source) > MAXIMUM:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse("\n".join(map(_without_magic, source.split("\n"))))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _without_magic(line):
    code = line.strip()
    magic = code.startswith(("%", "!", "?")) or code.endswith("?")
    return line[:len(line) - len(line.lstrip())] + "pass" if magic else line


def is_blank(source, function):
    """True for an empty cell and for the stub: a function of which nothing but NotImplementedError is written."""
    found = tree(source)
    if found is None:
        return not source.strip()
    code = [node for node in found.body if not _is_text(node)]
    stub = [node for node in code if isinstance(node, ast.FunctionDef) and node.name == function]
    return not code or (len(code) == len(stub) and all(_is_stub(node) for node in stub))


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) or isinstance(node, ast.Pass)


def _is_stub(function):
    body = [node for node in function.body if not _is_text(node)]
    return not body or (isinstance(body[0], ast.Raise) and "NotImplementedError" in
                        {node.id for node in ast.walk(body[0]) if isinstance(node, ast.Name)})


def defines(source):
    """The names that a cell gives a value to at its top level."""
    found = tree(source)
    return {name for node in (found.body if found else []) for name in _bound_by(node)}


def _bound_by(node):
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


def uses(source):
    """The names that a cell reads."""
    found = tree(source)
    return {node.id for node in ast.walk(found) if isinstance(node, ast.Name)} if found else set()


def digest(source):
    """The sha256 of an answer without its comments and spacing, to find identical ones."""
    try:
        text = ast.unparse(tree(source) or ast.parse(""))
    except RecursionError:   # what can be parsed may still be too deep to be written
        text = ""
    text = text or " ".join(source.split())
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def forbidden(asked, source):
    """The names, sorted, that an answer uses though it may not: forbidden ones, and the reference in its module."""
    found = tree(source)
    if found is None:
        return []
    owner, reference = copies.reference_name(asked) or ("", None)
    own, used = _own_names(found), set()
    for node in ast.walk(found):
        named = _mentions(node) & set(asked.forbidden)
        used |= named - own if isinstance(node, ast.Name) else named
        used |= {reference} & _taken_from(node, owner.split("."))
    return sorted(used)


def _own_names(found):
    """Names of the answer's own making: arguments, functions, whatever it gives a value to; imports are not."""
    arguments = {node.arg for node in ast.walk(found) if isinstance(node, ast.arg)}
    others = (node for node in ast.walk(found) if not isinstance(node, (ast.Import, ast.ImportFrom, ast.Module)))
    return arguments.union(*map(_bound_by, others))


def _mentions(node):
    """The names in one node: of a variable, an attribute, an import, or in a string such as getattr takes."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return {name}
        case ast.Import(names=names):
            return {part for alias in names for part in alias.name.split(".")}
        case ast.ImportFrom(module=module, names=names):
            return {alias.name for alias in names} | set((module or "").split("."))
        case ast.Constant(value=str(text)):
            return {text, text.rpartition(".")[2]}
    return set()


def _taken_from(node, owners):
    """The names that a node takes from a module of lecturekit, or from a package that hands it on."""
    match node:
        case ast.Attribute(value=ast.Name(id=module) | ast.Attribute(attr=module), attr=name) if module in owners:
            return {name}
        case ast.ImportFrom(module=str(module), names=names) if module.rpartition(".")[2] in owners:
            return {alias.name for alias in names}
    return set()


def suspicious(source):
    """What in an answer is worth a look: ways to run or reach what cannot be seen in the source."""
    found = tree(source)
    nodes = list(ast.walk(found)) if found else []
    names = {name for node in nodes if not isinstance(node, ast.Constant) for name in _mentions(node)} & LOOK
    computed = any(isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr"
                   and not (len(node.args) > 1 and isinstance(node.args[1], ast.Constant)) for node in nodes)
    return sorted(names | ({"getattr with a computed name"} if computed else set()))


def imports(source):
    """The import statements of a cell, one string each."""
    return [ast.unparse(node) for node in tree(source).body if isinstance(node, (ast.Import, ast.ImportFrom))]
