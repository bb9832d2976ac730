"""The decoders: they give back what a layer kept, nearer to it than the mean picture, and stay plain and frozen."""

import re
import shutil

import pytest
import torch

from lecturekit import files
from lecturekit.pictures import datasets
from lecturekit.networks import decoders, hooks, models

MARGINS = {"relu2": 0.3, "relu5": 0.8, "relu6": 0.9}   # error, as a share of the mean picture's
OWN = {"relu2": 0.95, "relu5": 0.2, "relu6": 0.1}      # share of reconstructions nearest to their own picture
LAYERS = ["relu2", "relu5", "relu6"]


@pytest.fixture(scope="module")
def network():
    return models.load(decoders.NETWORK)


@pytest.fixture(scope="module")
def images():
    return datasets.tabletop("test")[:40].images


@pytest.fixture(scope="module")
def codes(network, images):
    return hooks.features(network, images, sorted({plan.layer for plan in decoders.PLANS.values()}))


@pytest.fixture(scope="module")
def made(codes):
    """{name: reconstructions (40,3,128,128)}."""
    return {name: decoder(codes[decoder.layer]) for name in decoders.names() for decoder in [decoders.load(name)]}


def card(name):
    return (files.root() / f"weights/decoder_{name}.md").read_text()


def stated(name, what):
    """Error in pixels, error in code, same category: the card's row on tabletop."""
    row = re.search(rf"^\| tabletop: {re.escape(what)}[^|]* \| (.*) \|$", card(name), re.M).group(1)
    return [float(value.strip(" %")) for value in row.split("|")]


def error(made, images):
    """|made - images|^2 / |images|^2 of each."""
    return (made - images).flatten(1).square().sum(1) / images.flatten(1).square().sum(1)


@pytest.mark.parametrize("name", decoders.names())
def test_card_belongs_to_the_weights(name):
    path = files.root() / f"weights/decoder_{name}.safetensors"
    assert files.sha256(path) in card(name) and path.stat().st_size <= 3e6


def test_all_decoders_together_are_small():
    assert sum(path.stat().st_size for path in (files.root() / "weights").glob("decoder_*.safetensors")) <= 9e6


@pytest.mark.parametrize("name", decoders.names())
def test_reconstructions_are_as_near_as_the_card_says(made, images, name):
    assert made[name].shape == images.shape and 0 <= made[name].min() <= made[name].max() <= 1
    assert error(made[name], images).mean() <= 1.15 * stated(name, "reconstruction")[0]


@pytest.mark.parametrize("name", LAYERS)
def test_better_than_the_mean_picture(made, images, name):
    training = datasets.tabletop("train")[:500].images.mean(0)
    assert error(made[name], images).mean() < MARGINS[name] * error(training.expand_as(images), images).mean()


def test_the_deeper_the_worse(made, images):
    errors = [error(made[name], images).mean() for name in ("relu2", "relu5", "relu6")]
    assert errors == sorted(errors)


@pytest.mark.parametrize("name", LAYERS)
def test_a_code_leads_to_its_own_picture(made, images, name):
    distances = (made[name].flatten(1)[:, None] - images.flatten(1)[None]).square().mean(2)   # (40,40)
    assert (distances.argmin(1) == torch.arange(40)).float().mean() >= OWN[name]              # 0.025 by chance


def test_gradients_reach_the_code(codes):
    decoder, code = decoders.load("relu6"), codes["relu6"][:2].clone().requires_grad_()
    decoder(code).sum().backward()
    assert code.grad.abs().amax(1).min() > 0 and all(p.grad is None for p in decoder.parameters())


@pytest.mark.parametrize("name", decoders.names())
def test_loads_frozen_with_its_layer(network, codes, name):
    decoder = decoders.load(name)
    assert decoder.network_name == network.name == "alexnet_s" and decoder.name == name
    assert codes[decoder.layer].shape[1:] == decoder.shape
    assert not any(p.requires_grad for p in decoder.parameters()) and not any(m.training for m in decoder.modules())


@pytest.mark.parametrize("name", decoders.names())
def test_deterministic_whatever_the_batch(codes, made, name):
    decoder = decoders.load(name)
    features = codes[decoder.layer][:2]
    assert torch.equal(decoder(features), decoders.load(name)(features))
    torch.testing.assert_close(decoder(features[:1]), made[name][:1], rtol=1e-3, atol=1e-4)
    assert decoder(features[:0]).shape == (0, 3, 128, 128)


def test_loading_leaves_the_generator_of_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    decoders.load("relu6")
    assert torch.equal(torch.rand(1), expected)


def test_three_layers_are_there():
    assert set(LAYERS) <= set(decoders.names())


def test_unknown_names():
    with pytest.raises(ValueError, match="name: got 'relu7'.*It takes one of: .*relu6"):
        decoders.load("relu7")


@pytest.mark.parametrize("features, error, message", [
    (torch.rand(512), ValueError, r"features: got shape \(512,\). It takes a float tensor \(N,512\): relu6"),
    (torch.rand(2, 192, 7, 7), ValueError, "features: got shape"),
    (torch.zeros(2, 512, dtype=torch.long), TypeError, "features: got torch.int64"),
    ([0.0] * 512, TypeError, "features: got list")])
def test_bad_features(features, error, message):
    with pytest.raises(error, match=message):
        decoders.load("relu6")(features)


@pytest.fixture
def copy_of_data(tmp_path, monkeypatch):
    """A data folder that a test may damage, with one decoder's weights."""
    (tmp_path / "weights").mkdir()
    shutil.copy(files.root() / "weights/decoder_relu6.safetensors", tmp_path / "weights")
    shutil.copy(files.root() / files.SUMS, tmp_path)
    monkeypatch.setenv("LECTUREKIT_DATA", str(tmp_path))
    return tmp_path / "weights/decoder_relu6.safetensors"


def test_missing_weights(copy_of_data):
    copy_of_data.unlink()
    with pytest.raises(FileNotFoundError, match="decoder_relu6.safetensors is missing.*git checkout"):
        decoders.load("relu6")


@pytest.mark.parametrize("damage", [lambda data: data[:5000], lambda data: data[:-1] + b"\0\1"])
def test_truncated_or_altered_weights(copy_of_data, damage):
    copy_of_data.write_bytes(damage(copy_of_data.read_bytes()))
    with pytest.raises(ValueError, match="decoder_relu6.safetensors.*is not the published file.*git checkout"):
        decoders.load("relu6")
