"""Figures. The only module that knows matplotlib; every function shows its figure.

Signed maps are drawn on a diverging scale centred on zero, all others on a perceptually uniform one.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F

from lecturekit import validate

DIVERGING, SEQUENTIAL = "RdBu_r", "viridis"
STYLE = {"figure.dpi": 96, "font.size": 10, "axes.titlesize": 10, "axes.spines.top": False,
         "axes.spines.right": False, "axes.prop_cycle": plt.cycler(color=[
             "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"])}   # Okabe and Ito

MARKERS = "osD^vP*X<>"


def _numpy(values):
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def _picture(image):
    """(H,W,3) or (H,W) from a tensor or array (C,H,W), (1,H,W) or (H,W)."""
    array = _numpy(image)
    array = array.transpose(1, 2, 0) if array.ndim == 3 else array
    return array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array


def grid(count, columns=8, size=1.5, aspect=1.0, titled=True):
    """A figure with `count` axes without ticks, `columns` a row; returns (figure, list of axes)."""
    columns = max(1, min(columns, count))
    rows = max(1, math.ceil(count / columns))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, squeeze=False, layout="constrained",
                                    figsize=(columns * size, rows * (size / aspect + 0.25 * titled)))
    for i, ax in enumerate(axes.flat):
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        ax.set_visible(i < count)
    return figure, list(axes.flat)[:count]


def images(pictures, titles=None, columns=8, size=1.5, rows=None):
    """Images (N,3,H,W) or (N,1,H,W) in [0,1], or a list of (C,H,W), on a grid; `rows` names its rows."""
    titles = titles if titles is not None else [""] * len(pictures)
    figure, axes = grid(len(pictures), columns, size, titled=any(titles))
    for ax, picture, title in zip(axes, pictures, titles):
        ax.imshow(_picture(picture), cmap="gray", vmin=0, vmax=1)
        ax.set_title(title)
    _name_rows(axes, rows, columns)
    plt.show()


def _coarser(values, cells):
    """Maps (N,H,W) as means of squares of k x k pixels, the smallest k for which at most `cells` lie along a side."""
    values = torch.as_tensor(values)
    return F.avg_pool2d(values[None], math.ceil(max(values.shape[1:]) / cells), ceil_mode=True)[0]


def _name_rows(axes, names, columns):
    for ax, name in zip(axes[::columns], names or ()):
        ax.set_ylabel(name)


def maps(values, titles=None, images=None, columns=8, size=1.5, signed=None, shared=False, label="", clip=1.0,
         cells=None, rows=None):
    """Maps (N,H,W), each over its picture in grey where `images` (N,3,H,W) are given.

    Signed maps (those with negative values, or signed=True) are red where positive and blue where negative, white
    at zero; the scale is each map's own, or one for all with shared=True, which draws its colour bar. It ends at the
    quantile `clip` of the absolute values, so that a few extreme pixels need not leave the others dark. With `cells`,
    fine maps are drawn as means of squares, at most so many along a side. `rows` names the rows of the grid.
    """
    values = _numpy(values if cells is None else _coarser(values, cells))
    signed = bool((values < 0).any()) if signed is None else signed
    titles = titles if titles is not None else [""] * len(values)
    figure, axes = grid(len(values), columns, size, titled=any(titles))
    for i, (ax, value, title) in enumerate(zip(axes, values, titles)):
        low, high = _limits(values if shared else value, signed, clip)
        extent = (0, value.shape[-1], value.shape[-2], 0)
        if images is not None:
            ax.imshow(_picture(images[i]).mean(-1), cmap="gray", vmin=0, vmax=1, extent=extent)
        drawn = ax.imshow(value, cmap=DIVERGING if signed else SEQUENTIAL, vmin=low, vmax=high, extent=extent,
                          interpolation="nearest", alpha=1.0 if images is None else 0.65)
        ax.set_title(title)
    _name_rows(axes, rows, columns)
    if shared and len(values):
        figure.colorbar(drawn, ax=axes, label=label, shrink=0.8)
    plt.show()


def overlay(values, image, strength=0.65):
    """A map (H,W) in colour over its picture (C,H,W) in grey, coloured as `maps` does: a picture (3,H,W) in [0,1]."""
    values, grey = _numpy(values), torch.as_tensor(image).mean(0)
    signed = bool((values < 0).any())
    low, high = _limits(values, signed)
    colours = plt.get_cmap(DIVERGING if signed else SEQUENTIAL)((values - low) / (high - low))[..., :3]
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


def filters(weights, titles=None, columns=16, size=0.6):
    """First-layer filters (N,3,h,w) as pictures: one scale for all, mid-grey is zero."""
    weights = validate.images(torch.as_tensor(weights), "weights", in_range=False)
    half = float(weights.abs().max()) * 2 or 1.0
    images((weights / half + 0.5).clamp(0, 1), titles, columns, size)


def mosaics(banks, columns=8, panels=4, size=2.6):
    """Banks {title: (N,3,h,w) or (N,1,h,w)} side by side, each tiled into one picture with a scale of its own.

    Three channels are colours, mid-grey is zero; one channel is drawn as `maps` draws it.
    """
    figure, axes = grid(len(banks), panels, size)
    for ax, (title, bank) in zip(axes, banks.items()):
        tiled = _tiled(_numpy(bank), columns)
        if len(tiled) == 3:
            half = 2 * np.nanmax(np.abs(tiled)) or 1.0
            ax.imshow(np.nan_to_num(tiled / half + 0.5, nan=1.0).transpose(1, 2, 0))
        else:
            signed = bool(np.nanmin(tiled) < 0)
            low, high = _limits(tiled, signed)
            ax.imshow(tiled[0], cmap=DIVERGING if signed else SEQUENTIAL, vmin=low, vmax=high)
        ax.set_title(title)
    plt.show()


def _tiled(bank, columns):
    """One picture (C,rows*(h+g)+g,columns*(w+g)+g) of a bank (N,C,h,w), NaN in the gaps of g pixels."""
    count, channels, height, width = bank.shape
    gap, rows = max(1, height // 12), math.ceil(count / columns)
    tiled = np.full((rows * columns, channels, height + gap, width + gap), np.nan)
    tiled[:count, :, gap:, gap:] = bank
    tiled = tiled.reshape(rows, columns, channels, height + gap, width + gap).transpose(2, 0, 3, 1, 4)
    tiled = tiled.reshape(channels, rows * (height + gap), columns * (width + gap))
    return np.pad(tiled, ((0, 0), (0, gap), (0, gap)), constant_values=np.nan)


def lines(x, curves, xlabel="", ylabel="", bands=None, size=(6, 3.2), **axis):
    """Curves {name: values} over x, with optional bands {name: (low, high)}, a legend and named axes."""
    with plt.rc_context(STYLE):
        figure, ax = plt.subplots(figsize=size, layout="constrained")
        for name, values in curves.items():
            line, = ax.plot(_numpy(x), _numpy(values), marker="o", markersize=3, label=name)
            if bands and name in bands:
                ax.fill_between(_numpy(x), *map(_numpy, bands[name]), color=line.get_color(), alpha=0.2, linewidth=0)
        ax.set(xlabel=xlabel, ylabel=ylabel, **axis)
        if len(curves) > 5:
            figure.legend(loc="outside right center", frameon=False)
        elif len(curves) > 1:
            ax.legend(frameon=False)
        plt.show()


def bars(names, groups, ylabel="", size=(6, 3.2), **axis):
    """Grouped bars: `groups` {series: values}, a value for each of `names`."""
    with plt.rc_context(STYLE):
        figure, ax = plt.subplots(figsize=size, layout="constrained")
        width, positions = 0.8 / len(groups), np.arange(len(names))
        for i, (name, values) in enumerate(groups.items()):
            ax.bar(positions + (i - (len(groups) - 1) / 2) * width, _numpy(values), width, label=name)
        ax.set_xticks(positions, names)
        ax.set(ylabel=ylabel, **axis)
        if len(groups) > 1:
            ax.legend(frameon=False)
        plt.show()


def scatter(panels, labels, names, columns=3, size=2.6):
    """Flat maps {title: points (N,2)} side by side; labels (N,) choose among `names` a colour and a marker."""
    labels, colours = _numpy(labels), STYLE["axes.prop_cycle"].by_key()["color"]
    figure, axes = grid(len(panels), columns, size)
    for ax, (title, points) in zip(axes, panels.items()):
        for i, name in enumerate(names):
            ax.scatter(*_numpy(points)[labels == i].T, s=16, color=colours[i % len(colours)], linewidths=0,
                       marker=MARKERS[i % len(MARKERS)], label=name)
        ax.set_title(title)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    plt.show()


def paths(panels, colours=None, columns=4, size=2.1):
    """Lines {title: points (N,2)} through points in their order, which run from dark to bright or have the RGB values
    of `colours` {title: (N,3)}; one unit is equally long on both axes."""
    figure, axes = grid(len(panels), columns, size)
    for ax, (title, points) in zip(axes, panels.items()):
        points = _numpy(points)
        ax.plot(*points.T, color="0.6", linewidth=1, zorder=1)
        own = (colours or {}).get(title)
        faces = plt.get_cmap(SEQUENTIAL)(np.linspace(0, 1, len(points))) if own is None else _numpy(own)
        ax.scatter(*points.T, s=70, c=faces, edgecolors="black", linewidths=0.6, zorder=2)
        ax.set(title=title, aspect="equal", adjustable="datalim")
        ax.margins(0.12)
    plt.show()


def intervals(values, xlabel="", chance=None, size=None, **axis):
    """{name: (value, low, high)} as points with their intervals, the highest on top; a dashed line at `chance`."""
    ordered = dict(sorted(values.items(), key=lambda item: item[1][0]))
    middle, low, high = np.array(list(ordered.values())).T
    with plt.rc_context(STYLE):
        figure, ax = plt.subplots(figsize=size or (6, 0.7 + 0.27 * len(ordered)), layout="constrained")
        ax.errorbar(middle, range(len(ordered)), xerr=(middle - low, high - middle), fmt="o", capsize=3)
        if chance is not None:
            ax.axvline(chance, color="0.6", linestyle="--", zorder=0)
        ax.set_yticks(range(len(ordered)), list(ordered))
        ax.set(xlabel=xlabel, **axis)
        plt.show()


def table(values, rows, columns, size=None, texts=None):
    """Shares (R,C) from 0 to 1 as a table of percentages with named rows and columns, shaded by value.

    `texts`, R lists of C strings, are written in place of the percentages.
    """
    values = _numpy(values)
    with plt.rc_context(STYLE):
        figure, ax = plt.subplots(figsize=size or (1.6 + 0.8 * len(columns), 0.6 + 0.3 * len(rows)),
                                  layout="constrained")
        ax.imshow(values, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            text = texts[i][j] if texts else f"{100 * value:.0f}"
            ax.text(j, i, text, ha="center", va="center", color="white" if value < 0.6 else "black")
        ax.set_xticks(range(len(columns)), columns)
        ax.set_yticks(range(len(rows)), rows)
        ax.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        ax.spines[:].set_visible(False)
        plt.show()


def numbers(panels, columns=6, size=1.5):
    """Small matrices {title: (R,C)} with their numbers written in, on one diverging scale for all."""
    half = max(float(np.abs(_numpy(values)).max()) for values in panels.values()) or 1.0
    figure, axes = grid(len(panels), columns, size)
    for ax, (title, values) in zip(axes, panels.items()):
        ax.imshow(_numpy(values), cmap=DIVERGING, vmin=-half, vmax=half)
        for (i, j), value in np.ndenumerate(_numpy(values)):
            ax.text(j, i, f"{value + 0:g}", ha="center", va="center", color="white" if abs(value) > 0.6 * half else "black")
        ax.set_title(title)
    plt.show()


def places(pictures, points, titles, right=None, columns=3, size=2.6):
    """Pictures (list of (3,H,W)) with numbered places: points (P,2) as (x, y) for each picture.

    `right`, for each picture None or bool (P,), draws a disc where true and a cross where false.
    """
    colours = STYLE["axes.prop_cycle"].by_key()["color"]
    aspect = pictures[0].shape[-1] / pictures[0].shape[-2]
    figure, axes = grid(len(pictures), columns, size, aspect)
    for ax, picture, marks, title, good in zip(axes, pictures, points, titles, right or [None] * len(pictures)):
        ax.imshow(_picture(picture), vmin=0, vmax=1)
        for i, (x, y) in enumerate(_numpy(marks)):
            true = good is None or bool(good[i])
            ax.plot(x, y, "o" if true else "X", color=colours[i % 6], markersize=7, markeredgecolor="white")
        ax.set_title(title)
    plt.show()
