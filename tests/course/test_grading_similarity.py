"""Answers that are written alike are found after renaming; others are not."""

import re

import pytest
from submissions import HONEST, MISTAKES

from lecturekit.course.grading import similarity

RENAMED = HONEST["03.1"]
for old, new in (("starts", "begins"), ("start", "b"), ("length", "n"), ("window", "size"), ("stride", "step")):
    RENAMED = re.sub(rf"\b{old}\b", new, RENAMED)
RENAMED = RENAMED.replace("    begins = [0]\n", "    # my own idea\n    begins  =  [ 0 ]\n\n")
OWN = '''
def spans(length, window, stride):
    result, first = [], 0
    while True:
        last = min(first + window, length)
        result.append((first, last))
        if last >= length:
            return result
        first += stride
'''
CLASS = {"ana": {"03.1": OWN, "03.2": MISTAKES["03.2"][0]}, "bo": {"03.1": RENAMED},
         "cy": {"03.1": MISTAKES["03.1"][0]}, "ed": {"03.1": "x = 1"}, "flo": {},
         "di": {"03.2": MISTAKES["03.2"][0].replace("hidden", "covered").replace("total", "drops")}}


@pytest.fixture(scope="module")
def found():
    return similarity.pairs(CLASS, "03")


def test_a_renamed_copy_of_the_published_solution_is_found(found):
    share = {pair["students"]: pair["share"] for pair in found["pairs"]}
    assert share[similarity.SOLUTION, "bo"] > 0.95 and (similarity.SOLUTION, "cy") not in share


def test_a_renamed_copy_of_another_answer_is_found_with_both_sources(found):
    (pair,) = [pair for pair in found["pairs"] if pair["students"] == ("ana", "di")]
    assert pair["share"] == 1 and pair["questions"] == {"03.2": 1}
    assert pair["sources"]["03.2"] == (CLASS["ana"]["03.2"], CLASS["di"]["03.2"])


def test_an_answer_of_ones_own_is_not(found):
    assert not any("ana" in pair["students"] and "03.1" in pair["questions"] for pair in found["pairs"])
    assert 0 <= found["usual"] < similarity.ALIKE


def test_short_and_missing_answers_are_left_out(found):
    assert not any({"ed", "flo"} & set(pair["students"]) for pair in found["pairs"])
    assert similarity.pairs({}, "03") == {"usual": None, "pairs": [], "count": 0}
