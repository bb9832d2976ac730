"""Lesson 2: is it the task or the pictures that gives the category its share of a layer's variance?"""

import numpy as np

from lecturekit.networks import models
from lecturekit.pictures import datasets, pixels
from lecturekit.representation import embedding, variance
from lecturekit.show.evidence import over_seeds

QUESTION = "What share of a layer's variance is the category's, trained and with random weights?"
UNIT = "share of the variance"
INTERVAL = "trained: range over the six instances left out in turn; random weights: range over six seeds"
SETTINGS = {"networks": ["resnet_s", "alexnet_s", "vgg_s"], "side": 96, "seeds": 6, "views": 4}
WEIGHTS = ("weights/resnet_s.safetensors", "weights/alexnet_s.safetensors", "weights/vgg_s.safetensors",
           "tabletop/grid.tar")


def grid():
    data = datasets.tabletop("grid")
    data = data[np.flatnonzero(data.factors["azimuth_index"] % 2 == 0)]
    return data, pixels.resize(data.images, SETTINGS["side"])


def shares(space, data, kept):
    parts = {"category": data.labels[kept], "instance": data.factors["instance"][kept],
             "viewpoint": data.factors["azimuth_index"][kept]}
    return variance.shares(space[kept], parts, "category")["category"]


def trained(name):
    data, images = grid()
    model = models.load(name)
    layer = models.landmarks(model)[-2]
    space = embedding.features(model, images, layer)[layer]
    instances = data.factors["instance"]
    return [shares(space, data, np.flatnonzero(instances != left_out)) for left_out in np.unique(instances)]


def untrained(name, seed):
    data, images = grid()
    model = models.randomised(models.load(name), seed)
    layer = models.landmarks(model)[-2]
    return [shares(embedding.features(model, images, layer)[layer], data, np.arange(len(images)))]


def parts():
    found = {name: lambda name=name: trained(name) for name in SETTINGS["networks"]}
    return found | {f"{name} {seed}": lambda name=name, seed=seed: untrained(name, seed)
                    for name in SETTINGS["networks"] for seed in range(SETTINGS["seeds"])}


def rows(results):
    for name in SETTINGS["networks"]:
        yield over_seeds(name, results[name], len(results[name]))
        twins = sum((results[f"{name} {seed}"] for seed in range(SETTINGS["seeds"])), [])
        yield over_seeds(f"{name}, random weights", twins, len(twins), null=True)
