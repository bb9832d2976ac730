"""Lesson 2: does the viewpoint's part of a layer's variance shrink with depth, when each category counts alike?"""

import grids
import numpy as np
from measured import mean

from lecturekit.representation import variance

QUESTION = "Inside a category, how much of a layer's variance goes with the viewpoint, and how much with the style?"
UNIT = "share of the variance in a category"
INTERVAL = grids.INTERVAL
SETTINGS = {"network": "resnet_s", "side": 96, "views": 8, "twins": 3}
WEIGHTS = grids.WEIGHTS
SINCE = "layer2"


def parts():
    return grids.parts(variance.shares)


def rows(results):
    yield from grids.rows(results)
    before = np.array(results["trained"][SINCE]["viewpoint"])
    for layer, values in results["trained"].items():
        yield mean(f"viewpoint, change since {SINCE}", np.array(values["viewpoint"]) - before, at=layer)
