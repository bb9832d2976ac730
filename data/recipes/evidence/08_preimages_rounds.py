"""Lesson 8: how near do pictures got back from a layer of the describer come, after 2, 10, 30 rounds of L-BFGS?

Nulls: a flat grey square, and the mean of the other photos.
"""

from functools import partial

import torch
from measured import mean

from lecturekit.moving import inversion, objectives, optimise, projections, steps, style_nets
from lecturekit.networks import hooks, models
from lecturekit.pictures import datasets

QUESTION = "How far from the photo is what comes back from a layer?"
UNIT = "error (root mean square)"
INTERVAL = "95 % bootstrap interval over photos"
SETTINGS = {"network": "vgg_s", "side": 96, "photos": ["china", "chelsea", "coffee"],
            "layers": ["relu3_2", "relu4_1", "relu5_1"], "rounds": [2, 10, 30]}
WEIGHTS = ("weights/vgg_s.safetensors",)


def photos():
    return torch.cat([datasets.photo(name, SETTINGS["side"]) for name in SETTINGS["photos"]])


def away(images, photo):
    return (images - photo).square().mean((1, 2, 3)).sqrt().tolist()


def errors(layer, name):
    """The error after each number of rounds, of one photo."""
    network, photo = style_nets.smoothed(models.load(SETTINGS["network"])), datasets.photo(name, SETTINGS["side"])
    goal = objectives.near_code(network, layer, hooks.features(network, photo, layer))
    images, done, found = inversion.noise(1, SETTINGS["side"]), 0, []
    for rounds in SETTINGS["rounds"]:
        images = optimise(images, goal, rounds - done, steps.lbfgs(), projections.box, quiet=True).images
        done = rounds
        found += away(images, photo)
    return found


def nulls():
    every = photos()
    others = (every.sum(0, keepdim=True) - every) / (len(every) - 1)
    return {"flat grey": away(torch.full_like(every, 0.5), every), "mean of the other photos": away(others, every)}


def parts():
    return {"nulls": nulls} | {f"{layer}; {name}": partial(errors, layer, name)
                               for name in SETTINGS["photos"] for layer in SETTINGS["layers"]}


def rows(results):
    for i, rounds in enumerate(SETTINGS["rounds"]):
        for layer in SETTINGS["layers"]:
            yield mean(f"{rounds} rounds", [results[f"{layer}; {name}"][i] for name in SETTINGS["photos"]], at=layer)
    for name, values in results["nulls"].items():
        for layer in SETTINGS["layers"]:
            yield mean(name, values, at=layer, null=True)
