"""Lesson 4: how much of a gradient's map lies on the object, by the rule at the ReLUs, beside maps that never look?"""

from functools import partial

import middle
import torch
from measured import mean

from lecturekit import attribution
from lecturekit.attribution import localisation
from lecturekit.networks import models
from lecturekit.pictures import datasets

QUESTION = "What share of a saliency map lies on the object?"
UNIT = "energy inside"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"network": "resnet_s", "pictures": 200, "side": 96, "samples": 8, "noises": {"10 %": 0.1, "40 %": 0.4}}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/test.tar")
RULES = {"gradient": "gradient", "deconvnet": "deconvnet", "guided backpropagation": "guided"}


def methods():
    """{series: (method, whether its weights are random, whether it is a null)}."""
    found = {name: (partial(attribution.saliency, rule=rule), False, False) for name, rule in RULES.items()}
    found |= {f"SmoothGrad, noise {name}": (partial(attribution.smooth_grad, noise=noise, samples=SETTINGS["samples"]), False,
                                            False) for name, noise in SETTINGS["noises"].items()}
    found |= {f"{name}, random weights": (partial(attribution.saliency, rule=RULES[name]), True, True)
              for name in ("gradient", "guided backpropagation")}
    return found | {"middle of the picture": (lambda model, images, target: middle.bump(images), False, True),
                    "chance": (lambda model, images, target: torch.ones_like(images[:, 0]), False, True)}


def inside(method, blind):
    model = models.load(SETTINGS["network"])
    images, masks, target = datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], model, SETTINGS["side"])
    maps = method(models.randomised(model) if blind else model, images, target)
    return localisation.energy_inside(maps, masks).tolist()


def parts():
    return {series: partial(inside, method, blind) for series, (method, blind, _) in methods().items()}


def rows(results):
    known = methods()
    for series, values in results.items():
        yield mean(series, values, null=known[series][2])
    for name in ("gradient", "guided backpropagation"):
        ahead = torch.tensor(results[name]) - torch.tensor(results["middle of the picture"])
        yield mean(f"{name} minus middle", ahead)
