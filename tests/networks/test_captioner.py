"""The captioner: its captions are as right as its card says, and it stays a plain, frozen network."""

import re
import shutil

import pytest
import torch

from lecturekit import files
from lecturekit.pictures import captions, datasets
from lecturekit.pictures.captions import VOCABULARY
from lecturekit.networks import captioner, hooks, models
from lecturekit.networks.models import TABLETOP
from lecturekit.attribution import enlarge, grad_cam
from lecturekit.attribution.localisation import discrimination

WEIGHTS = "weights/captioner.safetensors"


@pytest.fixture(scope="module")
def network():
    return captioner.load()


@pytest.fixture(scope="module")
def pairs():
    return datasets.tabletop("two_objects")[:40]


def card():
    return (files.root() / "weights/captioner.md").read_text()


def stated(what):
    """The shares of the card's row `what`: for one object, for two."""
    return [float(share) / 100 for share in re.search(rf"^\| {what} \| (.*)% \| (.*)% \|$", card(), re.M).groups()]


def share_right(data, said, kind):
    pairs = zip(map(captions.caption, data.samples), said)
    return sum(captions.of_kind(true, kind) == captions.of_kind(spoken, kind) for true, spoken in pairs) / len(said)


def test_card_belongs_to_the_weights():
    assert files.sha256(files.root() / WEIGHTS) in card()
    assert (files.root() / WEIGHTS).stat().st_size <= 3e6


def test_the_card_states_what_was_asked_for():
    assert stated("category")[0] >= 0.95 and stated("exact categories")[1] >= 0.80 and min(stated("colour")) >= 0.80


@pytest.mark.parametrize("split, column", [("test", 0), ("two_objects", 1)])
def test_captions_are_as_right_as_the_card_says(network, split, column):
    data = datasets.tabletop(split)[:40]
    said = captioner.describe(network, data.images)
    assert share_right(data, said, "category") >= stated("exact categories")[column] - 0.15
    assert share_right(data, said, "floor") >= stated("floor")[column] - 0.15


def test_describe_is_deterministic_whatever_the_batch(network, pairs):
    images = pairs.images[:5]
    said = captioner.describe(network, images)
    assert said == captioner.describe(network, images) == captioner.describe(captioner.load(), images, batch=2)
    assert captioner.describe(network, images[:1]) == said[:1] and captioner.describe(network, images[:0]) == []


