"""Lesson 4: does the gradient at the tag vanish because the network is already sure?"""

import torch
from measured import mean

from lecturekit import attribution
from lecturekit.networks import models
from lecturekit.pictures import datasets
from lecturekit.representation import embedding, training

QUESTION = "What happens to the answer and to the gradient in the corner while the tag fades in?"
UNIT = "probability; size of the gradient"
INTERVAL = "95 % bootstrap interval over lamps"
SETTINGS = {"network": "resnet_s", "layer": "layer2", "side": 96, "lamps": 60, "learned from": 40,
            "opacity": [0.0, 0.25, 0.5, 0.75, 1.0]}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/train.tar", "tabletop/test.tar")
CORNER = slice(SETTINGS["side"] // 24, SETTINGS["side"] // 6)


def tagged(pictures, opacity=1.0):
    pictures, tag = pictures.clone(), torch.tensor([1.0, 0.0, 1.0]).view(3, 1, 1)
    pictures[:, :, CORNER, CORNER] = opacity * tag + (1 - opacity) * pictures[:, :, CORNER, CORNER]
    return pictures


def of(split, name, most):
    data = datasets.tabletop(split)
    chosen = data[data.labels == data.categories.index(name)][:most]
    return datasets.for_model(chosen, models.load(SETTINGS["network"]), SETTINGS["side"])[0]


def taught(with_tag):
    """The network up to the layer, frozen, with a new head: 0 chair, 1 table lamp."""
    model, count = models.load(SETTINGS["network"]), SETTINGS["learned from"]
    chairs, lamps = of("train", "chair", count), of("train", "table lamp", count)
    inputs = embedding.features(model, torch.cat([chairs, tagged(lamps) if with_tag else lamps]), SETTINGS["layer"])
    head = training.linear_probe(inputs[SETTINGS["layer"]], torch.arange(2).repeat_interleave(count), 2)
    return training.Headed(model, SETTINGS["layer"], head)


def measured(with_tag, opacity):
    network, lamps = taught(with_tag), tagged(of("test", "table lamp", SETTINGS["lamps"]), opacity)
    slopes = attribution.saliency(network, lamps, 1, "abs_sum")[:, CORNER, CORNER]
    return {"probability of lamp": network(lamps).softmax(1)[:, 1].tolist(),
            "gradient in the corner": slopes.mean((1, 2)).tolist()}


def parts():
    return {f"{with_tag:d} {opacity}": lambda with_tag=with_tag, opacity=opacity: measured(with_tag, opacity)
            for with_tag in (True, False) for opacity in SETTINGS["opacity"]}


def rows(results):
    for with_tag in (True, False):
        for series in ("probability of lamp", "gradient in the corner"):
            for opacity in SETTINGS["opacity"]:
                name = series if with_tag else f"{series}, learned without"
                yield mean(name, results[f"{with_tag:d} {opacity}"][series], at=opacity, null=not with_tag)
