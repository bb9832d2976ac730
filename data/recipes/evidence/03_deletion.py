"""Lesson 3: does the network use what its occlusion map ranks first? Pixels hidden and shown in that order and in others."""

from functools import partial

import torch
from measured import mean

from lecturekit import attribution
from lecturekit.attribution import localisation
from lecturekit.networks import models
from lecturekit.pictures import datasets, pixels

QUESTION = "How much of a category's probability is there while pixels are hidden, or shown, in the order of a map?"
UNIT = "area under the curve of the probability"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"network": "resnet_s", "pictures": 100, "side": 96, "window": 24, "stride": 12, "steps": 8, "blocks": 16,
            "seed": 0}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/test.tar")
CURVES = {"hidden": localisation.deletion, "shown": localisation.insertion}


def pictures():
    return datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], models.load(SETTINGS["network"]),
                              SETTINGS["side"])


def occlusion(blind):
    model = models.load(SETTINGS["network"])
    images, _, target = pictures()
    return attribution.occlusion(models.randomised(model) if blind else model, images, target, SETTINGS["window"],
                                 SETTINGS["stride"])


def random_blocks():
    order = torch.rand(SETTINGS["pictures"], 1, SETTINGS["blocks"], SETTINGS["blocks"],
                       generator=torch.Generator().manual_seed(SETTINGS["seed"]))
    return pixels.resize(order, SETTINGS["side"])[:, 0]


def areas(maps):
    """{"hidden": [area of each picture], "shown": [...]} for the order of maps()."""
    model, (images, _, target) = models.load(SETTINGS["network"]), pictures()
    order = maps()
    return {what: localisation.area_under(curve(model, images, order, target, SETTINGS["steps"])).tolist()
            for what, curve in CURVES.items()}


def parts():
    orders = {"occlusion": partial(occlusion, False), "random weights": partial(occlusion, True),
              "random blocks": random_blocks}
    return {name: partial(areas, maps) for name, maps in orders.items()}


def rows(results):
    for what in CURVES:
        for name, found in results.items():
            yield mean(f"{what} first: {name}", found[what], null="random" in name)
        ahead = torch.tensor(results["occlusion"][what]) - torch.tensor(results["random blocks"][what])
        yield mean(f"{what} first: occlusion minus random blocks", ahead)
