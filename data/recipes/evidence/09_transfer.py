"""Lesson 9: what share of the pictures that a network reads rightly does an attack on another network turn?

Clean errors are left out: only pictures that the attacked network and the source read rightly count. Null: random signs
of the same size.
"""

from functools import partial

import torch

from lecturekit.networks import models
from lecturekit.pictures import datasets
from lecturekit.robustness import attacks
from lecturekit.show import evidence

QUESTION = "How often does an attack on one network fool another one?"
UNIT = "share of rightly read pictures that are then misread"
INTERVAL = "95 % Wilson interval"
SETTINGS = {"networks": ["alexnet_s", "vgg_s", "resnet_s", "resnet_s_robust"], "pictures": 100, "side": 128,
            "eps of 255": 8, "steps": 5}
WEIGHTS = (*(f"weights/{name}.safetensors" for name in SETTINGS["networks"]), "tabletop/test.tar")


def pictures(model):
    images, _, labels = datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], model, SETTINGS["side"])
    return images, labels


def moved(source):
    """The pictures moved against a network, or by random signs; and which of them that network read rightly before."""
    model = models.load(source or SETTINGS["networks"][0])
    (images, labels), eps = pictures(model), SETTINGS["eps of 255"] / 255
    if source is None:
        signs = torch.randn(images.shape, generator=torch.Generator().manual_seed(0)).sign()
        return (images + eps * signs).clamp(0, 1), torch.ones(len(images), dtype=torch.bool)
    return attacks.pgd(model, images, labels, eps, steps=SETTINGS["steps"]), ~attacks.fooled(model, images, labels)


def turned(source):
    """{attacked network: [how many are misread, of how many]}."""
    (found, right), told = moved(source), {}
    for name in SETTINGS["networks"]:
        model = models.load(name)
        images, labels = pictures(model)
        counted = right & ~attacks.fooled(model, images, labels)
        told[name] = [(attacks.fooled(model, found, labels) & counted).sum().item(), counted.sum().item()]
    return told


def parts():
    return {f"from {source}": partial(turned, source) for source in SETTINGS["networks"]} | {
        "random signs": partial(turned, None)}


def rows(results):
    for source, told in results.items():
        for name, (count, n) in told.items():
            yield evidence.share(source, count, n, name, null=source == "random signs")
