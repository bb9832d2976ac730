"""The data is what it says: counts, balance, ranges, masks on the object, unseen test instances."""

import itertools

import numpy as np
import pytest
import torch

from lecturekit import files
from lecturekit.pictures import datasets
from lecturekit.networks import models
from lecturekit.networks.models import TABLETOP

SIZES = {"train": 3000, "test": 1000, "grid": 480, "light": 80, "scale": 80, "object_colour": 80,
         "background_colour": 80, "two_objects": 200, "cue_conflict": 200}
SWEEPS = ("light", "scale", "object_colour", "background_colour")


@pytest.mark.parametrize("split, size", SIZES.items())
def test_every_split(split, size):
    data = datasets.tabletop(split)
    assert len(data) >= size and data.pixels.shape[1:] == (3, 128, 128) and data.pixels.dtype == torch.uint8
    area = data.masks.flatten(-2).float().mean(-1)
    assert area.min() > 0.01 and area.max() < 0.75
    assert data.masks.shape[-2:] == (128, 128) and data.masks.dtype == torch.bool
    sample = data[:5].images
    assert sample.dtype == torch.float32 and 0 <= sample.min() and sample.max() <= 1
    assert len(data.samples) == len(data.labels) == len(data)


@pytest.mark.parametrize("split", ["train", "test", "grid", *SWEEPS])
def test_balanced_also_in_every_prefix(split):
    data = datasets.tabletop(split)
    assert len(set(data.labels.bincount(minlength=10).tolist())) == 1
    if split in ("train", "test"):
        assert sorted(data[:10].labels.tolist()) == list(range(10))


def test_test_instances_are_unseen_and_there_are_twelve_of_each_category():
    seen, unseen = ({(f["category"], f["instance"]) for f in datasets.tabletop(s).samples} for s in ("train", "test"))
    assert not seen & unseen
    assert min(sum(c == category for c, _ in seen) for category in TABLETOP) >= 12


def test_grid_is_a_full_factorial():
    samples = datasets.tabletop("grid").samples
    levels = [sorted({s[key] for s in samples}) for key in ("category", "instance", "azimuth_index")]
    combinations = {(s["category"], s["instance"], s["azimuth_index"]) for s in samples}
    assert combinations == set(itertools.product(*levels)) and len(samples) == len(combinations)
    assert len(levels[0]) == 10 and len(levels[1]) >= 6 and len(levels[2]) >= 8


def test_azimuth_goes_all_round():
    azimuth = datasets.tabletop("train").factors["azimuth"]
    assert np.histogram(azimuth % 360, bins=8, range=(0, 360))[0].min() > 100


def test_two_objects_have_disjoint_masks_of_different_categories():
    data = datasets.tabletop("two_objects")
    assert not (data.masks[:, 0] & data.masks[:, 1]).any()
    assert (data.labels[:, 0] != data.labels[:, 1]).all() and data.labels.shape == (len(data), 2)


def test_cue_conflict_sets_shape_against_surface():
    samples = datasets.tabletop("cue_conflict").samples
    assert all(s["category"] != s["surface"] for s in samples)
    assert len({(s["category"], s["surface"]) for s in samples}) == 90


def test_object_differs_from_its_surroundings():
    """The mask is on the object: along its edge the colour changes more than inside it."""
    data = datasets.tabletop("test")[:100]
    grey, mask = data.images.mean(1), data.masks
    step, edge = (grey[:, :, 1:] - grey[:, :, :-1]).abs(), mask[:, :, 1:] != mask[:, :, :-1]
    inside = mask[:, :, 1:] & mask[:, :, :-1]
    assert step[edge].mean() > 2 * step[inside].mean()


def test_subsets():
    data = datasets.tabletop("test")
    assert len(data[3]) == 1 and data[3].labels.shape == (1,)
    assert data[[5, 2]].labels.tolist() == [data.labels[5], data.labels[2]]
    chosen = data[data.labels == 4]
    assert len(chosen) == 100 and set(chosen.factors["category"]) == {"dumbbell"}
    assert len(data[:0]) == 0 and data[:0].images.shape == (0, 3, 128, 128)
    with pytest.raises(IndexError):
        data[len(data)]


def test_unknown_split_and_altered_tar(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="split: got 'validation'"):
        datasets.tabletop("validation")
    (tmp_path / "tabletop").mkdir()
    (tmp_path / "tabletop/light.tar").write_bytes((files.root() / "tabletop/light.tar").read_bytes()[:-512])
    (tmp_path / files.SUMS).write_text((files.root() / files.SUMS).read_text())
    monkeypatch.setenv("LECTUREKIT_DATA", str(tmp_path))
    datasets.tabletop.cache_clear()
    with pytest.raises(ValueError, match="light.tar.*is not the published file"):
        datasets.tabletop("light")
    datasets.tabletop.cache_clear()


def test_data_stays_within_its_size():
    every = [path for path in files.root().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in every) <= 120e6
    assert sum(path.stat().st_size for path in every if "tabletop" in path.parts[:-1]) <= 45e6


def test_digits():
    images, labels = datasets.digits()
    assert images.shape == (1797, 1, 8, 8) and images.min() == 0 and images.max() == 1
    assert labels.bincount().min() >= 170


@pytest.mark.parametrize("name", datasets.photo_names())
def test_photos_come_with_the_libraries(name):
    assert datasets.photo(name).shape[:2] == (1, 3)
    assert datasets.photo(name, 64).shape == (1, 3, 64, 64)


def test_unknown_photo_and_absent_imagenette(tmp_path):
    with pytest.raises(ValueError, match="name: got 'lena'"):
        datasets.photo("lena")
    with pytest.raises(FileNotFoundError, match="holds no Imagenette.*download=True"):
        datasets.imagenette("val", tmp_path)


def test_prepared_for_a_model():
    model = models.load("resnet_s", weights="random")
    some = datasets.tabletop("test")[:12]
    images, masks, target = datasets.for_model(some, model, 64)
    assert images.shape == (12, 3, 64, 64) and 0 <= images.min() and images.max() <= 1
    assert masks.shape == (12, 64, 64) and masks.dtype == torch.bool
    assert [model.categories[i] for i in target] == [some.categories[i] for i in some.labels]
    areas = masks.float().mean((1, 2)), some.masks.float().mean((1, 2))
    torch.testing.assert_close(*areas, rtol=0.1, atol=0.005)
    whole, both, pair = datasets.for_model(datasets.tabletop("two_objects")[:3], model)
    assert (whole.shape, both.shape, pair.shape) == ((3, 3, 128, 128), (3, 2, 128, 128), (3, 2))
    assert torch.equal(both, datasets.tabletop("two_objects")[:3].masks)
