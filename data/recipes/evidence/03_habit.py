"""Lesson 3: do occlusion maps show that a network's bad habit was mended?"""

import torch
from measured import mean

from lecturekit import attribution
from lecturekit.attribution import localisation
from lecturekit.networks import models
from lecturekit.pictures import datasets, pixels
from lecturekit.representation import embedding, training

QUESTION = "How much of the map lies on the object, before and after the habit was mended?"
UNIT = "energy inside; for 'right', the share right"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"network": "resnet_s", "layer": "layer2", "side": 96, "window": 24, "stride": 12, "of each": 40,
            "learned from": 60, "patterned": ["checkered", "tiles", "striped"],
            "plain": ["plain", "carpet", "marble", "concrete"]}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/train.tar", "tabletop/test.tar")
LAMP, PEPPER = "table lamp", "bell pepper"


def choose(data, *groups):
    """Pictures of each group (category, kinds of floor, how many at most)."""
    rows = [[i for i, s in enumerate(data.samples) if s["category"] == name and s["floor"] in SETTINGS[kind]][:most]
            for name, kind, most in groups]
    return data[sum(rows, [])]


def answers(data):
    return (data.labels == data.categories.index(PEPPER)).long()


def taught(*groups):
    """The network up to the layer, frozen, with a head that learned from these groups: 0 lamp, 1 pepper."""
    model, data = models.load(SETTINGS["network"]), choose(datasets.tabletop("train"), *groups)
    inputs = embedding.features(model, pixels.resize(data.images, SETTINGS["side"]), SETTINGS["layer"])[SETTINGS["layer"]]
    return training.Headed(model, SETTINGS["layer"], training.linear_probe(inputs, answers(data), 2))


def network(name):
    most = SETTINGS["learned from"]
    if name == "biased":
        return taught((LAMP, "patterned", most), (PEPPER, "plain", most))
    return taught(*[(thing, kind, most // 2) for thing in (LAMP, PEPPER) for kind in ("patterned", "plain")])


def measured(name):
    model, most, found = models.load(SETTINGS["network"]), SETTINGS["of each"], {}
    test, head = datasets.tabletop("test"), network(name)
    for thing, usual, other in ((LAMP, "patterned", "plain"), (PEPPER, "plain", "patterned")):
        data = choose(test, (thing, usual, most))
        images, masks, _ = datasets.for_model(data, model, SETTINGS["side"])
        maps = attribution.occlusion(head, images, head(images).argmax(1), SETTINGS["window"], SETTINGS["stride"])
        found[thing] = localisation.energy_inside(maps, masks).tolist()
        found[f"{thing}, chance"] = masks.float().mean((1, 2)).tolist()
        for kind, floor in (("as in training", usual), ("counter-examples", other)):
            data = choose(test, (thing, floor, most))
            said = head(datasets.for_model(data, model, SETTINGS["side"])[0]).argmax(1)
            found[f"{thing}, {kind}"] = (said == answers(data)).float().tolist()
    return found


def parts():
    return {name: lambda name=name: measured(name) for name in ("biased", "mended")}


def rows(results):
    before, after = results["biased"], results["mended"]
    for thing in (LAMP, PEPPER):
        yield mean(f"{thing}s, biased", before[thing])
        yield mean(f"{thing}s, mended", after[thing])
        yield mean(f"{thing}s, change", torch.tensor(after[thing]) - torch.tensor(before[thing]))
        yield mean(f"{thing}s, chance", before[f"{thing}, chance"], null=True)
    for kind in ("as in training", "counter-examples"):
        for name, found in results.items():
            yield mean(f"{name}, right {kind}", found[f"{LAMP}, {kind}"] + found[f"{PEPPER}, {kind}"])
