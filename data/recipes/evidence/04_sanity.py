"""Lesson 4: what do maps forget when the weights are drawn anew, their sign or their places?"""

from functools import partial

import torch
from measured import mean

from lecturekit import attribution
from lecturekit.attribution import sanity
from lecturekit.networks import models
from lecturekit.pictures import datasets

QUESTION = "How alike does a map stay to its first when the weights are drawn anew from the top down?"
UNIT = "rank correlation with the first map"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"network": "resnet_s", "pictures": 40, "side": 96, "samples": 8, "nodes": 8, "camlayer": "layer3",
            "steps": {"a new head": 0, "layer4 too": 1, "every layer": -1}, "kinds": ["rank", "absolute rank"]}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/test.tar")


def methods():
    return {"gradient": partial(attribution.saliency, reduce="sum"),
            "gradient x input": attribution.gradient_x_input,
            "SmoothGrad": partial(attribution.smooth_grad, samples=SETTINGS["samples"]),
            "Integrated Gradients": partial(attribution.integrated_gradients, steps=SETTINGS["nodes"]),
            "deconvnet": partial(attribution.saliency, reduce="sum", rule="deconvnet"),
            "guided backpropagation": partial(attribution.saliency, reduce="sum", rule="guided"),
            "Grad-CAM": partial(attribution.grad_cam, layer=SETTINGS["camlayer"])}


def alike(method):
    """{kind: {step: [similarity of each picture]}}, and to the map of the next picture by the network as it is."""
    model = models.load(SETTINGS["network"])
    images, _, target = datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], model, SETTINGS["side"])
    first, drawn = method(model, images, target), [network for _, network in sanity.cascade(model)]
    later = {step: method(drawn[index], images, target) for step, index in SETTINGS["steps"].items()}
    later["another picture"] = first.roll(1, 0)
    return {kind: {step: sanity.similarity(first, maps, kind).tolist() for step, maps in later.items()}
            for kind in SETTINGS["kinds"]}


def parts():
    return {name: partial(alike, method) for name, method in methods().items()}


def rows(results):
    for kind, ending in zip(SETTINGS["kinds"], ("", ", absolute")):
        for name, found in results.items():
            for step, values in found[kind].items():
                yield mean(name + ending, torch.tensor(values), at=step, null=step == "another picture")
