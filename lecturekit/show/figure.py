"""The sheet that every plot is drawn on: its theme, its grid, and the text that says what it shows.

Figures are opaque cards in the colours of a theme, so that they are legible on any background. Light is the default
and what the stored lessons show; `theme("dark")`, or LECTUREKIT_THEME=dark, suits JupyterLab's dark theme.
"""

import base64
import inspect
import io
import math
import os
from functools import wraps

import matplotlib.pyplot as plt
from IPython import get_ipython
from IPython.display import display
from matplotlib.text import Text

from lecturekit import validate

DPI = 192
TITLE_LINE = 0.25   # inches
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",    # Okabe and Ito
           "#882255", "#999933", "#666666", "#44AA99"]                          # Tol
COMMON = {"figure.dpi": DPI, "font.size": 11, "axes.titlesize": 11, "axes.spines.top": False,
          "axes.spines.right": False, "axes.prop_cycle": plt.cycler(color=COLOURS), "lines.linewidth": 2}


def _inks(paper, ink):
    """Everything that is written or ruled in one colour, on paper of another."""
    inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    return {"figure.facecolor": paper, "axes.facecolor": paper, "savefig.facecolor": paper} | dict.fromkeys(inked, ink)


THEMES = {"light": COMMON | _inks("#ffffff", "#1b1b1b"), "dark": COMMON | _inks("#161616", "#ededed")}
_current = os.environ.get("LECTUREKIT_THEME") or "light"


def theme(name):
    """Draw what follows in the theme "light" or "dark"."""
    global _current
    _current = validate.one_of("name", name, THEMES)


def sheet(draw):
    """Make a plot of a function that draws and returns a figure: drawn in the theme, shown, with its `alt`.

    `alt` says in a sentence what the figure shows; it goes into the output's metadata, from where decks, pages and
    screen readers take it. Raises ValueError for an empty one.
    """
    @wraps(draw)
    def plot(*args, alt, **settings):
        with plt.rc_context(THEMES[validate.one_of("LECTUREKIT_THEME", _current, THEMES)]):
            show(draw(*args, **settings), alt)

    signature = inspect.signature(draw)
    asked = inspect.Parameter("alt", inspect.Parameter.KEYWORD_ONLY)
    last = [p for p in signature.parameters.values() if p.kind is inspect.Parameter.VAR_KEYWORD]
    others = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    plot.__signature__ = signature.replace(parameters=[*others, asked, *last])
    return plot


def show(figure, alt):
    """Show a figure with the text that says what it shows: in a notebook as an output, in a script by `plt.show`."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt: got {alt!r}. It takes a sentence that says what the figure shows.")
    figure.alt = " ".join(alt.split())
    if not hasattr(get_ipython(), "kernel"):
        plt.show()
        return
    drawn = io.BytesIO()
    settle(figure)
    figure.savefig(drawn, dpi=DPI, bbox_inches="tight", pad_inches=0.08)
    plt.close(figure)
    display({"image/png": base64.b64encode(drawn.getvalue()).decode(), "text/plain": figure.alt},
            metadata={"image/png": {"alt": figure.alt}}, raw=True)


def settle(figure):
    """Lay a figure out for good; then what took no part in the layout counts as well, so that nothing is cut off."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for text in figure.findobj(Text):
        text.set_in_layout(True)


def grid(count, columns=6, size=2.0, aspect=1.0, titles=None):
    """A figure with `count` axes without ticks, `columns` a row, with their `titles`; returns (figure, list of axes).

    A row is as high as its panels, `size` by `size` / `aspect` inches, and what its titles need.
    """
    columns = max(1, min(columns, count))
    rows, titles = max(1, math.ceil(count / columns)), [""] * count if titles is None else [*map(str, titles)]
    written = [max((title.count("\n") + 1 for title in titles[row * columns:(row + 1) * columns] if title), default=0)
               for row in range(rows)]   # lines of text above each row
    heights = [size / aspect + TITLE_LINE * lines for lines in written]
    figure, axes = plt.subplots(rows, columns, squeeze=False, layout="constrained", height_ratios=heights,
                                figsize=(columns * size, sum(heights)))
    for i, ax in enumerate(axes.flat):
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        ax.set_visible(i < count)
        if i < len(titles):
            ax.set_title(titles[i])
    return figure, list(axes.flat)[:count]
