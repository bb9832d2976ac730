"""Lesson 2: in how many directions do viewpoint and style move the features of one category? (Aubry and Russell 2015)"""

import grids

QUESTION = "How many principal components hold 95 % of what the viewpoint, or the style, moves inside a category?"
UNIT = "components (viewpoint: 7 at most, style: 5)"
INTERVAL = grids.INTERVAL
SETTINGS = {"network": "resnet_s", "side": 96, "views": 8, "twins": 3, "share": 0.95}
WEIGHTS = grids.WEIGHTS


def parts():
    return grids.parts(grids.dimensions)


def rows(results):
    return list(grids.rows(results))