def test_every_caption_ends(network):
    noise = torch.rand(8, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    for text in captioner.describe(network, noise):
        assert text and len(captions.words(text)) <= captioner.LONGEST


def test_next_word_equals_the_forward_pass(network, pairs):
    images, text = pairs.images[:3], captions.caption(pairs.samples[0])
    said = captions.words(text)
    logits = network(images, torch.tensor(captions.encode(text)).expand(3, -1))
    assert logits.shape == (3, len(said) + 1, len(VOCABULARY))
    for place in (0, 2, len(said)):
        following = captioner.next_word(network, said[:place])(images)
        torch.testing.assert_close(following, logits[:, place], rtol=1e-4, atol=1e-4)


def test_greedy_captions_follow_next_word(network, pairs):
    images = pairs.images[:1]
    said = captions.words(captioner.describe(network, images)[0])
    for place, word in enumerate([*said, captions.STOP]):
        assert VOCABULARY[captioner.next_word(network, said[:place])(images).argmax()] == word


def test_a_word_depends_on_the_words_before_it_only(network, pairs):
    one, other = (torch.tensor([captions.encode(text)]) for text in ("a red mug and a", "a red mug on a"))
    first, second = (network(pairs.images[:1], words) for words in (one, other))
    assert torch.equal(first[:, :4], second[:, :4]) and not torch.allclose(first[:, 4:], second[:, 4:])


def test_next_word_is_a_classifier_of_the_package(network, pairs):
    model = captioner.next_word(network, "a red")
    assert [model.categories[models.category_index(model, name)] for name in TABLETOP] == list(TABLETOP)
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    maps = hooks.features(model, pairs.images[:2], "captioner.body.layer3")
    assert maps.shape == (2, captioner.MAPS, 8, 8)
    assert models.predict(model, pairs.images[:2]).shape == (2, len(VOCABULARY))


def test_gradients_reach_the_maps_and_change_nothing(network, pairs):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    model, images = captioner.next_word(network, "a red"), pairs.images[:2].requires_grad_()
    expected = model(images.detach())
    with hooks.record(model, "captioner.body.layer3") as outputs:
        model(images)[:, VOCABULARY.index("mug")].sum().backward()
    assert outputs["captioner.body.layer3"].requires_grad and images.grad.abs().amax((1, 2, 3)).min() > 0
    assert torch.equal(model(images.detach()), expected)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


def test_grad_cam_of_a_category_lies_on_its_own_object(network, pairs):
    shares = []
    for picture in range(0, 40, 2):
        one, said = pairs[picture], captions.words(captions.caption(pairs.samples[picture]))
        place = next(i for i, word in enumerate(said) if word in TABLETOP)             # of the left object
        model = captioner.next_word(network, said[:place])
        coarse = grad_cam(model, one.images, VOCABULARY.index(said[place]), "captioner.body.layer3", relu=True)
        shares.append(discrimination(enlarge(coarse, one.images), one.masks[:, 0], one.masks[:, 1]))
    assert torch.cat(shares).mean() > 0.7   # 0.5 by chance


def test_a_one_by_one_convolution_does_not_move_the_map(network, pairs):
    model, images = captioner.next_word(network, "a"), pairs.images[:2]
    before, behind = (grad_cam(model, images, 7, layer) for layer in ("captioner.body.layer3", "captioner.conv"))
    torch.testing.assert_close(before, behind, rtol=1e-3, atol=1e-6)


def test_frozen_in_eval_mode_on_the_bundled_body(network):
    assert not any(p.requires_grad for p in network.parameters()) and not any(m.training for m in network.modules())
    assert torch.equal(network.body.conv1.weight, models.load("resnet_s").conv1.weight)
    assert not any(name.startswith("body") for name in models.stored(network))
    assert network.name == "captioner" and network.image_size == 128


def test_loading_leaves_the_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    captioner.load()
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("side", [64, 100])
def test_other_sizes(network, side):
    assert captioner.next_word(network)(torch.rand(2, 3, side, side)).shape == (2, len(VOCABULARY))
    assert captioner.next_word(network)(torch.rand(0, 3, side, side)).shape == (0, len(VOCABULARY))


def test_bad_images(network, pairs):
    with pytest.raises(ValueError, match="images: got values from"):
        captioner.describe(network, pairs.images[:1] * 255)
    with pytest.raises(ValueError, match="images: got shape"):
        captioner.describe(network, pairs.images[0])
    with pytest.raises(TypeError, match="images: got dtype torch.uint8"):
        captioner.describe(network, pairs.pixels[:1])
    with pytest.raises(ValueError, match="batch: got 0"):
        captioner.describe(network, pairs.images[:1], batch=0)


@pytest.mark.parametrize("words, error, message", [
    (torch.zeros(1, 0, dtype=torch.long), ValueError, "words: got shape"),
    (torch.zeros(2, 1, dtype=torch.long), ValueError, "words: got shape"),
    (torch.zeros(1, dtype=torch.long), ValueError, "words: got shape"),
    (torch.tensor([[33]]), ValueError, "words: got indices from 33 to 33"),
    (torch.tensor([[-1]]), ValueError, "words: got indices from -1"),
    (torch.zeros(1, 1), TypeError, "words: got torch.float32"),
    ([[0]], TypeError, "words: got list")])
def test_bad_words(network, pairs, words, error, message):
    with pytest.raises(error, match=message):
        network(pairs.images[:1], words)


def test_unknown_beginnings(network):
    with pytest.raises(ValueError, match="text: got 'mugs'. Did you mean 'mug'"):
        captioner.next_word(network, "a red mugs")
    with pytest.raises(TypeError, match="text: got 3"):
        captioner.next_word(network, 3)


@pytest.fixture
def copy_of_data(tmp_path, monkeypatch):
    """A data folder that a test may damage, with the captioner's weights and its body's."""
    (tmp_path / "weights").mkdir()
    for name in (WEIGHTS, f"weights/{captioner.BODY}.safetensors"):
        shutil.copy(files.root() / name, tmp_path / name)
    shutil.copy(files.root() / files.SUMS, tmp_path)
    monkeypatch.setenv("LECTUREKIT_DATA", str(tmp_path))
    return tmp_path / WEIGHTS


def test_missing_weights(copy_of_data):
    copy_of_data.unlink()
    with pytest.raises(FileNotFoundError, match="captioner.safetensors is missing.*git checkout"):
        captioner.load()


@pytest.mark.parametrize("damage", [lambda data: data[:5000], lambda data: b"", lambda data: data[:-1] + b"\0\1"])
def test_truncated_or_altered_weights(copy_of_data, damage):
    copy_of_data.write_bytes(damage(copy_of_data.read_bytes()))
    with pytest.raises(ValueError, match="captioner.safetensors.*is not the published file.*git checkout"):
        captioner.load()
