"""Receptive fields of any convolutional network, by propagating geometry through one forward pass.

A unit at (row, col) of a map sees `size` pixels from `start + jump * (row, col)` on. Each operation changes the three
numbers (Dumoulin and Visin 2016; Araujo et al. 2019): a window of k pixels, stride s, padding p and dilation d gives

    size + (k - 1) * d * jump,    jump * s,    start - p * jump,

and where branches meet (residual sums, concatenations) the field covers both. The operations are read while the
network runs, so functional calls count as much as modules, and rows and columns are followed when they change their
places among the dimensions; `support` measures the same with a gradient.
"""

import math
from dataclasses import dataclass

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lecturekit import validate
from lecturekit.networks import hooks, layout, models, running
from lecturekit.networks.derivative import differentiate

WINDOWS = ("conv2d", "max_pool2d", "max_pool2d_with_indices", "avg_pool2d")
# Besides the pointwise operations these leave every place where it is, if they leave H and W as they are ...
SAME_PLACE = ("cat", "batch_norm", "dropout", "dropout_", "feature_dropout", "clone", "contiguous", "detach", "alias",
              "to", "_to_copy", "chunk", "split", "channel_shuffle", "hardswish", "hardswish_", "mish", "mish_", "prelu",
              "select", "slice", "expand", "linear", "softmax", "_softmax", "layer_norm", "native_layer_norm")
# ... these only give the dimensions other names ...
RENAMED = ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "unsqueeze", "squeeze")
# ... and these bring all places together.
EVERYWHERE = ("group_norm", "native_group_norm", "instance_norm", "scaled_dot_product_attention")
MIXING = ("linear", "softmax", "_softmax", "layer_norm", "native_layer_norm")   # and these do along some dimensions
WHOLE, PLACELESS = "every unit sees the whole picture", "its units have no row and column"


@dataclass(frozen=True)
class Field:
    """What the units of a map see, in pixels, each a pair (rows, columns).

    size   of the receptive field
    jump   from one unit's field to the next one's
    start  first pixel of the field of the unit (0,0); negative where it begins in the padding
    """

    size: tuple
    jump: tuple
    start: tuple

    @property
    def center(self):
        """The middle of the field of the unit (0,0)."""
        return tuple(start + (size - 1) / 2 for start, size in zip(self.start, self.size))

    def box(self, row, col):
        """(top, left, bottom, right) of the field of one unit, half open, not cut at the image's border."""
        top, left = (s + j * i for s, j, i in zip(self.start, self.jump, (row, col)))
        return top, left, top + self.size[0], left + self.size[1]

    def inside(self, row, col, height, width):
        """Whether the field of one unit lies within an image of height x width."""
        top, left, bottom, right = self.box(row, col)
        return top >= 0 and left >= 0 and bottom <= height and right <= width


PIXEL = Field((1, 1), (1, 1), (0, 0))


def fields(model, size=None):
    """{layer: Field} of every layer whose output is a map (N,C,H,W), in the order in which they are computed.

    `size` is the side of the images, by default the model's own; it matters only to global pooling. Layers whose
    units have no position (linear ones), or none that three numbers describe, are left out: `field` says why.
    """
    return {name: value for name, value in _trace(model, size).items() if isinstance(value, Field)}


def field(model, layer, size=None):
    """The Field of one layer; ValueError with the reason where it has none."""
    validate.layer(model, layer)
    value = _trace(model, size).get(layer, "the forward pass never reaches it")
    if not isinstance(value, Field):
        raise ValueError(f"layer: got {layer!r}, which has no receptive field of one size: {value}.")
    return value


def landmarks(model):
    """The landmarks of a network (`models.landmarks`) whose maps have more than one place, and a Field."""
    known = fields(model)
    outputs = hooks.features(model, running.blank(model), [name for name in models.landmarks(model) if name in known])
    return [name for name, maps in outputs.items() if maps[0, 0].numel() > 1]


