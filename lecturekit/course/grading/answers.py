"""The source of an answer, read but never run: is it blank, what does it define, does it use what it may not?"""

import ast
import hashlib
import re
import warnings
from fnmatch import fnmatchcase
from functools import lru_cache

from lecturekit.course.grading import copies

LOOK = {"eval", "exec", "compile", "__import__", "importlib", "get_ipython", "ctypes", "subprocess", "socket", "os",
        "gc", "inspect", "sys", "builtins", "vars", "globals", "locals", "__dict__", "attrgetter", "methodcaller"}
BY_TEXT = {"getattr", "hasattr", "setattr", "delattr", "attrgetter", "methodcaller", "import_module", "__import__",
           "__getattribute__", "eval", "exec"}       # calls whose strings are names
TABLES = {"vars", "globals", "locals", "__dict__", "modules"}   # what is indexed by names
MAGIC = re.compile(r"\s*(?:[%!?]|.*\?\s*$|[\w, ]+= *[%!])")
TRANSPARENT = ("time", "capture", "prun", "timeit")     # cell magics that run Python
MAXIMUM = 50_000     # characters of an answer
CUTS = 10            # times that an end is cut off a cell until the rest is Python


@lru_cache(maxsize=512)
def tree(source):
    """The syntax tree of a cell without its magics; None where it is no Python or too long."""
    if len(source) > MAXIMUM:
        return None
    first, _, rest = source.lstrip().partition("\n")
    if first.startswith("%%"):
        return _parsed(rest) if first[2:].split(" ")[0] in TRANSPARENT else ast.parse("")
    return _parsed(source)


def _parsed(source):
    for text in (source, "\n".join(map(_without_magic, source.split("\n")))):
        try:
            with warnings.catch_warnings(action="ignore"):
                return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    return None


def _without_magic(line):
    return line[:len(line) - len(line.lstrip())] + "pass" if MAGIC.match(line) else line


def is_blank(source, function):
    """True for an empty cell and for the stub: a function of which nothing but NotImplementedError is written."""
    found = tree(source)
    if found is None:
        return not source.strip()
    code = [node for node in found.body if not _is_text(node)]
    stub = [node for node in code if isinstance(node, ast.FunctionDef) and node.name == function]
    return not code or (len(code) == len(stub) and all(is_stub(node) for node in stub))


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) or isinstance(node, ast.Pass)


def is_stub(statement):
    """Whether a statement is a function of which nothing but NotImplementedError is written."""
    if not isinstance(statement, ast.FunctionDef):
        return False
    body = [node for node in statement.body if not _is_text(node)]
    return not body or (isinstance(body[0], ast.Raise) and "NotImplementedError" in
                        {node.id for node in ast.walk(body[0]) if isinstance(node, ast.Name)})


def before_error(source):
    """The source without its magics, and without the statement that is no Python and all below it; "" if none is left."""
    text = "\n".join(map(_without_magic, source.split("\n")))
    for _ in range(CUTS):
        try:
            with warnings.catch_warnings(action="ignore"):
                ast.parse(text)
            return text
        except SyntaxError as error:
            text = "\n".join(text.split("\n")[:(error.lineno or 1) - 1])
        except (ValueError, RecursionError, MemoryError):
            return ""
    return ""


def defines(source):
    """The names that a cell gives a value to at its top level."""
    found = tree(source)
    return {name for node in (found.body if found else []) for name in bound_by(node)}


def bound_by(statement):
    """The names that a statement gives a value to, in whatever block of it, not inside of functions; "*" where it
    imports them all."""
    found, waiting = set(), [statement]
    while waiting:
        match node := waiting.pop():
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {(alias.asname or alias.name).split(".")[0] for alias in names}
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Lambda() | ast.GeneratorExp() | ast.ListComp() | ast.SetComp() | ast.DictComp():
                pass
            case _:
                waiting += ast.iter_child_nodes(node)
    return found


