"""Lesson 9: what is still right under PGD, against the budget, of rendered pictures, for each bundled network."""

from functools import partial

import torch
from scipy.stats import binomtest

from lecturekit.networks import models
from lecturekit.pictures import datasets
from lecturekit.robustness import standing
from lecturekit.show.evidence import Row

QUESTION = "How many pictures are still right under attack?"
UNIT = "share still right"
INTERVAL = "95 % Wilson interval"
SETTINGS = {"networks": ["alexnet_s", "vgg_s", "resnet_s", "resnet_s_robust"], "pictures": 100, "side": 128,
            "norm": "linf", "eps of 255": [0, 0.5, 1, 2, 4, 8], "steps": 10, "seeds": [0]}
WEIGHTS = (*(f"weights/{name}.safetensors" for name in SETTINGS["networks"]), "tabletop/test.tar")


def pictures(model):
    data = datasets.tabletop("test")[:SETTINGS["pictures"]]
    images, _, labels = datasets.for_model(data, model, SETTINGS["side"])
    return images, labels


def budgets():
    return [eps / 255 for eps in SETTINGS["eps of 255"]]


def attacked(name):
    """For each budget how many pictures stand, the least over the seeds."""
    model = models.load(name)
    images, labels = pictures(model)
    shares = [standing.curve(model, images, labels, budgets(), steps=SETTINGS["steps"], seed=seed)
              for seed in SETTINGS["seeds"]]
    return [round(min(at) * len(images)) for at in zip(*shares)]


def shaken(name):
    """The same under random signs, the null: changes as large that nobody chose."""
    model = models.load(name)
    images, labels = pictures(model)
    signs = torch.randn(images.shape, generator=torch.Generator().manual_seed(0)).sign()
    noisy = ((images + eps * signs).clamp(0, 1) for eps in budgets())
    return [round(standing.accuracy(model, moved, labels) * len(images)) for moved in noisy]


def parts():
    attacks = {name: partial(attacked, name) for name in SETTINGS["networks"]}
    return attacks | {f"{name}, random signs": partial(shaken, name) for name in ("resnet_s", "resnet_s_robust")}


def rows(results):
    n = SETTINGS["pictures"]
    for name, counts in results.items():
        for eps, count in zip(SETTINGS["eps of 255"], counts):
            low, high = binomtest(count, n).proportion_ci(method="wilson")
            yield Row(name, count / n, min(low, count / n), max(high, count / n), n, eps, null="random" in name)
