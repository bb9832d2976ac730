"""Lesson 7: how far apart are two pre-images of one code, from fine noise and from noise of low frequencies?

Nulls: the same starts before any step. All as shares of the distance of two test pictures.
"""

from functools import partial

import torch
from measured import mean
from torch.nn import functional as F

from lecturekit.moving import inversion
from lecturekit.networks import hooks, models
from lecturekit.pictures import datasets, pixels

QUESTION = "How far apart are two pre-images of one code?"
UNIT = "two pre-images / two pictures"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"network": "alexnet_s", "side": 96, "pictures": 6, "starts": 4, "steps": 200, "rate": 0.03, "spread": 0.2,
            "coarse": 6, "means": 8, "layers": ["relu2", "relu5", "relu6"]}
WEIGHTS = ("weights/alexnet_s.safetensors", "tabletop/test.tar")
CODE, MEANS, BEFORE = "in code", "in means of 8 x 8 px", "before any step"


def begun(kind):
    """Starts (4,3,H,W): grey with noise that changes from pixel to pixel, or over 16 px."""
    s = SETTINGS
    small = inversion.noise(s["starts"], s["side"] if kind == "fine" else s["coarse"], spread=s["spread"])
    return pixels.resize(small, s["side"]).clamp(0, 1)


def apart(items):
    """The mean squared distance of two of the items (N,...)."""
    return torch.pdist(items.flatten(1)).square().mean().item()


def measured(layer, kind):
    """{series: [distance for each picture's code]}."""
    s, model, start, told = SETTINGS, models.load(SETTINGS["network"]), begun(kind), {}
    pictures = pixels.resize(datasets.tabletop("test")[:s["pictures"]].images, s["side"]).clamp(0, 1)
    views = {"in pixels": lambda images: images, MEANS: lambda images: F.avg_pool2d(images, s["means"]),
             CODE: lambda images: hooks.features(model, images, layer)}
    for picture in pictures.split(1):
        code = hooks.features(model, picture, layer)
        found = inversion.invert(model, layer, code, start, steps=s["steps"], rate=s["rate"], quiet=True).images
        for name, view in views.items():
            told.setdefault(f"{kind} noise, {name}", []).append(apart(view(found)) / apart(view(pictures)))
    told[f"{kind} noise, {BEFORE}"] = [apart(views[MEANS](start)) / apart(views[MEANS](pictures))] * s["pictures"]
    return told


def parts():
    return {f"{layer}; {kind}": partial(measured, layer, kind) for layer in SETTINGS["layers"] for kind in ("fine", "coarse")}


def rows(results):
    for kind in ("fine", "coarse"):
        for series in results[f"{SETTINGS['layers'][0]}; {kind}"]:
            for layer in SETTINGS["layers"]:
                yield mean(series.replace(BEFORE, "means " + BEFORE), results[f"{layer}; {kind}"][series], at=layer,
                           null=series.endswith(BEFORE))
