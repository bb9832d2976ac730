"""What is said of an answer that differs: what, where, by how much; and what does not matter."""

from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lecturekit.course import comparing
from lecturekit.course.grading import plain

GRID = torch.arange(6.0).view(2, 3)


def told(answer, expected, tolerance=1e-4):
    return comparing.difference(plain.through(answer), expected, tolerance)


@pytest.mark.parametrize("answer, expected", [
    ([1, 2], (1, 2)), ((1, 2), [1, 2]), (np.array([1, 2]), (1, 2)), (torch.tensor([1, 2]), (1, 2)), (range(1, 3), (1, 2)),
    (torch.tensor([0.5]), 0.5), (np.array([[0.5]]), 0.5), ([0.5], 0.5), (torch.tensor(0.5), 0.5), (np.float32(0.5), 0.5),
    (Fraction(1, 2), 0.5), (Decimal("0.5"), 0.5), ((Fraction(1, 2), 1), (0.5, 1)), (True, 1), (0.5, torch.tensor(0.5)),
    (GRID.tolist(), GRID), (GRID.numpy(), GRID), (GRID.double(), GRID), (list(GRID), GRID), (GRID.clone().requires_grad_(), GRID),
    (torch.stack([GRID, GRID + 1]), (GRID, GRID + 1)), (torch.tensor([[1, 2], [3, 4]]), [(1, 2), (3, 4)]),
    ([[1, 2], [3, 4]], [(1, 2), (3, 4)]), ([np.array([1, 2]), (3, 4)], [(1, 2), (3, 4)]), ("a", "a"), ([], []),
    (torch.ones(2) + 1e-6, torch.ones(2)), (GRID > 2, (GRID > 2).float())])
def test_the_container_does_not_matter(answer, expected):
    assert told(answer, expected) is None


@pytest.mark.parametrize("answer, expected, words", [
    (0.5, 0.75, ["got 0.5", "expected 0.75"]),
    ((1, 2, 3), (1, 2, 4), ["value 3 of 3", "got 3", "expected 4"]),
    ([(0, 3), (2, 5)], [(0, 3), (2, 6)], ["value 2 of 2", "value 2 of 2: got 5, expected 6"]),
    ([(0, 2), (2, 4), (4, 5)], [(0, 3), (2, 5)], ["value 1 of 2", "got 2, expected 3", "got 3 values, expected 2"]),
    ([1, 2], (1, 2, 3), ["got 2 values, expected 3"]),
    (GRID + torch.eye(3)[:2] * 0.25, GRID, ["2 of 6 values differ", "up to 0.25", "at (0, 0) got 0.25, expected 0"]),
    (2 * GRID, GRID, ["every value is 2 times the expected one"]), (-GRID, GRID, ["every value is -1 times"]),
    (GRID + 0.5, GRID, ["every value is 0.5 too high"]),
    (GRID.T, GRID, ["got shape (3, 2), expected shape (2, 3)"]), (GRID[None], GRID, ["shape (1, 2, 3)"]),
    (torch.ones(2), 1.0, ["shape (2,), expected a number"]), (1.0, torch.ones(2), ["got a number, expected shape (2,)"]),
    (torch.tensor([1.0, torch.nan]), torch.ones(2), ["NaN or infinite values at [1]"]), (float("nan"), 1.0, ["NaN"]),
    (float("inf"), 1.0, ["NaN or infinite"]), (None, 1.0, ["got nothing (None)"]), ("1", 1.0, ["got '1'"]),
    ({"a": 1}, (1,), ["got a dict of 1, expected 1 values"]), ({"a": 1}, 1.0, ["got a dict"]), (3, (1, 2), ["got 3"]),
    (10 ** 400, 1.0, ["too long"]), (10 ** 300 * 1.0, torch.tensor(1.0), ["expected 1"]), ("a", "b", ["expected 'b'"]),
    ({1, 2}, (1, 2), ["a value of type set"]), ((n for n in (1, 2)), (1, 2), ["a value of type generator"]),
    (torch.ones(2, dtype=torch.complex64), torch.ones(2), ["a tensor of complex64"]), ([[1], [1, 2]], GRID, ["got a list"]),
    ((1, object()), (1, 2), ["a value of type object"]), (torch.ones(2), "ones", ["expected 'ones'"])])
def test_what_differs_where_and_by_how_much(answer, expected, words):
    text = told(answer, expected)
    assert all(word in text for word in words), text


def test_no_sentence_is_wrong_where_all_is_right():
    assert told(GRID * 1.00001, GRID) is None and told(GRID * 1.001, GRID)
    assert told((GRID, 0.5), (GRID, 0.5)) is None


@pytest.mark.parametrize("value, text", [(3, "3"), ("linf", "'linf'"), (torch.tensor([1.0, 2.5]), "[1.0, 2.5]"),
                                         (torch.zeros(9, 9), "<(9, 9)>"), ([(11, 4), (3, 2)], "[(11, 4), (3, 2)]"),
                                         (torch.tensor([True, False]), "[1.0, 0.0]")])
def test_an_input_is_shown_where_it_is_small(value, text):
    assert comparing.shown(value) == text


def test_one_notion_of_plain_data_whichever_way_it_takes():
    """What comes through in one process is what comes out of the message that the sandbox sends."""
    values = [1, 2.5, True, None, "a", [1, (2,)], {"a": 1}, GRID, GRID.numpy(), Fraction(1, 3), range(3), {1}, object(),
              torch.ones(2, dtype=torch.complex64), 10 ** 5000, float("nan"), np.float64(3), (GRID, 3)]
    for value in values:
        (_, (sent,)), = plain.unpack(plain.pack({}, [value]))
        assert repr(plain.through(value)) == repr(sent)


def test_a_network_in_an_answer_is_refused():
    message = plain.pack({}, [plain.Network("plain", 3, tidy=True)])
    with pytest.raises(ValueError, match="no plain data"):
        list(plain.unpack(message))
    assert isinstance(plain.through(plain.Network("plain", 3)), plain.NotPlain)
    (_, (built,)), = plain.unpack(message, lambda name, seed: SimpleNamespace(of=(name, seed)))
    assert built.of == ("plain", 3) and built.tidy
