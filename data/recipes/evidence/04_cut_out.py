"""Lesson 4: is a saliency map a better seed for GrabCut than the middle of the picture, also for objects off the middle?"""

from functools import partial

import middle
import torch
from measured import mean

from lecturekit import attribution
from lecturekit.attribution import segmentation
from lecturekit.networks import models
from lecturekit.pictures import datasets, pixels

QUESTION = "How well does GrabCut cut the object out, by its seed and by how far the object is from the middle?"
UNIT = "IoU with the mask"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"network": "resnet_s", "pictures": 300, "side": 96, "samples": 4, "blur": [13, 3.0]}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/test.tar")


def pictures():
    model = models.load(SETTINGS["network"])
    return model, *datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], model, SETTINGS["side"])


def smoothed(model, images, target):
    averaged = attribution.smooth_grad(model, images, target, samples=SETTINGS["samples"])
    return pixels.gaussian_blur(averaged[:, None], *SETTINGS["blur"])[:, 0]


SEEDS = {"saliency": attribution.saliency, "smoothed": smoothed, "guided": partial(attribution.saliency, rule="guided"),
         "middle": lambda model, images, target: segmentation.centre_map(images)}


def cut(seed):
    model, images, masks, target = pictures()
    return segmentation.mask_iou(segmentation.grab_cut(images, seed(model, images, target)), masks).tolist()


def distances():
    return middle.distances(pictures()[2])


def parts():
    return {name: partial(cut, seed) for name, seed in SEEDS.items()} | {"distances": distances}


def rows(results):
    for where, group in middle.groups(results.pop("distances")).items():
        chosen = {name: torch.tensor(values)[group] for name, values in results.items()}
        for name, values in chosen.items():
            yield mean(name, values, at=where, null=name == "middle")
        for name in ("smoothed", "guided"):
            yield mean(f"{name} minus middle", chosen[name] - chosen["middle"], at=where)
