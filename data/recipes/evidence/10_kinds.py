"""Lesson 10: which kinds of models become robust by adversarial training?

Networks train on moving pictures (PGD); models without a gradient take copies of pictures that fool them into their
data. Null: the same model trained on clean pictures alone.
"""

from functools import partial

import numpy as np
import torch
from sklearn import neighbors, svm, tree
from torch import nn

from lecturekit.pictures import datasets
from lecturekit.robustness import classical, defence_zoo, robust_training, standing
from lecturekit.show import evidence

QUESTION = "Which kinds of models become robust by adversarial training?"
UNIT = "share of digits right"
INTERVAL = "range over two trainings"
SETTINGS = {"eps": 0.15, "learned": 1200, "digits": 100, "copied": 400, "steps": 20, "epochs": 12, "seeds": [0, 1]}
WEIGHTS = ()
NETWORKS = {"softmax regression": {"hidden": ()}, "one layer of 32": {"hidden": (32,)}, "one layer of 256": {"hidden": (256,)},
            "two layers of 256": {}, "two layers, tanh": {"units": nn.Tanh}, "two layers, radial": {"units": defence_zoo.Bell}}
OTHERS = {"nearest neighbour": lambda seed: neighbors.KNeighborsClassifier(1),
          "decision tree": lambda seed: tree.DecisionTreeClassifier(random_state=seed),
          "SVM, RBF kernel": lambda seed: svm.SVC(gamma=0.1, C=5)}


def digits(seed):
    """((images, labels) to learn, (images, labels) to attack), another split for each seed."""
    images, labels = datasets.digits()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    known, new = order[:SETTINGS["learned"]], order[SETTINGS["learned"]:][:SETTINGS["digits"]]
    return (images[known], labels[known]), (images[new], labels[new])


def network(name, adversarially, seed):
    """[share right clean, share right under a union of PGD attacks within eps]."""
    s, (known, new) = SETTINGS, digits(seed)
    loss = robust_training.adversarial(s["eps"]) if adversarially else None
    net = robust_training.fit(robust_training.digit_net(seed=seed, **NETWORKS[name]), *known, loss, s["epochs"], seed=seed)
    worst = standing.worst_case(net, *new, s["eps"], steps=s["steps"])
    return [worst.left["none"], worst.accuracy]


def other(name, adversarially, seed):
    """The same for a model of scikit-learn: the nearest change that fools it, by `classical.nearest`."""
    known, new = ((x.flatten(1).double().numpy(), y.numpy()) for x, y in digits(seed))
    more, rest = ((part[:SETTINGS["copied"]] for part in known), (part[SETTINGS["copied"]:] for part in known))
    more, rest = tuple(more), tuple(rest)
    model = OTHERS[name](seed).fit(*rest)
    copies = robust_training.adversarial_copies(model, *more, SETTINGS["eps"]) if adversarially else (more[0][:0], more[1][:0])
    model = OTHERS[name](seed).fit(*(np.concatenate(some) for some in zip(known, copies)))
    near = classical.nearest(model, *new)
    return [float((near.distances > 0).mean()), float((near.distances > SETTINGS["eps"]).mean())]


def parts():
    kinds = {name: network for name in NETWORKS} | {name: other for name in OTHERS}
    return {f"{name}; {how}; {seed}": partial(run, name, how == "adversarially", seed)
            for name, run in kinds.items() for how in ("clean", "adversarially") for seed in SETTINGS["seeds"]}


def rows(results):
    for key in dict.fromkeys(key.rpartition(";")[0] for key in results):
        name, _, how = key.partition("; ")
        found = [results[f"{key}; {seed}"] for seed in SETTINGS["seeds"]]
        for i, case in enumerate(("clean", "attacked")):
            yield evidence.over_seeds(name, [one[i] for one in found], SETTINGS["digits"], f"trained {how}, {case}",
                                      null=how == "clean")
