"""Lesson 9: what is still right under PGD, against the budget, of rendered pictures, for each bundled network."""

from functools import partial

import torch
from scipy.stats import binomtest

from lecturekit.networks import models
from lecturekit.pictures import datasets
from lecturekit.robustness import attacks, standing
from lecturekit.show.evidence import Row

QUESTION = "How many pictures are still right under attack?"
UNIT = "share still right"
INTERVAL = "95 % Wilson interval"
SETTINGS = {"networks": ["alexnet_s", "vgg_s", "resnet_s", "resnet_s_robust"], "pictures": 100, "side": 128,
            "norm": "linf", "eps of 255": [0, 0.5, 1, 2, 4, 8], "steps": 10, "seeds": [0]}
WEIGHTS = (*(f"weights/{name}.safetensors" for name in SETTINGS["networks"]), "tabletop/test.tar")
CHUNK = 100   # pictures of one part


def pictures(model):
    data = datasets.tabletop("test")[:SETTINGS["pictures"]]
    images, _, labels = datasets.for_model(data, model, SETTINGS["side"])
    return images, labels


def budgets():
    return [eps / 255 for eps in SETTINGS["eps of 255"]]


def attacked(name, seed, start):
    """For each budget which of the pictures from `start` on stand, 0 and 1: what falls within one falls within larger ones."""
    model = models.load(name)
    images, labels = (part[start:start + CHUNK] for part in pictures(model))
    stands, at_each = ~attacks.fooled(model, images, labels), []
    for eps in budgets():
        rows = stands.nonzero()[:, 0]
        moved = attacks.pgd(model, images[rows], labels[rows], eps, SETTINGS["norm"], SETTINGS["steps"], seed=seed)
        stands[rows] = ~attacks.fooled(model, moved, labels[rows])
        at_each.append(stands.int().tolist())
    return at_each


def shaken(name):
    """The same under random signs, the null: changes as large that nobody chose."""
    model = models.load(name)
    images, labels = pictures(model)
    signs = torch.randn(images.shape, generator=torch.Generator().manual_seed(0)).sign()
    noisy = ((images + eps * signs).clamp(0, 1) for eps in budgets())
    return [round(standing.accuracy(model, moved, labels) * len(images)) for moved in noisy]


def chunks():
    return range(0, SETTINGS["pictures"], CHUNK)


def parts():
    attacked_parts = {f"{name}; {seed}; {start}": partial(attacked, name, seed, start)
                      for name in SETTINGS["networks"] for seed in SETTINGS["seeds"] for start in chunks()}
    return attacked_parts | {f"{name}, random signs": partial(shaken, name) for name in ("resnet_s", "resnet_s_robust")}


def under_all_seeds(results):
    """{network: for each budget how many pictures stand under the attack from every seed}."""
    for name in SETTINGS["networks"]:
        of_seeds = [torch.cat([torch.tensor(results[f"{name}; {seed}; {start}"]) for start in chunks()], 1)
                    for seed in SETTINGS["seeds"]]   # for each (budgets, pictures)
        yield name, torch.stack(of_seeds).amin(0).sum(1).tolist()
    yield from ((name, counts) for name, counts in results.items() if "random" in name)


def rows(results):
    n = SETTINGS["pictures"]
    for name, counts in under_all_seeds(results):
        for eps, count in zip(SETTINGS["eps of 255"], counts):
            low, high = binomtest(count, n).proportion_ci(method="wilson")
            yield Row(name, count / n, min(low, count / n), max(high, count / n), n, eps, null="random" in name)