def digest(source):
    """The sha256 of an answer without its comments and spacing, to find identical ones."""
    try:
        text = ast.unparse(tree(source) or ast.parse(""))
    except RecursionError:   # what can be parsed may still be too deep to be written
        text = ""
    text = text or " ".join(source.split())
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def forbidden(asked, sources):
    """The names, sorted, that an answer uses though it may not: forbidden ones, and the reference in its module.

    `sources` are the answer's and those of whatever it needs. A docstring, the key of a dict, or a name of the answer's
    own making is no use of what happens to be called so.
    """
    nodes = [node for source in sources if (found := tree(source)) for node in ast.walk(found)]
    owner, reference = copies.reference_name(asked) or ("", None)
    owners = _with_aliases(set(owner.split(".")) - {""}, nodes)
    own, used = _own_names(nodes), set()
    for node in nodes:
        named = {name for name in _mentions(node) if any(fnmatchcase(name, pattern) for pattern in asked.forbidden)}
        used |= named - own if isinstance(node, ast.Name) else named
        used |= {reference} & _taken_from(node, owners)
    return sorted(used)


def _own_names(nodes):
    """Names of the answer's own making: arguments, functions, whatever it gives a value to; imports are not."""
    arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Name)
    return arguments.union(*(bound_by(node) for node in nodes if isinstance(node, kinds)))


def _mentions(node):
    """The names in one node: of a variable, an attribute, an import, or in a string such as getattr takes."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return {name}
        case ast.Import(names=names):
            return {part for alias in names for part in alias.name.split(".")}
        case ast.ImportFrom(module=module, names=names):
            return {alias.name for alias in names} | set((module or "").split("."))
        case ast.Call(func=called, args=arguments) if _name(called) in BY_TEXT:
            return {part for argument in arguments for part in _parts(argument)}
        case ast.Subscript(value=table, slice=name) if _name(table) in TABLES:
            return set(_parts(name))
        case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[name, *_]) if _name(table) in TABLES:
            return set(_parts(name)) | {"get"}
    return set()


def _name(node):
    """The last name of `a.b`, `a.b()`, or `b`."""
    match node:
        case ast.Call(func=called):
            return _name(called)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name


def _parts(node):
    """The names in a string that stands for one, as in getattr(F, "conv2d")."""
    return re.findall(r"\w+", node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def _with_aliases(owners, nodes):
    """`owners`, names of modules, with the other names that imports and assignments give to these."""
    for node in nodes:
        match node:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                owners |= {alias.asname for alias in names if alias.asname and alias.name.split(".")[-1] in owners}
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name() | ast.Attribute() as value):
                owners |= {name} if _name(value) in owners else set()
    return owners


def _taken_from(node, owners):
    """The names that a node takes from a module of lecturekit, or from a package that hands it on."""
    match node:
        case ast.Attribute(value=ast.Name(id=module) | ast.Attribute(attr=module), attr=name) if module in owners:
            return {name}
        case ast.ImportFrom(module=str(module), names=names) if module.rpartition(".")[2] in owners:
            return {alias.name for alias in names}
        case ast.Call(func=called, args=[ast.Name(id=module), name]) if _name(called) in BY_TEXT and module in owners:
            return set(_parts(name))
    return set()


def suspicious(sources):
    """What in an answer is worth a look: ways to run or reach what cannot be seen in the source."""
    nodes = [node for source in sources if (found := tree(source)) for node in ast.walk(found)]
    names = set().union(*map(_mentions, nodes)) & LOOK
    computed = {"getattr with a computed name" for node in nodes if isinstance(node, ast.Call)
                and _name(node.func) == "getattr" and not (len(node.args) > 1 and isinstance(node.args[1], ast.Constant))}
    stars = {"import *" for node in nodes if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"}
    return sorted(names | computed | stars)


def imports(source):
    """The import statements of a cell, one string each."""
    return [ast.unparse(node) for node in tree(source).body if isinstance(node, (ast.Import, ast.ImportFrom))]
