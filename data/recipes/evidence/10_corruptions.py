"""Lesson 10: errors under nine corruptions at the size that the networks were trained at; the mean over five severities.

Null: the same network's errors on the pictures as they are.
"""

from functools import partial

from lecturekit.networks import models
from lecturekit.pictures import datasets
from lecturekit.robustness import attacks, corruptions
from lecturekit.show import evidence

QUESTION = "What share is misread under each corruption?"
UNIT = "share misread, mean of five severities"
INTERVAL = "95 % Wilson interval over pictures and severities"
SETTINGS = {"networks": ["alexnet_s", "resnet_s", "resnet_s_robust"], "pictures": 100, "side": 128,
            "severities": [1, 2, 3, 4, 5],
            "corruptions": ["Gaussian noise", "shot noise", "defocus blur", "motion blur", "brightness", "contrast", "fog",
                            "pixelate", "JPEG"]}
WEIGHTS = (*(f"weights/{name}.safetensors" for name in SETTINGS["networks"]), "tabletop/test.tar")


def pictures(model):
    images, _, labels = datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], model, SETTINGS["side"])
    return images, labels


def misread(name, corruption):
    """How many are misread at each severity."""
    model = models.load(name)
    shares = corruptions.errors(model, *pictures(model), [corruption], SETTINGS["severities"])[corruption]
    return [round(share * SETTINGS["pictures"]) for share in shares]


def clean(name):
    model = models.load(name)
    return attacks.fooled(model, *pictures(model)).sum().item()


def parts():
    return {f"{name}; {corruption}": partial(misread, name, corruption) for name in SETTINGS["networks"]
            for corruption in SETTINGS["corruptions"]} | {f"{name}; clean": partial(clean, name)
                                                          for name in SETTINGS["networks"]}


def rows(results):
    n = SETTINGS["pictures"]
    for name in SETTINGS["networks"]:
        for corruption in SETTINGS["corruptions"]:
            counts = results[f"{name}; {corruption}"]
            yield evidence.share(name, sum(counts), n * len(counts), corruption)
    for name in SETTINGS["networks"]:
        for corruption in SETTINGS["corruptions"]:
            yield evidence.share(f"{name}, clean", results[f"{name}; clean"], n, corruption, null=True)
