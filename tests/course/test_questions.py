"""Every graded question: the stub fails, the solution passes, each planted mistake fails and gets its own hint."""

import copy
import pickle

import pytest
import torch

from lecturekit.course import questions
from lecturekit.course.checks import check, hint

EVERY = questions.questions()
MISTAKES = [pytest.param(q, m, id=f"{q.id}-{i}") for q in EVERY for i, m in enumerate(q.mistakes, 1)]
SEEDS = (0, 1, 2026)


@pytest.fixture(params=EVERY, ids=lambda q: q.id)
def asked(request):
    return request.param


def test_fifteen_points_of_code_a_lesson():
    for lesson in questions.LESSONS:
        points = [q.points for q in questions.questions(lesson)]
        assert len(points) == 3 and sum(points) == 15


def test_stub_fails(asked):
    def stub(*arguments):
        raise NotImplementedError
    with pytest.raises(NotImplementedError, match=f"{asked.id}: {asked.function} is still to be written"):
        check(asked.id, stub)


@pytest.mark.parametrize("seed", SEEDS)
def test_reference_passes(asked, seed):
    passed = check(asked.id, asked.reference, seed)
    assert passed.points == asked.points and passed.cases == len(asked.inputs(seed))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("asked, mistake", MISTAKES)
def test_mistake_fails_with_its_own_hint(asked, mistake, seed):
    with pytest.raises(AssertionError) as failure:
        check(asked.id, mistake.solution, seed)
    assert mistake.hint in str(failure.value)


def test_three_mistakes_with_hints_of_their_own(asked):
    hints = [mistake.hint for mistake in asked.mistakes] + [asked.hint]
    assert len(asked.mistakes) >= 3 and len(set(hints)) == len(hints)


def test_inputs_are_plain_fresh_and_seeded(asked):
    def flat(seed):
        return pickle.dumps([[v.tolist() if isinstance(v, torch.Tensor) else v for v in case] for case in asked.inputs(seed)])
    assert flat(1) == flat(1) and flat(1) != flat(2)


def test_inputs_survive_the_reference(asked):
    cases = asked.inputs(0)
    before = copy.deepcopy(cases)
    for case in cases:
        asked.reference(*case)
    assert questions.difference([list(c) for c in cases], [list(c) for c in before], 0) is None


def test_an_answer_that_matches_no_mistake_gets_the_general_hint(asked):
    assert hint(asked, lambda *arguments: "nonsense", asked.inputs(0)) == asked.hint
    with pytest.raises(AssertionError, match=asked.id):
        check(asked.id, lambda *arguments: "nonsense")


def test_nan_never_passes():
    assert "NaN" in questions.difference(torch.tensor([float("nan")]), torch.tensor([1.0]), 1e-3)
    assert questions.difference(torch.ones(2), torch.ones(3), 1e-3) == "got shape (2,), expected (3,)"
    assert questions.difference(torch.ones(2), torch.ones(2) + 1e-6, 1e-3) is None
    assert questions.difference((1, 2), (1, 3), 1e-3) and not questions.difference((1, "a"), (1, "a"), 1e-3)


def test_unknown_question_and_wrong_argument():
    with pytest.raises(ValueError, match="id: got '99.1'"):
        check("99.1", len)
    with pytest.raises(TypeError, match="function: got int"):
        check(EVERY[0].id, 3)
