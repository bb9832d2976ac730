"""Lesson 7: up to which layer does a linear readout find where the thing stands?

The readout is ridge regression from a layer's numbers to the centre of the thing's mask, learned on training pictures and
asked on test pictures. Nulls: the same readout of a network with random weights, and of places in a shuffled order.
"""

from functools import partial

import torch
from measured import mean

from lecturekit.networks import hooks, models
from lecturekit.pictures import datasets, pixels

QUESTION = "How well does a linear readout of a layer find the place of the thing?"
UNIT = "share of variance read out"
INTERVAL = "95 % bootstrap interval over test pictures"
SETTINGS = {"network": "alexnet_s", "side": 96, "train": 1200, "held out": 300, "test": 300, "seed": 0,
            "penalties": [0.001, 0.01, 0.1, 1.0, 10.0], "layers": ["relu2", "relu3", "relu4", "relu5", "pool5", "relu6",
                                                                  "relu7", "fc8"]}
WEIGHTS = ("weights/alexnet_s.safetensors", "tabletop/train.tar", "tabletop/test.tar")
AXES = ("left to right", "top to bottom")


def pictures(split, count):
    """(pictures, the centre (x, y) of each mask in shares of the side) of a split's first ones."""
    data = datasets.tabletop(split)[:count]
    masks, line = data.masks.double(), torch.linspace(0, 1, data.masks.shape[-1], dtype=torch.float64)
    size = masks.sum((1, 2))
    centres = torch.stack([masks.sum(1) @ line / size, masks.sum(2) @ line / size], 1)
    return pixels.resize(data.images, SETTINGS["side"]).clamp(0, 1), centres


def ridge(inputs, places, asked, penalty):
    """Places (M,2) of `asked` (M,D), read out by ridge regression on `inputs` (N,D) and their places (N,2)."""
    middle, centre = inputs.mean(0), places.mean(0)
    inputs, asked = inputs - middle, asked - middle
    kernel = inputs @ inputs.T
    weight = penalty * kernel.diagonal().mean() * torch.eye(len(kernel), dtype=kernel.dtype)
    return centre + asked @ inputs.T @ torch.linalg.solve(kernel + weight, places - centre)


def explained(found, places):
    """For each picture and axis (M,2): 1 less its squared error as a share of the variance; the mean is R squared."""
    return 1 - (found - places) ** 2 / places.var(0, correction=0)


def readout(inputs, places, asked, asked_places):
    """`explained` with the penalty that does best on the part of the training pictures that is held out."""
    part = len(inputs) - SETTINGS["held out"]
    tried = {penalty: explained(ridge(inputs[:part], places[:part], inputs[part:], penalty), places[part:]).mean()
             for penalty in SETTINGS["penalties"]}
    return explained(ridge(inputs, places, asked, max(tried, key=tried.get)), asked_places)


def measured(layer):
    """{series: [share explained of each test picture]}."""
    (images, places), (others, there) = pictures("train", SETTINGS["train"]), pictures("test", SETTINGS["test"])
    model, order = models.load(SETTINGS["network"]), torch.randperm(len(places), generator=torch.Generator().manual_seed(0))
    told = {}
    for name, network in (("", model), (", random weights", models.randomised(model, SETTINGS["seed"]))):
        codes, asked = (hooks.features(network, some, layer).flatten(1).double() for some in (images, others))
        shares = readout(codes, places, asked, there)
        told |= {axis + name: shares[:, i].tolist() for i, axis in enumerate(AXES)}
        if not name:
            told["shuffled places"] = readout(codes, places[order], asked, there).mean(1).tolist()
    return told


def parts():
    return {layer: partial(measured, layer) for layer in SETTINGS["layers"]}


def rows(results):
    for series in next(iter(results.values())):
        for layer, told in results.items():
            yield mean(series, told[series], at=layer, null=series not in AXES)
