"""Style transfer: the network that describes a style, painting by optimisation, a network that paints in one pass."""

import copy
import math
import warnings
from contextlib import suppress

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from lecturekit import files, validate
from lecturekit.pictures import pixels
from lecturekit.networks import models, running
from lecturekit.moving import objectives, projections, steps
from lecturekit.moving.optimise import optimise

STYLES = ("brush_strokes", "mosaic", "primaries")   # in which the bundled network paints
PICTURES = (*STYLES, "impasto", "points", "ink")    # data/styles/*.jpg, made by programs
DESCRIBER = "vgg_s"                                 # the network whose features describe content and style
CONTENT_LAYER = "relu3_2"
STYLE_LAYERS = ("normalize", "relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
SMALLEST = 8                                        # px; below, instance norm has nothing to average over
DESCRIBED = 32                                      # px; below, the last layers have nothing to average over
MAXIMA = ("max_pool2d", "_max_pool2d", "max_pool2d_with_indices")
MOST = 2 ** 20                                      # pixels that `transfer` moves, at about 1.5 kB each


def style_picture(name, size=None):
    """A bundled style picture of `PICTURES`, (1,3,H,W) in [0,1]; with `size`, resized to size x size."""
    return pixels.load(files.verified(f"styles/{validate.one_of('name', name, PICTURES)}.jpg"), size)


def smoothed(model):
    """A copy of `model` to describe textures with: average pooling where it had max pooling (Gatys et al. 2016,
    section 2), and borders padded by reflection, so that no frame of zeros enters the statistics. Raises ValueError where
    it pools by a function, which cannot be replaced."""
    model = copy.deepcopy(model)
    for name, module in running.layers(model):
        if isinstance(module, nn.MaxPool2d):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, nn.AvgPool2d(
                module.kernel_size, module.stride, module.padding, module.ceil_mode, count_include_pad=False))
        elif isinstance(module, nn.Conv2d):
            module.padding_mode = "reflect"
    with torch.no_grad(), running.entered(model), _NoMaximum(), suppress(RuntimeError):   # its head may want another size
        running.plainly(model, running.blank(model))
    return model


