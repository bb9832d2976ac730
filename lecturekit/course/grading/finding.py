"""Finds the answers among a submission's cells: by what the notebook ends up with, by grade id, by what stands around.

`cells` are the student's, `own` those of our own copy of the lesson. `flag` takes what a teacher should look at.
"""

import ast
import re
from dataclasses import dataclass

from lecturekit.course.grading import answers, needs

WORDS = 20_000       # characters that are kept of an answer in words
NEAR = 6             # cells that are looked through behind the heading of an exercise
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)


@dataclass(frozen=True)
class Cell:
    """One cell in known types, whatever stood in the file."""

    kind: str
    source: str
    grade_id: str = ""
    points: object = None
    locked: bool = False
    ran: int | None = None           # its number in the order in which cells ran, where the file tells


@dataclass(frozen=True)
class Answer:
    """One answer: the source of its cell, and the statements to run, in order; of these, those that the student wrote,
    and of these again the ones that the function is made of."""

    source: str
    run: tuple
    wrote: tuple
    made_of: tuple

    @classmethod
    def whole(cls, source):
        """A cell that runs as it is, because nothing in it could be found."""
        return cls(source, *[(source,)] * 3)

    def named(self, function, name):
        """The answer that bears another name."""
        alias = f"{function} = {name}"
        return Answer(self.source, *((*statements, alias) for statements in (self.run, self.wrote, self.made_of)))


def answer(cells, own, asked, flag):
    """The Answer to a question, or None: the last definition of its function that is more than the stub."""
    notebook = _notebook(cells, own, asked, flag)
    lesson = {plain(cell) for cell in own if not cell.grade_id}
    places = [place for place in notebook.places(asked.function) if not answers.is_stub(notebook.get(place).node)
              and plain(cells[place[0]]) not in lesson]
    marked = [number for number, cell in enumerate(cells) if cell.grade_id == asked.id and cell.kind == "code"]
    if len(marked) > 1:
        flag(f"{asked.id}: several cells, the last one that is not blank counts")
    if places:
        _flag_place(cells, places[-1][0], marked, asked, flag)
        _flag_order(cells, [cell for cell, _ in places], asked, flag)
        return _gathered(notebook, places[-1], own)
    if called := _checked(notebook, asked):
        flag(f"{asked.id}: no {asked.function}, but its check was given {called[0]}, which counts")
        return _gathered(notebook, called[1], own).named(asked.function, called[0])
    full = [number for number in marked if not answers.is_blank(cells[number].source, asked.function)]
    number = next(iter(full[::-1] or marked[::-1] or _behind(cells, own, asked, flag)), None)
    return None if number is None else Answer.whole(cells[number].source)


def _notebook(cells, own, asked, flag):
    """The code cells, and what was code before its cell was turned into words; "" in the place of all others."""
    known = {plain(cell) for cell in own}
    mine = [plain(cell) not in known for cell in cells]
    return needs.Notebook([_code_in(cell, asked, flag) if own or cell.kind == "code" else ""
                           for cell, own in zip(cells, mine)], mine)


def _code_in(cell, asked, flag):
    """The code of a cell; of one with the answer's function also where it is words by now, or has an error below."""
    if f"def {asked.function}(" not in cell.source:
        return cell.source if cell.kind == "code" else ""
    if cell.kind != "code":
        return "\n".join(FENCED.findall(cell.source)) or cell.source
    if answers.tree(cell.source) or asked.function not in answers.defines(kept := answers.before_error(cell.source)):
        return cell.source
    flag(f"{asked.id}: what stands below a syntax error was left out")
    return kept


def plain(cell):
    """The text of a cell without the spacing that editors change."""
    return "\n".join(map(str.rstrip, cell.source.strip().splitlines()))


def _flag_place(cells, number, marked, asked, flag):
    """Say where the answer was found, if not in its own cell."""
    if cells[number].kind != "code":
        flag(f"{asked.id}: the code stood in a cell of words")
    elif not marked:
        flag(f"{asked.id}: no cell of this id, taken from the cell that defines {asked.function}")
    elif number not in marked:
        where = "later" if number > marked[-1] else "earlier"
        flag(f"{asked.id}: taken from {'a later' if where == 'later' else 'an earlier'} cell that defines "
             f"{asked.function}")


def _flag_order(cells, numbers, asked, flag):
    """Say where of several cells with the function the last one was not the last to run."""
    ran = [cells[number].ran for number in dict.fromkeys(numbers)]
    if None not in ran and ran[-1] < max(ran):
        flag(f"{asked.id}: several cells define {asked.function}; the last one counts, another one ran after it")


