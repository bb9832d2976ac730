"""What an answer needs of the other cells: what comes along, in which order, and what stays behind."""

import pytest

from lecturekit.course.grading import needs


def gathered(cells, name="answer", own=None, given=frozenset()):
    """The sources that come along with the last definition of `name`."""
    notebook = needs.Notebook(cells, own or [True] * len(cells))
    return [notebook.get(place).source for place in needs.of(notebook, notebook.places(name)[-1], given)]


ANSWER = "def answer(x):\n    return helper(x)"


@pytest.mark.parametrize("cells, kept", [
    (["def helper(x):\n    return x"], [0]),
    (["import math", "def helper(x):\n    return math.sqrt(x)"], [0, 1]),
    (["from math import sqrt as helper"], [0]),
    (["helper = lambda x: x"], [0]),
    (["K = 3", "def helper(x):\n    return K * x"], [0, 1]),
    (["class Base:\n    pass", "class helper(Base):\n    pass"], [0, 1]),
    (["table = {}", "table['a'] = 3", "def helper(x):\n    return table"], [0, 1, 2]),
    (["names = []", "names.append(3)", "def helper(x):\n    return names"], [0, 1, 2]),
    (["def helper(x):\n    return x", "helper.times = 3"], [0, 1]),
    (["for k in (1, 2):\n    last = k", "def helper(x):\n    return last"], [0, 1]),
    (["try:\n    import math\nexcept ImportError:\n    math = None", "def helper(x):\n    return math"], [0, 1]),
    (["if True:\n    helper = abs"], [0]),
    (["def decorate(f):\n    return f", "@decorate\ndef helper(x):\n    return x"], [0, 1]),
    (["D = 3", "def helper(x, d=D):\n    return d"], [0, 1]),
    (["def other(x):\n    return 1", "def helper(x):\n    return x", "other(3)", "print(helper(3))"], [1]),
    (["x = 3", "def helper(x):\n    return x"], [1]),
    (["total = 1", "def helper(x):\n    total = 0\n    return total"], [1]),
    (["import torch", "torch.manual_seed(0)", "def helper(x):\n    return torch"], [0, 2]),
    (["def helper(x):\n    return 0", "def helper(x):\n    return x"], [1]),
    (["n = 1", "n = n + 1", "def helper(x):\n    return n"], [0, 1, 2]),
    (["from math import *", "def helper(x):\n    return sqrt(x)"], [0, 1]),
    (["def sum(x):\n    return 3", "def helper(x):\n    return sum(x)"], [0, 1]),
    (["%matplotlib inline\n!pip install x", "def helper(x):\n    return x"], [1]),
    (["(((", "def helper(x):\n    return x"], [1])])
def test_what_comes_along(cells, kept):
    assert gathered([*cells, ANSWER]) == [cells[number] for number in kept] + [ANSWER]
    if "helper(3)" not in "".join(cells):
        assert set(gathered([ANSWER, *cells])) == {ANSWER, *(cells[number] for number in kept)}   # also from below


def test_of_one_cell_only_the_statements_that_are_needed():
    cell = "a = 1\nplots.images(a)\nhelper = a\nb = 2"
    assert gathered([cell, ANSWER]) == ["a = 1", "helper = a", ANSWER]


def test_of_an_import_only_the_name_that_is_needed():
    cells = ["from lecturekit.networks import hooks, models as helper\nimport os, sys", ANSWER]
    assert gathered(cells) == ["from lecturekit.networks import models as helper", ANSWER]


def test_the_students_own_go_before_the_lessons():
    cells = ["def helper(x):\n    return 1", ANSWER, "def helper(x):\n    return 2"]
    assert gathered(cells, own=[True, True, False])[0].endswith("return 1")
    assert gathered(cells, own=[True, True, True])[1].endswith("return 2")


def test_what_the_lesson_imports_itself_does_not_come_along_twice():
    cells = ["import math as helper", ANSWER]
    assert gathered(cells, own=[False, True], given={"helper"}) == [ANSWER]
    assert gathered(cells, own=[True, True], given={"helper"}) == [cells[0], ANSWER]


def test_rings_end():
    cells = ["def helper(x):\n    return other(x)", "def other(x):\n    return helper(x)", ANSWER]
    assert gathered(cells) == cells


def test_what_is_too_much_or_too_deep_ends():
    chain = [f"n{number} = n{number - 1}" for number in range(1, 3 * needs.MOST)]
    assert len(gathered(["n0 = 1", *chain, f"helper = n{len(chain)}", ANSWER])) == needs.MOST
    deep = "helper = " + "+".join(["a"] * 900)
    assert gathered([deep, ANSWER]) == ["raise RecursionError('a statement that is nested too deep')", ANSWER]
    large = ["helper = 1\n" + "b = 2\n" * 4000] * 60
    notebook = needs.Notebook([*large, ANSWER], [True] * 61)
    notebook.places("helper")
    assert notebook.parsed > needs.READ and notebook.at(59) == []
