"""Lesson 4: how far does a gradient's promise hold, on many pictures?"""

import torch
from measured import mean

from lecturekit import attribution
from lecturekit.networks import models, running
from lecturekit.pictures import datasets

QUESTION = "What share of the rise that the gradient promises comes true, by how far all pixels move?"
UNIT = "rise / promised rise"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"network": "resnet_s", "pictures": 100, "side": 96, "levels": [0.1, 0.25, 0.5, 1, 2, 4, 8]}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/test.tar")
WAYS = {"uphill": 1, "downhill": -1}


def ratios():
    """{way: {level: [ratio of each picture]}}; a level is the root mean square of the pixels' change, in 1/255."""
    model = models.load(SETTINGS["network"])
    images, _, target = datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], model, SETTINGS["side"])
    slope = attribution.gradient(model, images, target)
    steepness = slope.flatten(1).norm(dim=1)
    uphill = slope / steepness.view(-1, 1, 1, 1)
    before, found = attribution.class_scores(model, images, target), {}
    for way, sign in WAYS.items():
        found[way] = {}
        for level in SETTINGS["levels"]:
            step = sign * level / 255 * images[0].numel() ** 0.5
            logits = running.logits(model, images + step * uphill)
            after = logits[torch.arange(len(target)), target]
            found[way][str(level)] = ((after - before) / (step * steepness)).tolist()
    return found


def parts():
    return {"ratios": ratios}


def rows(results):
    for way, found in results["ratios"].items():
        for level, values in found.items():
            yield mean(way, values, at=float(level))
    for level in SETTINGS["levels"]:   # what it would be if the logit were a plane
        yield mean("a plane", torch.ones(SETTINGS["pictures"]), at=float(level), null=True)
