"""Passes of pictures that differ from an image within a rectangle: only what the rectangle reaches is computed anew.

The layers at a network's begin that run one after the other are computed on crops, as wide as their receptive fields ask
for; around these stands what the whole image gave; the rest of the network runs as always (Nakandala et al. 2019,
section 4.1: exact, but for rounding). Each network is tried on a few pictures before it is believed.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from lecturekit.networks import hooks, running
from lecturekit.representation import receptive

WORTH = 0.6   # layers are computed on crops as long as a crop is no larger than this share of the map


class Window(NamedTuple):
    """A layer's window along one axis: it begins at `stride * i + offset` for the output i, and is `size` long."""

    size: int
    stride: int
    offset: int


class Reach(NamedTuple):
    """Along one axis: the outputs (n,) from which on, and how many, must be computed anew, and the crop that they need."""

    first: torch.Tensor
    length: int
    begin: torch.Tensor
    width: int


@dataclass
class Stage:
    """Layers that run one after the other, of which one alone has a window; `name` is that of the last. Windows, and the
    lengths of what goes in and comes out, for rows and columns."""

    modules: list
    name: str
    windows: tuple
    before: tuple
    after: tuple

    def reach(self, corners, lengths):
        """What a rectangle reaches, for rows and columns."""
        return [_reach(*axis) for axis in zip(corners, lengths, self.windows, self.before, self.after)]


