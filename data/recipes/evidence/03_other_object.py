"""Lesson 3: how often does the other object of a scene speak against a category?"""

import torch
from measured import mean

from lecturekit import attribution
from lecturekit.attribution import localisation
from lecturekit.networks import models
from lecturekit.pictures import datasets

QUESTION = "In two-object scenes: where does a category's map lie, and how often does hiding a part raise its logit?"
UNIT = "share"
INTERVAL = "95 % bootstrap interval over scenes, the two questions to each averaged"
SETTINGS = {"network": "resnet_s", "scenes": 100, "side": 96, "window": 24, "stride": 12}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/two_objects.tar")


def measured(k):
    """{series: [value of each scene]} for the category of object number k."""
    data = datasets.tabletop("two_objects")[:SETTINGS["scenes"]]
    model = models.load(SETTINGS["network"])
    images, masks, target = datasets.for_model(data, model, SETTINGS["side"])
    maps = attribution.occlusion(model, images, target[:, k], SETTINGS["window"], SETTINGS["stride"])
    own, other = masks[:, k], masks[:, 1 - k]
    return {"energy on its own object": localisation.energy_inside(maps, own).tolist(),
            "energy on the other object": localisation.energy_inside(maps, other).tolist(),
            "energy by chance": own.float().mean((1, 2)).tolist(),
            "the other object raises it": raises(maps, other), "its own object raises it": raises(maps, own),
            "background raises it": raises(maps, ~masks.any(1))}


def raises(maps, part):
    """1 where hiding the part raises the logit on average, else 0."""
    return ((maps * part).sum((1, 2)) < 0).float().tolist()


def parts():
    return {str(k): lambda k=k: measured(k) for k in (0, 1)}


def rows(results):
    for name in results["0"]:
        both = torch.tensor([results["0"][name], results["1"][name]]).mean(0)
        yield mean(name, both, null=name in ("energy by chance", "background raises it"))
