"""Figures. With `figure` the only module that knows matplotlib; every function shows its figure and says what it shows.

Signed maps are drawn on a diverging scale centred on zero, all others on a perceptually uniform one.
"""

import itertools
import math
from contextvars import ContextVar
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from PIL import Image, ImageDraw, ImageFont
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.show.figure import COLOURS, grid, sheet

DIVERGING, SEQUENTIAL = "RdBu_r", "viridis"
MARKERS = "osD^vP*X<>"
LIVE, NULL = "#D55E00", "#777777"   # what was computed just now; what chance or a rival would give


def _numpy(values):
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def _picture(image):
    """(H,W,3) or (H,W) from a tensor or array (C,H,W), (1,H,W) or (H,W)."""
    array = _numpy(image)
    array = array.transpose(1, 2, 0) if array.ndim == 3 else array
    return array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array


@sheet
def images(pictures, titles=None, columns=6, size=2.0, rows=None):
    """Images (N,3,H,W) or (N,1,H,W) in [0,1], or a list of (C,H,W), on a grid; `rows` names its rows."""
    return _images(pictures, titles, columns, size, rows)


def _images(pictures, titles, columns, size, rows=None):
    aspect = pictures[0].shape[-1] / pictures[0].shape[-2] if len(pictures) else 1.0
    figure, axes = grid(len(pictures), columns, size, aspect, titles)
    for ax, picture in zip(axes, pictures):
        ax.imshow(_picture(picture), cmap="gray", vmin=0, vmax=1)
    _name_rows(axes, rows, columns)
    return figure


def _coarser(values, cells):
    """Maps (N,H,W) as means of squares of k x k pixels, the smallest k for which at most `cells` lie along a side."""
    values = torch.as_tensor(values)
    return F.avg_pool2d(values[None], math.ceil(max(values.shape[1:]) / cells), ceil_mode=True)[0]


def _name_rows(axes, names, columns):
    for ax, name in zip(axes[::columns], names or ()):
        ax.set_ylabel(name)


def _grey(image):
    """(H,W), the mean of the channels."""
    array = _picture(image)
    return array.mean(-1) if array.ndim == 3 else array


@sheet
def maps(values, titles=None, images=None, columns=6, size=2.0, signed=None, shared=False, label="", clip=1.0,
         cells=None, rows=None, outlines=None):
    """Maps (N,H,W), each over its picture in grey where `images` (N,3,H,W) are given, with a line around what is true
    in `outlines` (N,H,W), such as the masks of objects.

    Signed maps (those with negative values, or signed=True) are red where positive and blue where negative, white
    at zero; the scale is each map's own, or one for all with shared=True, which draws its colour bar. It ends at the
    quantile `clip` of the absolute values, so that a few extreme pixels need not leave the others dark. With `cells`,
    fine maps are drawn as means of squares, at most so many along a side. `rows` names the rows of the grid.
    """
    values = _numpy(values if cells is None else _coarser(values, cells))
    signed = bool((values < 0).any()) if signed is None else signed
    aspect = values.shape[-1] / values.shape[-2] if len(values) else 1.0
    figure, axes = grid(len(values), columns, size, aspect, titles)
    for i, (ax, value) in enumerate(zip(axes, values)):
        low, high = _limits(values if shared else value, signed, clip)
        extent = (0, value.shape[-1], value.shape[-2], 0)
        if images is not None:
            ax.imshow(_grey(images[i]), cmap="gray", vmin=0, vmax=1, extent=extent)
        drawn = ax.imshow(value, cmap=DIVERGING if signed else SEQUENTIAL, vmin=low, vmax=high, extent=extent,
                          interpolation="nearest", alpha=1.0 if images is None else 0.65)
        if outlines is not None:
            _outline(ax, _numpy(outlines)[i], extent)
    _name_rows(axes, rows, columns)
    if shared and len(values):
        figure.colorbar(ScalarMappable(drawn.norm, drawn.cmap), ax=axes, label=label, shrink=0.8)
    return figure


def _outline(ax, mask, extent):
    """A dark line on a light one around what is true in a mask (H,W), which has the extent of the map."""
    across, down = extent[1] / mask.shape[1], extent[2] / mask.shape[0]
    padded = np.pad(mask.astype(float), 1)   # so that what touches the border is closed
    x, y = (np.arange(mask.shape[1] + 2) - 0.5) * across, (np.arange(mask.shape[0] + 2) - 0.5) * down
    for colour, width in (("white", 2.4), ("black", 1.1)):
        ax.contour(x, y, padded, levels=[0.5], colors=colour, linewidths=width)
    ax.set(xlim=extent[:2], ylim=extent[2:])