class Incremental:
    """The logits of pictures that differ from one of the images (N,C,H,W) within rectangles of `size` (height, width)."""

    def __init__(self, model, images, size):
        self.model, self.images, self.size = model, images, size
        self.stages = _stages(model, images[:1], size)
        self.tried, self.kept = False, (None, None)

    @torch.no_grad()
    def logits(self, pictures, numbers, corners):
        """(n,classes) of pictures (n,C,H,W), the numbers (n,) of their images, and the rectangles' first rows and columns,
        (n,) each."""
        with running.entered(self.model):
            if self.stages and not self.tried:
                self._try(pictures, numbers, corners)
            if self.stages:
                return self._logits(pictures, numbers, corners)
            return running.scores(self.model, running.chunks(pictures, len(pictures))[0])

    def _try(self, pictures, numbers, corners):
        """Give up where some of the pictures get other logits than from the whole network, or none."""
        some = torch.tensor([0, len(pictures) // 2, len(pictures) - 1])
        with torch.autocast(pictures.device.type, enabled=False):
            whole = running.scores(self.model, pictures[some])
            try:
                near = self._logits(pictures[some], numbers[some], [starts[some] for starts in corners])
            except (RuntimeError, TypeError, ValueError, IndexError):   # a network that cannot be run in parts
                near = torch.full_like(whole, torch.nan)
        if near.shape != whole.shape or not torch.allclose(near, whole, rtol=0, atol=1e-4 * float(whole.abs().max())):
            self.stages = []
        self.tried = True

    def _logits(self, pictures, numbers, corners):
        unique, images = numbers.unique(return_inverse=True)
        before, which, values, lengths = _last(pictures), torch.arange(len(pictures)), None, self.size
        for stage, after in zip(self.stages, self._maps(unique)):
            reaches = stage.reach(corners, lengths)
            crops = _cut(before, which, [r.begin for r in reaches], [r.width for r in reaches])
            if values is not None:
                _paste(crops, [corner - r.begin for corner, r in zip(corners, reaches)], values)
            maps = crops.permute(0, 3, 1, 2)
            for module in stage.modules:
                maps = module(maps)
            inside = [r.first - r.begin // window.stride for r, window in zip(reaches, stage.windows)]
            corners, lengths = [r.first for r in reaches], [r.length for r in reaches]
            values = _cut(_last(maps), torch.arange(len(maps)), inside, lengths)
            before, which = after, images
        whole = before[which]
        _paste(whole, corners, values)
        return self._rest(whole.permute(0, 3, 1, 2))

    def _maps(self, unique):
        """What each stage gives for some of the images, (u,h,w,C)."""
        if self.kept[0] != unique.tolist():
            found = hooks.features(self.model, self.images[unique], [stage.name for stage in self.stages])
            self.kept = unique.tolist(), [_last(found[stage.name]).contiguous() for stage in self.stages]
        return self.kept[1]

    def _rest(self, maps):
        """The logits of what the last stage gives: the network runs on nothing as far as there."""
        modules = [module for stage in self.stages for module in stage.modules]
        with _replaced(modules, lambda nothing: nothing), _replaced(modules[-1:], lambda nothing: maps):
            return running.scores(self.model, maps.new_zeros(len(maps), self.images.shape[1], 1, 1))


@contextmanager
def _replaced(modules, forward):
    """Within the block the modules do something else."""
    own = [vars(module).get("forward") for module in modules]
    for module in modules:
        module.forward = forward
    try:
        yield
    finally:
        for module, former in zip(modules, own):
            del module.forward
            if former is not None:
                module.forward = former


def _stages(model, image, size):
    """The stages that are worth it for a rectangle in the middle; none for a network that they cannot be told of."""
    try:
        chain, fields = _chain(model, image), receptive.fields(model, max(image.shape[2:]))
    except (RuntimeError, TypeError, ValueError):
        return []
    stages, corners, lengths = [], [torch.tensor([(n - m) // 2]) for n, m in zip(image.shape[2:], size)], size
    for stage in _grouped(chain, fields, image.shape[2:]):
        reaches = stage.reach(corners, lengths)
        if reaches[0].width * reaches[1].width > WORTH * stage.before[0] * stage.before[1]:
            break
        stages.append(stage)
        corners, lengths = [r.first for r in reaches], [r.length for r in reaches]
    return stages


def _grouped(chain, fields, sides):
    """The layers (name, module, output) of a chain as stages: what looks at single places goes with what was before it."""
    stages, waiting, seen = [], [], receptive.PIXEL
    for name, module, output in chain:
        field = fields.get(name)
        if field is None or output.ndim != 4:
            break
        waiting.append(module)
        if field != seen:
            windows = tuple(Window((after - size) // jump + 1, step // jump, (begin - start) // jump)
                            for after, size, step, jump, begin, start in zip(
                                field.size, seen.size, field.jump, seen.jump, field.start, seen.start))
            stages.append(Stage([], name, windows, stages[-1].after if stages else tuple(sides), tuple(output.shape[2:])))
            seen = field
        if stages:
            stages[-1].modules += waiting
            stages[-1].name, waiting = name, []
    return stages


def _chain(model, image):
    """[(name, module, output)] of the layers that run first, each once, on what the one before gave and nothing else."""
    calls, names = {}, {module: name for name, module in running.layers(model)}

    def note(module, inputs, options, output):
        calls.setdefault(module, []).append((inputs, options, output))

    with running.entered(model):
        for module in names:
            module.register_forward_hook(note, with_kwargs=True)
        running.scores(model, image)
    chain, given = [], calls[model][0][0][0]
    for module in _elements(model, calls):
        inputs, options, output = calls[module][0]
        if len(calls[module]) > 1 or options or len(inputs) != 1 or inputs[0] is not given:
            break
        chain.append((names[module], module, output))
        given = output
    return chain


def _elements(module, calls):
    """The layers of a network in the order of their definition, sequences opened, and what gives no maps."""
    if module not in calls:
        return []
    maps, children = calls[module][0][2].ndim == 4, list(module.children())
    if isinstance(module, nn.Sequential) or children and not maps:
        return [element for child in children for element in _elements(child, calls)]
    return [module]


def _reach(start, length, window, before, after):
    """What a change of `length` places from `start` (n,) on reaches, along one axis."""
    size, stride, offset = window
    first = ((start - offset - size).div(stride, rounding_mode="floor") + 1).clamp(min=0)
    last = (-(-(start + length - offset)).div(stride, rounding_mode="floor")).clamp(max=after)   # rounded up
    count = min(int((last - first).max()), after)
    first = first.clamp(max=after - count)
    low = torch.minimum(first * stride + offset, start).clamp(min=0) // stride * stride
    high = torch.maximum((first + count - 1) * stride + offset + size, start + length).clamp(max=before)
    width = int((high - low).max())
    width = min(width + (before - width) % stride, before)   # so that a crop at the far border begins where a window may
    return Reach(first, count, low.clamp(max=before - width), width)


def _last(maps):
    return maps.permute(0, 2, 3, 1)   # (n,C,h,w) -> (n,h,w,C)


def _index(which, corners, lengths):
    rows, columns = (corner[:, None] + torch.arange(length) for corner, length in zip(corners, lengths))
    return which[:, None, None], rows[:, :, None], columns[:, None, :]


def _cut(maps, which, corners, lengths):
    """Rectangles (n,h,w,C) of maps (u,H,W,C)."""
    return maps[_index(which, corners, lengths)]


def _paste(maps, corners, values):
    """Put values (n,h,w,C) into maps (n,H,W,C); what lies outside of them is left out."""
    which, rows, columns = _index(torch.arange(len(maps)), corners, values.shape[1:3])
    maps[which, rows, columns] = values.to(maps.dtype)