def stack(layers):
    """(size, jump) after a stack of windows [(kernel, stride), ...], along one axis."""
    size, jump = 1, 1
    for kernel, stride in layers:
        size += (kernel - 1) * jump
        jump *= stride
    return size, jump


def sensitivity(model, images, layer, row, col, reshape=None):
    """|d activation / d pixel| (N,H,W) of the unit (row, col), summed over the layer's channels and the colours."""
    form = layout.maps(validate.images(images), reshape, places=1)

    def of_place(leaf, rows):
        maps = form(hooks.reached(model, leaf, [layer])[layer], layer)
        if not (0 <= row < maps.shape[2] and 0 <= col < maps.shape[3]):
            raise ValueError(f"row, col: got ({row}, {col}). The output of {layer} has shape {tuple(maps.shape)}.")
        return maps[..., row, col].sum(1)

    return differentiate(model, images, of_place)[1].abs().sum(1)


def support(model, layer, row, col, size=None, samples=4, seed=0, reshape=None):
    """(top, left, bottom, right) of the pixels to which the unit (row, col) responds on random images: measured."""
    blank = running.blank(model, size)
    images = torch.rand(samples, *blank.shape[1:], generator=torch.Generator().manual_seed(seed))
    touched = sensitivity(model, images.to(blank), layer, row, col, reshape).amax(0) > 0
    if not touched.any():
        raise ValueError(f"row, col: got ({row}, {col}) of {layer}, whose gradient is zero on every sample.")
    rows, cols = touched.any(1).nonzero(), touched.any(0).nonzero()
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1


def crop(images, field, rows, cols, fill=0.5):
    """The receptive field (N,C,h,w) of a unit in each image (N,C,H,W); `fill` stands where it leaves the image.

    rows, cols: an int for all images or one for each.
    """
    boxes = [field.box(row, col) for row, col in _positions(images, rows, cols)]
    cut = [_cut(image, box, fill) for image, box in zip(images, boxes)]
    return torch.stack(cut) if cut else images.new_zeros(0, images.shape[1], *field.size)


def replay(model, images, layer, rows, cols, fill=0.5):
    """The activations (N,channels) of a unit in each image when all but its receptive field is painted with `fill`."""
    seen = field(model, layer)
    canvases = torch.full_like(validate.images(images), fill)
    positions = _positions(images, rows, cols)
    for canvas, image, (row, col) in zip(canvases, images, positions):
        top, left, bottom, right = (max(edge, 0) for edge in seen.box(row, col))
        canvas[:, top:bottom, left:right] = image[:, top:bottom, left:right]
    maps = hooks.features(model, canvases, layer, form=layout.channels(images))
    return maps[range(len(images)), :, *zip(*positions)] if positions else maps[..., 0, 0]


def _positions(images, rows, cols):
    """[(row, col)], one for each image."""
    return list(zip(*(torch.as_tensor(values).expand(len(images)).tolist() for values in (rows, cols))))


def _cut(image, box, fill):
    top, left, bottom, right = box
    height, width = image.shape[-2:]
    around = [max(-left, 0), max(right - width, 0), max(-top, 0), max(bottom - height, 0)]
    padded = torch.nn.functional.pad(image, around, value=fill)
    top, left = top + around[2], left + around[0]
    return padded[:, top:bottom + around[2], left:right + around[0]]


def _trace(model, size):
    """{layer: its Field, or a str that says why it has none}, in the order in which the layers are computed."""
    traced = {}

    def keep(name):
        def hook(module, inputs, output):
            traced[name] = output.seen.field if hasattr(output, "seen") else "its output is no map"
        return hook

    images = running.blank(model, size)
    with running.entered(model), torch.inference_mode(), _Propagate():
        for name, module in running.layers(model):
            if name:
                module.register_forward_hook(keep(name))
        images.seen = Seen(PIXEL, (2, 3))
        running.plainly(model, images)
    return traced


