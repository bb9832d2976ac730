"""Lesson 9: how often does one pixel fool a network, and three, with thousands of queries for each picture?

Digits of 64 pixels and rendered pictures of 9,216, those that are read rightly. Null: as many queries spent on pixels
and colours drawn at random.
"""

from functools import partial

import torch

from lecturekit.networks import models
from lecturekit.pictures import datasets
from lecturekit.robustness import attacks, blackbox, robust_training
from lecturekit.show import evidence

QUESTION = "How often does one pixel fool a network?"
UNIT = "share fooled"
INTERVAL = "95 % Wilson interval"
SETTINGS = {"digits": 100, "learned": 1300, "epochs": 8, "pictures": 20, "network": "alexnet_s", "side": 96,
            "population": 100, "generations": 20, "pixels": [1]}
WEIGHTS = ("weights/alexnet_s.safetensors", "tabletop/test.tar")


def digits():
    """(network, images, labels), of digits that it reads rightly."""
    images, answers = datasets.digits()
    known = SETTINGS["learned"]
    network = robust_training.fit(robust_training.digit_net(), images[:known], answers[:known], epochs=SETTINGS["epochs"])
    return right(network, images[known:], answers[known:], SETTINGS["digits"])


def pictures():
    model = models.load(SETTINGS["network"])
    images, _, labels = datasets.for_model(datasets.tabletop("test")[:2 * SETTINGS["pictures"]], model, SETTINGS["side"])
    return right(model, images, labels, SETTINGS["pictures"])


def right(network, images, labels, most):
    rows = (~attacks.fooled(network, images, labels)).nonzero()[:most, 0]
    return network, images[rows], labels[rows]


def evolved(data, pixels):
    """For each image whether a few pixels, bred, fool the network."""
    network, images, labels = data()
    queries, s = blackbox.Queries(network), SETTINGS
    return [bool(blackbox.one_pixel(queries, images[i:i + 1], labels[i:i + 1], pixels, s["population"], s["generations"]).fooled)
            for i in range(len(images))]


def drawn(data, pixels):
    """For each image whether one of as many random choices does."""
    network, images, labels = data()
    generator, told, s = torch.Generator().manual_seed(0), [], SETTINGS
    height, width, channels = *images.shape[-2:], images.shape[1]
    size = torch.tensor([height, width, *[1.0] * channels]).repeat(pixels) * (1 - 1e-6)
    for image, label in zip(images.split(1), labels.split(1)):
        wrong = False
        for _ in range(s["generations"] + 1):
            genomes = torch.rand(s["population"], len(size), generator=generator) * size
            wrong |= bool(attacks.fooled(network, blackbox.painted(image, genomes), label.expand(len(genomes))).any())
        told.append(wrong)
    return told


def parts():
    data = {"digits of 8 x 8": digits, "pictures of 96 x 96": pictures}
    return {f"{name}, {count} px{how}": partial(run, images, count) for name, images in data.items()
            for count in SETTINGS["pixels"] for how, run in (("", evolved), (", at random", drawn))}


def rows(results):
    for name, told in results.items():
        yield evidence.share(name, sum(told), len(told), null="random" in name)
