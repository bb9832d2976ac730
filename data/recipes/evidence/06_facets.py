"""Lesson 6: does a picture climbed from a cluster's mean stay with its cluster?

For each tabletop category the training pictures are clustered by what the network sees in them; a class is climbed from
each cluster's mean, alone or while staying near the cluster's code, and from grey. Whose centroid is nearest then, in
the network's own features and in those of one that had no part? Null: one of four by chance, as for the climb from grey.
"""

from functools import partial

import torch
from sklearn.cluster import KMeans

from lecturekit.moving import objectives, optimise, projections, steps
from lecturekit.networks import hooks, models
from lecturekit.pictures import datasets
from lecturekit.show import evidence

QUESTION = "Does a facet stay with the cluster that it was climbed from?"
UNIT = "share nearest to their own cluster"
INTERVAL = "95 % Wilson interval"
SETTINGS = {"network": "resnet_s", "layer": "layer3", "judge": "vgg_s", "judge's layer": "relu4_2", "side": 80, "pictures": 90,
            "clusters": 4, "steps": 24, "rate": 1.5, "tv": 0.02, "hold": 20.0}
WEIGHTS = ("weights/resnet_s.safetensors", "weights/vgg_s.safetensors", "tabletop/train.tar")


def pooled(model, images, layer):
    return hooks.features(model, images, layer, lambda maps: maps.mean((2, 3)))


def near(model, layer, centres):
    """Minus the squared distance of each image's pooled code to its own centre, in parts of the centre's length."""
    def score(images):
        codes = hooks.forward_to(model, images, layer).mean((2, 3))
        return -(codes - centres).square().sum(1) / centres.square().sum(1)
    return objectives.Objective(score, (model,))


def climbed(model, goal, start):
    s = SETTINGS
    return optimise(start, goal - s["tv"] * objectives.total_variation(2), s["steps"], steps.normalised(s["rate"]),
                    projections.box, quiet=True).images


def clusters(model, images):
    """(the cluster of each image, the means of their pictures)."""
    codes = pooled(model, images, SETTINGS["layer"])
    group = torch.tensor(KMeans(SETTINGS["clusters"], n_init=4, random_state=0).fit_predict(codes))
    return group, centroids(images, group)


def centroids(values, group):
    return torch.stack([values[group == k].mean(0) for k in range(SETTINGS["clusters"])])


def stayed(category):
    """{way: {who looks: how many of the four pictures are nearest to their own cluster}}."""
    s, model = SETTINGS, models.load(SETTINGS["network"])
    data = datasets.tabletop("train")
    data = data[(data.labels == category).numpy()][:s["pictures"]]
    images, _, index = datasets.for_model(data, model, s["side"])
    group, means = clusters(model, images)
    goal = objectives.class_score(model, int(index[0]))
    held = goal + s["hold"] * near(model, s["layer"], centroids(pooled(model, images, s["layer"]), group))
    ways = {"the cluster's mean picture itself": means, "climbed from the mean": climbed(model, goal, means),
            "climbed, held near the cluster's code": climbed(model, held, means),
            "climbed from grey": climbed(model, goal, torch.full_like(means, 0.5))}
    sights = {"by its own features": (model, s["layer"]), f"by {s['judge']}": (models.load(s["judge"]), s["judge's layer"])}
    return {way: {name: counted(images, group, some, *sight) for name, sight in sights.items()}
            for way, some in ways.items()}


def counted(images, group, drawn, network, layer):
    centres = centroids(pooled(network, images, layer), group)
    nearest = torch.cdist(pooled(network, drawn, layer), centres).argmin(1)
    return (nearest == torch.arange(len(nearest))).sum().item()


def parts():
    return {str(category): partial(stayed, category) for category in range(10)}


def rows(results):
    n = SETTINGS["clusters"] * len(results)
    for way, sights in next(iter(results.values())).items():
        for sight in sights:
            count = sum(told[way][sight] for told in results.values())
            yield evidence.share(f"{way}, {sight}", count, n, null="grey" in way)
