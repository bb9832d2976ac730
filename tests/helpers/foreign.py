"""Networks as other people write them: a table. The next case is a row of MODELS.

A row names the network, the same network written plainly and in eval mode (`plain`), a layer of both with maps, and what
it lacks (`refuses`: what a function may need of it -> the error that says so). Whatever a function needs and a network
has must come out as on the plain one.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from lecturekit.networks import layout

SIDE, CLASSES = 12, 4


class Small(nn.Module):
    """Two convolutions, batch norm, dropout, global average pooling and one linear layer."""

    def __init__(self, channels=3, classes=CLASSES, pooled=1):
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.bn, self.relu1 = nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()
        self.conv2, self.relu2, self.pool = nn.Conv2d(6, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.drop, self.gap, self.fc = nn.Dropout(0.5), nn.AdaptiveAvgPool2d(pooled), nn.Linear(5 * pooled ** 2, classes)
        self.bn.running_mean.normal_(0, 0.2), self.bn.running_var.uniform_(0.5, 2)
        nn.init.normal_(self.fc.weight)
        self.image_size, self.categories = SIDE, [f"class {i}" for i in range(classes)]

    def first(self, x):
        return self.pool(self.relu1(self.bn(self.conv1(x))))

    def maps(self, x):
        return self.relu2(self.conv2(self.first(x)))

    def head(self, maps):
        return self.fc(self.drop(self.gap(maps).flatten(1)))

    def forward(self, x):
        return self.head(self.maps(x))


class Reused(Small):
    """One ReLU for both places, in place, its last call behind the second convolution."""

    def __init__(self):
        super().__init__()
        self.act = nn.ReLU(inplace=True)
        del self.relu1, self.relu2

    def first(self, x):
        return self.pool(self.act(self.bn(self.conv1(x))))

    def maps(self, x):
        return self.act(self.conv2(self.first(x)))


class Functional(Small):
    """ReLU and pooling as functions."""

    def first(self, x):
        return F.max_pool2d(F.relu(self.bn(self.conv1(x)), inplace=True), 2)


class Viewed(Small):
    """Flattened by .view, which takes contiguous maps alone."""

    def __init__(self):
        super().__init__(pooled=3)

    def head(self, maps):
        return self.fc(self.gap(maps).view(len(maps), -1))


class Gives(Small):
    """What comes out is changed by a function of the logits."""

    def __init__(self, change, **options):
        super().__init__(**options)
        self.change = change

    def forward(self, x):
        return self.change(super().forward(x))


class Gate(nn.Module):
    """Squeeze and excitation (Hu et al. 2018)."""

    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3), keepdim=True)))))


class Excited(Small):
    def __init__(self):
        super().__init__()
        self.gate, self.act = Gate(6), nn.Hardswish()

    def first(self, x):
        return self.act(self.gate(super().first(x)))


class Depthwise(Small):
    """Depthwise convolutions with ReLU6, as MobileNet (Sandler et al. 2018)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, 3, 3, 2, 1, groups=3), nn.ReLU6(), nn.Conv2d(3, 6, 1))
        self.pool = nn.Identity()


class Windowed(Small):
    """Rows and columns first, channels last, as Swin (Liu et al. 2021)."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 2, 2)
        self.stage = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 24), nn.GELU(), nn.Linear(24, 16))
        self.fc = nn.Linear(16, CLASSES)
        for unused in ("conv1", "bn", "relu1", "conv2", "relu2", "pool"):
            delattr(self, unused)

    def maps(self, x):
        return self.stage(self.patches(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Tokens(nn.Module):
    """A vision transformer (Dosovitskiy et al. 2021): a class token, bare parameters, attention."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(3, 16, 3, 3)
        self.token, self.place = nn.Parameter(torch.randn(1, 1, 16)), nn.Parameter(torch.randn(1, 200, 16))
        self.block = nn.TransformerEncoderLayer(16, 2, 24, dropout=0.5, batch_first=True, norm_first=True)
        self.fc = nn.Linear(16, CLASSES)
        self.image_size, self.categories = SIDE, [f"class {i}" for i in range(CLASSES)]

    def forward(self, x):
        patches = self.patches(x).flatten(2).transpose(1, 2)
        sequence = torch.cat([self.token.expand(len(x), -1, -1), patches], 1)
        return self.fc(self.block(sequence + self.place[:, :sequence.shape[1]])[:, 0])


def with_gradients(model):
    """In training: half of it frozen, a gradient on every other parameter."""
    model.train().conv1.requires_grad_(False)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
    return model


def hooked(model):
    model.conv2.register_forward_hook(lambda *_: None)
    return model


def coarser():
    return Small(pooled=3)


