"""Lesson 1: how many first-layer filters are Gabor functions, and how many filters of smooth noise are?"""

from importlib import import_module

from measured import mean

from lecturekit.networks import models
from lecturekit.representation import filters

QUESTION = "How many filters does a Gabor function explain by more than a half?"
UNIT = "share of the filters with a fit of R^2 above 0.5"
INTERVAL = "95 % bootstrap interval over the filters"
SETTINGS = {"networks": ["alexnet_s", "resnet_s"], "above": 0.5, "seed": 0, "blur": 1.5, "side": 11, "filters": 64}
WEIGHTS = ("weights/alexnet_s.safetensors", "weights/resnet_s.safetensors")


def banks():
    """{name: (function that gives a bank of filters, whether it is a null)}."""
    controls = import_module("01_first_layers")
    first = {name: (lambda name=name: filters.first_layer(models.load(name)), False) for name in SETTINGS["networks"]}
    twins = {f"{name}, random weights": (lambda name=name: filters.first_layer(models.randomised(models.load(name))), True)
             for name in SETTINGS["networks"]}
    return first | twins | {"blurred noise": (controls.blurred, True), "pink noise": (controls.pink, True)}


def parts():
    return {name: lambda make=make: (filters.gabor(make()).quality > SETTINGS["above"]).float().tolist()
            for name, (make, _) in banks().items()}


def rows(results):
    known = banks()
    return [mean(name, values, null=known[name][1]) for name, values in results.items()]