@dataclass(frozen=True)
class Seen:
    """What is known of a tensor: its Field, or a str that says why it has none; which dimensions are rows and columns; and
    where there are none, whether all places were pooled into one first."""

    field: object
    axes: tuple = ()
    pooled: bool = False


class _Propagate(TorchDispatchMode):
    """While it is active, every tensor computed from one with a `.seen` gets its own."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        inputs = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor) and hasattr(x, "seen")]
        before = [(x.seen, tuple(x.shape)) for x in inputs]       # an in-place operation changes its input
        outputs = func(*args, **(kwargs or {}))
        for output in tree_leaves(outputs) if before else ():
            if isinstance(output, torch.Tensor):
                output.seen = _after(func, _arguments(func, args, kwargs), before, tuple(output.shape))
        return outputs


def _arguments(func, args, kwargs):
    schema = func._schema.arguments
    named = {a.name: a.default_value for a in schema if a.has_default_value()}
    return named | {a.name: value for a, value in zip(schema, args)} | (kwargs or {})


def _after(func, arguments, inputs, shape):
    """What is known of one operation's output, from its inputs [(Seen, shape)]."""
    name, (first, before) = func.overloadpacket.__name__, inputs[0]
    if without := [seen for seen, _ in inputs if isinstance(seen.field, str)]:
        return _met(name, without, len(without) < len(inputs))
    if name in WINDOWS or name.startswith("adaptive_"):
        return _pooled(name, first, arguments, before, shape)
    if name == "mean":
        return _mean(first, arguments, before, shape)
    if name in EVERYWHERE:
        return Seen(f"{WHOLE} ({name})")
    axes = _axes(name, first.axes, arguments, before, shape)
    if axes is None:
        pooled = all(before[axis] == 1 for axis in first.axes)
        return Seen(f"{WHOLE if name in MIXING else PLACELESS} (after {name})", pooled=pooled)
    if torch.Tag.pointwise in func.tags or name in SAME_PLACE:
        return _joined(name, inputs, axes, shape)
    moved = name in (*RENAMED, "permute", "transpose", "swapaxes") or name == "pad" and not any(arguments["pad"])
    return Seen(first.field, axes) if moved else Seen(f"{name} is neither a window nor pointwise")


def _met(name, without, with_field):
    """What comes of tensors of which some have no field: a map that meets what was pooled has it everywhere."""
    pooled = all(seen.pooled for seen in without)
    if with_field and pooled:
        return Seen(f"{WHOLE} ({name} with what was pooled from all of it)")
    return Seen(next(seen.field for seen in without if seen.pooled == pooled), pooled=pooled)


def _pooled(name, seen, arguments, before, shape):
    if seen.axes != (2, 3):
        return Seen(f"{name} does not act on its rows and columns")
    found = _window(seen.field, arguments) if name in WINDOWS else _adaptive(seen.field, before[-2:], shape[-2:])
    return Seen(found, (2, 3))


def _mean(seen, arguments, before, shape):
    """A mean over rows and columns is a pooling to one place; over other dimensions it leaves every place where it is."""
    dims = {dim % len(before) for dim in arguments.get("dim") or range(len(before))}
    if not dims & set(seen.axes):
        kept = arguments.get("keepdim")
        return Seen(seen.field, seen.axes if kept else tuple(a - sum(dim < a for dim in dims) for a in seen.axes))
    if dims >= set(seen.axes) and arguments.get("keepdim"):
        return Seen(_adaptive(seen.field, [before[axis] for axis in seen.axes], (1, 1)), seen.axes)
    return Seen(f"{PLACELESS} (after mean)", pooled=dims >= set(seen.axes))


