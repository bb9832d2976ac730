"""Viewpoint and style inside each category of the rendered grid: their parts of a layer's variance, and their dimensions."""

import numpy as np
from measured import mean

from lecturekit.networks import models
from lecturekit.pictures import datasets, pixels
from lecturekit.representation import embedding, variance

SETTINGS = {"network": "resnet_s", "side": 96, "views": 8, "twins": 3}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/grid.tar")
INTERVAL = "95 % bootstrap interval over the ten categories; random weights: each category's mean over three twins"


def inside(network, measure):
    """{layer: {"viewpoint": [of each category], "style": [...]}} of a measure(features, {factor: codes}) -> {factor: number}."""
    data = datasets.tabletop("grid")
    spaces = embedding.features(network, pixels.resize(data.images, SETTINGS["side"]), layers())
    found = {}
    for layer, space in spaces.items():
        each = []
        for category in range(len(data.categories)):
            own = np.flatnonzero(data.labels.numpy() == category)
            each.append(measure(space[own], {"viewpoint": data.factors["azimuth_index"][own],
                                             "style": data.factors["instance"][own]}))
        found[layer] = {factor: [one[factor] for one in each] for factor in ("viewpoint", "style")}
    return found


def layers():
    return [name for name in models.landmarks(models.load(SETTINGS["network"])) if "avgpool" not in name]


def dimensions(space, factors):
    return {name: variance.dimension(variance.group_means(space, codes)) for name, codes in factors.items()}


def parts(measure):
    model = models.load(SETTINGS["network"])
    twins = {f"twin {seed}": lambda seed=seed: inside(models.randomised(model, seed), measure)
             for seed in range(SETTINGS["twins"])}
    return {"trained": lambda: inside(model, measure)} | twins


def rows(results):
    """Of each factor and layer, trained and with random weights."""
    twins = [result for name, result in results.items() if name != "trained"]
    for factor in ("viewpoint", "style"):
        for layer, values in results["trained"].items():
            yield mean(factor, values[factor], at=layer)
        for layer in results["trained"]:
            over = np.mean([twin[layer][factor] for twin in twins], axis=0)
            yield mean(f"{factor}, random weights", over, at=layer, null=True)
