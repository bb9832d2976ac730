"""Values as plain data across the sandbox's boundary: JSON for the structure, safetensors for numbers, never pickle.

Both sides use it: the grader to send the inputs and to read the answers, the sandbox the other way round; the check in
a notebook sends an answer through it too, so that both have one notion of plain data. A message is a run of frames; a
frame is the two lengths, the JSON and the safetensors. Nothing that is read here is trusted.
"""

import json
import struct
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import numpy as np
import torch
from safetensors.torch import load, save

HEAD = struct.Struct("<II")
DEPTH, NODES = 20, 20_000
HOOKS = "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"
DTYPES = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
          torch.float32, torch.float64}
SCALARS = (bool, int, float, str)
LIMIT = 8 << 20      # bytes of numbers in one answer
LONGEST = 1024       # bits of a whole number


@dataclass(frozen=True)
class NotPlain:
    """Stands for an answer that is not plain data; `what` says what it was."""

    what: str


@dataclass(frozen=True)
class Network:
    """Stands for a network, frozen and in eval mode, that is built anew where it is used: one of `networks.small` by
    its architecture and the seed of its weights, or, without a seed, a bundled one by its name. Where it is to stay
    `tidy`, an answer comes as a pair: what the function gives, and whether hooks are left on the network."""

    name: str
    seed: int | None = None
    tidy: bool = field(default=False, repr=False)


def built(network, make):
    """What a `Network` stands for; `make(name, seed)` makes it."""
    made = make(network.name, network.seed)
    made.tidy = network.tidy
    return made


def returned(function, arguments):
    """What a function gives for arguments whose networks are built; a pair where one of these is to stay tidy."""
    found = function(*arguments)
    tidy = [argument for argument in arguments if isinstance(argument, torch.nn.Module) and argument.tidy]
    return (found, any(map(_hooked, tidy))) if tidy else found


def _hooked(network):
    return any(getattr(module, kind) for module in network.modules() for kind in HOOKS)


def through(value, limit=LIMIT):
    """An answer as it comes out at the other end: plain data, a `NotPlain` in the place of what is none."""
    try:
        (_, (value,)), = unpack(pack({}, [value], limit))
    except ValueError:
        return NotPlain("a structure that cannot be sent")
    return value


def pack(record, values=(), limit=1 << 30):
    """A frame with a JSON-able dict and a list of values; a value that is not plain data becomes a `NotPlain`."""
    writer = _Writer(limit)
    text = json.dumps({**record, "values": [writer.whole(value) for value in values]}).encode()
    blob = save(writer.tensors) if writer.tensors else b""
    return HEAD.pack(len(text), len(blob)) + text + blob


def unpack(message, build=None):
    """Yield (record, values) for each frame. Raises ValueError where the bytes are no frames.

    `build(name, seed)` makes the network that a `Network` stands for; without it, as for answers, there may be none.
    """
    start = 0
    while start < len(message):
        record, blob, start = _frame(message, start)
        try:
            reader = _Reader(load(blob) if blob else {}, build)
            yield record, [reader.value(node) for node in record.pop("values", [])]
        except Exception as error:   # whatever the bytes made safetensors or the reader do
            raise ValueError(f"message: got a frame that holds no plain data ({type(error).__name__})") from None


def _frame(message, start):
    try:
        text, blob = HEAD.unpack_from(message, start)
        middle, stop = start + HEAD.size + text, start + HEAD.size + text + blob
        record = json.loads(message[start + HEAD.size:middle]) if stop <= len(message) else None
    except (struct.error, ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise ValueError("message: got bytes that are no frame. It takes the frames that pack writes.")
    return record, message[middle:stop], stop


class _TooMuch(Exception):
    pass


class _Writer:
    def __init__(self, limit):
        self.tensors, self.limit, self.nodes = {}, limit, 0

    def whole(self, value):
        try:
            return self.node(value)
        except _TooMuch:
            return ["other", "a structure that is nested too deep or has too many parts"]

    def node(self, value, depth=0):
        self.nodes += 1
        if depth > DEPTH or self.nodes > NODES:
            raise _TooMuch
        for kinds, encode in ((SCALARS, self.scalar), ((list, tuple, dict), self.parts),
                              ((torch.Tensor, np.ndarray), self.numbers), ((Fraction, Decimal), self.ratio),
                              (range, lambda value, depth: self.parts(list(value[:NODES + 1]), depth)),
                              (Network, lambda value, depth: ["network", [value.name, value.seed, value.tidy]])):
            if isinstance(value, kinds):
                return encode(value, depth)
        if isinstance(value, np.generic) and type(value.item()) in SCALARS:
            return value.item()
        return None if value is None else ["other", f"a value of type {type(value).__name__[:60]}"]

    def scalar(self, value, depth):
        kind = next(kind for kind in SCALARS if isinstance(value, kind))
        if kind is int and value.bit_length() > LONGEST:
            return ["other", "a whole number that is too long"]
        return kind(value) if kind is not str else str(value)[:self.limit // 8]

    def ratio(self, value, depth):
        return float(value)

    def parts(self, value, depth):
        if isinstance(value, dict):
            return ["dict", [[self.node(k, depth + 1), self.node(v, depth + 1)] for k, v in value.items()]]
        return ["tuple" if isinstance(value, tuple) else "list", [self.node(part, depth + 1) for part in value]]

    def numbers(self, value, depth):
        kind = "tensor" if isinstance(value, torch.Tensor) else "array"
        try:
            size = 8 * int(np.prod(value.shape, dtype=np.float64))
            if size > self.limit:
                return ["other", "more numbers than an answer may have"]
            self.limit -= size
            tensor = value.detach().cpu() if kind == "tensor" else torch.from_numpy(np.ascontiguousarray(value))
            tensor = tensor.reshape(value.shape).contiguous().clone()
        except Exception:
            return ["other", f"a {kind} that is not dense or not of real numbers"]
        if tensor.dtype not in DTYPES:
            return ["other", f"a {kind} of {str(tensor.dtype).removeprefix('torch.')}"]
        self.tensors[str(len(self.tensors))] = tensor
        return [kind, str(len(self.tensors) - 1)]


class _Reader:
    def __init__(self, tensors, build):
        self.tensors, self.build, self.nodes = tensors, build, 0

    def value(self, node, depth=0):
        self.nodes += 1
        if depth > 2 * DEPTH or self.nodes > 2 * NODES:
            raise ValueError
        if node is None or isinstance(node, SCALARS):
            return node
        kind, content = node
        if kind in ("list", "tuple"):
            parts = [self.value(part, depth + 1) for part in content]
            return parts if kind == "list" else tuple(parts)
        if kind == "dict":
            return {self.value(k, depth + 1): self.value(v, depth + 1) for k, v in content}
        return self._leaf(kind, content)

    def _leaf(self, kind, content):
        if kind == "other":
            return NotPlain(str(content))
        if kind == "network":
            return built(Network(*content), self.build)
        tensor = self.tensors[content]
        if kind not in ("tensor", "array") or tensor.dtype not in DTYPES:
            raise ValueError
        return tensor if kind == "tensor" else tensor.numpy()
