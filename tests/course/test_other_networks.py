"""The lessons that LECTUREKIT_MODEL is for, on networks of the world: every cell that has to do with it, without an error."""

import warnings

import cells
import pytest

from lecturekit.networks import models

LESSONS = "01", "02", "03", "04", "05", "06", "09"
NETWORKS = {"squeezenet1_1": "trained", "mobilenet_v3_small": "random", "resnet18": "random"}
MOBILE = "mobilenet_v3_small"
NOT = {"01": [MOBILE], "04": [MOBILE], "05": ["squeezenet1_1", MOBILE], "06": [MOBILE]}   # README.md says why
SMALL = {"trained": 96, "random": 64}   # px
pytestmark = pytest.mark.slow


@pytest.fixture(params=NETWORKS)
def network(request, monkeypatch):
    """The name in LECTUREKIT_MODEL of a network that can be loaded here."""
    load, weights = models.load, NETWORKS[request.param]

    def loaded(name, *args, **settings):
        if name != request.param:
            return load(name, *args, **settings)
        model = load(name, weights, **{key: value for key, value in settings.items() if key != "weights"})
        model.image_size = SMALL[weights]
        return model

    monkeypatch.setattr(models, "load", loaded)
    monkeypatch.setenv("LECTUREKIT_MODEL", request.param)
    return request.param


@pytest.mark.parametrize("number", LESSONS)
def test_a_lesson_runs_on_it(number, network):
    chosen = cells.concerning(number, "model")
    first = next(at for at, (_, source) in enumerate(chosen) if "models.default(" in source) + 1
    assert len(chosen) > 8
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        space = cells.run(chosen[:first])
    if network in NOT.get(number, ()):
        assert space["model"].name == models.BUNDLED and any(f"cannot look at {network}" in str(w.message) for w in said)
    else:
        assert space["model"].name == network
        cells.run(chosen[first:], space)
