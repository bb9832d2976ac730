"""Lesson 2: from which layers can a linear probe read the side of the light, trained and with random weights?"""

import torch

from lecturekit.networks import models
from lecturekit.pictures import datasets, pixels
from lecturekit.representation import embedding, training
from lecturekit.show.evidence import over_seeds

QUESTION = "How often does a linear probe on a layer's channel means read the side of the light?"
UNIT = "accuracy on 200 unseen pictures of 600"
INTERVAL = "range over three splits of the pictures, each with a twin of its own seed"
SETTINGS = {"network": "resnet_s", "pictures": 600, "side": 96, "splits": 3, "test": 200, "steps": 50,
            "layers": ["relu1", "layer1", "layer2", "layer3", "layer4"]}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/test.tar")


def measured(blind):
    """{layer: [accuracy for each split]}"""
    data = datasets.tabletop("test")[:SETTINGS["pictures"]]
    images = pixels.resize(data.images, SETTINGS["side"])
    side = torch.from_numpy(data.factors["light_azimuth"] > 0).long()
    found = {layer: [] for layer in SETTINGS["layers"]}
    for split in range(SETTINGS["splits"]):
        model = models.load(SETTINGS["network"])
        model = models.randomised(model, split) if blind else model
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(split))
        train, test = order[SETTINGS["test"]:], order[:SETTINGS["test"]]
        for layer, space in embedding.features(model, images, SETTINGS["layers"]).items():
            probe = training.linear_probe(space[train], side[train], 2, steps=SETTINGS["steps"])
            found[layer].append(training.accuracy(probe, space[test], side[test]))
    return found


def parts():
    return {"trained": lambda: measured(False), "random weights": lambda: measured(True)}


def rows(results):
    return [over_seeds(name, values, SETTINGS["test"], layer, name == "random weights")
            for name, found in results.items() for layer, values in found.items()]
