"""The gallery: every picture stands there with its text and its seconds, and is large enough to frame."""

import base64
import io
import json
import runpy

import matplotlib
import pytest
import torch
from PIL import Image

from lecturekit import files
from lecturekit.moving import dreams, objectives, style_nets
from lecturekit.networks import models
from lecturekit.pictures import datasets, pixels
from lecturekit.show import gallery, plots

matplotlib.use("Agg")
GALLERY = runpy.run_path(str(files.root() / "recipes/gallery.py"))
STORED = sorted((files.root() / "gallery").glob("*.jpg"))


def test_what_is_drawn_is_written_whole_with_its_text(tmp_path, monkeypatch):
    monkeypatch.setenv("LECTUREKIT_DATA", str(tmp_path))
    monkeypatch.setitem(GALLERY["PICTURES"], "grey", lambda: plots.images(torch.full((2, 3, 8, 8), 0.5), alt="Two grey."))
    path, seconds = GALLERY["draw"]("grey")
    assert Image.open(io.BytesIO(path.read_bytes())).format == "JPEG" and seconds > 0
    assert json.loads((tmp_path / "gallery/index.json").read_text())["grey"]["shows"] == "Two grey."
    assert sorted(entry.name for entry in (tmp_path / "gallery").iterdir()) == ["grey.jpg", "index.json"]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_picture_can_be_framed_and_was_made_by_a_program(path):
    entry = json.loads((path.parent / "index.json").read_text())[path.stem]
    assert max(Image.open(path).size) >= 768 and path.stat().st_size < 1_000_000
    assert GALLERY["PICTURES"][path.stem].__name__ == entry["program"] and entry["shows"].endswith(".")


def test_every_picture_stands_there_with_its_entry():
    names = {path.stem for path in STORED}
    assert names == set(GALLERY["PICTURES"])
    assert names == set(json.loads((files.root() / "gallery/index.json").read_text()))


def test_a_stored_picture_is_shown_with_its_text_and_its_command(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(gallery, "display", lambda data, metadata, raw: shown.append((data, metadata)))
    gallery.show("cat-to-guacamole")
    entry, ((data, metadata),) = gallery.index()["cat-to-guacamole"], shown
    assert Image.open(io.BytesIO(base64.b64decode(data["image/jpeg"]))).width == gallery.WIDTH
    assert data["text/plain"] == metadata["image/jpeg"]["alt"] == entry["shows"]
    assert capsys.readouterr().out == f"python data/recipes/gallery.py cat-to-guacamole: {entry['seconds']} s\n"
    with pytest.raises(ValueError, match="name: got 'cat'. Did you mean|name: got 'cat'. It takes"):
        gallery.show("cat")


def test_a_dream_raises_what_it_was_asked_for_more_than_noise_as_large():
    network, photo = models.load("resnet_s"), datasets.photo("chelsea", 64)
    goal = objectives.energy(network, "layer2")
    dreamt = dreams.dream(photo, goal, octaves=(0.5, 1.0), steps=4, rate=1.0, shift=2)
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    moved = (photo + noise * (dreamt - photo).norm() / noise.norm()).clamp(0, 1)
    with torch.no_grad():
        before, after, shaken = (goal(images).item() for images in (photo, dreamt, moved))
    assert after > 2 * before and after > 1.5 * shaken
    assert torch.equal(dreamt, dreams.dream(photo, goal, (0.5, 1.0), 4, 1.0, 2))


def test_dreams_take_photos_that_are_not_square():
    network, photo = models.load("resnet_s"), torch.rand(2, 3, 40, 64)
    assert dreams.dream(photo, objectives.energy(network, "layer1"), (0.75, 1.0), 1).shape == photo.shape
    with pytest.raises(ValueError, match="octaves: got 0"):
        dreams.dream(photo, objectives.energy(network, "layer1"), (0, 1.0), 1)


def test_a_pyramid_comes_nearer_to_the_style_than_its_finest_size_alone():
    network = style_nets.smoothed(models.load(style_nets.DESCRIBER))
    photo, style = datasets.photo("chelsea", 96), style_nets.style_picture("mosaic", 96)
    grams = style_nets.describe(network, style)
    goal = style_nets.goal(network, photo, grams, 120.0)
    alone = style_nets.pyramid(network, photo, style, (96,), (96,), (1,), quiet=True).images
    fine = style_nets.pyramid(network, photo, style, (48, 96), (48, 96), (2, 1), quiet=True).images
    with torch.no_grad():
        assert goal(fine) > goal(alone) > goal(pixels.resize(photo, 96))
    assert fine.shape == photo.shape
