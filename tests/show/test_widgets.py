"""A widget shows what its slider says, and draws nothing twice."""

import base64
import io
import subprocess
import sys
import threading
import time

import ipywidgets
import nbformat
import numpy as np
import pytest
import torch
from PIL import Image

from lecturekit.course import execute, lessons
from lecturekit.show import plots, widgets
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
    (level, back, on), channel = box.children[0].children, box.children[1]
    assert shown(box).max() == 0 and on.tooltip == "level: one on"
    back.click()
    assert level.value == 0.0   # there is nothing before the first
    on.click()
    on.click()
    assert level.value == 1.0
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


def stored(widget):
    """What a notebook keeps of a widget: its picture, the picture's metadata, all kinds."""
    data, metadata = widget._repr_mimebundle_()
    kind, = metadata
    return Image.open(io.BytesIO(base64.b64decode(data[kind]))), metadata[kind], data


@pytest.mark.parametrize("size", [4, 400])
def test_the_first_picture_is_stored_with_what_it_shows(size):
    noise = torch.rand(2, 3, size, 2 * size, generator=torch.Generator().manual_seed(0))
    picture, metadata, data = stored(widgets.explore(lambda which, at: noise[which], width=640, which=[1, 0], at=["left"]))
    assert picture.width * picture.height <= 50_500 and picture.width == pytest.approx(2 * picture.height, abs=1)
    assert len(str(data)) < 60_000 and metadata["width"] == 640
    assert data["text/plain"] == metadata["alt"] == "What the widget begins with: which 1, at left. Run the cell to change it."
    assert "application/vnd.jupyter.widget-view+json" in data
    if size == 4:
        assert (np.array(picture)[0, 0] == np.round(noise[1, :, 0, 0].numpy() * 255)).all()


def test_a_stored_lesson_keeps_the_picture_in_the_place_of_the_widget(tmp_path):
    source = ("import torch; from lecturekit.show import widgets\n"
              "widgets.explore(lambda n: torch.zeros(3, 4, 4), width=4, n=[1, 2])")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    output, = execute.execute(notebook, tmp_path).cells[0].outputs
    nbformat.validate(notebook)
    assert set(output.data) == {"image/png", "text/plain"} and "n 1" in output.metadata["image/png"]["alt"]
    assert lessons.WIDGET in output.metadata   # by which decks find it


def test_live_stores_a_grey_square():
    picture, metadata, _ = stored(widgets.live(lambda watch: None))
    assert picture.getcolors() == [(1024, (127, 127, 127))] and "press start" in metadata["alt"]


def test_a_kernel_without_ipywidgets_shows_the_first_picture():
    program = """
import sys
sys.modules["ipywidgets"] = None
import torch
from lecturekit.course import execute, lessons
from lecturekit.show import plots, widgets
for box in (widgets.explore(lambda n, m: torch.full((3, 4, 4), n / 2), n=[1, 2], m=[("a", 0)]), widgets.live(print, n=[1])):
    data, metadata = box._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"} and metadata["image/png"]["alt"], data
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_maps_keep_one_colour_code_and_have_its_bar():
    """A map without negative values after one that has some is drawn on the same two-sided scale."""
    rows = {"positive": torch.tensor([[0.0, 1.0]]), "both": torch.tensor([[-2.0, 1.0]])}
    grey = torch.full((3, 1, 2), 0.5)
    box = widgets.explore(lambda name: plots.overlay(rows[name], grey), width=100, name=["positive", "both"])
    assert shown(box).shape == (50 + 6 + 26, 100, 3)
    alone = shown(box)
    box.children[0].value = "both"
    two_sided = shown(box)
    assert two_sided[60, 2, 2] > two_sided[60, 2, 0] and two_sided[60, 97, 0] > two_sided[60, 97, 2]   # blue to red
    box.children[0].value = "positive"
    assert (shown(box)[58] == two_sided[58]).all() and (shown(box)[58] != alone[58]).any()
    expected = plots.overlay(torch.tensor([[-1.0, 1.0]]), grey)[:, 0, 1]
    assert np.abs(shown(box)[0, 99] / 255 - expected.numpy()).max() < 0.01


def test_a_picture_that_is_no_map_has_no_bar():
    assert shown(widgets.explore(lambda n: torch.zeros(3, 4, 4), width=8, n=[1])).shape == (8, 8, 3)


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
    (choice, _, _), buttons, picture = box.children[0].children, *box.children[1:]
    start, stop, text = buttons.children
    choice.value = -1
    assert (shown(box) == 127).all() and text.value == "not started"
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
