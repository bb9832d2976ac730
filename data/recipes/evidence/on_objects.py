"""How well do class activation maps lie on the object, by method, stage and network: what two programs of lesson 5 score."""

from functools import partial

import middle
import torch
from measured import mean

from lecturekit import attribution
from lecturekit.networks import models
from lecturekit.pictures import datasets

WEIGHTS = ("weights/resnet_s.safetensors", "weights/vgg_s.safetensors", "weights/alexnet_s.safetensors", "tabletop/test.tar")
INTERVAL = "95 % bootstrap interval over pictures"


def everywhere(model, images, target):
    return torch.ones_like(images[:, 0])


def methods(settings):
    """{series: (network, method, whether it is a null, whether its weights are random)}."""
    found = {}
    for number, layer in enumerate(settings["stages"], 1):
        for name, method in (("Grad-CAM", attribution.grad_cam), ("HiResCAM", attribution.hires_cam)):
            found[f"{name}, stage {number}"] = "resnet_s", partial(method, layer=layer), False
    found |= {f"Grad-CAM, {name} {layer}": (name, partial(attribution.grad_cam, layer=layer), False)
              for name, layers in settings["others"].items() for layer in layers}
    last, width = settings["stages"][-1], settings["width of the middle"]
    return found | {
        "guided backpropagation": ("resnet_s", partial(attribution.saliency, rule="guided"), False),
        "Guided Grad-CAM": ("resnet_s", partial(attribution.guided_grad_cam, layer=last), False),
        "Grad-CAM, stage 4, random weights": ("resnet_s", partial(attribution.grad_cam, layer=last), True),
        "middle of the picture": ("resnet_s", lambda model, images, target: middle.bump(images, width), True), "chance": ("resnet_s", everywhere, True)}


def scored(score, kinds, count, name, method, blind):
    """{kind: [score of each picture]} of the maps as each of `kinds` {kind: maps -> maps} changes them."""
    model = models.load(name)
    images, masks, target = datasets.for_model(datasets.tabletop("test")[:count], model)
    maps = method(models.randomised(model) if blind else model, images, target)
    maps = attribution.enlarge(maps, images) if maps.shape[1:] != images.shape[2:] else maps
    return {kind: score(change(maps), masks).tolist() for kind, change in kinds.items()}


def parts(settings, score, kinds):
    return {series: partial(scored, score, kinds, settings["pictures"], *asked) for series, asked in methods(settings).items()}


def rows(settings, results):
    """A row for each series, and one for each further kind that differs from the first."""
    known = methods(settings)
    for series, by_kind in results.items():
        first = next(iter(by_kind.values()))
        for kind, values in by_kind.items():
            if not kind or values != first:
                yield mean(series + kind, values, null=known[series][2])
