"""Lesson 8: L-BFGS or Adam? The loss left of nine pairs of photo and style, after equally many passes through the network.

Null: the photo as it is, no step at all.
"""

from functools import partial

import torch

from lecturekit.moving import objectives, optimise, projections, steps, style_nets
from lecturekit.networks import models
from lecturekit.pictures import datasets
from lecturekit.show.evidence import Row

QUESTION = "Which optimiser leaves the least of the style transfer's loss?"
UNIT = "loss left, as a share of the photo's"
INTERVAL = "range over nine pairs"
SETTINGS = {"photos": ["china", "chelsea", "coffee"], "side": 96, "passes": [20, 60, 120],
            "steps": {"L-BFGS": ["lbfgs", 20], "Adam, rate 0.1": ["adam", 0.1], "Adam, rate 0.02": ["adam", 0.02]}}
WEIGHTS = ("weights/vgg_s.safetensors", *(f"styles/{name}.jpg" for name in style_nets.STYLES))
STEPS = {"lbfgs": lambda inner: steps.lbfgs(inner=inner), "adam": steps.adam}
BEST = ", best"


def losses(photo, style, optimiser):
    """The lowest loss of a picture, within [0,1], seen after each number of passes, as a share of the photo's own."""
    network, picture = style_nets.smoothed(models.load(style_nets.DESCRIBER)), datasets.photo(photo, SETTINGS["side"])
    goal = style_nets.goal(network, picture, style_nets.describe(network, style_nets.style_picture(style, 256)))
    seen, most = [], SETTINGS["passes"][-1]

    def counted(images):
        scores = goal(images)
        with torch.no_grad():   # on its way L-BFGS may leave [0,1], where there are no pictures
            inside = images.clamp(0, 1)
            seen.append(-(scores if inside.equal(images) else goal(inside)).item())
        if len(seen) > most:
            raise KeyboardInterrupt   # ends the run, as a reader would
        return scores
    kind, setting = SETTINGS["steps"][optimiser]
    optimise(picture, objectives.Objective(counted, (network,)), most, STEPS[kind](setting), projections.box, quiet=True)
    return [min(seen[:passes]) / seen[0] for passes in SETTINGS["passes"]]


def parts():
    return {f"{optimiser}; {photo}; {style}": partial(losses, photo, style, optimiser)
            for photo in SETTINGS["photos"] for style in style_nets.STYLES for optimiser in SETTINGS["steps"]}


def rows(results):
    by_name = {name: torch.tensor([left for key, left in results.items() if key.startswith(name)])
               for name in SETTINGS["steps"]}
    lowest = torch.stack(list(by_name.values())).argmin(0)   # (pairs, passes)
    for k, (name, left) in enumerate(by_name.items()):
        for i, passes in enumerate(SETTINGS["passes"]):
            some, share = left[:, i], (lowest[:, i] == k).float().mean().item()
            yield Row(name, some.mean().item(), some.min().item(), some.max().item(), len(some), passes)
            yield Row(name + BEST, share, share, share, len(some), passes)
    for passes in SETTINGS["passes"]:
        yield Row("the photo as it is", 1.0, 1.0, 1.0, len(lowest), passes, True)
