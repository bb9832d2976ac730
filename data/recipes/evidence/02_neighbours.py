"""Lesson 2: from which layer on are a picture's neighbours of its category, trained and with random weights?"""

from measured import mean

from lecturekit.networks import models
from lecturekit.pictures import datasets, pixels
from lecturekit.representation import embedding
from lecturekit.show.evidence import Row, over_seeds

QUESTION = "How many of a picture's five nearest neighbours are of its category, layer by layer?"
UNIT = "precision at 5"
INTERVAL = "95 % bootstrap interval over the pictures; random weights: range over five seeds"
SETTINGS = {"network": "resnet_s", "side": 96, "pixels": 32, "k": 5, "seeds": 5,
            "layers": ["relu1", "layer1", "layer2", "layer3", "layer4", "fc"]}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/test.tar")


def hits(features, labels):
    """Of each picture, the share of its neighbours that have its label."""
    near = embedding.neighbours(features, SETTINGS["k"])
    return (labels[near] == labels[:, None]).float().mean(1).tolist()


def by_layer(seed=None):
    """{layer: [share of each picture]}, with random weights where a seed is given."""
    data = datasets.tabletop("test")
    model = models.load(SETTINGS["network"])
    model = model if seed is None else models.randomised(model, seed)
    spaces = embedding.features(model, pixels.resize(data.images, SETTINGS["side"]), SETTINGS["layers"])
    return {layer: hits(space, data.labels) for layer, space in spaces.items()}


def of_pixels():
    data = datasets.tabletop("test")
    others = data.labels.bincount()[data.labels] - 1
    return {"pixels": hits(pixels.resize(data.images, SETTINGS["pixels"]).flatten(1), data.labels),
            "chance": (others / (len(data.labels) - 1)).mean().item()}


def parts():
    twins = {f"twin {seed}": lambda seed=seed: by_layer(seed) for seed in range(SETTINGS["seeds"])}
    return {"trained": by_layer, "pixels": of_pixels} | twins


def rows(results):
    """Pixels and chance know no layers: they are the same at each."""
    chance = results["pixels"]["chance"]
    for layer, found in results["trained"].items():
        yield mean("trained", found, at=layer)
    for layer, found in results["trained"].items():
        twins = [results[f"twin {seed}"][layer] for seed in range(SETTINGS["seeds"])]
        yield over_seeds("random weights", [sum(twin) / len(twin) for twin in twins], len(found), layer, null=True)
    for layer, found in results["trained"].items():
        yield mean("pixels", results["pixels"]["pixels"], at=layer, null=True)
    for layer, found in results["trained"].items():
        yield Row("chance", chance, chance, chance, len(found), layer, null=True)
