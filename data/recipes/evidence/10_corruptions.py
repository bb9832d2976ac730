"""Lesson 10: errors under nine corruptions at the size that the networks were trained at; the mean over five severities,
and the mCE, whose reference is the first network. Null: the same network's errors on the pictures as they are.
"""

from functools import partial

import torch
from measured import mean

from lecturekit.networks import models
from lecturekit.pictures import datasets
from lecturekit.robustness import attacks, corruptions
from lecturekit.show.evidence import Row

QUESTION = "What share is misread under each corruption?"
UNIT = "share misread, mean of five severities"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"networks": ["alexnet_s", "resnet_s", "resnet_s_robust"], "pictures": 300, "side": 128,
            "severities": [1, 2, 3, 4, 5],
            "corruptions": ["Gaussian noise", "shot noise", "defocus blur", "motion blur", "brightness", "contrast", "fog",
                            "pixelate", "JPEG"]}
WEIGHTS = (*(f"weights/{name}.safetensors" for name in SETTINGS["networks"]), "tabletop/test.tar")


def pictures(model):
    images, _, labels = datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], model, SETTINGS["side"])
    return images, labels


def misread(name, corruption):
    """At how many of the severities each picture is misread."""
    model = models.load(name)
    images, labels = pictures(model)
    return sum(attacks.fooled(model, corruptions.corrupt(images, corruption, severity), labels).int()
               for severity in SETTINGS["severities"]).tolist()


def clean(name):
    """Whether each picture is misread as it is."""
    model = models.load(name)
    return attacks.fooled(model, *pictures(model)).tolist()


def parts():
    return {f"{name}; {corruption}": partial(misread, name, corruption) for name in SETTINGS["networks"]
            for corruption in SETTINGS["corruptions"]} | {f"{name}; clean": partial(clean, name)
                                                          for name in SETTINGS["networks"]}


def ratios(results, rows):
    """{network: its mean corruption error on these pictures, rows (..., n)}: 1 is the first network's."""
    counts = {name: torch.stack([torch.tensor(results[f"{name}; {corruption}"])[rows].sum(-1).double()
                                 for corruption in SETTINGS["corruptions"]]) for name in SETTINGS["networks"]}
    first = counts[SETTINGS["networks"][0]].clamp(min=1)
    return {name: (some / first).mean(0) for name, some in counts.items()}


def rows(results):
    n = SETTINGS["pictures"]
    for name in SETTINGS["networks"]:
        for corruption in SETTINGS["corruptions"]:
            yield mean(name, torch.tensor(results[f"{name}; {corruption}"]) / len(SETTINGS["severities"]), at=corruption)
        yield mean(f"{name}, clean", results[f"{name}; clean"], at="clean", null=True)
    drawn = torch.randint(n, (1000, n), generator=torch.Generator().manual_seed(0))
    whole, others = ratios(results, torch.arange(n)), ratios(results, drawn)
    for name, value in whole.items():
        low, high = others[name].quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
        yield Row(name, value.item(), min(low, value.item()), max(high, value.item()), n, "mCE")
