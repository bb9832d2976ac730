"""Lesson 10: what is left of each defence of the zoo under the union of all attacks that the lesson knows.

Each defence is built on the digits from several seeds. A digit counts as standing only if no attack fools the network:
foreign pictures, FGSM, PGD as deployed, PGD through the surrogate on two losses, random search. Null: no defence.
"""

from functools import lru_cache, partial

import torch

from lecturekit.pictures import datasets
from lecturekit.robustness import attacks, defence_zoo, defences, robust_training
from lecturekit.show import evidence

QUESTION = "What is left of each defence under all attacks together?"
UNIT = "share of digits right"
INTERVAL = "range over two trainings"
SETTINGS = {"eps": 0.15, "digits": 300, "learned": 1200, "steps": 20, "tries": 100, "seeds": [0, 1],
            "hidden": [128, 128], "epochs": 8}
WEIGHTS = ()


def digits():
    """((images, labels) to learn, (images, labels) to attack)."""
    images, labels = datasets.digits()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    known, new = order.split([SETTINGS["learned"], len(order) - SETTINGS["learned"]])
    new = new[:SETTINGS["digits"]]
    return (images[known], labels[known]), (images[new], labels[new])


@lru_cache
def bench(seed):
    s, (known, _) = SETTINGS, digits()
    plain = robust_training.fit(robust_training.digit_net(seed=seed), *known, epochs=s["epochs"], seed=seed)
    return defence_zoo.Bench(*known, plain, tuple(s["hidden"]), s["epochs"], seed)


@lru_cache
def foreign():
    """Pictures made against another network, for transfer."""
    _, (images, labels) = digits()
    other = robust_training.fit(robust_training.digit_net(seed=9), *digits()[0], epochs=SETTINGS["epochs"])
    return attacks.pgd(other, images, labels, SETTINGS["eps"], steps=SETTINGS["steps"])


def attacked(defence, images, labels):
    """{attack: images} of all kinds but random search."""
    s = SETTINGS
    pgd = partial(attacks.pgd, images=images, labels=labels, eps=s["eps"], batch=len(images))
    long = partial(pgd, defence.attacked, steps=2 * s["steps"], rate=2.5 * s["eps"] / s["steps"])
    return {"transfer": foreign(), "FGSM": attacks.fgsm(defence.deployed, images, labels, s["eps"]),
            "PGD": pgd(defence.deployed, steps=s["steps"]), "surrogate": long(loss="cross_entropy"),
            "margin": long(loss="margin")}


def standing(name, seed):
    """{"clean", "FGSM", "PGD", "adaptive", "all attacks": share right}."""
    _, (images, labels) = digits()
    defence = defence_zoo.build(name, bench(seed))
    with robust_training.one_thread():
        wrong = {attack: attacks.fooled(defence.deployed, moved, labels, batch=len(images))
                 for attack, moved in ({"clean": images} | attacked(defence, images, labels)).items()}
        wrong["random search"] = defences.fooled_at_random(defence.deployed, images, labels, SETTINGS["eps"],
                                                           SETTINGS["tries"])
    wrong["adaptive"] = wrong.pop("surrogate") | wrong.pop("margin")
    wrong["all attacks"] = torch.stack(list(wrong.values())).any(0)
    return {attack: 1 - some.float().mean().item() for attack, some in wrong.items()}


def parts():
    return {f"{name}; {seed}": partial(standing, name, seed)
            for name in defence_zoo.CATALOGUE for seed in SETTINGS["seeds"]}


def rows(results):
    for name in defence_zoo.CATALOGUE:
        of_seeds = [results[f"{name}; {seed}"] for seed in SETTINGS["seeds"]]
        for attack in of_seeds[0]:
            yield evidence.over_seeds(name, [shares[attack] for shares in of_seeds], SETTINGS["digits"], attack,
                                      null=name == "none")
