"""The architectures of the bundled networks: three that two cores can train, and SqueezeNet 1.1.

All are `nn.Sequential`: images (N,3,H,W) in [0,1] go in, logits (N,classes) come out, normalisation is the
first layer, and every ReLU is a module of its own that works out of place, so that hooks can find it.
"""

from collections import OrderedDict

import torch
from torch import nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Subtract a mean and divide by a standard deviation, channel by channel."""

    def __init__(self, mean=IMAGENET_MEAN, std=IMAGENET_STD):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, images):
        return (images - self.mean) / self.std


def _conv(name, inputs, outputs, size, stride=1):
    """Convolution, batch norm and ReLU as named layers; `name` "3_1" gives conv3_1, bn3_1, relu3_1."""
    return [
        (f"conv{name}", nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)),
        (f"bn{name}", nn.BatchNorm2d(outputs)),
        (f"relu{name}", nn.ReLU()),
    ]


def _head(inputs, width, classes, dropout):
    """The fully connected layers fc6, fc7 and fc8 of AlexNet and VGG."""
    return [
        ("flatten", nn.Flatten()),
        ("fc6", nn.Linear(inputs, width)), ("relu6", nn.ReLU()), ("drop6", nn.Dropout(dropout)),
        ("fc7", nn.Linear(width, width)), ("relu7", nn.ReLU()), ("drop7", nn.Dropout(dropout)),
        ("fc8", nn.Linear(width, classes)),
    ]


class Block(nn.Module):
    """Residual block with two 3x3 convolutions (He et al. 2016, fig. 2); average pooling in the shortcut."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()
        self.shortcut = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(residual + self.shortcut(x))


def resnet_s(classes=20, widths=(64, 128, 256, 384), depths=(1, 2, 2, 1)):
    """Small ResNet: 7x7 first layer, global average pooling, one linear layer, so that CAM is exact."""
    stem = [("normalize", Normalize()), *_conv(1, 3, 64, 7, 2), ("pool1", nn.MaxPool2d(3, 2, 1))]
    stages, inputs = [], 64
    for stage, (width, depth) in enumerate(zip(widths, depths), 1):
        strides = [2 if stage > 1 else 1] + [1] * (depth - 1)
        blocks = [Block(inputs if i == 0 else width, width, s) for i, s in enumerate(strides)]
        stages.append((f"layer{stage}", nn.Sequential(*blocks)))
        inputs = width
    head = [("avgpool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("fc", nn.Linear(inputs, classes))]
    return nn.Sequential(OrderedDict(stem + stages + head))


def alexnet_s(classes=20):
    """AlexNet's five convolutions (64 filters of 3x11x11 first) and three linear layers, half as wide, batch-normed."""
    layers = [("normalize", Normalize())]
    layers += [*_conv(1, 3, 64, 11, 4), ("pool1", nn.MaxPool2d(3, 2))]
    layers += [*_conv(2, 64, 128, 5), ("pool2", nn.MaxPool2d(3, 2))]
    layers += _conv(3, 128, 256, 3) + _conv(4, 256, 192, 3) + _conv(5, 192, 192, 3)
    layers += [("pool5", nn.AdaptiveMaxPool2d(3))]
    return nn.Sequential(OrderedDict(layers + _head(192 * 9, 512, classes, 0.5)))


def vgg_s(classes=20, widths=((24,), (48,), (96, 96), (192, 192), (256, 256))):
    """The eight 3x3 convolutions of VGG-11 and three linear layers, narrower, batch-normed."""
    layers, inputs = [("normalize", Normalize())], 3
    for stage, block in enumerate(widths, 1):
        for number, width in enumerate(block, 1):
            layers += _conv(f"{stage}_{number}", inputs, width, 3)
            inputs = width
        layers.append((f"pool{stage}", nn.MaxPool2d(2) if stage < len(widths) else nn.AdaptiveMaxPool2d(2)))
    return nn.Sequential(OrderedDict(layers + _head(inputs * 4, 384, classes, 0.3)))


class Fire(nn.Module):
    """A 1x1 convolution that squeezes, then 1x1 and 3x3 ones side by side that expand (Iandola et al. 2016, fig. 1)."""

    def __init__(self, inputs, squeezed, each):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.squeeze_activation = nn.ReLU()
        self.expand1x1 = nn.Conv2d(squeezed, each, 1)
        self.expand1x1_activation = nn.ReLU()
        self.expand3x3 = nn.Conv2d(squeezed, each, 3, padding=1)
        self.expand3x3_activation = nn.ReLU()

    def forward(self, x):
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat([self.expand1x1_activation(self.expand1x1(x)),
                          self.expand3x3_activation(self.expand3x3(x))], 1)


def squeezenet1_1(classes=1000):
    """SqueezeNet 1.1, eight Fire modules and a 1x1 convolution with a map for each class: the mean of its ReLU is the
    logit. Layers are named as in torchvision, features.0 to features.12 and classifier.0 to classifier.3."""
    def pool():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    features = nn.Sequential(
        nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(),
        Fire(64, 16, 64), Fire(128, 16, 64), pool(),
        Fire(128, 32, 128), Fire(256, 32, 128), pool(),
        Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256))
    classifier = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(512, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    layers = {"normalize": Normalize(), "features": features, "classifier": classifier, "flatten": nn.Flatten()}
    return nn.Sequential(OrderedDict(layers))


ARCHITECTURES = {"resnet_s": resnet_s, "alexnet_s": alexnet_s, "vgg_s": vgg_s, "resnet_s_robust": resnet_s,
                 "squeezenet1_1": squeezenet1_1}
IMAGENET = ("squeezenet1_1",)   # the bundled networks that know ImageNet's 1,000 categories, the others the course's 20
