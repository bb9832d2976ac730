"""Lesson 3: does occlusion find the object better than the middle of the picture, when the object is off the middle?"""

import middle
import torch
from measured import mean

from lecturekit import attribution
from lecturekit.attribution import localisation, segmentation
from lecturekit.networks import models
from lecturekit.pictures import datasets

QUESTION = "What share of a map lies on the object, by how far the object is from the middle?"
UNIT = "energy inside"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"network": "resnet_s", "pictures": 200, "side": 96, "window": 24, "stride": 12}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/test.tar")


def pictures():
    return datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], models.load(SETTINGS["network"]),
                              SETTINGS["side"])


def occlusion(blind):
    model = models.load(SETTINGS["network"])
    images, masks, target = pictures()
    maps = attribution.occlusion(models.randomised(model) if blind else model, images, target, SETTINGS["window"],
                                 SETTINGS["stride"])
    return localisation.energy_inside(maps, masks).tolist()


def unseeing():
    images, masks, _ = pictures()
    return localisation.energy_inside(middle.bump(images), masks).tolist()


def distances():
    return middle.distances(pictures()[1])


def parts():
    return {"occlusion": lambda: occlusion(False), "random weights": lambda: occlusion(True),
            "middle of the picture": unseeing, "distances": distances}


def rows(results):
    chosen = middle.groups(results.pop("distances"))
    ahead = torch.tensor(results["occlusion"]) - torch.tensor(results["middle of the picture"])
    for name, group in chosen.items():
        for series, values in results.items():
            yield mean(series, torch.tensor(values)[group], at=name, null=series != "occlusion")
        yield mean("occlusion minus middle", ahead[group], at=name)
