"""The ten categories in the order of their labels, each a parametric family of shapes."""

import numpy as np

from shapes_boxy import computer_keyboard, school_bus, stop_sign, washing_machine
from shapes_round import bell_pepper, chair, dumbbell, lemon, mug, table_lamp

FAMILIES = {
    "chair": chair, "mug": mug, "lemon": lemon, "bell pepper": bell_pepper, "dumbbell": dumbbell,
    "washing machine": washing_machine, "computer keyboard": computer_keyboard, "table lamp": table_lamp,
    "school bus": school_bus, "stop sign": stop_sign,
}
CATEGORIES = tuple(FAMILIES)


def make(category, instance):
    """The parts of one instance of a category, always the same for the same number."""
    return FAMILIES[category](np.random.default_rng((CATEGORIES.index(category), instance)))
