"""Lesson 7: whose picture was it? Codes leak in groups of sixteen; a decoder draws them; who is found?

Nulls: what the category alone gives away (one of the pictures of the right kind, by lot), and blind chance.
"""

from functools import partial

import torch

from lecturekit.attribution.localisation import bootstrap
from lecturekit.networks import decoders, hooks, models
from lecturekit.pictures import datasets, transforms
from lecturekit.representation import embedding
from lecturekit.show.evidence import Row

QUESTION = "Of sixteen leaked codes, what share finds its owner among sixteen pictures?"
UNIT = "share matched with its owner"
INTERVAL = "95 % bootstrap interval over groups"
SETTINGS = {"network": "alexnet_s", "judge": "vgg_s", "judge's layer": "pool4", "group": 16, "groups": 25,
            "layers": ["relu2", "relu5", "relu6"], "quality": 30}
WEIGHTS = ("weights/alexnet_s.safetensors", "weights/vgg_s.safetensors", "tabletop/test.tar",
           *(f"weights/decoder_{layer}.safetensors" for layer in SETTINGS["layers"]))


def groups():
    """The test pictures in groups, each with its labels."""
    s, data = SETTINGS, datasets.tabletop("test")[100:100 + SETTINGS["group"] * SETTINGS["groups"]]
    return list(zip(data.images.split(s["group"]), data.labels.split(s["group"])))


def matched(found, known):
    """The share of rows most like their own among the known, each row minus the mean of its group."""
    found, known = (rows.flatten(1) - rows.flatten(1).mean(0) for rows in (found, known))
    right = embedding.similarity(found, known).argmax(1) == torch.arange(len(found))
    return right.float().mean().item()


def decoded(layer):
    """{how it is matched: [share of each group]} for what the decoder draws, and for the codes alone."""
    s, told = SETTINGS, {"its picture, by pixels": [], "its picture, by features of vgg_s": [], "its code alone": []}
    network, judge, decoder = models.load(s["network"]), models.load(s["judge"]), decoders.load(layer)
    see = lambda images: hooks.features(judge, images, s["judge's layer"])
    for images, _ in groups():
        codes = hooks.features(network, images, layer)
        drawn = decoder(codes)
        again = hooks.features(network, transforms.coded(images, s["quality"]), layer)
        for way, share in zip(told, (matched(drawn, images), matched(see(drawn), see(images)), matched(codes, again))):
            told[way].append(share)
    return told


def by_category():
    """The expected share for who knows the categories and draws lots among the pictures of a kind."""
    return {"the category alone": [len(labels.unique()) / len(labels) for _, labels in groups()],
            "blind chance": [1 / len(labels) for _, labels in groups()]}


def parts():
    return {layer: partial(decoded, layer) for layer in SETTINGS["layers"]} | {"nulls": by_category}


def rows(results):
    for way in results[SETTINGS["layers"][0]]:
        for layer in SETTINGS["layers"]:
            yield row(way, results[layer][way], layer)
    for way, shares in results["nulls"].items():
        for layer in SETTINGS["layers"]:
            yield row(way, shares, layer, True)


def row(series, shares, at, null=False):
    shares = torch.tensor(shares)
    low, high = bootstrap(shares)
    value = shares.mean().item()
    return Row(series, value, min(low, value), max(high, value), len(shares) * SETTINGS["group"], at, null)
