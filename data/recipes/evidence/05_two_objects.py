"""Lesson 5: asked for one of two objects in a scene, what share of each method's map lies on it?"""

from functools import partial

import torch
from measured import mean

from lecturekit import attribution
from lecturekit.attribution import localisation
from lecturekit.networks import models
from lecturekit.pictures import datasets

QUESTION = "Asked for one of two objects, what share of a map lies on the one that was asked for?"
UNIT = "share on its own object, mean over scenes"
INTERVAL = "95 % bootstrap interval over scenes"
SETTINGS = {"network": "resnet_s", "scenes": 60, "side": 128, "window": 32, "stride": 32, "segments": 40, "samples": 48,
            "noisy copies": 8, "nodes": 8, "layers": ["layer3", "layer4"]}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/two_objects.tar")
SIGNS = {"": lambda maps: maps, ", absolute": torch.abs}


def methods():
    """{name: function (model, images, target) -> signed maps}."""
    s, (stage3, stage4) = SETTINGS, SETTINGS["layers"]
    found = {
        "occlusion": partial(attribution.occlusion, window=s["window"], stride=s["stride"], fill="mean"),
        "LIME": partial(attribution.lime, segments=s["segments"], samples=s["samples"]),
        "SmoothGrad": partial(attribution.smooth_grad, samples=s["noisy copies"]),
        "Integrated Gradients": partial(attribution.integrated_gradients, fill="blur", steps=s["nodes"]),
        "saliency": attribution.saliency, "gradient x input": attribution.gradient_x_input,
        "deconvnet": partial(attribution.saliency, rule="deconvnet"),
        "guided backpropagation": partial(attribution.saliency, rule="guided")}
    for name, layer, method in (("Grad-CAM, stage 3", stage3, attribution.grad_cam),
                                ("Grad-CAM, stage 4", stage4, attribution.grad_cam),
                                ("HiResCAM, stage 3", stage3, attribution.hires_cam)):
        found[name] = partial(enlarged, partial(method, layer=layer))
    return found | {"CAM": partial(enlarged, attribution.cam),
                    "Guided Grad-CAM": partial(attribution.guided_grad_cam, layer=stage4)}


def enlarged(method, model, images, target):
    return attribution.enlarge(method(model, images, target), images)


def nulls():
    """Maps that know nothing of what was asked: one that is the same everywhere, and methods on random weights."""
    known = methods()
    blind = {f"{name}, random weights": (known[name], True) for name in ("Grad-CAM, stage 3", "occlusion", "saliency")}
    return {"a map that is the same everywhere": (lambda model, images, target: torch.ones_like(images[:, 0]), False)} | blind


def shares(method, blind=False):
    """{sign: [share of each scene]}, the mean of the two maps of a scene, for they are not independent."""
    model, data = models.load(SETTINGS["network"]), datasets.tabletop("two_objects")[:SETTINGS["scenes"]]
    images, masks, target = datasets.for_model(data, model, SETTINGS["side"])
    model = models.randomised(model) if blind else model
    maps = [method(model, images, target[:, k]) for k in (0, 1)]
    return {sign: torch.stack([localisation.discrimination(signed(maps[k]), masks[:, k], masks[:, 1 - k])
                               for k in (0, 1)]).mean(0).tolist() for sign, signed in SIGNS.items()}


def parts():
    asked = {name: partial(shares, method) for name, method in methods().items()}
    return asked | {name: partial(shares, method, blind) for name, (method, blind) in nulls().items()}


def rows(results):
    blind = nulls()
    for name, by_sign in results.items():
        for sign, of_scenes in by_sign.items():
            if sign and by_sign[""] == of_scenes:   # a map without negative values
                continue
            yield mean(name + sign, of_scenes, null=name in blind)
