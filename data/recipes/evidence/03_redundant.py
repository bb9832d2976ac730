"""Lesson 3: what does hiding one of two equal objects do, over every picture that can be doubled?"""

import torch
from measured import mean

from lecturekit import attribution
from lecturekit.networks import models
from lecturekit.pictures import datasets

QUESTION = "What is left of a category's probability when its object, or one of its two objects, is hidden?"
UNIT = "probability of the category"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"network": "resnet_s", "side": 96, "fill": "mean"}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/test.tar")


def scenes():
    """Pictures (N,3,H,W) whose object keeps to one half, their masks and targets."""
    test = datasets.tabletop("test")
    touched = test.masks.any(1)   # (1000,128): the columns that the object touches
    beside = touched[:, :64].any(1) ^ touched[:, 64:].any(1)
    return datasets.for_model(test[beside.nonzero()[:, 0]], models.load(SETTINGS["network"]), SETTINGS["side"])


def chances():
    """{condition: [probability in each picture]}."""
    one, masks, target = scenes()
    two = torch.where(masks.flip(-1)[:, None], one.flip(-1), one)
    box = masks.any(1)[:, None] & masks.any(2)[:, :, None]   # the rectangle around the object
    other = box.flip(-1)
    hidden = {"one object, nothing hidden": (one, box & ~box), "one object, hidden": (one, box),
              "two objects, nothing hidden": (two, box & ~box), "two objects, one hidden": (two, box),
              "two objects, both hidden": (two, box | other),
              "one object, as much wall and floor hidden": (one, other & ~box)}
    return {name: without(pictures, where, target) for name, (pictures, where) in hidden.items()}


def without(pictures, hidden, target):
    covered = torch.where(hidden[:, None], attribution.fill_picture(pictures, SETTINGS["fill"]), pictures)
    return models.predict(models.load(SETTINGS["network"]), covered)[torch.arange(len(target)), target].tolist()


def parts():
    return {"chances": chances}


def rows(results):
    return [mean(name, values, null="wall" in name) for name, values in results["chances"].items()]