def _checked(notebook, asked):
    """(name, where it gets its value) of another function that the student's own cells hand to the check, or None."""
    mine = [number for number, text in enumerate(notebook.cells) if notebook.own[number] and "check(" in text]
    for statement in (statement for number in mine[::-1] for statement in notebook.at(number)):
        match statement.node:
            case ast.Expr(ast.Call(ast.Name("check"), [ast.Constant(asked.id), ast.Name(name), *_])):
                place = notebook.binder(name)
                if place and notebook.own[place[0]] and name != asked.function:
                    return name, place
    return None


def _gathered(notebook, place, own):
    """The answer with what it needs, and with all statements of its own cell."""
    cell = place[0]
    given = answers.defines("\n".join(imported(own)))
    needed = needs.of(notebook, place, given)
    places = needs.in_order(notebook, {*needed, *((cell, number) for number in range(len(notebook.at(cell))))})
    mine = [place for place in places if notebook.own[place[0]] or place[0] == cell]
    return Answer(notebook.cells[cell], *(tuple(notebook.get(place).source for place in chosen) for chosen in (
        places, mine, [place for place in mine if place in needed])))


def imported(own):
    """The import statements of a lesson's own cells, in order."""
    return [line for cell in own if cell.kind == "code" and not cell.grade_id for line in answers.imports(cell.source)]


def _behind(cells, own, asked, flag):
    """[number of the cell] that stands where the answer should: after the exercise's heading, before what follows."""
    near = [number for number in _between(cells, own, asked.id) if cells[number].kind == "code"]
    filled = [number for number in near if not answers.is_blank(cells[number].source, asked.function)] or near
    if filled:
        flag(f"{asked.id}: no cell of this id, found by its place")
    return filled[-1:]


def _between(cells, own, name):
    """The numbers of the cells, none of the lesson's, that follow the one with the heading of an exercise."""
    known = {plain(cell) for cell in own if not cell.grade_id or cell.locked}
    start, found = _heading(cells, name), []
    for number in range(start + 1, min(start + 1 + NEAR, len(cells))) if start is not None else ():
        if plain(cells[number]) in known:
            break
        found.append(number)
    return found


def _heading(cells, name):
    heading = re.compile(rf"^#+ .*\b{re.escape(name)}\b", re.M)
    return next((number for number, cell in enumerate(cells) if heading.search(cell.source)), None)


def words(cells, own, name, flag):
    """The text of an answer in words: that of its cell, of cells beside it, of what was added to its exercise; else all
    that the student wrote anywhere. "" where that is nothing but the stub."""
    stub = next(plain(cell) for cell in own if cell.grade_id == name)
    marked = [number for number, cell in enumerate(cells) if cell.grade_id == name]
    if len(marked) != 1:
        flag(f"{name}: {'no cell of this id' if not marked else 'several cells, all of them are shown'}")
    near = sorted({*marked, *_between(cells, own, name)})
    texts = [*_added(cells, own, name), *(cells[number].source.strip() for number in near)]
    texts = [text for text in texts if text not in ("", stub)]
    if not texts and (texts := _everything(cells, own)):
        flag(f"{name}: nothing in its place, all texts of the student's own are shown")
    elif len(marked) == 1 and texts and texts != [cells[marked[0]].source.strip()]:
        flag(f"{name}: the text does not stand in its own cell alone")
    return "\n\n".join(texts)[:WORDS]


def _added(cells, own, name):
    """[what a student wrote into the cell with the heading of an exercise], [] where it is unchanged."""
    here = _heading(cells, name)
    return [] if here is None else _new_lines(cells[here], own)


def _everything(cells, own):
    """The lines in cells of words that the lesson does not have, but for the code of answers."""
    return [text for cell in cells if cell.kind in ("markdown", "raw") and not _answers(cell.source, own)
            for text in _new_lines(cell, own)]


def _answers(source, own):
    """Whether a text is code that defines the function of an exercise."""
    asked = set().union(*(answers.defines(one.source) for one in own if one.grade_id and one.kind == "code"))
    return bool(asked & answers.defines(source))


def _new_lines(cell, own):
    known = {line.strip() for one in own for line in one.source.splitlines()}
    words = FENCED.sub(lambda block: "" if _answers(block[1], own) else block[0], cell.source)
    added = [line for line in words.splitlines() if line.strip() not in known]
    return ["\n".join(added).strip()] if "".join(added).strip() else []
