"""Where a layer's output keeps its channels. Convolutions give maps (N,C,h,w); other networks keep rows and columns
first, (N,h,w,C), or have tokens in a row, (N,T,C). What needs maps takes a `reshape` that makes them of these.
"""

import math

import torch

TAKES = ("It takes a layer with maps (N,C,h,w), before the pooling or flattening; of a layer that gives (N,h,w,C) "
         "reshape=layout.channels_first makes them, of tokens (N,T,C) reshape=layout.tokens()")
NEAR = 1   # rows by which a map's shape may differ from the picture's, rounded


def channels_first(output):
    """A `reshape` for layers that give (N,h,w,C), as those of Swin: maps (N,C,h,w)."""
    if output.ndim != 4:
        raise ValueError(f"reshape: got an output of shape {tuple(output.shape)}. channels_first takes (N,h,w,C).")
    return output.permute(0, 3, 1, 2)


def tokens(extra=1, shape=None):
    """A `reshape` for layers that give tokens (N,T,C), as those of vision transformers: maps (N,C,h,w). The first `extra`
    tokens stand for no place (the class token); the others are `shape` = (h,w), by default a square."""
    def reshaped(output):
        count = output.shape[1] - extra if output.ndim == 3 else 0
        height, width = shape or (math.isqrt(max(count, 0)),) * 2
        if count < 1 or height * width != count:
            raise ValueError(f"reshape: got an output of shape {tuple(output.shape)}. It takes tokens (N,{extra}+h*w,C), "
                             f"here with h, w = {shape or 'a square'}.")
        return output[:, extra:].transpose(1, 2).unflatten(2, (height, width))
    return reshaped


def maps(images, reshape=None, places=2):
    """A check (output, name of its layer) -> maps (N,C,h,w) of so many places at least, for images (N,C,H,W)."""
    channelled = channels(images, reshape)

    def checked(output, name):
        found = channelled(output, name)
        if found.ndim != 4 or found.shape[2] * found.shape[3] < places:
            raise _other(name, found)
        return found
    return checked


def channels(images, reshape=None):
    """A check (output, name of its layer) -> maps (N,C,h,w) or, where a layer has no places, (N,C)."""
    def checked(output, name):
        found = output if reshape is None else reshape(output)
        if found.ndim not in (2, 4):
            raise _other(name, found)
        if found.ndim == 4 and _channels_last(found.shape[1:], images.shape[2:]):
            raise _other(name, found, ": rows and columns stand before the channels")
        return found
    return checked


def _other(name, output, why=""):
    return ValueError(f"layer: got {name!r}, whose output has shape {tuple(output.shape)}{why}. {TAKES}.")


def _channels_last(shape, sides):
    """Whether (a,b,c) has the picture's proportions in a and b, but not in b and c; a picture of a few rows has none."""
    return min(sides) > 4 * NEAR and _alike(shape[:2], sides) and not _alike(shape[1:], sides)


def _alike(shape, sides):
    (rows, columns), (height, width) = shape, sides
    return abs(rows * width - columns * height) <= NEAR * max(height, width)
