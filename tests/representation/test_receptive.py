"""Receptive fields: published numbers, the gradient's support, exact replay."""

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from lecturekit.networks import hooks, layout, models, nets
from lecturekit.representation import receptive
from lecturekit.representation.receptive import Field

ALEXNET = {"features.0": (11, 4), "features.2": (19, 8), "features.3": (51, 8), "features.6": (99, 16),
           "features.8": (131, 16), "features.10": (163, 16), "features.12": (195, 32)}


def meta(name, **options):
    """A torchvision network without any weights: shapes only."""
    with torch.device("meta"):
        return torchvision.models.get_model(name, **options)


def convolutions(name):
    """A torchvision network with random weights, without its linear layers."""
    network = meta(name)
    network.classifier = nn.Identity()
    return models.randomised(network.to_empty(device="cpu")).eval()


def square(size, jump, start):
    return Field((size, size), (jump, jump), (start, start))


def test_published_fields_of_alexnet_and_vgg16():
    fields = receptive.fields(meta("alexnet"))
    assert {name: (fields[name].size[0], fields[name].jump[0]) for name in ALEXNET} == ALEXNET
    fields = receptive.fields(meta("vgg16"))
    assert fields["features.28"].size == (196, 196) and fields["features.30"].size == (212, 212)
    assert "classifier.0" not in fields


def test_stack_gives_the_published_fields():
    assert receptive.stack([(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)]) == (195, 32)
    block = [(3, 1)] * 2 + [(2, 2)]
    assert receptive.stack(2 * block + 3 * ([(3, 1)] + block)) == (212, 32)
    assert receptive.stack([]) == (1, 1)


@pytest.mark.parametrize("name, layer, expected", [
    ("resnet18", "layer2.1", square(99, 8, -49)), ("resnet18", "layer4.1", square(435, 32, -217)),
    ("resnet18", "avgpool", square(435 + 6 * 32, 7 * 32, -217)),
    ("densenet121", "features.denseblock1", square(59, 4, -29)),
    ("googlenet", "inception4a", square(107, 16, -39)), ("shufflenet_v2_x1_0", "stage3.0", square(79, 16, -39))])
def test_branches_take_the_largest_field(name, layer, expected):
    options = {"init_weights": False, "transform_input": True} if name == "googlenet" else {}
    assert receptive.field(meta(name, **options), layer) == expected


@pytest.mark.parametrize("name, layer, size", [
    ("alexnet", "features.8", 160), ("vgg16", "features.17", 96), ("resnet18", "layer2.1", 112),
    ("densenet121", "features.denseblock1.denselayer3", 64), ("resnet_s", "layer2", 128), ("alexnet_s", "conv3", 128),
    ("vgg_s", "pool4", 96), ("squeezenet1_1", "features.8", 160)])
def test_gradient_reaches_the_field_and_no_further(name, layer, size):
    model = models.load(name, "random") if name in nets.ARCHITECTURES else convolutions(name)
    field = receptive.field(model, layer, size)
    row, col = (int((size / 2 - c) // j) for c, j in zip(field.center, field.jump))
    assert field.inside(row, col, size, size)
    assert receptive.support(model, layer, row, col, size, samples=1) == field.box(row, col)


@pytest.mark.parametrize("network, expected", [
    (nn.Conv2d(3, 8, (1, 7), padding=(0, 3)), Field((1, 7), (1, 1), (0, -3))),
    (nn.Conv2d(3, 8, 3, dilation=2, stride=2), square(5, 2, 0)),
    (nn.Conv2d(3, 8, 3, padding="same", dilation=3), square(7, 1, -3)),
    (nn.Sequential(nn.Conv2d(3, 8, 3), nn.AvgPool2d(2), nn.Conv2d(8, 8, 3, padding=1)), square(8, 2, -2)),
    (nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.MaxPool2d(3, 2, ceil_mode=True)), square(7, 4, -1)),
    (nn.Sequential(nn.Conv2d(3, 8, 5, 2, 2), nn.AdaptiveAvgPool2d(1)), square(35, 32, -2)),
    (nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.AdaptiveMaxPool2d(4)), square(10, 8, -1))])
def test_closed_forms(network, expected):
    model = nn.Sequential(network)
    assert receptive.field(model, "0", size=32) == expected
    unit = {1: 3, 2: 3, 4: 3, 8: 1, 32: 0}[expected.jump[0]]
    top, left, bottom, right = expected.box(unit, unit)
    seen = max(top, 0), max(left, 0), min(bottom, 32), min(right, 32)
    assert receptive.support(model, "0", unit, unit, size=32, samples=64) == seen


