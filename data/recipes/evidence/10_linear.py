"""Lesson 10: does adversarial training of a linear model do what an L1 penalty cannot? A grid of strengths of each.

Logistic regression tells 3 from 8, in closed form, on five splits of the digits. Null: no penalty at all.
"""

from functools import partial

import torch

from lecturekit.pictures import datasets
from lecturekit.robustness import robust_training
from lecturekit.show import evidence

QUESTION = "Does adversarial training of a linear model give what an L1 penalty does not?"
UNIT = "share right, 3 or 8"
INTERVAL = "range over five splits"
SETTINGS = {"eps": 0.15, "seeds": [0, 1, 2, 3, 4], "learned": 0.7, "steps": 400,
            "grid": {"plain": [0], "L2": [0.01, 0.03, 0.1, 0.3], "L1": [0.003, 0.01, 0.02, 0.03, 0.05, 0.1],
                     "adversarial": [0.03, 0.06, 0.1, 0.15, 0.2]}}
WEIGHTS = ()
OPTIONS = {"plain": lambda x: {}, "L2": lambda x: {"l2": x}, "L1": lambda x: {"l1": x},
           "adversarial": lambda x: {"eps": x}}


def split(seed):
    """(inputs, signs) to learn and to test on: digits 3 (-1) and 8 (1)."""
    images, labels = datasets.digits()
    rows = ((labels == 3) | (labels == 8)).nonzero()[:, 0]
    rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]
    inputs, signs = images[rows].flatten(1), torch.where(labels[rows] == 3, -1.0, 1.0)
    known = int(SETTINGS["learned"] * len(rows))
    return (inputs[:known], signs[:known]), (inputs[known:], signs[known:])


def held(kind, strength, seed):
    """[share right clean, in the worst case within eps; how many there are]."""
    known, new = split(seed)
    weights, bias = robust_training.robust_logistic(*known, steps=SETTINGS["steps"], **OPTIONS[kind](strength))
    shares = [robust_training.linear_accuracy(weights, bias, *new, eps) for eps in (0, SETTINGS["eps"])]
    return [*shares, len(new[1])]


def parts():
    return {f"{kind} {strength}; {seed}": partial(held, kind, strength, seed)
            for kind, grid in SETTINGS["grid"].items() for strength in grid for seed in SETTINGS["seeds"]}


def rows(results):
    for name in dict.fromkeys(key.partition(";")[0] for key in results):
        found = [results[f"{name}; {seed}"] for seed in SETTINGS["seeds"]]
        for i, case in enumerate(("clean", "worst case")):
            yield evidence.over_seeds(name.removesuffix(" 0"), [one[i] for one in found], found[0][2], case,
                                      null=name == "plain 0")
