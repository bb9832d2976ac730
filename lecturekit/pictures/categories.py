"""The categories of the bundled pictures, and what ImageNet calls them."""

from lecturekit import validate

IMAGENETTE = ("tench", "English springer", "cassette player", "chain saw", "church",
              "French horn", "garbage truck", "gas pump", "golf ball", "parachute")
TABLETOP = ("chair", "mug", "lemon", "bell pepper", "dumbbell",
            "washing machine", "computer keyboard", "table lamp", "school bus", "stop sign")
IMAGENET_NAMES = {"chair": "folding chair", "mug": "coffee mug", "washing machine": "washer",
                  "stop sign": "street sign"}


def category_index(model, category):
    """The index of a category in the model's output; knows what ImageNet calls the tabletop categories."""
    known = list(validate.described(model, "categories"))
    if category not in known:
        category = IMAGENET_NAMES.get(category, category)
    return known.index(validate.one_of("category", category, known))
