"""Receptive fields of any convolutional network, by propagating geometry through one forward pass.

A unit at (row, col) of a map sees `size` pixels from `start + jump * (row, col)` on. Each operation changes the three
numbers (Dumoulin and Visin 2016; Araujo et al. 2019): a window of k pixels, stride s, padding p and dilation d gives

    size + (k - 1) * d * jump,    jump * s,    start - p * jump,

and where branches meet (residual sums, concatenations) the field covers both. The operations are read while the
network runs, so functional calls count as much as modules; `support` measures the same with a gradient.
"""

from dataclasses import dataclass

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lecturekit import validate
from lecturekit.networks import hooks, models
from lecturekit.networks.derivative import differentiate

WINDOWS = ("conv2d", "max_pool2d", "max_pool2d_with_indices", "avg_pool2d")
# Besides the pointwise operations these leave rows and columns where they are, if they leave H and W as they are ...
SAME_PLACE = ("cat", "batch_norm", "dropout", "dropout_", "feature_dropout", "clone", "contiguous", "detach", "alias",
              "to", "_to_copy", "view", "reshape", "chunk", "split", "channel_shuffle")
# ... and act on the dimensions before these two.
EARLIER = ("transpose", "select", "slice", "unsqueeze")


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
    known, side = fields(model), getattr(model, "image_size", 224)
    blank = next(model.parameters()).new_zeros(1, 3, side, side)
    outputs = hooks.features(model, blank, [name for name in models.landmarks(model) if name in known])
    return [name for name, maps in outputs.items() if maps[0, 0].numel() > 1]


def stack(layers):
    """(size, jump) after a stack of windows [(kernel, stride), ...], along one axis."""
    size, jump = 1, 1
    for kernel, stride in layers:
        size += (kernel - 1) * jump
        jump *= stride
    return size, jump


def sensitivity(model, images, layer, row, col):
    """|d activation / d pixel| (N,H,W) of the unit (row, col), summed over the layer's channels and the colours."""
    validate.images(images)

    def of_place(leaf, rows):
        maps = hooks.forward_to(model, leaf, layer)
        if maps.ndim != 4 or not (0 <= row < maps.shape[2] and 0 <= col < maps.shape[3]):
            raise ValueError(f"row, col: got ({row}, {col}). The output of {layer} has shape {tuple(maps.shape)}.")
        return maps[..., row, col].sum(1)

    return differentiate(model, images, of_place)[1].abs().sum(1)


def support(model, layer, row, col, size=None, samples=4, seed=0):
    """(top, left, bottom, right) of the pixels to which the unit (row, col) responds on random images: measured."""
    images = torch.rand(samples, *_input_shape(model, size), generator=torch.Generator().manual_seed(seed))
    touched = sensitivity(model, images.to(next(model.parameters()).device), layer, row, col).amax(0) > 0
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
    maps = hooks.features(model, canvases, layer)
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


def _input_shape(model, size):
    channels = next((m.in_channels for m in model.modules() if isinstance(m, torch.nn.Conv2d)), None)
    if channels is None:
        raise ValueError(f"model: got {type(model).__name__} without a Conv2d. It takes a convolutional network.")
    size = getattr(model, "image_size", 224) if size is None else validate.positive("size", size, whole=True)
    return channels, size, size


def _trace(model, size):
    """{layer: its Field, or a str that says why it has none}, in the order in which the layers are computed."""
    traced = {}

    def keep(name):
        def hook(module, inputs, output):
            traced[name] = getattr(output, "field", "its output is no map")
        return hook

    shape = _input_shape(model, size)
    with hooks.preserved(model), torch.inference_mode(), _Propagate():
        model.eval()
        for name, module in model.named_modules():
            if name:
                module.register_forward_hook(keep(name))
        parameter = next(model.parameters())
        images = torch.zeros(1, *shape, dtype=parameter.dtype, device=parameter.device)
        images.field = PIXEL
        model(images)
    return traced


class _Propagate(TorchDispatchMode):
    """While it is active, every tensor computed from one with a `.field` gets its own."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        inputs = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor) and hasattr(x, "field")]
        before = [(x.field, tuple(x.shape)) for x in inputs]       # an in-place operation changes its input
        outputs = func(*args, **(kwargs or {}))
        for output in tree_leaves(outputs) if before else ():
            if isinstance(output, torch.Tensor):
                output.field = _after(func, _arguments(func, args, kwargs), before, tuple(output.shape))
        return outputs


def _arguments(func, args, kwargs):
    schema = func._schema.arguments
    named = {a.name: a.default_value for a in schema if a.has_default_value()}
    return named | {a.name: value for a, value in zip(schema, args)} | (kwargs or {})


def _after(func, arguments, inputs, shape):
    """The field, or the reason for none, of one operation's output, from its inputs [(field, shape)]."""
    name = func.overloadpacket.__name__
    known = [field for field, _ in inputs]
    reasons = [value for value in known if isinstance(value, str)]
    if reasons:
        return reasons[0]
    if name in WINDOWS:
        return _window(known[0], arguments)
    if name.startswith("adaptive_") or (name == "mean" and len(shape) == 4):
        return _adaptive(known[0], inputs[0][1][-2:], shape[-2:])
    earlier = name in EARLIER and _dims_below(arguments, max(len(inputs[0][1]), len(shape)) - 2)
    if torch.Tag.pointwise in func.tags or name in SAME_PLACE or earlier:
        same = all(before[-2:] == shape[-2:] for _, before in inputs)
        return _union(known) if same else f"{name} joins maps of different sizes"
    if len(shape) < 4:
        return f"its units have no row and column (after {name})"
    return f"{name} is neither a window nor pointwise"


def _dims_below(arguments, limit):
    return all(0 <= value < limit for name, value in arguments.items() if name.startswith("dim"))


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
