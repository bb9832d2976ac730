"""Figures. The only module that knows matplotlib; every function shows its figure.

Signed maps are drawn on a diverging scale centred on zero, all others on a perceptually uniform one.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
import torch

from lecturekit import validate

DIVERGING, SEQUENTIAL = "RdBu_r", "viridis"
STYLE = {"figure.dpi": 96, "font.size": 10, "axes.titlesize": 10, "axes.spines.top": False,
         "axes.spines.right": False, "axes.prop_cycle": plt.cycler(color=[
             "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"])}   # Okabe and Ito


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


def images(pictures, titles=None, columns=8, size=1.5):
    """Images (N,3,H,W) or (N,1,H,W) in [0,1], or a list of (C,H,W), on a grid."""
    titles = titles if titles is not None else [""] * len(pictures)
    figure, axes = grid(len(pictures), columns, size, titled=any(titles))
    for ax, picture, title in zip(axes, pictures, titles):
        ax.imshow(_picture(picture), cmap="gray", vmin=0, vmax=1)
        ax.set_title(title)
    plt.show()


def maps(values, titles=None, images=None, columns=8, size=1.5, signed=None, shared=False, label=""):
    """Maps (N,H,W), each over its picture in grey where `images` (N,3,H,W) are given.

    Signed maps (those with negative values, or signed=True) are red where positive and blue where negative, white
    at zero; the scale is each map's own, or one for all with shared=True, which draws its colour bar.
    """
    values = _numpy(values)
    signed = bool((values < 0).any()) if signed is None else signed
    titles = titles if titles is not None else [""] * len(values)
    figure, axes = grid(len(values), columns, size, titled=any(titles))
    for i, (ax, value, title) in enumerate(zip(axes, values, titles)):
        low, high = _limits(values if shared else value, signed)
        extent = (0, value.shape[-1], value.shape[-2], 0)
        if images is not None:
            ax.imshow(_picture(images[i]).mean(-1), cmap="gray", vmin=0, vmax=1, extent=extent)
        drawn = ax.imshow(value, cmap=DIVERGING if signed else SEQUENTIAL, vmin=low, vmax=high, extent=extent,
                          alpha=1.0 if images is None else 0.65)
        ax.set_title(title)
    if shared and len(values):
        figure.colorbar(drawn, ax=axes, label=label, shrink=0.8)
    plt.show()


def _limits(values, signed):
    finite = values[np.isfinite(values)]
    if not finite.size:
        return -1.0, 1.0
    if signed:
        highest = float(np.abs(finite).max()) or 1.0
        return -highest, highest
    return float(finite.min()), max(float(finite.max()), float(finite.min()) + 1e-12)


def filters(weights, titles=None, columns=16, size=0.6):
    """First-layer filters (N,3,h,w) as pictures: one scale for all, mid-grey is zero."""
    weights = validate.images(torch.as_tensor(weights), "weights", in_range=False)
    half = float(weights.abs().max()) * 2 or 1.0
    images((weights / half + 0.5).clamp(0, 1), titles, columns, size)


def lines(x, curves, xlabel="", ylabel="", bands=None, size=(6, 3.2), **axis):
    """Curves {name: values} over x, with optional bands {name: (low, high)}, a legend and named axes."""
    with plt.rc_context(STYLE):
        figure, ax = plt.subplots(figsize=size, layout="constrained")
        for name, values in curves.items():
            line, = ax.plot(_numpy(x), _numpy(values), marker="o", markersize=3, label=name)
            if bands and name in bands:
                ax.fill_between(_numpy(x), *map(_numpy, bands[name]), color=line.get_color(), alpha=0.2, linewidth=0)
        ax.set(xlabel=xlabel, ylabel=ylabel, **axis)
        if len(curves) > 1:
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
