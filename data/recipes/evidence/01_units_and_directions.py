"""Lesson 1: are the pictures that a unit likes best purer than those of a random direction of its layer?"""

import torch
from measured import mean
from torch.nn import functional as F

from lecturekit.networks import hooks, models
from lecturekit.pictures import datasets, pixels
from lecturekit.representation import units

QUESTION = "How pure are the nine pictures with the largest values of a unit, and of a random direction of the layer?"
UNIT = "share of the most frequent category among the top nine"
INTERVAL = "95 % bootstrap interval over units and directions"
SETTINGS = {"network": "resnet_s", "pictures": 200, "side": 128, "k": 9, "seed": 0,
            "layers": ["relu1", "layer1", "layer2", "layer3", "layer4"]}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/test.tar")


def measured(layer):
    """{series: [purity of each unit or direction]} on test pictures, whose instances no training saw."""
    data = datasets.tabletop("test")[:SETTINGS["pictures"]]
    images = pixels.resize(data.images, SETTINGS["side"]).clamp(0, 1)
    model = models.load(SETTINGS["network"])
    single, along = strongest(model, images, layer)
    mixed = units.random_directions(single, single.shape[1], SETTINGS["seed"])
    twin, _ = strongest(models.randomised(model), images, layer)
    return {name: units.purity(scores, data.labels, SETTINGS["k"]).tolist() for name, scores in
            {"single units": single, "random directions": along, "mixtures of maxima": mixed,
             "units, random weights": twin}.items()}


def strongest(model, images, layer):
    """The largest value over the places of each unit, and of v . a for as many random directions v: (N,units) each."""
    found = []
    for chunk in images.split(20):
        maps = hooks.features(model, chunk, layer)
        source = torch.Generator().manual_seed(SETTINGS["seed"])
        directions = F.normalize(torch.randn(maps.shape[1], maps.shape[1], generator=source), dim=0)
        along = torch.einsum("nchw,cd->ndhw", maps, directions)
        found.append((maps.amax((2, 3)), along.amax((2, 3))))
    return (torch.cat(parts) for parts in zip(*found))


def parts():
    return {layer: lambda layer=layer: measured(layer) for layer in SETTINGS["layers"]}


def rows(results):
    for series in ("single units", "random directions", "mixtures of maxima", "units, random weights"):
        for layer, found in results.items():
            yield mean(series, found[series], at=layer, null=series == "units, random weights")
