"""Lesson 2: what helps with a new task and few labels, when every way is trained to the end?"""

import torch

from lecturekit.networks import models
from lecturekit.pictures import datasets, pixels
from lecturekit.representation import embedding, training
from lecturekit.show.evidence import over_seeds

QUESTION = "How often is the kind of floor right, by the number of labels for each of the eight kinds?"
UNIT = "accuracy on 400 unseen pictures"
INTERVAL = "range over three draws of the labelled pictures"
SETTINGS = {"network": "resnet_s", "layer": "layer2", "side": 40, "labels": [1, 5, 20, 80], "draws": 3, "steps": 250,
            "rates": {"fine-tuned": 3e-4, "from scratch": 1e-3}, "test": 400}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/train.tar", "tabletop/test.tar")
KINDS = ["frozen", "fine-tuned", "from scratch", "frozen, random weights"]


def pictures(split, count):
    data = datasets.tabletop(split)[:count]
    floors = sorted(set(datasets.tabletop("test").factors["floor"].tolist()))
    return pixels.resize(data.images, SETTINGS["side"]), torch.tensor([floors.index(s["floor"]) for s in data.samples])


def accuracy(kind, each, draw):
    images, floors = pictures("train", 1000)
    test, truth = pictures("test", SETTINGS["test"])
    chosen = training.few(floors, each, draw)
    model, layer = models.load(SETTINGS["network"]), SETTINGS["layer"]
    model = models.randomised(model, draw) if kind in ("from scratch", "frozen, random weights") else model
    if kind in SETTINGS["rates"]:
        tuned = training.fine_tune(model, layer, images[chosen], floors[chosen], 8, SETTINGS["steps"],
                                   SETTINGS["rates"][kind], seed=draw)
        return training.accuracy(tuned, test, truth)
    space = {name: embedding.features(model, of, layer)[layer] for name, of in (("few", images[chosen]), ("test", test))}
    return training.accuracy(training.linear_probe(space["few"], floors[chosen], 8), space["test"], truth)


def parts():
    return {f"{kind} {each}": lambda kind=kind, each=each: [accuracy(kind, each, draw) for draw in range(SETTINGS["draws"])]
            for kind in KINDS for each in SETTINGS["labels"]}


def rows(results):
    return [over_seeds(kind, results[f"{kind} {each}"], SETTINGS["test"], each, kind == "frozen, random weights")
            for kind in KINDS for each in SETTINGS["labels"]]
