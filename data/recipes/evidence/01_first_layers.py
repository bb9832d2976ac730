"""Lesson 1: how alike are first-layer filters of different networks, and is it more than smoothness?"""

from functools import partial

import torch
from measured import mean
from torchvision.transforms.functional import gaussian_blur

from lecturekit.networks import models
from lecturekit.pictures import datasets
from lecturekit.representation import filters

QUESTION = "How near is the nearest filter elsewhere to each of the 64 of alexnet_s?"
UNIT = "cosine to the nearest filter, mean over the filters of alexnet_s"
INTERVAL = "95 % bootstrap interval over the filters"
SETTINGS = {"network": "alexnet_s", "side": 11, "filters": 64, "seed": 0, "blur": 1.5, "photos": 192, "scenes": 200}
WEIGHTS = ("weights/alexnet_s.safetensors", "weights/resnet_s.safetensors", "weights/squeezenet1_1.safetensors",
           "tabletop/test.tar")


def noise(count=SETTINGS["filters"], side=SETTINGS["side"]):
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(SETTINGS["seed"]))


def blurred():
    return gaussian_blur(noise(), 7, SETTINGS["blur"])


def pink():
    """Noise whose spectrum falls as 1/f, as that of pictures does."""
    side = SETTINGS["side"]
    frequency = (torch.fft.fftfreq(side)[:, None] ** 2 + torch.fft.fftfreq(side) ** 2).sqrt().clamp(min=1 / side)
    return torch.fft.ifft2(torch.fft.fft2(noise()) / frequency).real


def photos():
    return torch.cat([datasets.photo(name, SETTINGS["photos"]) for name in ("astronaut", "chelsea", "coffee", "china",
                                                                             "flower")])


def banks():
    """{name: (function that gives a bank of filters, whether it is a null)}."""
    load = lambda name: filters.first_layer(models.load(name))   # noqa: E731
    components = partial(filters.patch_filters, count=SETTINGS["filters"])
    return {"resnet_s, same training pictures": (lambda: load("resnet_s"), False),
            "squeezenet1_1, ImageNet": (lambda: load("squeezenet1_1"), False),
            "components of five photos": (lambda: components(photos()), False),
            "components of unseen scenes": (lambda: components(datasets.tabletop("test")[:SETTINGS["scenes"]].images), False),
            "random weights of resnet_s": (lambda: filters.first_layer(models.randomised(models.load("resnet_s"))), True),
            "blurred noise": (blurred, True), "pink noise": (pink, True)}


def parts():
    ours = filters.first_layer(models.load(SETTINGS["network"]))
    return {name: lambda make=make: filters.nearest(ours, make())[0].tolist() for name, (make, _) in banks().items()}


def rows(results):
    known = banks()
    return [mean(name, values, null=known[name][1]) for name, values in results.items()]