@dataclass
class Code:
    """How numbers became colours, so that maps that follow each other are coloured alike: signed once one of them was.

    Within `with code:`, `overlay` keeps to it and notes there which scale it took.
    """

    signed: bool = False
    low: float | None = None      # the ends of the last map's scale; None where there was no map
    high: float | None = None

    def __enter__(self):
        self._before = _code.set(self)
        return self

    def __exit__(self, *_):
        _code.reset(self._before)

    @property
    def colours(self):
        return plt.get_cmap(DIVERGING if self.signed else SEQUENTIAL)

    def bar(self, width, height=26):
        """The colours with the numbers at their ends (and zero, where they are signed), as a PIL image."""
        ramp = self.colours(np.linspace(0, 1, width), bytes=True)[None, :, :3].repeat(height // 3, axis=0)
        bar = Image.new("RGB", (width, height), "white")
        bar.paste(Image.fromarray(ramp))
        pen, font = ImageDraw.Draw(bar), ImageFont.load_default(height // 2)
        ends = [(0, "l", self.low), (width - 1, "r", self.high)] + [(width // 2, "m", 0.0)] * self.signed
        for x, side, number in ends:
            pen.text((x, height), f"{number:.2g}", "#1b1b1b", font, anchor=f"{side}d")
        return bar


_code = ContextVar("code", default=None)


def overlay(values, image, strength=0.65):
    """A map (H,W) in colour over its picture (C,H,W) in grey, coloured as `maps` does: a picture (3,H,W) in [0,1]."""
    values, grey = _numpy(values), torch.as_tensor(image).mean(0)
    code = _code.get() or Code()
    code.signed |= bool((values < 0).any())
    code.low, code.high = _limits(values, code.signed)
    colours = code.colours((values - code.low) / (code.high - code.low))[..., :3]
    return strength * torch.from_numpy(colours).permute(2, 0, 1).float() + (1 - strength) * grey


def _limits(values, signed, clip=1.0):
    finite = values[np.isfinite(values)]
    if not finite.size:
        return -1.0, 1.0
    furthest = np.quantile(np.abs(finite), clip)
    finite = finite.clip(-furthest, furthest)
    if signed:
        highest = float(np.abs(finite).max()) or 1.0
        return -highest, highest
    return float(finite.min()), max(float(finite.max()), float(finite.min()) + 1e-12)


@sheet
def filters(weights, titles=None, columns=16, size=0.8):
    """First-layer filters (N,3,h,w) as pictures: one scale for all, mid-grey is zero."""
    weights = validate.images(torch.as_tensor(weights), "weights", in_range=False)
    half = float(weights.abs().max()) * 2 or 1.0
    return _images((weights / half + 0.5).clamp(0, 1), titles, columns, size)


@sheet
def mosaics(banks, columns=8, panels=4, size=3.2):
    """Banks {title: (N,3,h,w) or (N,1,h,w)} side by side, each tiled into one picture with a scale of its own.

    Three channels are colours, mid-grey is zero; one channel is drawn as `maps` draws it.
    """
    figure, axes = grid(len(banks), panels, size, titles=list(banks))
    for ax, bank in zip(axes, banks.values()):
        tiled = _tiled(_numpy(bank), columns)
        if len(tiled) == 3:
            half = 2 * np.nanmax(np.abs(tiled)) or 1.0
            ax.imshow(np.nan_to_num(tiled / half + 0.5, nan=1.0).transpose(1, 2, 0))
        else:
            signed = bool(np.nanmin(tiled) < 0)
            low, high = _limits(tiled, signed)
            ax.imshow(tiled[0], cmap=DIVERGING if signed else SEQUENTIAL, vmin=low, vmax=high)
    return figure


def _tiled(bank, columns):
    """One picture (C,rows*(h+g)+g,columns*(w+g)+g) of a bank (N,C,h,w), NaN in the gaps of g pixels."""
    count, channels, height, width = bank.shape
    gap, rows = max(1, height // 12), math.ceil(count / columns)
    tiled = np.full((rows * columns, channels, height + gap, width + gap), np.nan)
    tiled[:count, :, gap:, gap:] = bank
    tiled = tiled.reshape(rows, columns, channels, height + gap, width + gap).transpose(2, 0, 3, 1, 4)
    tiled = tiled.reshape(channels, rows * (height + gap), columns * (width + gap))
    return np.pad(tiled, ((0, 0), (0, gap), (0, gap)), constant_values=np.nan)


@sheet
def lines(x, curves, xlabel="", ylabel="", bands=None, size=(7.5, 4), **axis):
    """Curves {name: values} over x, each named at its end, with optional bands {name: (low, high)}."""
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    for marker, (name, values) in zip(itertools.cycle(MARKERS), curves.items()):
        line, = ax.plot(_numpy(x), _numpy(values), marker=marker, markersize=5, label=name)
        if bands and name in bands:
            ax.fill_between(_numpy(x), *map(_numpy, bands[name]), color=line.get_color(), alpha=0.2, linewidth=0)
    ax.set(xlabel=xlabel, ylabel=ylabel, **axis)
    if len(curves) > 1:
        _name_curves(ax)
    return figure


def _name_curves(ax):
    """The name of each curve in its colour, to the right of its end, or where that is cut off at the edge of the axes;
    names that would overlap are moved apart."""
    lines = [line for line in ax.lines if not line.get_label().startswith("_")]
    ends = [line.get_xydata()[-1] for line in lines]   # as numbers, also where x has names
    ax.autoscale_view()   # else the axes do not yet know where the curves lie
    heights = ax.transAxes.inverted().transform(ax.transData.transform(ends))[:, 1].clip(0, 1)
    places = _apart(heights, 0.9 * plt.rcParams["font.size"] * 1.5 / (72 * ax.figure.get_figheight()))
    for line, place in zip(lines, places):
        name = ax.annotate(line.get_label(), (1.02, place), xycoords="axes fraction", color=line.get_color(), va="center",
                           fontweight="bold")
        name.set_in_layout(False)   # the figure grows by the names; they take no room from the axes


def _apart(places, least):
    """Numbers moved so that no two are nearer than `least`, their order and about their middle kept."""
    order = np.argsort(places, kind="stable")
    moved = np.array(places, dtype=float)[order]
    for _ in range(200):
        gaps = np.diff(moved)
        short = np.clip(least - gaps, 0, None) / 2
        if short.max(initial=0) < 1e-3:
            break
        moved[:-1] -= short
        moved[1:] += short
    return moved[np.argsort(order, kind="stable")]


@sheet
def bars(names, groups, ylabel="", size=(7.5, 4), **axis):
    """Grouped bars: `groups` {series: values}, a value for each of `names`."""
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    width, positions = 0.8 / len(groups), np.arange(len(names))
    for i, (name, values) in enumerate(groups.items()):
        ax.bar(positions + (i - (len(groups) - 1) / 2) * width, _numpy(values), width, label=name)
    ax.set_xticks(positions, names)
    ax.set(ylabel=ylabel, **axis)
    if len(groups) > 1:
        figure.legend(loc="outside upper center", ncols=len(groups), frameon=False)
    return figure


@sheet
def scatter(panels, labels, names, columns=3, size=3.4):
    """Flat maps {title: points (N,2)} side by side; labels (N,) choose among `names` a colour and a marker."""
    labels, panels = _numpy(labels), {title: _numpy(points) for title, points in panels.items()}
    figure, axes = grid(len(panels), columns, size, _shape(panels.values()), list(panels))
    for ax, points in zip(axes, panels.values()):
        for i, name in enumerate(names):
            ax.scatter(*points[labels == i].T, s=24, color=COLOURS[i % len(COLOURS)], linewidths=0,
                       marker=MARKERS[i % len(MARKERS)], label=name)
        _framed(ax)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def _shape(clouds):
    """Width over height of panels that leave little room around clouds of points (N,2) in the mean; a third off at most."""
    spans = np.array([np.ptp(points, axis=0) + 1e-9 for points in clouds if len(points)])
    return float(np.clip((spans[:, 0] / spans[:, 1]).mean(), 2 / 3, 3 / 2)) if len(spans) else 1.0


def _framed(ax):
    """A thin frame, and one unit equally long on both axes."""
    ax.spines[:].set(visible=True, color="0.7", linewidth=0.8)
    ax.set_aspect("equal", adjustable="datalim")


@sheet
def paths(panels, colours=None, columns=4, size=2.8):
    """Lines {title: points (N,2)} through points in their order, which run from dark to bright or have the RGB values
    of `colours` {title: (N,3)}; one unit is equally long on both axes."""
    figure, axes = grid(len(panels), columns, size, titles=list(panels))
    for ax, (title, points) in zip(axes, panels.items()):
        points = _numpy(points)
        ax.plot(*points.T, color="0.6", linewidth=1, zorder=1)
        own = (colours or {}).get(title)
        faces = plt.get_cmap(SEQUENTIAL)(np.linspace(0, 1, len(points))) if own is None else _numpy(own)
        ax.scatter(*points.T, s=70, c=faces, edgecolors="black", linewidths=0.6, zorder=2)
        _framed(ax)
        ax.margins(0.12)
    return figure


@sheet
def intervals(values, xlabel="", chance=None, size=None, nulls=None, live=None, **axis):
    """{name: (value, low, high)} as points with their intervals, the highest on top; a dashed line at `chance`.

    `nulls`, of the same form, stand below in grey; `live` {name: value} is drawn on top as open diamonds.
    """
    rows = _ascending(nulls or {}) | _ascending(values)
    colours = [NULL] * len(nulls or {}) + [COLOURS[0]] * len(values)
    figure, ax = plt.subplots(figsize=size or (7.5, 0.9 + 0.36 * len(rows)), layout="constrained")
    for place, (colour, (value, low, high)) in enumerate(zip(colours, rows.values())):
        ax.errorbar(value, place, xerr=[[value - low], [high - value]], fmt="o", capsize=4, color=colour)
    if chance is not None:
        ax.axvline(chance, color=NULL, linestyle="--", linewidth=1.5, zorder=0)
    for name, value in (live or {}).items():
        ax.plot(value, list(rows).index(validate.one_of("live", name, rows)), "D", markersize=9, fillstyle="none",
                color=LIVE, label="live")
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xlabel=xlabel, **axis)
    return figure


def _ascending(values):
    return dict(sorted(values.items(), key=lambda item: item[1][0]))


@sheet
def curves(series, xlabel="", ylabel="", nulls=None, live=None, size=(8, 4.6), **axis):
    """{name: (x, values, lows, highs)} as lines with intervals, each named at its end; `nulls` of the same form dashed
    and grey, `live` {name: (x, values)} as open diamonds in the colour of its curve."""
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    for name, (x, values, lows, highs) in (series | (nulls or {})).items():
        style = {"color": NULL, "linestyle": "--", "linewidth": 1.5} if name in (nulls or {}) else {}
        values, lows, highs = map(np.asarray, (values, lows, highs))
        drawn = ax.errorbar(x, values, yerr=[values - lows, highs - values], marker="o", markersize=4, capsize=3, **style)
        drawn.lines[0].set_label(name)
        if name in (live or {}):
            ax.plot(*live[name], "D", markersize=9, fillstyle="none", color=drawn.lines[0].get_color(), label="_live")
    ax.set(xlabel=xlabel, ylabel=ylabel, **axis)
    _name_curves(ax)
    return figure


@sheet
def table(values, rows, columns, size=None, texts=None):
    """Shares (R,C) from 0 to 1 as a table of percentages with named rows and columns, shaded by value.

    `texts`, R lists of C strings, are written in place of the percentages.
    """
    values = _numpy(values)
    figure, ax = plt.subplots(figsize=size or (1.9 + 0.9 * len(columns), 0.7 + 0.36 * len(rows)), layout="constrained")
    ax.imshow(values, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        text = texts[i][j] if texts else f"{100 * value:.0f}"
        ax.text(j, i, text, ha="center", va="center", color="white" if value < 0.6 else "black")
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    ax.spines[:].set_visible(False)
    return figure


@sheet
def numbers(panels, columns=6, size=2.0):
    """Small matrices {title: (R,C)} with their numbers written in, on one diverging scale for all."""
    half = max(float(np.abs(_numpy(values)).max()) for values in panels.values()) or 1.0
    figure, axes = grid(len(panels), columns, size, titles=list(panels))
    for ax, values in zip(axes, panels.values()):
        ax.imshow(_numpy(values), cmap=DIVERGING, vmin=-half, vmax=half)
        for (i, j), value in np.ndenumerate(_numpy(values)):
            ax.text(j, i, f"{value + 0:g}", ha="center", va="center", color="white" if abs(value) > 0.6 * half else "black")
    return figure


@sheet
def places(pictures, points, titles, right=None, columns=3, size=3.4):
    """Pictures (list of (3,H,W)) with numbered places: points (P,2) as (x, y) for each picture.

    `right`, for each picture None or bool (P,), draws a disc where true and a cross where false.
    """
    aspect = pictures[0].shape[-1] / pictures[0].shape[-2]
    figure, axes = grid(len(pictures), columns, size, aspect, titles)
    for ax, picture, marks, good in zip(axes, pictures, points, right or [None] * len(pictures)):
        ax.imshow(_picture(picture), vmin=0, vmax=1)
        for i, (x, y) in enumerate(_numpy(marks)):
            true = good is None or bool(good[i])
            ax.plot(x, y, "o" if true else "X", color=COLOURS[i % 6], markersize=9, markeredgecolor="white")
    return figure
