"""How well do class activation maps lie on the object, by method, stage and network: what two programs of lesson 5 score."""

from functools import partial

import torch
from measured import mean

from lecturekit import attribution
from lecturekit.networks import models
from lecturekit.pictures import datasets

SETTINGS = {"pictures": 200, "stages": ["layer1", "layer2", "layer3", "layer4"],
            "others": {"vgg_s": ["relu4_2", "relu5_2"], "alexnet_s": ["relu2", "relu5"]}, "width of the middle": 0.5}
WEIGHTS = ("weights/resnet_s.safetensors", "weights/vgg_s.safetensors", "weights/alexnet_s.safetensors", "tabletop/test.tar")
INTERVAL = "95 % bootstrap interval over pictures"


def middle(model, images, target):
    """A bump in the middle of the picture, which looks at nothing; its width in parts of half a side."""
    places = torch.linspace(-1, 1, images.shape[-1]) / SETTINGS["width of the middle"]
    return torch.exp(-places[:, None] ** 2 - places ** 2).repeat(len(images), 1, 1)


def everywhere(model, images, target):
    return torch.ones_like(images[:, 0])


def methods():
    """{series: (network, method, whether it is a null, whether its weights are random)}."""
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
        "middle of the picture": ("resnet_s", middle, True), "chance": ("resnet_s", everywhere, True)}


def scored(score, kinds, name, method, blind):
    """{kind: [score of each picture]} of the maps as each of `kinds` {kind: maps -> maps} changes them."""
    model = models.load(name)
    images, masks, target = datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], model)
    maps = method(models.randomised(model) if blind else model, images, target)
    maps = attribution.enlarge(maps, images) if maps.shape[1:] != images.shape[2:] else maps
    return {kind: score(change(maps), masks).tolist() for kind, change in kinds.items()}


def parts(score, kinds):
    return {series: partial(scored, score, kinds, *asked) for series, asked in methods().items()}


def rows(results):
    """A row for each series, and one for each further kind that differs from the first."""
    known = methods()
    for series, by_kind in results.items():
        first = next(iter(by_kind.values()))
        for kind, values in by_kind.items():
            if not kind or values != first:
                yield mean(series + kind, values, null=known[series][2])
