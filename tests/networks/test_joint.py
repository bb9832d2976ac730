"""The joint image-text model: it finds pictures by sentences as well as its card says, and stays plain and frozen."""

import re
import shutil

import pytest
import torch

from lecturekit import files
from lecturekit.pictures import captions, datasets
from lecturekit.networks import joint, models
from lecturekit.networks.models import TABLETOP
from lecturekit.attribution import gradient

WEIGHTS = "weights/joint.safetensors"
CATEGORIES = [f"a {name}" for name in TABLETOP]
TEXTS = ["a red mug", "a yellow lemon on a wooden floor", "a lemon"]


@pytest.fixture(scope="module")
def network():
    return joint.load()


@pytest.fixture(scope="module")
def gallery():
    """50 test pictures with captions of their own, and these captions."""
    data, first = datasets.tabletop("test")[:120], {}
    for i, sample in enumerate(data.samples):
        first.setdefault(captions.caption(sample), i)
    return data[list(first.values())[:50]], list(first)[:50]


@pytest.fixture(scope="module")
def found(network, gallery):
    """Similarities (50,60) of the gallery and its captions, then CATEGORIES."""
    return joint.similarities(network, gallery[0].images, gallery[1] + CATEGORIES)


def card():
    return (files.root() / "weights/joint.md").read_text()


def stated(what):
    """The shares of the card's row that begins with `what`."""
    row = re.search(rf"^\| {re.escape(what)}[^|]* \| (.*) \|$", card(), re.M).group(1)
    return [float(share.strip(" %")) / 100 for share in row.split("|")]


def test_card_belongs_to_the_weights():
    assert files.sha256(files.root() / WEIGHTS) in card()
    assert (files.root() / WEIGHTS).stat().st_size <= 2.5e6


def test_retrieval_among_fifty(found):
    similarity, right = found[:, :50], torch.arange(50)
    assert found.shape == (50, 60) and found.abs().max() <= 1 + 1e-5
    for matrix, share in zip((similarity, similarity.T), stated("test, 200: recall@1")):
        assert (matrix.argmax(1) == right).float().mean() >= share - 0.1   # by chance 0.02
        assert (matrix.topk(5).indices == right[:, None]).any(1).float().mean() >= 0.9


def test_zero_shot_categories(found, gallery):
    assert (found[:, 50:].argmax(1) == gallery[0].labels).float().mean() >= stated('category, "a mug"')[0] - 0.1


def test_untrained_heads_find_nothing(network, gallery):
    data, texts = gallery[0][:30], gallery[1][:30]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        untrained = joint.Joint().eval()
    maps = network.body(data.images)
    right = [(model.encode_maps(maps) @ model.encode_texts(texts).T).argmax(1) == torch.arange(30)
             for model in (network, untrained)]
    assert right[0].float().mean() >= 0.7 > 0.2 >= right[1].float().mean()


def test_two_objects_are_both_found(network):
    pairs = datasets.tabletop("two_objects")[:20]
    likeliest = joint.similarities(network, pairs.images, CATEGORIES).topk(2).indices
    both = (likeliest.sort(1).values == pairs.labels.sort(1).values).all(1).float().mean()
    assert both >= stated("category, two_objects: the two likeliest")[0] - 0.25   # 0.02 by chance


def test_unit_vectors_whatever_the_batch(network, gallery):
    images = gallery[0].images[:3]
    codes, said = network.encode_images(images), network.encode_texts(TEXTS)
    assert codes.shape == said.shape == (3, 96)
    for vectors in (codes, said):
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(network(images, TEXTS), codes @ said.T)
    torch.testing.assert_close(network.encode_images(images[1:2]), codes[1:2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network.encode_texts(TEXTS[:1]), said[:1], rtol=1e-5, atol=1e-6)   # no filling
    in_batches = joint.similarities(network, images, TEXTS, batch=2)
    torch.testing.assert_close(in_batches, codes @ said.T, rtol=1e-4, atol=1e-5)


def test_deterministic(network, gallery):
    images = gallery[0].images[:2]
    assert torch.equal(network(images, TEXTS), joint.load()(images, TEXTS))


def test_none(network):
    none = torch.zeros(0, 3, 128, 128)
    assert network(none, TEXTS).shape == (0, 3) and network(none, []).shape == (0, 0)
    assert joint.similarities(network, none, TEXTS).shape == (0, 3)


def test_words_matter(network):
    codes = network.encode_texts(["a red mug", "a blue mug", "a red lemon", "a red mug on a wooden floor"])
    assert (codes @ codes.T - torch.eye(4)).amax() < 0.99


def test_gradients_reach_the_pixels_and_change_nothing(network, gallery):
    images = gallery[0].images[:2].requires_grad_()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(images, TEXTS)[:, 0].sum().backward()
    assert images.grad.abs().amax((1, 2, 3)).min() > 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


def test_zero_shot_is_a_classifier_of_the_package(network, gallery):
    classifier = joint.zero_shot(network, TEXTS)
    assert classifier.categories == TEXTS and not classifier.training
    assert gradient(classifier, gallery[0].images[:2], 1).shape == (2, 3, 128, 128)


def test_frozen_in_eval_mode_on_the_bundled_body(network):
    assert not any(p.requires_grad for p in network.parameters()) and not any(m.training for m in network.modules())
    assert torch.equal(network.body.conv1.weight, models.load(joint.BODY).conv1.weight)
    assert not any(name.startswith("body") for name in models.stored(network))
    assert network.name == "joint" and network.image_size == 128


def test_loading_leaves_the_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    joint.load()
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("texts, error, message", [
    ("a red mug", TypeError, "texts: got 'a red mug'. It takes a sequence of str"),
    ([3], TypeError, "texts: got"),
    (["a red mugs"], ValueError, "text: got 'mugs'. Did you mean 'mug'"),
    ([""], ValueError, "texts of at least one word")])
def test_bad_texts(network, texts, error, message):
    with pytest.raises(error, match=message):
        network.encode_texts(texts)


def test_bad_images(network, gallery):
    with pytest.raises(ValueError, match="images: got values from"):
        joint.similarities(network, gallery[0].images[:1] * 255, TEXTS)
    with pytest.raises(ValueError, match="images: got shape"):
        joint.similarities(network, gallery[0].images[0], TEXTS)
    with pytest.raises(ValueError, match="batch: got 0"):
        joint.similarities(network, gallery[0].images[:1], TEXTS, batch=0)


@pytest.fixture
def copy_of_data(tmp_path, monkeypatch):
    """A data folder that a test may damage, with the weights and the body's."""
    (tmp_path / "weights").mkdir()
    for name in (WEIGHTS, f"weights/{joint.BODY}.safetensors"):
        shutil.copy(files.root() / name, tmp_path / name)
    shutil.copy(files.root() / files.SUMS, tmp_path)
    monkeypatch.setenv("LECTUREKIT_DATA", str(tmp_path))
    return tmp_path / WEIGHTS


def test_missing_weights(copy_of_data):
    copy_of_data.unlink()
    with pytest.raises(FileNotFoundError, match="joint.safetensors is missing.*git checkout"):
        joint.load()


@pytest.mark.parametrize("damage", [lambda data: data[:5000], lambda data: data[:-1] + b"\0\1"])
def test_truncated_or_altered_weights(copy_of_data, damage):
    copy_of_data.write_bytes(damage(copy_of_data.read_bytes()))
    with pytest.raises(ValueError, match="joint.safetensors.*is not the published file.*git checkout"):
        joint.load()
