"""Lesson 9: how often does one pixel fool a network, with thousands of queries for each picture?

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
SETTINGS = {"digits": 100, "learned": 1300, "epochs": 8, "pictures": 15, "network": "alexnet_s", "side": 96,
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


def chosen(data, rows):
    network, images, labels = data()
    return network, images[rows], labels[rows]


def right(network, images, labels, most):
    rows = (~attacks.fooled(network, images, labels)).nonzero()[:most, 0]
    return network, images[rows], labels[rows]


def evolved(data, pixels, rows):
    """For each image of the rows whether a few pixels, bred, fool the network."""
    network, images, labels = chosen(data, rows)
    queries, s = blackbox.Queries(network), SETTINGS
    return [bool(blackbox.one_pixel(queries, images[i:i + 1], labels[i:i + 1], pixels, s["population"],
                                     s["generations"]).fooled)
            for i in range(len(images))]


def drawn(data, pixels, rows):
    """For each image of the rows whether one of as many random choices does."""
    network, images, labels = chosen(data, rows)
    generator, told, s = torch.Generator().manual_seed(rows.start), [], SETTINGS
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
    return {f"{name}, {count} px{how}; {start}": partial(run, images, count, slice(start, start + CHUNK[name]))
            for name, (images, number) in DATA.items() for count in SETTINGS["pixels"]
            for how, run in (("", evolved), (", at random", drawn)) for start in range(0, number, CHUNK[name])}


def rows(results):
    for series in dict.fromkeys(key.partition(";")[0] for key in results):
        told = sum((some for key, some in results.items() if key.partition(";")[0] == series), [])
        yield evidence.share(series, sum(told), len(told), null="random" in series)


DATA = {"digits of 8 x 8": (digits, SETTINGS["digits"]), "pictures of 96 x 96": (pictures, SETTINGS["pictures"])}
CHUNK = {"digits of 8 x 8": 50, "pictures of 96 x 96": 5}   # images of one part