class Functional(nn.Module):
    """Pools and adds with functions, which module hooks do not see."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.last = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        y = F.max_pool2d(torch.relu_(self.conv(x) + x), 2)
        return self.last(torch.cat([y[:, :1], F.avg_pool2d(y, 3, 1, 1)[:, 1:]], 1))


def test_functional_calls_count():
    assert receptive.field(Functional(), "last", size=16) == square(8, 2, -3)
    assert receptive.support(Functional(), "last", 3, 3, size=16, samples=64) == (3, 3, 11, 11)


class Excitation(nn.Module):
    """Squeeze and excitation; with `flat`, its gate is a vector in between."""

    def __init__(self, flat):
        super().__init__()
        self.flat, self.fc = flat, nn.Conv2d(4, 4, 1) if not flat else nn.Linear(4, 4)

    def forward(self, x):
        pooled = F.adaptive_avg_pool2d(x, 1)
        gate = self.fc(pooled.flatten(1) if self.flat else pooled).sigmoid()
        return x * gate.view(len(x), 4, 1, 1)


def gated(flat=False):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Hardswish(), Excitation(flat), nn.Conv2d(4, 4, 3))


@pytest.mark.parametrize("unit", [nn.Hardswish, nn.SiLU, nn.Mish, nn.GELU, nn.ReLU6, nn.PReLU, nn.Softplus, nn.Sigmoid])
def test_units_of_every_kind_are_pointwise(unit):
    assert receptive.field(nn.Sequential(nn.Conv2d(3, 4, 3, 2), unit()), "1", size=32) == square(3, 2, 0)


class Permuted(nn.Module):
    """A block as ConvNeXt has it: layer norm and linear layers with the channels last."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.wide, self.last = (
            nn.Conv2d(3, 8, 5, 2, 2), nn.LayerNorm(8), nn.Linear(8, 8), nn.Conv2d(8, 8, (1, 3), padding=(0, 1)))

    def forward(self, x):
        return self.last(self.wide(self.norm(self.first(x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2))


def test_permuted_maps_keep_their_fields():
    model, fields = Permuted(), receptive.fields(Permuted(), 32)
    assert fields["norm"] == fields["wide"] == square(5, 2, -2)
    assert fields["last"] == Field((5, 9), (2, 2), (-2, -4))
    assert receptive.support(model, "last", 5, 6, size=32) == fields["last"].box(5, 6)
    seen = receptive.support(model, "wide", 5, 6, size=32, reshape=layout.channels_first)
    assert seen == fields["wide"].box(5, 6)
    assert receptive.field(meta("convnext_tiny"), "features.1.2").size == (4 + 3 * 6 * 4,) * 2


@pytest.mark.parametrize("network, layer, reason", [
    (nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(7)), "1", "uneven windows"),
    (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 4, 2, 2)), "1", "neither a window nor pointwise"),
    (nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4)), "1", r"every unit sees the whole picture \(group_norm"),
    (nn.Sequential(nn.Conv2d(3, 4, 3), nn.LayerNorm((4, 30, 30))), "1", r"every unit sees the whole picture \(after layer"),
    (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(3600, 5)), "2", "no row and column"),
    (gated(), "3", "every unit sees the whole picture"), (gated(flat=True), "3", "every unit sees the whole picture"),
    (meta("efficientnet_b0"), "features.2", "every unit sees the whole picture"),
    (meta("vit_b_16"), "encoder.layers.encoder_layer_3", "no row and column"),
    (meta("swin_t"), "features.1.1", "no row and column")])
def test_layers_without_a_field_say_why(network, layer, reason):
    size = 32 if isinstance(network, nn.Sequential) else 224
    fields = receptive.fields(network, size)
    assert fields and layer not in fields
    with pytest.raises(ValueError, match=f"(?s)layer: got '{layer}'.*{reason}"):
        receptive.field(network, layer, size)


