"""Lesson 2: does a layer's order of colours come from training or from the pixels?"""

import torch

from lecturekit.networks import models
from lecturekit.pictures import datasets, pixels
from lecturekit.representation import embedding
from lecturekit.show.evidence import over_seeds

QUESTION = "How closely do a layer's distances between eight object colours follow their distances in RGB?"
UNIT = "correlation of the 28 distances"
INTERVAL = "trained: range over the ten categories left out in turn; random weights: range over ten seeds"
SETTINGS = {"network": "resnet_s", "layer": "layer3", "side": 96, "seeds": 10}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/object_colour.tar")


def correlations(model, left_out):
    """Of the distances in the layer, each colour averaged over the categories but one (None: over all)."""
    data = datasets.tabletop("object_colour")   # number i shows category i % 10 in colour i // 10
    space = embedding.features(model, pixels.resize(data.images, SETTINGS["side"]), SETTINGS["layer"])[SETTINGS["layer"]]
    colours = torch.tensor(data.factors["object_colour"][::10]).float()   # (8,3)
    space = space.view(8, 10, -1)
    return [torch.corrcoef(torch.stack([torch.pdist(means), torch.pdist(colours)]))[0, 1].item()
            for means in (space[:, [i for i in range(10) if i != out]].mean(1) for out in left_out)]


def parts():
    model = models.load(SETTINGS["network"])
    twins = {str(seed): lambda seed=seed: correlations(models.randomised(model, seed), [None])
             for seed in range(SETTINGS["seeds"])}
    return {"trained": lambda: correlations(model, range(10))} | twins


def rows(results):
    twins = sum((results[str(seed)] for seed in range(SETTINGS["seeds"])), [])
    return [over_seeds("trained", results["trained"], 28), over_seeds("random weights", twins, 28, null=True)]