NO_LOGITS = r"model: got outputs .* It takes a model that gives logits \(N,classes\)"
NO_MAPS = r"layer: got '.*', whose output has shape .* reshape="
NO_FIELD = "layer: got '.*', which has no receptive field of one size"
NO_CAM = "model: CAM takes a network that ends in"
NO_RELU = "rule: the network "


@dataclass(frozen=True)
class Foreign:
    make: Callable
    plain: Callable = Small
    layer: str = "conv2"
    plain_layer: str = "conv2"
    reshape: Callable = None
    channels: int = 3
    dtype: torch.dtype = torch.float32
    refuses: dict = field(default_factory=dict)
    differs: tuple = ()   # needs for which it is enough that the function works
    within: Callable = contextlib.nullcontext


def softmaxed(x):
    return x.softmax(1)


MODELS = {
    "plain": Foreign(lambda: Small().eval()),
    "train mode": Foreign(lambda: Small().train()),
    "in training": Foreign(lambda: with_gradients(Small())),
    "with a hook": Foreign(lambda: hooked(Small())),
    "reused ReLU": Foreign(Reused, layer="act", plain_layer="relu2"),
    "functional": Foreign(Functional, refuses={"pool layers": "model: got one that pools maxima by a function"}),
    "view": Foreign(Viewed, coarser, refuses={"pooling": NO_CAM}),
    "channels-last weights": Foreign(lambda: Small().to(memory_format=torch.channels_last)),
    "tuple": Foreign(lambda: Gives(lambda x: (x, x)), refuses={"logits": NO_LOGITS}),
    "dict": Foreign(lambda: Gives(lambda x: {"logits": x}), refuses={"logits": NO_LOGITS}),
    "(N,)": Foreign(lambda: Gives(lambda x: x[:, 0]), refuses={"logits": NO_LOGITS}),
    "(N,classes,1,1)": Foreign(lambda: Gives(lambda x: x[..., None, None]), refuses={"logits": NO_LOGITS}),
    "probabilities": Foreign(lambda: Gives(softmaxed), refuses={"logits": NO_LOGITS}),
    "log-probabilities": Foreign(lambda: Gives(lambda x: x.log_softmax(1)), lambda: Gives(lambda x: x.log_softmax(1)),
                                 refuses={"pooling": NO_CAM}),
    "one channel": Foreign(lambda: Small(1), lambda: Small(1), channels=1),
    "squeeze and excitation": Foreign(Excited, Excited, refuses={"field": NO_FIELD, "relu": NO_RELU}),
    "depthwise": Foreign(Depthwise, Depthwise, refuses={"relu": NO_RELU}),
    "channels last": Foreign(Windowed, Windowed, "stage", "stage", layout.channels_first, refuses={
        "relu": NO_RELU, "NCHW": NO_MAPS}),
    "channels last, no reshape": Foreign(Windowed, Windowed, "stage", "stage", refuses={
        "relu": NO_RELU, "NCHW": NO_MAPS, "maps": NO_MAPS}),
    "tokens": Foreign(Tokens, Tokens, "block", "block", layout.tokens(), refuses={
        "field": NO_FIELD, "pooling": NO_CAM, "NCHW": NO_MAPS}),
    "tokens, no reshape": Foreign(Tokens, Tokens, "block", "block", refuses={
        "field": NO_FIELD, "pooling": NO_CAM, "NCHW": NO_MAPS, "maps": NO_MAPS}),
    "double precision": Foreign(lambda: Small().double(), lambda: Small().double(), dtype=torch.float64),
    "half precision": Foreign(lambda: Small().bfloat16(), lambda: Small().bfloat16(), dtype=torch.bfloat16),
    "DataParallel": Foreign(lambda: nn.DataParallel(Small()), layer="module.conv2", differs=("names",)),
    "compiled": Foreign(lambda: torch.compile(Small(), backend="eager"), layer="_orig_mod.conv2", differs=("names",)),
    "scripted": Foreign(lambda: torch.jit.script(Small()), refuses={
        "watch": "model: got a scripted or traced network", "relu": NO_RELU}, differs=("resets", "rules")),
    "under inference_mode": Foreign(Small, within=torch.inference_mode),
    "under no_grad": Foreign(Small, within=torch.no_grad),
    "float32 pictures, double weights": Foreign(lambda: Small().double(), refuses=dict.fromkeys(
        ("fit",), "images: got torch.float32 on cpu, and the model's weights are torch.float64 on cpu"), differs=("values",)),
    "weights without values": Foreign(lambda: Small().to("meta"), refuses={
        "fit": "model: got weights on the device 'meta'", "own": "images: got a tensor on the device 'meta'"}, differs=("values",)),
}
