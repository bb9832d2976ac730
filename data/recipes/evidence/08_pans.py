"""Lesson 8: how much does the one-pass painter flicker, by how far the pan moves? Its strides make a grid of 4 px.

Null: the photos' own flicker, which is zero for a pan of whole pixels.
"""

from functools import partial

from measured import mean

from lecturekit.moving import style_nets, video
from lecturekit.pictures import datasets

QUESTION = "How much does the painter's film flicker?"
UNIT = "flicker (root mean square)"
INTERVAL = "95 % bootstrap interval over photos and styles"
SETTINGS = {"photos": ["china", "chelsea", "coffee", "flower", "rocket", "astronaut"], "side": 96, "photo": 160,
            "moves": [[1, 0], [2, 0], [3, 0], [4, 0], [5, 3], [4, 4], [6, 0], [8, 0], [8, 4]], "frames": 4}
WEIGHTS = ("weights/style_net.safetensors",)


def flicker(move):
    """{"painted", "photo": [mean flicker of each film]}."""
    s, painter, told = SETTINGS, style_nets.load(), {"one pass": [], "the photos themselves": []}
    shifts = [tuple(k * step for step in move) for k in range(s["frames"])]
    for name in s["photos"]:
        frames, flows, masks = video.pan(datasets.photo(name, s["photo"]), s["side"], shifts)
        for style in style_nets.STYLES:
            told["one pass"].append(video.flicker(painter(frames, style), flows, masks).mean().item())
            told["the photos themselves"].append(video.flicker(frames, flows, masks).mean().item())
    return told


def parts():
    return {f"({x}, {y})": partial(flicker, (x, y)) for x, y in SETTINGS["moves"]}


def rows(results):
    for series in next(iter(results.values())):
        for move, told in results.items():
            yield mean(series, told[series], at=move, null="photos" in series)
