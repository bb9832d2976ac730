"""Lesson 5: how well do class activation maps lie on the object, by method, stage and network?"""

from functools import partial

import torch
from measured import mean

from lecturekit import attribution
from lecturekit.attribution import localisation, segmentation
from lecturekit.networks import models
from lecturekit.pictures import datasets

QUESTION = "What share of a map lies on the object?"
UNIT = "energy inside"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"pictures": 100, "stages": ["layer1", "layer2", "layer3", "layer4"],
            "others": {"vgg_s": ["relu4_2", "relu5_2"], "alexnet_s": ["relu2", "relu5"]}}
WEIGHTS = ("weights/resnet_s.safetensors", "weights/vgg_s.safetensors", "weights/alexnet_s.safetensors", "tabletop/test.tar")


def inside(name, method, blind=False):
    model = models.load(name)
    images, masks, target = datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], model)
    maps = method(models.randomised(model) if blind else model, images, target)
    maps = attribution.enlarge(maps, images) if maps.shape[1:] != images.shape[2:] else maps
    return localisation.energy_inside(maps, masks).tolist()


def methods():
    """{series: (network, method, whether its weights are random)}."""
    found = {}
    for number, layer in enumerate(SETTINGS["stages"], 1):
        for name, method in (("Grad-CAM", attribution.grad_cam), ("HiResCAM", attribution.hires_cam)):
            found[f"{name}, stage {number}"] = "resnet_s", partial(method, layer=layer), False
    found |= {f"Grad-CAM, {name} {layer}": (name, partial(attribution.grad_cam, layer=layer), False)
              for name, layers in SETTINGS["others"].items() for layer in layers}
    last = SETTINGS["stages"][-1]
    return found | {
        "guided backpropagation": ("resnet_s", partial(attribution.saliency, rule="guided"), False),
        "Guided Grad-CAM": ("resnet_s", partial(attribution.guided_grad_cam, layer=last), False),
        "Grad-CAM, stage 4, random weights": ("resnet_s", partial(attribution.grad_cam, layer=last), True),
        "middle of the picture": ("resnet_s", lambda model, images, target: segmentation.centre_map(images), True),
        "chance": ("resnet_s", lambda model, images, target: torch.ones_like(images[:, 0]), True)}


def parts():
    return {series: partial(inside, *asked) for series, asked in methods().items()}


def rows(results):
    known = methods()
    return [mean(series, values, null=known[series][2]) for series, values in results.items()]
