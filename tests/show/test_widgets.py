"""A widget shows what its slider says, and draws nothing twice."""

import io
import threading
import time

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image

from lecturekit.show import widgets
from lecturekit.moving import optimise, steps
from lecturekit.moving.objectives import Objective


def shown(box):
    return np.array(Image.open(io.BytesIO(box.children[-1].value)))


@pytest.fixture
def calls():
    return []


def test_slider_redraws(calls):
    def draw(level, channel):
        calls.append((level, channel))
        picture = torch.zeros(3, 8, 8)
        picture["rgb".index(channel)] = level
        return picture

    box = widgets.explore(draw, width=64, level=[0.0, 1.0], channel=["r", "g"])
    level, channel = box.children[:2]
    assert shown(box).max() == 0
    level.value = 1.0
    assert (shown(box)[0, 0] == [255, 0, 0]).all()
    channel.value = "g"
    assert (shown(box)[0, 0] == [0, 255, 0]).all() and shown(box).shape == (64, 64, 3)
    channel.value = "r"
    assert calls == [(0.0, "r"), (1.0, "r"), (1.0, "g")]


def test_takes_pil_images_and_png_bytes():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(buffer, "PNG")
    for picture in (Image.new("RGB", (4, 4), "red"), buffer.getvalue()):
        assert (shown(widgets.explore(lambda n: picture, width=4, n=[1, 2]))[0, 0] == [255, 0, 0]).all()


def test_pairs_become_buttons_of_which_two_may_have_one_label(calls):
    def draw(word):
        calls.append(word)
        return torch.full((3, 4, 4), word / 2)

    box = widgets.explore(draw, width=4, word=[("a", 0), ("mug", 1), ("a", 2)])
    buttons = box.children[0]
    assert isinstance(buttons, ipywidgets.ToggleButtons) and buttons.value == 0
    buttons.index = 2
    assert buttons.value == 2 and shown(box).min() == 255 and calls == [0, 2]


def test_live_grows_until_it_is_stopped():
    grey, seen = torch.full((1, 3, 8, 8), 0.5), []

    def run(watch, sign):
        brighter = sign * Objective(lambda images: images.flatten(1).sum(1))

        def slowly(*told):
            seen.append(told[0])
            waited.wait(0.01)
            watch(*told)
        seen.append(optimise(grey, brighter, 10_000, steps.signed(1e-4), watch=slowly, quiet=True))

    waited = threading.Event()
    box = widgets.live(run, width=16, sign=[1, -1])
    choice, buttons, picture = box.children
    start, stop, text = buttons.children
    choice.value = -1
    assert picture.value == b"" and text.value == "not started"
    start.click()
    start.click()   # a second click changes nothing
    until(lambda: len(seen) > 3)
    stop.click()
    until(lambda: not isinstance(seen[-1], int))
    assert "interrupted" in seen[-1].stopped and seen[-1].images.mean() < 0.5 and seen.count(0) == 1
    assert Image.open(io.BytesIO(picture.value)).size == (16, 16) and text.value.startswith("step ")


def until(happened, seconds=20):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)
