"""Lesson 7: in how many places of a pre-image does the network find its thing? Multiple copies of parts, measured.

A window of 32 px slides over the picture, everything else becomes mid-grey. Counted are windows that do not overlap and
of which each alone makes the network name the thing, the surest first. Nulls: the picture itself, and the start.
"""

from functools import partial

import torch
from measured import mean

from lecturekit.moving import inversion
from lecturekit.networks import hooks, models
from lecturekit.pictures import datasets

QUESTION = "How many separate windows of a pre-image are each enough to name the thing?"
UNIT = "windows that are enough"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"network": "alexnet_s", "side": 96, "pictures": 10, "steps": 200, "rate": 0.03, "window": 32, "stride": 8,
            "sure": 0.5, "layers": ["relu3", "relu5", "relu6", "relu7", "fc8"]}
WEIGHTS = ("weights/alexnet_s.safetensors", "tabletop/test.tar")
PRIORS, PICTURE, START = ("no prior", "TV, beta = 2"), "the picture itself", "the start"


def pictures(model):
    """(images, index of each one's category in the network's output)."""
    images, _, labels = datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], model, SETTINGS["side"])
    return images, labels


def windows(image):
    """The picture (1,3,H,W) with all but one window grey, for each window (K,3,H,W), and the corners (K,2)."""
    side, size, stride = SETTINGS["side"], SETTINGS["window"], SETTINGS["stride"]
    corners = [(top, left) for top in range(0, side - size + 1, stride) for left in range(0, side - size + 1, stride)]
    shown = torch.full((len(corners), *image.shape[1:]), 0.5)
    for one, (top, left) in zip(shown, corners):
        place = (..., slice(top, top + size), slice(left, left + size))
        one[place] = image[0][place]
    return shown, torch.tensor(corners)


def enough(model, image, label):
    """How many windows that do not overlap are each named as the thing, the surest first."""
    shown, corners = windows(image)
    sure, count = models.predict(model, shown)[:, label], 0
    while sure.max() > SETTINGS["sure"]:
        best = corners[sure.argmax()]
        sure = sure.masked_fill(((corners - best).abs() < SETTINGS["window"]).all(1), 0)
        count += 1
    return count


def counts(model, images, labels):
    return [enough(model, image, label) for image, label in zip(images.split(1), labels)]


def begun(images):
    return inversion.noise(1, SETTINGS["side"]).expand_as(images)


def nulls():
    model = models.load(SETTINGS["network"])
    images, labels = pictures(model)
    return {PICTURE: counts(model, images, labels), START: counts(model, begun(images), labels)}


def measured(layer):
    """{prior: [count of each picture]}."""
    s, model, told = SETTINGS, models.load(SETTINGS["network"]), {}
    images, labels = pictures(model)
    codes = hooks.features(model, images, layer)
    for name in PRIORS:
        found = inversion.invert(model, layer, codes, begun(images), inversion.PRIORS[name], s["steps"], s["rate"],
                                 quiet=True).images
        told[name] = counts(model, found, labels)
    return told


def parts():
    return {"nulls": nulls} | {layer: partial(measured, layer) for layer in SETTINGS["layers"]}


def rows(results):
    for series in PRIORS:
        for layer in SETTINGS["layers"]:
            yield mean(series, results[layer][series], at=layer)
    for series, found in results["nulls"].items():
        for layer in SETTINGS["layers"]:
            yield mean(series, found, at=layer, null=True)
