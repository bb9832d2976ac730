"""The copy of lecturekit that an answer sees: no course/, and no body of what the question asks for."""

import ast
import py_compile
import shutil
import tempfile
from pathlib import Path

import lecturekit
from lecturekit import files

PACKAGE = Path(lecturekit.__file__).resolve().parent
COURSE = "lecturekit.course"


def make(asked, folder):
    """Write the grading copy for a question to `folder`/lecturekit, compiled, and never half there."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        copy = Path(temporary) / "copy" / "lecturekit"
        copy.mkdir(parents=True)
        for path in modules():
            name, target = path.relative_to(PACKAGE), copy / path.relative_to(PACKAGE)
            target.parent.mkdir(exist_ok=True)
            target.write_text(without_answers(path.read_text(), ".".join(name.with_suffix("").parts), asked))
            py_compile.compile(str(target), dfile=f"/course/lecturekit/{name}", doraise=True)
        _add_weights(asked, copy.parent)
        copy.parent.chmod(0o755)
        if not folder.exists():
            shutil.move(copy.parent, folder)


def _add_weights(asked, folder):
    """Beside the package, as it looks for them: the weights of the bundled networks that the question's cases use."""
    for name in (f"weights/{network}.safetensors" for network in asked.bundled):
        target = folder / "data" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files.verified(name), target)
        with open(folder / "data" / files.SUMS, "a") as sums:
            sums.write(f"{files.checksums()[name]}  {name}\n")


def modules():
    """The package's source files but for those of the course."""
    own = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "course"]
    return sorted(set(own) - {PACKAGE / "__main__.py"})


def without_answers(source, module, asked):
    """The source of a module ("tsne", "attribution.cam") with the bodies replaced of what `asked` forbids, of its reference, and of all checks."""
    tree = ast.parse(source)
    if _imports_course(tree):
        tree.body = [_hollow(node, "return None") for node in tree.body if isinstance(node, ast.FunctionDef)]
        return ast.unparse(tree)
    hidden = {*asked.forbidden, *_reference_in(module, asked)}
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in hidden]
    for node in found:
        _hollow(node, f"raise RuntimeError('{module}.{node.name} is not there: write it yourself')")
    return ast.unparse(tree) if found else source


def reference_name(asked):
    """(module, name) of the package's own function that a question asks for, or None if the course alone has it."""
    owner, name = asked.reference.__module__, asked.reference.__name__
    outside = owner.startswith("lecturekit.") and not owner.startswith(COURSE)
    return (owner.partition(".")[2], name) if outside else None


def _reference_in(module, asked):
    found = reference_name(asked)
    return [found[1]] if found and found[0] == module else []


def _imports_course(tree):
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [getattr(node, "module", None) or alias.name for node in imports for alias in node.names]
    return any(name.startswith(COURSE) for name in names)


def _hollow(function, statement):
    function.body = ast.parse(statement).body
    function.decorator_list, function.returns = [], None
    function.args.defaults, function.args.kw_defaults = [_none() for _ in function.args.defaults], [
        default and _none() for default in function.args.kw_defaults]
    return function


def _none():
    return ast.Constant(None)
