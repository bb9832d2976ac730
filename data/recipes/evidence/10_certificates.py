"""Lesson 10: what do interval bounds prove, what does smoothing, within the same cube (L-inf) about each digit?

A cube of half side eps lies in a ball of radius 8 eps (64 pixels): smoothing must certify that ball. Null: interval
bounds on a network that was not trained for them. Above each proof stands what PGD leaves of the same network.
"""

from functools import partial

import torch

from lecturekit.pictures import datasets
from lecturekit.robustness import defence_zoo, intervals, robust_training, smoothing, standing
from lecturekit.show import evidence

QUESTION = "What share of digits is proved right within eps?"
UNIT = "share right"
INTERVAL = "range over two trainings"
SETTINGS = {"eps": [0, 0.01, 0.02, 0.05, 0.1, 0.15], "trained within": [0.02, 0.05, 0.1], "learned": 1200, "digits": 300, "epochs": 10,
            "sigma": 0.3, "samples": 10000, "steps": 20, "seeds": [0, 1]}
WEIGHTS = ()


def digits():
    images, labels = datasets.digits()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    known, new = order[:SETTINGS["learned"]], order[SETTINGS["learned"]:][:SETTINGS["digits"]]
    return (images[known], labels[known]), (images[new], labels[new])


def fitted(losses, seed):
    """A network trained on clean digits, then on with each of the losses."""
    network = intervals.perceptron(seed=seed)
    for loss in (None, *losses):
        network = robust_training.fit(network, *digits()[0], loss, SETTINGS["epochs"], 1e-3, seed=seed)
    return network


def growing(loss):
    """The same loss for radii that grow: trained with the last one at once, bounds lead to a constant answer."""
    return [loss(eps) for eps in SETTINGS["trained within"]]


def bounded(losses, seed):
    """The share that interval bounds prove, at each eps."""
    network, (images, labels) = fitted(losses, seed), digits()[1]
    return [intervals.certified(network, images, labels, eps).float().mean().item() for eps in SETTINGS["eps"]]


def smoothed(seed):
    """The share that smoothing proves in the ball that holds the cube."""
    images, labels = digits()[1]
    loss = defence_zoo.noisy(lambda x, g: x + SETTINGS["sigma"] * torch.randn(x.shape, generator=g))
    network = fitted([loss] * 3, seed)
    proof = smoothing.certify(network, images, SETTINGS["sigma"], SETTINGS["samples"], seed=seed)
    return [proof.accuracy(labels, eps * images[0].numel() ** 0.5) for eps in SETTINGS["eps"]]


def attacked(seed):
    """The share that PGD leaves of the network trained with interval bounds."""
    network, new = fitted(growing(intervals.training), seed), digits()[1]
    return standing.curve(network, *new, SETTINGS["eps"], steps=SETTINGS["steps"])


def parts():
    losses = {"interval bounds, trained for them": growing(intervals.training),
              "interval bounds, trained on PGD": growing(robust_training.adversarial),
              "interval bounds, plain": []}
    return {f"{name}; {seed}": part for seed in SETTINGS["seeds"] for name, part in (
        *((name, partial(bounded, loss, seed)) for name, loss in losses.items()),
        ("smoothing, trained with noise", partial(smoothed, seed)),
        ("under PGD, the first network", partial(attacked, seed)))}


def rows(results):
    for name in dict.fromkeys(key.partition(";")[0] for key in results):
        found = [results[f"{name}; {seed}"] for seed in SETTINGS["seeds"]]
        for i, eps in enumerate(SETTINGS["eps"]):
            yield evidence.over_seeds(name, [one[i] for one in found], SETTINGS["digits"], eps, null="plain" in name)