def test_bad_input_is_named_and_changes_nothing():
    model = nets.resnet_s().train()
    image = torch.rand(1, 3, 64, 64)
    with pytest.raises(ValueError, match="Did you mean 'layer4'"):
        receptive.field(model, "layer5")
    with pytest.raises(ValueError, match="without a Conv2d"):
        receptive.fields(nn.Linear(3, 3))
    with pytest.raises(ValueError, match="size: got 0"):
        receptive.fields(model, 0)
    with pytest.raises(ValueError, match=r"row, col: got \(0, 16\)"):
        receptive.sensitivity(model, image, "layer1", 0, 16)
    with pytest.raises(ValueError, match="layer: got 'fc', whose output has shape"):
        receptive.sensitivity(model, image, "fc", 0, 0)
    with pytest.raises(TypeError, match="images"):
        receptive.sensitivity(model, image.numpy(), "layer1", 0, 0)
    assert model.training and model.bn1.training and int(model.bn1.num_batches_tracked) == 0
    assert not any(module._forward_hooks for module in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_a_unit_depends_on_its_field_only():
    model = convolutions("alexnet")
    field = receptive.field(model, "features.6")
    sensitivity = receptive.sensitivity(model, torch.rand(2, 3, 224, 224), "features.6", 6, 5)
    top, left, bottom, right = field.box(6, 5)
    assert field.inside(6, 5, 224, 224) and not field.inside(0, 0, 224, 224)
    assert sensitivity.shape == (2, 224, 224)
    sensitivity[:, top:bottom, left:right] = 0
    assert (sensitivity == 0).all()


@pytest.mark.parametrize("layer, size, jump, places", [
    ("features.2", 7, 4, 24), ("features.5", 31, 8, 12), ("features.8", 79, 16, 6)])
def test_pooling_that_rounds_up_begins_windows_that_leave_the_map(layer, size, jump, places):
    """SqueezeNet at 99 px: conv1 gives 49 places, its poolings 24, 12 and 6; rounding down would give 24, 11 and 5."""
    model = models.load("squeezenet1_1")
    images = torch.rand(1, 3, 99, 99, generator=torch.Generator().manual_seed(2)).double()
    field, units = receptive.field(model, layer, 99), (2, places - 1)
    assert (field.size[0], field.jump[0]) == (size, jump)
    for unit in units:
        top, left, bottom, right = field.box(unit, unit)
        cut = max(top, 0), max(left, 0), min(bottom, 99), min(right, 99)
        assert receptive.support(model, layer, unit, unit, 99, samples=8) == cut
    model.double()   # a convolution by Winograd's tiles lets a rounding error in from beyond the field
    maps = hooks.features(model, images, layer)
    assert maps.shape[2] == places
    for unit in units:
        torch.testing.assert_close(receptive.replay(model, images, layer, unit, unit), maps[..., unit, unit])
    third = size // 3
    images[:, :, top + third:top + 2 * third, left + third:left + 2 * third] = 0.5   # a change inside is noticed
    assert (hooks.features(model, images, layer) - maps)[..., units[1], units[1]].abs().max() > 0.1 * maps.std()


@pytest.mark.parametrize("name, layer", [("alexnet", "features.8"), ("resnet18", "layer2"), ("vgg_s", "pool4")])
def test_what_a_field_holds_replays_the_activation(name, layer):
    model = models.load(name, "random") if name.endswith("_s") else convolutions(name)
    images = torch.rand(3, 3, 192, 192)
    maps = hooks.features(model, images, layer)
    rows, cols = torch.tensor([0, 6, maps.shape[2] - 1]), torch.tensor([3, 7, 6])     # border units too
    again = receptive.replay(model, images, layer, rows, cols, fill=0.2)
    assert torch.allclose(again, maps[range(3), :, rows, cols], atol=1e-5)
    top, left, bottom, right = receptive.field(model, layer).box(6, 7)
    images[:, :, top + 20:bottom - 20, left + 20:right - 20] = 0.2                       # a change inside is noticed
    assert not torch.allclose(hooks.features(model, images, layer)[1, :, 6, 7], maps[1, :, 6, 7], atol=1e-2)


def test_an_interior_crop_alone_replays_the_activation():
    """The crop on a canvas just large enough to line up with the network's grid (no padding reaches the unit)."""
    model = convolutions("alexnet")
    image, field = torch.rand(1, 3, 224, 224), receptive.field(model, "features.3")
    patch = receptive.crop(image, field, 10, 12)
    unit = -(-(-field.start[0]) // field.jump[0])                  # the first interior unit
    offset = field.box(unit, unit)[0]
    canvas = F.pad(patch, (offset, 0, offset, 0))
    small, large = hooks.features(model, canvas, "features.3"), hooks.features(model, image, "features.3")
    assert patch.shape == (1, 3, 51, 51)
    assert torch.allclose(small[0, :, unit, unit], large[0, :, 10, 12], atol=1e-5)


def test_crop_fills_what_leaves_the_image():
    field, image = square(5, 2, -2), torch.arange(16.0).view(1, 1, 4, 4) / 16
    patch = receptive.crop(image, field, 0, 1, fill=1.0)
    assert torch.equal(patch[0, 0, 2:, :4], image[0, 0, :3])
    assert (patch[0, 0, :2] == 1).all() and (patch[..., 4] == 1).all()
    patches = receptive.crop(image.expand(2, -1, -1, -1), field, torch.tensor([0, 1]), 1)
    assert patches.shape == (2, 1, 5, 5) and torch.equal(patches[1, 0, :4, :4], image[0, 0])
    assert receptive.crop(image[:0], field, 0, 0).shape == (0, 1, 5, 5)
    model = models.load("resnet_s", "random")
    assert receptive.replay(model, torch.zeros(0, 3, 64, 64), "layer1", 0, 0).shape == (0, 64)


def test_a_shift_by_one_stride_shifts_the_map_by_one():
    convolution = nn.Conv2d(3, 8, 5, stride=2, padding=2, padding_mode="circular")
    image = torch.rand(1, 3, 32, 32)
    shifted = image.roll((2, 4), (2, 3))
    assert torch.allclose(convolution(shifted), convolution(image).roll((1, 2), (2, 3)), atol=1e-5)
    assert not torch.allclose(convolution(image.roll(1, 2)), convolution(image).roll(1, 2), atol=1e-2)
