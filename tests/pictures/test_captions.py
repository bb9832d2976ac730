"""Captions: true of the factors, and the same sentence after encoding and decoding."""

import pytest

from lecturekit.pictures import captions, datasets
from lecturekit.pictures.captions import COLOURS, FLOORS, KINDS, VOCABULARY, caption, decode, encode, sentence, words
from lecturekit.networks.models import TABLETOP

MUG = {"category": "mug", "object_colour_name": "red", "box": [20.0, 30.0, 60.0, 90.0], "floor": "striped"}
PAIR = {"category": ["mug", "school bus"], "object_colour_name": ["orange", "yellow"], "floor": "tiles",
        "box": [[20.0, 30.0, 60.0, 90.0], [64.0, 30.0, 100.0, 90.0]]}


def test_one_object():
    assert caption(MUG) == "a red mug on a striped floor"
    assert caption(MUG | {"object_colour_name": "orange", "floor": "wood"}) == "an orange mug on a wooden floor"


def test_two_objects_from_left_to_right():
    assert caption(PAIR) == "an orange mug and a yellow school bus on a tiled floor"
    assert caption(PAIR | {"box": PAIR["box"][::-1]}) == "a yellow school bus and an orange mug on a tiled floor"


def test_captions_of_the_rendered_pairs_follow_the_masks():
    data = datasets.tabletop("two_objects")[:50]
    columns = data.masks.any(2).float()                                            # (N,2,W)
    middles = (columns * range_of(columns)).sum(2) / columns.sum(2)
    for sample, (first, second) in zip(data.samples, middles):
        named = [word for word in words(caption(sample)) if word in TABLETOP]
        assert named == (sample["category"] if first < second else sample["category"][::-1])


def range_of(columns):
    return columns.new_tensor(range(columns.shape[-1]))


@pytest.mark.parametrize("split", ["test", "two_objects"])
def test_round_trip_of_every_caption(split):
    for sample in datasets.tabletop(split).samples:
        text = caption(sample)
        indices = encode(text)
        assert decode(indices) == decode(indices[1:]) == decode(indices + [0, 7, 0]) == text
        assert indices[0] == 0 and 0 not in indices[1:] and len(indices) == len(words(text)) + 1


def test_words_of_two_parts_are_one():
    assert words("a red stop sign") == words(["a", "red", "stop sign"]) == ["a", "red", "stop sign"]
    assert words(" a  red ") == ["a", "red"] and words("") == words([]) == [] and encode("") == [0] and decode([]) == ""


def test_of_kind():
    text = caption(PAIR)
    assert captions.of_kind(text, "category") == ["mug", "school bus"] and captions.of_kind(text, "floor") == ["tiled"]
    assert captions.of_kind(text, "colour") == ["orange", "yellow"] and captions.of_kind("", "floor") == []
    with pytest.raises(ValueError, match="kind: got 'size'"):
        captions.of_kind(text, "size")


def test_the_vocabulary_has_each_word_once_and_each_kind():
    assert len(VOCABULARY) == len(set(VOCABULARY)) == 33
    assert all(set(names) <= set(VOCABULARY) for names in KINDS.values())
    factors = datasets.tabletop("train").factors
    assert set(factors["floor"]) == set(FLOORS) and set(factors["object_colour_name"]) == set(COLOURS)


@pytest.mark.parametrize("text, message", [
    ("a red mugs", "text: got 'mugs'. Did you mean 'mug'"), ("a stop", "text: got 'stop'. Did you mean"),
    (["a", "rde"], "text: got 'rde'. Did you mean 'red'"), ("A mug", "text: got 'A'")])
def test_unknown_words_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        encode(text)


@pytest.mark.parametrize("text", [None, 3, [1, 2], {"a": 1}])
def test_what_is_no_text(text):
    with pytest.raises(TypeError, match="text: got .* It takes a str, or a list of words"):
        captions.encode(text)


def test_other_bad_input():
    with pytest.raises(ValueError, match="indices: got 33"):
        decode([1, 33])
    with pytest.raises(ValueError, match="floor: got 'lawn'"):
        sentence([("red", "mug")], "lawn")
    with pytest.raises(ValueError, match="things: got 'pink'"):
        sentence([("pink", "mug")], "wood")
