"""What a tabletop picture shows, as a sentence: "a red mug and a yellow lemon on a striped floor".

A sentence is made of words of `VOCABULARY`, in which a category such as "stop sign" is one word. The full stop stands
before its first word and behind its last one, so that a network can be asked for either.
"""

import re

from lecturekit import validate
from lecturekit.pictures.categories import TABLETOP

STOP = "."
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "brown", "black", "white")
FLOORS = {"wood": "wooden", "tiles": "tiled", "striped": "striped", "checkered": "checkered", "plain": "plain",
          "carpet": "carpeted", "marble": "marble", "concrete": "concrete"}
KINDS = {"category": TABLETOP, "colour": COLOURS, "floor": tuple(FLOORS.values())}
VOCABULARY = (STOP, "a", "an", "and", "on", "floor", *sum(KINDS.values(), ()))
_LONGEST_FIRST = "|".join(map(re.escape, sorted(VOCABULARY, key=len, reverse=True)))
_WORD = re.compile(rf"(?<!\S)(?:{_LONGEST_FIRST})(?!\S)|\S+")


def caption(sample):
    """The sentence that is true of a tabletop picture, from its factors: an element of `Tabletop.samples`.

    Two objects are named from left to right, by the middles of their boxes.
    """
    things, boxes = (sample["object_colour_name"], sample["category"]), sample["box"]
    if isinstance(sample["category"], str):
        return sentence([things], sample["floor"])
    left_first = sorted(zip(boxes, *things), key=lambda thing: thing[0][0] + thing[0][2])
    return sentence([thing[1:] for thing in left_first], sample["floor"])


def sentence(things, floor):
    """The sentence about `things`, pairs (colour, category) from left to right, on one of FLOORS, such as "wood"."""
    validate.one_of("floor", floor, FLOORS)
    nouns = " and ".join(_noun(colour, category) for colour, category in things)
    return f"{nouns} on {_with_article(FLOORS[floor])} floor"


def _noun(colour, category):
    validate.one_of("things", colour, COLOURS), validate.one_of("things", category, TABLETOP)
    return _with_article(f"{colour} {category}")


def _with_article(phrase):
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def words(text):
    """The words of a sentence, or of its beginning: ["a", "red", "stop sign"] from "a red stop sign".

    Takes a str, or a list or tuple of words. Raises ValueError for a word that is not in VOCABULARY.
    """
    if not isinstance(text, str):
        if not isinstance(text, (list, tuple)) or not all(isinstance(word, str) for word in text):
            raise TypeError(f"text: got {text!r}. It takes a str, or a list of words.")
        text = " ".join(text)
    return [validate.one_of("text", word, VOCABULARY) for word in _WORD.findall(text)]


def of_kind(text, kind):
    """The words of a sentence that are of a kind of KINDS, in order: its categories, its colours, or its floor."""
    return [word for word in words(text) if word in KINDS[validate.one_of("kind", kind, KINDS)]]


def encode(text):
    """The indices in VOCABULARY of the full stop before a sentence and of its words, as `words` takes them."""
    return [VOCABULARY.index(word) for word in (STOP, *words(text))]


def decode(indices):
    """The sentence of `indices` in VOCABULARY, with or without the full stop before it, up to the one behind it."""
    said = [VOCABULARY[validate.one_of("indices", int(index), range(len(VOCABULARY)))] for index in indices]
    said = said[said[:1] == [STOP]:]
    return " ".join(said[:said.index(STOP)] if STOP in said else said)
