"""A lesson as slides, each with one idea: a question, its code, its figure with the sentence that reads it.

The cells' slideshow metadata decides where a section begins (slide, subslide), what is left out (skip) and what only
the speaker sees (notes). Within a section each cell becomes as many slides as it needs; nothing is ever made smaller.
"""

import base64
import io
import math
import re
from dataclasses import dataclass, field

from PIL import Image

from lecturekit.course import lessons

WIDTH, HEIGHT = 1152, 544            # px of a slide below its title
CODE_LINES, TALL_LINES = 12, 17      # lines of code on a slide; the same with the ones that had to be wrapped
CODE_CHARS, HANGING = 98, 8          # characters of code in a line; by how many a wrapped line is indented
TEXT_LINE, CODE_LINE = 40, 30        # px
ITEM_GAP, INDENT = 8, 44              # px between the items of a list, and by which they are indented
CODE_BOX, GAP = 32, 24               # px, what a box of code adds to its lines, and between two parts of a slide
PRINTED_LINES = HEIGHT // CODE_LINE
SIZES = 1.3, 1.2, 1.1, 1             # how much larger text and code may be where they leave room
LETTER = 12.6                        # px, the mean width of a letter of text
LARGEST = 2.2                        # a figure is enlarged at most so much
WHOLE = 0.65                         # a figure that its reading leaves larger than this needs no slide of its own
ASIDE = 420                          # px, the column of text beside a figure
CHECK = '\n\ncheck("00.0", function)'   # what a check adds to its stub
FIGURES = {"image/png", "image/jpeg"}
DETAILS = re.compile(r"\s*<details>\s*<summary>.*?</summary>(.*?)</details>", re.S)
ITEM = re.compile(r"(?:[-*]|\d+\.) ")
ITEMS = re.compile(r"\n(?=(?:[-*]|\d+\.) )")
SENTENCES = re.compile(r"(?<=[.?!])\s+(?=[A-Z*`\"])")
MARKERS = re.compile(r"^ *### (?:BEGIN|END) SOLUTION\n?", re.M)
HEADING = re.compile(r"^(#{1,3}) +(.+?)\s*$", re.M)


@dataclass
class Figure:
    """A picture of a cell's output: its data URI, its size in px and what it shows."""

    uri: str
    width: int
    height: int
    alt: str = ""                    # what it shows, in a sentence
    live: str = ""                   # a note that names the cell that drew it

    def scale(self, width=WIDTH, height=HEIGHT):
        """By how much it is enlarged to fill a box."""
        return max(min(width / self.width, height / self.height, LARGEST), 0)


@dataclass
class Slide:
    """One slide: Markdown, code, printed text and a figure, each where it has one; notes are Markdown."""

    title: str
    text: str = ""
    code: str = ""
    printed: str = ""
    figure: Figure | None = None
    later: bool = False              # the figure appears with the next step
    reveal: str = ""                 # Markdown that appears with the step after
    beside: bool = False             # the text stands beside the figure, not below it
    live: str = ""                   # where the lesson has sliders here: the id of their cell
    opening: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def size(self):
        """The largest of SIZES at which text and code fit, with no line of code wrapped that need not be."""
        if self.figure or self.opening:
            return 1
        written = f"{self.code}\n{self.printed}"
        return next((size for size in SIZES if self.height(size) <= HEIGHT
                     and _tall(written, int(CODE_CHARS / size)) == _tall(written)), 1)

    def height(self, size=1):
        """The height of text, code and printed text in px, enlarged."""
        chars, parts = int(CODE_CHARS / size), []
        if self.text:
            parts.append(sum(_height(block, WIDTH / size) + TEXT_LINE / 2 for block in _paragraphs(self.text)) * size)
        if self.code:
            parts.append(_tall(self.code, chars) * CODE_LINE * size + CODE_BOX)
        if self.printed:
            parts.append(_tall(self.printed, chars) * CODE_LINE * size)
        return sum(parts) + GAP * (len(parts) - 1)


def sections(notebook, stubs, name):
    """The lesson's slides: a list for each section. `stubs` is {cell id: source without the solution}."""
    builder = _Builder(stubs, name)
    for cell, following in zip(notebook.cells, [*notebook.cells[1:], None]):
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if kind != "skip":
            builder.add(cell, kind, following is not None and has_widget(following))
    return [section for section in builder.sections if section]


