"""Lesson 7: how near do pre-images come, in the code and in the picture, layer by layer, when descent has ended?

Nulls: what a flat grey square, the mean of the other pictures, and the other picture whose code is nearest would give.
"""

from functools import partial

import torch
from measured import mean

from lecturekit.moving import inversion, objectives
from lecturekit.networks import hooks, models
from lecturekit.pictures import datasets, pixels

QUESTION = "How near does a pre-image come to the code, and to the picture?"
UNIT = "normalised error"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"network": "alexnet_s", "side": 96, "pictures": 10, "others": 200, "steps": 400, "rate": 0.03,
            "layers": ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3", "conv4", "relu4", "conv5",
                       "relu5", "pool5", "fc6", "relu6", "fc7", "relu7", "fc8"]}
WEIGHTS = ("weights/alexnet_s.safetensors", "tabletop/test.tar")
IN_THE_PICTURE = ", in the picture"


def pictures():
    """(the pictures to invert, one of each category; the others, which no one inverts)."""
    images = pixels.resize(datasets.tabletop("test")[:SETTINGS["others"]].images, SETTINGS["side"]).clamp(0, 1)
    return images[:SETTINGS["pictures"]], images[SETTINGS["pictures"]:]


def errors(layer):
    """{series: [error of each picture]} at a layer."""
    model, (wanted, others) = models.load(SETTINGS["network"]), pictures()
    codes = hooks.features(model, wanted, layer)
    found = {name: moved(model, layer, codes, prior) for name, prior in inversion.PRIORS.items()}
    found |= {"flat grey": torch.full_like(wanted, 0.5), "mean of other pictures": others.mean(0).expand_as(wanted)}
    told = {}
    for name, images in found.items():
        told[name] = objectives.content_loss(hooks.features(model, images, layer), codes).tolist()
        told[name + IN_THE_PICTURE] = objectives.content_loss(images, wanted).tolist()
    away = distances(hooks.features(model, others, layer), codes)
    told["nearest other picture"] = away.amin(1).tolist()
    told["nearest other picture" + IN_THE_PICTURE] = objectives.content_loss(others[away.argmin(1)], wanted).tolist()
    return told


def moved(model, layer, codes, prior):
    start = inversion.noise(1, SETTINGS["side"]).expand(len(codes), -1, -1, -1)
    return inversion.invert(model, layer, codes, start, prior, SETTINGS["steps"], SETTINGS["rate"], quiet=True).images


def distances(others, codes):
    """The normalised error of each other code to each code: (codes, others)."""
    return torch.stack([objectives.content_loss(others, code.expand_as(others)) for code in codes])


def parts():
    return {layer: partial(errors, layer) for layer in SETTINGS["layers"]}


def rows(results):
    for series in next(iter(results.values())):
        for layer, told in results.items():
            null = not any(series.startswith(name) for name in inversion.PRIORS)
            yield mean(series, told[series], at=layer, null=null)
