"""What an answer needs of the other cells of its notebook: helpers, imports, constants, earlier answers.

The cells are read, never run. A statement comes along where it gives a value to a name that a statement which is taken
reads, or changes what has that name; what else stands in its cell stays behind.
"""

import ast
import builtins
import symtable
from dataclasses import dataclass
from functools import cached_property

from lecturekit.course.grading import answers

MOST = 400           # statements that come along
READ = 1_000_000     # characters of cells that are searched for one answer
BUILT_IN = frozenset(dir(builtins))


class Statement:
    """A statement at the top level of a cell: what it binds and changes, and reads at once or when it is called."""

    def __init__(self, node):
        self.node = node

    @cached_property
    def source(self):
        try:
            return ast.unparse(self.node)
        except RecursionError:   # what can be parsed may still be too deep to be written
            return "raise RecursionError('a statement that is nested too deep')"

    @cached_property
    def binds(self):
        return answers.bound_by(self.node)

    @cached_property
    def changes(self):
        """Names whose object it alters: table[0] = 1, net.bias = 2, names.append("a")."""
        targets = [node.value for node in ast.walk(self.node) if isinstance(node, (ast.Subscript, ast.Attribute))
                   and isinstance(node.ctx, ast.Store)]
        if isinstance(self.node, ast.Expr) and isinstance(self.node.value, ast.Call):
            targets.append(self.node.value.func)
        return {name for name in map(root, targets) if name}

    @cached_property
    def reads(self):
        """(names read when it runs, names read when what it defines is called)."""
        try:
            table = symtable.symtable(self.source, "cell", "exec")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return {node.id for node in ast.walk(self.node) if isinstance(node, ast.Name)}, set()
        now = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
        return now, _globals_below(table)


def _parts(node):
    """A statement as it is, an import of several names as one of each: the others do not come along with one."""
    if not isinstance(node, (ast.Import, ast.ImportFrom)) or len(node.names) == 1:
        return [node]
    fields = {"module": node.module, "level": node.level} if isinstance(node, ast.ImportFrom) else {}
    return [type(node)(names=[alias], **fields) for alias in node.names]


def root(node):
    """The name that a chain such as `x.part[0].method` begins with, or None."""
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _globals_below(table):
    found = set()
    for child in table.get_children():
        found |= {symbol.get_name() for symbol in child.get_symbols() if symbol.is_global()} | _globals_below(child)
    return found


@dataclass
class Notebook:
    """Code cells in order, searched only where a name occurs in their text. `own` tells those that the student wrote or
    changed: what these define goes before what a lesson's own cell defines."""

    cells: list[str]
    own: list[bool]

    def __post_init__(self):
        self.statements, self.parsed = {}, 0

    def at(self, number):
        """The statements of a cell; none where it is no Python, or too much was searched already."""
        if number not in self.statements:
            self.parsed += len(self.cells[number])
            found = answers.tree(self.cells[number]) if self.parsed <= READ else None
            nodes = [part for node in (found.body if found else []) for part in _parts(node)]
            self.statements[number] = list(map(Statement, nodes))
        return self.statements[number]

    def places(self, name, among="binds"):
        """[(cell, number of the statement)] where `name` is bound, in order."""
        return [(cell, number) for cell, text in enumerate(self.cells) if name in text
                for number, statement in enumerate(self.at(cell)) if name in getattr(statement, among)]

    def get(self, place):
        return self.at(place[0])[place[1]]

    def binder(self, name, before=None):
        """Where `name` gets the value that a statement at `before` finds, or, with None, the one at the end."""
        found = self.places(name) or ([] if name in BUILT_IN else self.places("*"))
        earlier = found if before is None else [place for place in found if place < before] or found[:1]
        own = [place for place in earlier if self.own[place[0]]]
        return max(own if name in BUILT_IN else own or earlier, default=None)


def of(notebook, target, given=frozenset()):
    """The places of what the statement at `target` needs, itself among them, in the order of the notebook.

    `given` are names that are there in any case, by the lesson's imports, unless the student's own cells bind them.
    """
    taken, waiting = set(), [target]
    while waiting and len(taken) < MOST:
        place = waiting.pop()
        if place not in taken:
            taken.add(place)
            waiting += [other for other in _needs(notebook, place) if not _is_given(notebook, other, given)]
    return sorted(taken)


def in_order(notebook, places):
    """The places in the order of the notebook, but what a statement needs as it runs before it, also where the notebook
    has it below: cells can be run in another order than they stand in."""
    waiting, ordered = set(places), []

    def take(place):
        if place in waiting:
            waiting.remove(place)
            for other in _runs(notebook, place):
                take(other)
            ordered.append(place)

    for place in sorted(places):
        take(place)
    return ordered


def _runs(notebook, place):
    """The places of what has to be there as the statement at `place` runs: what it reads, and what that calls."""
    found, waiting = [], _read_now(notebook, place)
    while waiting:
        other = waiting.pop()
        if other and other not in found:
            found.append(other)
            waiting += _read_later(notebook, other)
    return sorted(found)


def _read_now(notebook, place):
    return [notebook.binder(name, place) for name in sorted(notebook.get(place).reads[0])]


def _read_later(notebook, place):
    return [notebook.binder(name) for name in sorted(notebook.get(place).reads[1])]


def _needs(notebook, place):
    """The places of what the statement at `place` needs itself: what it reads, and what changes the things it binds."""
    statement = notebook.get(place)
    found = _read_now(notebook, place) + _read_later(notebook, place)
    if not isinstance(statement.node, (ast.Import, ast.ImportFrom)):
        found += [other for name in sorted(statement.binds) for other in notebook.places(name, "changes") if other > place]
    return filter(None, found)


def _is_given(notebook, place, given):
    return not notebook.own[place[0]] and notebook.get(place).binds <= given