class _Builder:
    def __init__(self, stubs, name):
        self.stubs, self.name = stubs, name
        self.sections, self.figure, self.title, self.topic = [[]], None, "", ""
        self.reads = False           # the next text reads what the last cell showed
        self.waiting = []            # slides whose speaker wants to know what will be read from the picture

    def add(self, cell, kind, before_widget):
        if kind == "slide":
            self.sections.append([])
            self.figure, self.waiting = None, []
        if kind in ("slide", "subslide"):
            self.reads, self.title = False, self.topic
        if kind == "notes":
            self.last.notes.append(cell.source)
        elif cell.cell_type == "markdown" and "nbgrader" not in cell.metadata:
            self.prose(cell.source, before_widget)
        elif cell.cell_type == "code" and cell.source.strip():
            self.code(cell)

    @property
    def last(self):
        return self.sections[-1][-1] if self.sections[-1] else self.put()

    def put(self, **parts):
        self.sections[-1].append(Slide(self.title, **parts))
        return self.sections[-1][-1]

    def prose(self, source, before_widget):
        hints = [hint.strip() for hint in DETAILS.findall(source)]
        for level, heading, body in _by_heading(DETAILS.sub("", source)):
            if heading:
                self.title, self.reads = heading, False
                self.topic = heading if level < 3 else self.topic
            if self.reads or (before_widget and self.figure):
                self.reading(body)
            else:
                self.question(body, level == 1)
        self.last.notes += [f"Hint: {hint}" for hint in hints]

    def question(self, body, opening):
        if opening:
            first, _, body = body.partition("\n\n")
            self.put(text=first, opening=True)
        for text in pack(body, WIDTH, HEIGHT):
            self.waiting.append(self.put(text=text))

    def reading(self, body):
        """The text that reads a picture, with the picture; one that would shrink much has had a slide of its own."""
        for slide in self.waiting:
            slide.notes.append(f"What the picture will show: {body}")
        self.waiting = []
        pieces = pack(body, WIDTH, HEIGHT // 2 if self.figure else HEIGHT)
        if self.figure and self.last.figure is self.figure and not self.last.text:
            if beside(self.figure, pieces[0])[1] > WHOLE * self.figure.scale():
                self.sections[-1].pop()
        for text in pieces:
            self.put(text=text)
            if self.figure:
                self.last.figure, self.last.beside = self.figure, beside(self.figure, text)[0]
                self.last.notes.append(self.figure.live)

    def code(self, cell):
        mark = cell.metadata.get("nbgrader", {})
        self.reads = not mark.get("solution")
        if mark.get("grade"):
            self.last.code += "\n\n" + cell.source
        elif mark.get("solution"):
            self.exercise(cell)
        elif has_widget(cell):
            self.last.live = cell.id
            self.last.notes.append(f"Live: run {self.place(cell)} and move the sliders.")
        else:
            self.show(cell)

    def exercise(self, cell):
        """The stub, on the slide of its task where both fit; the solution is the speaker's."""
        stub, solution = self.stubs[cell.id].strip(), MARKERS.sub("", cell.source).strip()
        if Slide("", self.last.text, stub + CHECK).height() > HEIGHT or self.last.figure or self.last.code:
            self.put()
        self.last.code = stub
        self.last.notes.append(f"A solution ({self.place(cell)}):\n\n```python\n{solution}\n```")

    def show(self, cell):
        live = f"Live: {self.place(cell)}."
        for part in split_code(cell.source):
            self.put(code=part, notes=[live])
        self.printed(_printed(cell), live)
        for figure in _figures(cell, live):
            self.figure = figure
            self.waiting.append(self.put(figure=figure, notes=[live]))

    def printed(self, text, live):
        """Printed text below its code where both fit, else on slides of its own."""
        if Slide("", code=self.last.code, printed=text).height() <= HEIGHT:
            self.last.printed = text
            return
        for page in split_print(text):
            self.put(printed=page, notes=[live])

    def place(self, cell):
        return f"cell [{cell.execution_count}] of {self.name}"


def pack(source, width, height):
    """Markdown in pieces that fit a box, cut between blocks; a block that is too long is cut between sentences."""
    room, pieces, used = height, [], math.inf
    for block, glue in _blocks(source, width, room):
        tall = _height(block, width) + (ITEM_GAP if glue == "\n" else TEXT_LINE // 2)
        if used + tall > room:
            pieces.append(block)
            used = tall
        else:
            pieces[-1] += glue + block
            used += tall
    return pieces


def _blocks(source, width, room):
    """(block, what joins it to the one before): paragraphs, the items of lists, tables."""
    for paragraph in _paragraphs(source):
        for number, item in enumerate(ITEMS.split(paragraph)):
            if _height(item, width) <= room:
                yield item, "\n" if number else "\n\n"
            else:
                yield from ((sentence, " ") for sentence in SENTENCES.split(item))


def _paragraphs(source):
    return re.split(r"\n\s*\n", source.strip()) if source.strip() else []


def _height(block, width):
    """The height in px of a paragraph, a list or a table, rather too much than too little."""
    if block.startswith("|"):
        return sum(_row(line, width) for line in block.splitlines())
    items = [re.sub(r"\]\([^)]*\)|[*`$]|\\[a-z]+", "", item) for item in ITEMS.split(block)]
    lines = sum(math.ceil(len(item) * LETTER / (width - INDENT * bool(ITEM.match(item)))) for item in items)
    return TEXT_LINE * (lines + 3 * block.count("$$") // 2) + ITEM_GAP * (len(items) - 1)


def _row(line, width):
    cells = [cell for cell in line.strip("|").split("|")]
    return TEXT_LINE * math.ceil(max(map(len, cells)) * LETTER / (width / len(cells))) + 12


def beside(figure, text):
    """(whether the text belongs beside the figure, how large the figure then is): the larger of both ways."""
    below = figure.scale(WIDTH, HEIGHT - _height(text, WIDTH) - TEXT_LINE)
    fits = sum(_height(block, ASIDE) for block in text.split("\n\n")) < HEIGHT - TEXT_LINE
    aside = figure.scale(WIDTH - ASIDE - 40, HEIGHT) if fits else 0
    return aside > below, max(aside, below)


def split_print(text):
    """Printed text in pieces that fit a slide, cut between lines."""
    pages = [""]
    for line in text.splitlines(keepends=True):
        if _tall(pages[-1] + line) > PRINTED_LINES:
            pages.append("")
        pages[-1] += line
    return [page.rstrip("\n") for page in pages if page.strip()]


def split_code(source):
    """Code in pieces of at most CODE_LINES lines, cut where the indentation is smallest."""
    source = "\n".join(map(_shortened, source.strip("\n").split("\n")))
    lines = source.split("\n")
    if len(lines) <= CODE_LINES and _tall(source) <= TALL_LINES:
        return [source]
    fitting = (n for n in range(min(len(lines), CODE_LINES), 0, -1) if _tall("\n".join(lines[:n])) <= TALL_LINES)
    most = next(fitting, 1)
    cut = max(range(1, most + 1), key=lambda n: (not _continues(lines, n), -_indent(lines[n:]), n))
    return ["\n".join(lines[:cut]).rstrip(), *split_code("\n".join(lines[cut:]))]


def _shortened(line):
    """A line too long for a slide without the spaces that line its comment up with others."""
    return re.sub(r" {3,}#", "  #", line) if len(line) > CODE_CHARS else line


def _continues(lines, cut):
    """Whether a bracket is open at the cut."""
    before = "\n".join(lines[:cut])
    return any(before.count(left) > before.count(right) for left, right in ("()", "[]", "{}"))


def _indent(lines):
    first = next((line for line in lines if line.strip()), "")
    return len(first) - len(first.lstrip())


def _tall(text, chars=CODE_CHARS):
    """How many lines a slide shows, the wrapped ones counted."""
    return sum(1 + math.ceil(max(0, len(line) - chars) / (chars - HANGING)) for line in text.splitlines())


def _by_heading(source):
    """(level, heading, text below it) for each heading, the text before the first with level 0."""
    parts = HEADING.split(source)
    found = [(0, "", parts[0].strip())] if parts[0].strip() else []
    return found + [(len(marks), heading, body.strip()) for marks, heading, body in zip(*[iter(parts[1:])] * 3)]


def has_widget(cell):
    """Whether a cell shows a widget, or what is stored of one."""
    return any(lessons.WIDGET in {**output.get("data", {}), **output.get("metadata", {})}
               for output in cell.get("outputs", []))


def _printed(cell):
    texts = [output.text if output.output_type == "stream" else output.data.get("text/plain", "")
             for output in cell.outputs
             if output.output_type == "stream" or not any(kind.startswith("image/") for kind in output.get("data", {}))]
    return "\n".join(text.rstrip("\n") for text in texts)


def _figures(cell, live):
    return [_figure(kind, data, output.get("metadata", {}).get(kind, {}).get("alt", ""), live)
            for output in cell.outputs for kind, data in output.get("data", {}).items() if kind in FIGURES]


def _figure(kind, data, alt, live):
    data = "".join(data.split())
    size = Image.open(io.BytesIO(base64.b64decode(data))).size
    return Figure(f"data:{kind};base64,{data}", *size, alt, live)
