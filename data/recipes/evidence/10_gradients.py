"""Lesson 10: what share of the gradient lies on the object, in the standard and in the robust network?

Nulls: the object's share of the picture (a gradient that is the same everywhere), and the network with random weights.
"""

from functools import partial

import torch
from measured import mean

from lecturekit import attribution
from lecturekit.attribution import localisation
from lecturekit.networks import models
from lecturekit.pictures import datasets

QUESTION = "What share of the gradient's energy lies on the object?"
UNIT = "share of the energy on the object"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"networks": {"standard": "resnet_s", "robust": "resnet_s_robust"}, "pictures": 150, "side": 128}
WEIGHTS = (*(f"weights/{name}.safetensors" for name in SETTINGS["networks"].values()), "tabletop/test.tar")


def inside(kind):
    """The share of each picture."""
    name = SETTINGS["networks"].get(kind, SETTINGS["networks"]["standard"])
    model = models.load(name)
    images, masks, target = datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], model, SETTINGS["side"])
    if kind == "the same everywhere":
        return masks.float().mean((1, 2)).tolist()
    model = models.randomised(model) if kind == "random weights" else model
    maps = torch.cat([attribution.saliency(model, *some) for some in zip(images.split(50), target.split(50))])
    return localisation.energy_inside(maps, masks).tolist()


def parts():
    return {kind: partial(inside, kind) for kind in (*SETTINGS["networks"], "random weights", "the same everywhere")}


def rows(results):
    for kind, shares in results.items():
        yield mean(kind, shares, null=kind not in SETTINGS["networks"])
    more = torch.tensor(results["robust"]) > torch.tensor(results["standard"])
    yield mean("pictures in which the robust one's share is larger", more)
