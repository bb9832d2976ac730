"""Which cells of a lesson have to do with one of its names, and running them without a kernel."""

import ast
import contextlib
import dis
import io
from types import CodeType

import matplotlib.pyplot as plt

from lecturekit.course import lessons
from lecturekit.course.grading import needs


def names(source):
    """The global names that a cell needs from before, that it writes, and that it changes (`x[0] = 1`, `x.append(1)`)."""
    tree, needed, written = ast.parse(source), set(), set()
    for step in _steps(compile(tree, "cell", "exec")):
        kind, _, place = step.opname.partition("_")
        if place in ("NAME", "GLOBAL") and kind == "STORE":
            written.add(step.argval)
        elif place in ("NAME", "GLOBAL") and step.argval not in written:
            needed.add(step.argval)
    methods = [node.value.func for node in ast.walk(tree) if isinstance(node, ast.Expr)
               and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute)]
    parts = [node for node in ast.walk(tree) if isinstance(node, (ast.Attribute, ast.Subscript))
             and isinstance(node.ctx, ast.Store)]
    return needed, written, {name for name in map(needs.root, methods + parts) if name in needed}


def _steps(code):
    """The instructions of a code object in their order, those of a function where it is defined."""
    for step in dis.get_instructions(code):
        yield from _steps(step.argval) if isinstance(step.argval, CodeType) else (step,)


def concerning(number, name):
    """[(id, source)] of a lesson's code cells that depend on `name`, and of those that these need, in their order."""
    cells = [(cell.id, cell.source) for cell in lessons.read(number).cells if cell.cell_type == "code"]
    imported = set().union(*(_imported(source) for _, source in cells))   # no call changes a module
    used = [(needed, written, changed - imported) for needed, written, changed in (names(source) for _, source in cells)]
    chosen = _dependent(used, name, imported)
    wanted = set()
    for at in reversed(range(len(cells))):
        needed, written, changed = used[at]
        if at in chosen or (written | changed) & wanted:
            chosen.add(at)
            wanted = wanted - written | needed
    return [cells[at] for at in sorted(chosen)]


def _dependent(used, name, imported):
    """The numbers of the cells whose results depend on `name`; what is imported does not."""
    tainted, chosen = set(), set()
    for at, (needed, written, changed) in enumerate(used):
        if needed & tainted or not chosen and name in written:   # from where it is first written
            chosen.add(at)
            tainted |= written - imported | changed
        else:
            tainted -= written
    return chosen


def _imported(source):
    return {(alias.asname or alias.name).partition(".")[0] for node in ast.walk(ast.parse(source))
            if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names}


def run(cells, space=None):
    """Run cells [(id, source)] one after the other in the namespace `space`, or in a new one; returns it. A traceback
    names the cell by its id."""
    space = {"__name__": "__main__"} if space is None else space
    for cell, source in cells:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, f"cell {cell}", "exec"), space)
        plt.close("all")
    return space