class _NoMaximum(TorchFunctionMode):
    """Within it, no maximum is pooled."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if getattr(func, "__name__", "") in MAXIMA:
            raise ValueError("model: got one that pools maxima by a function. It takes one whose pooling is a layer, "
                             "nn.MaxPool2d.")
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def describe(model, style, layers=STYLE_LAYERS, statistic=objectives.gram):
    """{layer: Gram matrices (N,C,C)} of style pictures (N,3,H,W) of at least 32 px, or another statistic of them."""
    if min(validate.images(style, "style").shape[-2:]) < DESCRIBED:
        raise ValueError(f"style: got shape {tuple(style.shape)}. It takes pictures of at least "
                         f"{DESCRIBED}x{DESCRIBED} px: a smaller one has no texture.")
    with running.entered(model):
        return {layer: statistic(values) for layer, values in objectives.maps(model, style, layers).items()}


def goal(model, photo, grams, weight=40.0, layer=CONTENT_LAYER, smooth=0.5):
    """What style transfer asks of images: near the photos (N,3,H,W) at `layer`, near the Gram matrices of a style.

    Minus (content loss + weight * style loss + smooth * mean total variation), the losses from one pass (Gatys et al.
    2016, eq. 7). `weight` is a number, or one for each photo (N,).
    """
    layers = list(dict.fromkeys((layer, *grams)))
    for name in layers:
        validate.layer(model, name)
    content = objectives.codes(model, validate.images(photo, "photo"), [layer])[layer].detach()

    def score(images):
        codes = objectives.maps(model, images, layers)
        return -(objectives.content_loss(codes[layer], content) + weight * objectives.style_loss(codes, grams))
    return objectives.Objective(score, (model,)) - smooth / photo[0].numel() * objectives.total_variation(2)


def transfer(model, photo, grams, weight=40.0, layer=CONTENT_LAYER, rounds=3, inner=20, **options):
    """Paint photos (N,3,H,W) in a style by optimisation from the photos themselves: `Moved`, after `rounds` of L-BFGS
    with `inner` iterations each; `options` are those of `optimise`."""
    photo = affordable(photo)
    return optimise(photo, goal(model, photo, grams, weight, layer), rounds, steps.lbfgs(inner=inner), projections.box,
                    **options)


def pyramid(model, photo, style, sides=(96, 192, 384), style_sides=(96, 192, 256), rounds=(4, 2, 1), weight=120.0,
            **options):
    """Paint photos (N,3,H,W) from coarse to fine: at each of `sides` (px, the photo's shorter side) `transfer` goes on
    from the painting before, enlarged, with the style picture (1,3,h,w) at the side beside it: `Moved`.

    Strokes are as large as the describer's layers can see, so the coarse sizes lay out what the fine ones only sharpen
    (Gatys et al. 2017, section 6).
    """
    painted = None
    for side, style_side, count in zip(sides, style_sides, rounds, strict=True):
        base, grams = pixels.resize(photo, side).clamp(0, 1), describe(model, pixels.resize(style, style_side).clamp(0, 1))
        begin = base if painted is None else pixels.resize(painted.images, tuple(base.shape[-2:])).clamp(0, 1)
        painted = optimise(begin, goal(model, base, grams, weight), count, steps.lbfgs(), projections.box, **options)
    return painted


def affordable(images, most=None):
    """Images (N,3,H,W), scaled down with a warning where all of them together have more than `most` pixels (MOST)."""
    most = most or MOST
    n, _, height, width = validate.images(images).shape
    if n * height * width <= most:
        return images
    scale = math.sqrt(most / (n * height * width))
    size = tuple(max(1, int(side * scale)) for side in (height, width))
    warnings.warn(f"images: {n} of {height}x{width} px need too much memory; they were scaled down to "
                  f"{size[0]}x{size[1]} px.", stacklevel=3)
    return pixels.resize(images, size).clamp(0, 1)


class StyleNorm(nn.Module):
    """Instance normalisation with a scale and a shift for each style (Dumoulin et al. 2017, eq. 5)."""

    def __init__(self, channels, styles):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(styles, channels))
        self.shift = nn.Parameter(torch.zeros(styles, channels))

    def forward(self, x, mix):
        scale, shift = (mix @ table for table in (self.scale, self.shift))   # (N,C)
        return F.instance_norm(x) * scale[..., None, None] + shift[..., None, None]


class StyledConv(nn.Module):
    """Convolution with reflected borders, then `StyleNorm`; the caller applies the ReLU."""

    def __init__(self, inputs, outputs, size, styles, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, padding_mode="reflect", bias=False)
        self.norm = StyleNorm(outputs, styles)

    def forward(self, x, mix):
        return self.norm(self.conv(x), mix)


class Residual(nn.Module):
    """Two styled convolutions and a shortcut, with no ReLU behind the sum (Johnson et al. 2016, supplement)."""

    def __init__(self, channels, styles):
        super().__init__()
        self.conv1 = StyledConv(channels, channels, 3, styles)
        self.conv2 = StyledConv(channels, channels, 3, styles)

    def forward(self, x, mix):
        return x + self.conv2(self.conv1(x, mix).relu(), mix)


class StyleNet(nn.Module):
    """Images (N,3,H,W) in [0,1] painted in a style, same shape and range, in one pass (Johnson et al. 2016).

    Two strided convolutions, residual blocks at a quarter of the size, and back by nearest-neighbour upsampling and
    convolution (Odena et al. 2016). All styles share the convolutions; each has its own instance normalisation.
    """

    def __init__(self, styles=STYLES, widths=(16, 32, 64), blocks=4):
        super().__init__()
        self.styles, count = tuple(styles), len(styles)
        first, second, third = widths
        self.down = nn.ModuleList([StyledConv(3, first, 9, count), StyledConv(first, second, 3, count, 2),
                                   StyledConv(second, third, 3, count, 2)])
        self.blocks = nn.ModuleList([Residual(third, count) for _ in range(blocks)])
        self.up = nn.ModuleList([StyledConv(third, second, 3, count), StyledConv(second, first, 3, count)])
        self.paint = nn.Conv2d(first, 3, 9, padding=4, padding_mode="reflect")

    def forward(self, images, style):
        """`style` is a name, or the share of each style: a tensor (styles,) or (N,styles), for blends."""
        if min(validate.images(images).shape[-2:]) < SMALLEST:
            raise ValueError(f"images: got shape {tuple(images.shape)}. It takes images of at least "
                             f"{SMALLEST}x{SMALLEST} px.")
        mix, sizes = self.mix(style, images), []
        x = images - 0.5
        for conv in self.down:
            sizes.append(x.shape[-2:])
            x = conv(x, mix).relu()
        for block in self.blocks:
            x = block(x, mix)
        for conv, size in zip(self.up, reversed(sizes[1:])):
            x = conv(F.interpolate(x, tuple(size)), mix).relu()
        return self.paint(x).sigmoid()

    def mix(self, style, images):
        """The share of each style for each image, (N,styles)."""
        if isinstance(style, str):
            index = self.styles.index(validate.one_of("style", style, self.styles))
            style = F.one_hot(torch.tensor(index), len(self.styles))
        if not isinstance(style, torch.Tensor) or style.shape not in (
                (len(self.styles),), (1, len(self.styles)), (len(images), len(self.styles))):
            got = tuple(style.shape) if isinstance(style, torch.Tensor) else type(style).__name__
            raise ValueError(f"style: got {got}. It takes one of {', '.join(self.styles)}, or a tensor "
                             f"({len(self.styles)},) or (N,{len(self.styles)}) of their shares.")
        return style.to(images).expand(len(images), -1)


def load(device=None):
    """The bundled `StyleNet` for `STYLES`, frozen.

    Raises ValueError for weights that are not the published ones, FileNotFoundError where they are missing.
    """
    return models.restored(StyleNet, "style_net", device)