def _axes(name, axes, arguments, before, shape):
    """Which dimensions are rows and columns behind the operation; None where there are none any more."""
    dims = [value % len(before) for key, value in arguments.items() if key.startswith("dim") and isinstance(value, int)]
    if name == "permute":
        order = [dim % len(before) for dim in arguments["dims"]]
        return tuple(order.index(axis) for axis in axes)
    if name in ("transpose", "swapaxes"):
        one, other = dims if dims else (arguments["axis0"] % len(before), arguments["axis1"] % len(before))
        return tuple({one: other, other: one}.get(axis, axis) for axis in axes)
    if name in RENAMED:
        return _renamed(axes, before, shape)
    if name == "select":
        return None if dims[0] in axes else tuple(axis - (dims[0] < axis) for axis in axes)
    last = {"linear": 1, "layer_norm": len(arguments.get("normalized_shape", ()))}.get(name.removeprefix("native_"), 0)
    mixed = name in ("softmax", "_softmax", "slice", "cat") and dims and dims[0] in axes
    return None if mixed or any(axis >= len(before) - last for axis in axes) else tuple(
        axis + len(shape) - len(before) for axis in axes)   # broadcasting adds dimensions in front


def _renamed(axes, before, shape):
    """Where the dimensions `axes` of a tensor of shape `before` are when it is viewed as another: of the same length, with
    as much before them."""
    found = []
    for axis in axes:
        fits = [i for i, length in enumerate(shape) if length == before[axis] and i not in found
                and math.prod(shape[:i]) == math.prod(before[:axis])]
        if not fits:
            return None
        found.append(fits[0])
    return tuple(found)


def _joined(name, inputs, axes, shape):
    """The union of what meets, place by place; a map of one place that was pooled from all of them brings in all."""
    sizes = [tuple(before[axis] for axis in seen.axes) for seen, before in inputs]
    here = tuple(shape[axis] for axis in axes)
    if any(size == (1, 1) != here for size in sizes):
        return Seen(f"{WHOLE} ({name} with what was pooled from all of it)")
    same = all(size == here and [axis - len(before) for axis in seen.axes] == [axis - len(shape) for axis in axes]
               for size, (seen, before) in zip(sizes, inputs))
    return Seen(_union([seen.field for seen, _ in inputs]), axes) if same else Seen(
        f"{name} joins maps of different sizes")


def _window(field, arguments):
    kernel = arguments["weight"].shape[-2:] if "weight" in arguments else _pair(arguments["kernel_size"])
    dilation = _pair(arguments.get("dilation", 1))
    stride, padding = _pair(arguments["stride"] or kernel), arguments["padding"]
    if padding in ("same", "valid"):
        padding = [d * (k - 1) // 2 if padding == "same" else 0 for k, d in zip(kernel, dilation)]
    axes = zip(field.size, field.jump, field.start, kernel, stride, _pair(padding), dilation)
    moved = [(size + (k - 1) * d * jump, jump * s, start - p * jump) for size, jump, start, k, s, p, d in axes]
    return Field(*zip(*moved))


def _adaptive(field, before, after):
    """Adaptive and global pooling: windows from floor(i n/m) to ceil((i+1) n/m), where these are evenly spaced."""
    kernel, stride = [], []
    for n, m in zip(before, after):
        starts, ends = [i * n // m for i in range(m)], [-(-(i + 1) * n // m) for i in range(m)]
        sizes = {end - start for start, end in zip(starts, ends)}
        steps = {b - a for a, b in zip(starts, starts[1:])} or {n}
        if len(sizes) > 1 or len(steps) > 1 or 0 in steps:
            return f"adaptive pooling of {n} positions to {m} has uneven windows"
        kernel += sizes
        stride += steps
    return _window(field, {"kernel_size": kernel, "stride": stride, "padding": 0})


def _union(fields):
    if len({field.jump for field in fields}) > 1:
        return "branches with different jumps meet"
    start = tuple(map(min, zip(*(f.start for f in fields))))
    ends = [tuple(a + b for a, b in zip(f.start, f.size)) for f in fields]
    end = tuple(map(max, zip(*ends)))
    return Field(tuple(e - s for e, s in zip(end, start)), fields[0].jump, start)


def _pair(value):
    values = [value] if isinstance(value, int) else list(value)
    return values * 2 if len(values) == 1 else values
