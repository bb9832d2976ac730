"""Lesson 5: what share of a class activation map lies on the object, by method, stage and network?"""

from functools import partial

import on_objects
import torch

from lecturekit.attribution import localisation

QUESTION = "What share of a map lies on the object?"
UNIT = "energy inside"
INTERVAL = on_objects.INTERVAL
SETTINGS = {"pictures": 200, "stages": ["layer1", "layer2", "layer3", "layer4"],
            "others": {"vgg_s": ["relu4_2", "relu5_2"], "alexnet_s": ["relu2", "relu5"]}, "width of the middle": 0.5}
WEIGHTS = on_objects.WEIGHTS
SIGNS = {"": torch.nn.Identity(), ", absolute": torch.abs}

parts = partial(on_objects.parts, SETTINGS, localisation.energy_inside, SIGNS)
rows = partial(on_objects.rows, SETTINGS)
