"""Lesson 5: how often is the maximum of a class activation map on the object, by method, stage and network?"""

from functools import partial

import on_objects
import torch

from lecturekit.attribution import localisation

QUESTION = "How often is the maximum of a map on the object?"
UNIT = "pointing game, share of pictures"
INTERVAL = on_objects.INTERVAL
SETTINGS = {"pictures": 200, "stages": ["layer1", "layer2", "layer3", "layer4"],
            "others": {"vgg_s": ["relu4_2", "relu5_2"], "alexnet_s": ["relu2", "relu5"]}, "width of the middle": 0.5}
WEIGHTS = on_objects.WEIGHTS

parts = partial(on_objects.parts, SETTINGS, localisation.pointing_game, {"": torch.nn.Identity()})
rows = partial(on_objects.rows, SETTINGS)
