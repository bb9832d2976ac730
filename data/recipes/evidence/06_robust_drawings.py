"""Lesson 6: how often do networks that had no part recognise what the robust and the standard network draw?

Every category is drawn from soft noise by plain ascent with small moves, by both networks with the same steps. A judge
names the likeliest of the twenty categories. Null: the soft noise itself.
"""

from functools import partial

import torch
from scipy.stats import binomtest

from lecturekit.moving import objectives, optimise, parameters, projections, steps
from lecturekit.networks import models
from lecturekit.pictures import transforms
from lecturekit.show.evidence import Row

QUESTION = "How often does a network that had no part recognise what another one draws?"
UNIT = "share recognised, of twenty categories"
INTERVAL = "95 % Wilson interval"
SETTINGS = {"artists": {"robust": "resnet_s_robust", "standard": "resnet_s"}, "side": 128, "steps": 150, "rate": 1.8,
            "noise": 0.5, "shift": 4, "scale": [0.9, 1.1], "degrees": 5, "seeds": [0, 1],
            "judges": ["vgg_s", "alexnet_s", "squeezenet1_1"]}
NETWORKS = (*SETTINGS["artists"].values(), *SETTINGS["judges"])
WEIGHTS = tuple(f"weights/{name}.safetensors" for name in NETWORKS)


def soft_noise(seed, count=20):
    return parameters.Fourier(count, SETTINGS["side"], noise=SETTINGS["noise"], seed=seed).images().detach()


def drawn(network, seed):
    """A picture (20,3,side,side) of every category of the network."""
    s, goal = SETTINGS, objectives.class_score(network, torch.arange(len(network.categories)))
    moves = transforms.chain(transforms.jitter(s["shift"]), transforms.scale(*s["scale"]), transforms.rotate(s["degrees"]))
    return optimise(soft_noise(seed), goal, s["steps"], steps.normalised(s["rate"]), projections.box, moves, seed,
                    quiet=True).images


def recognised(pictures, categories):
    """{judge: how many of the pictures, one of each category, it names rightly among them}."""
    told = {}
    for name in SETTINGS["judges"]:
        judge = models.load(name)
        index = [models.category_index(judge, category) for category in categories]
        told[name] = (models.predict(judge, pictures)[:, index].argmax(1) == torch.arange(len(index))).sum().item()
    return told


def judged(artist, seed):
    network = models.load(SETTINGS["artists"]["robust" if artist is None else artist])
    return recognised(soft_noise(seed) if artist is None else drawn(network, seed), network.categories)


def parts():
    artists = {"nobody, only the noise": None} | {f"the {name} network": name for name in SETTINGS["artists"]}
    return {f"{title}; {seed}": partial(judged, artist, seed)
            for title, artist in artists.items() for seed in SETTINGS["seeds"]}


def rows(results):
    titles = dict.fromkeys(key.partition(";")[0] for key in results)
    n = 20 * len(SETTINGS["seeds"])
    for title in titles:
        for judge in SETTINGS["judges"]:
            count = sum(told[judge] for key, told in results.items() if key.startswith(title))
            low, high = binomtest(count, n).proportion_ci(method="wilson")
            share = count / n
            yield Row(f"drawn by {title}, judged by {judge}", share, min(low, share), max(high, share), n,
                      null="noise" in title)
