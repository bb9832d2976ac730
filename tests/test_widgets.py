"""A widget shows what its slider says, and draws nothing twice."""

import io

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image

from lecturekit import widgets


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
