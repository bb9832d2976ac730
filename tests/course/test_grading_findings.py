"""Single cases that were found once: wrong answers that passed, mistakes that were not diagnosed, luck that paid."""

import pytest
import torch

from lecturekit.course import judging, questions
from lecturekit.course.grading import marks

SECRETS = [str(number) for number in range(12)]
SCORES, PRECISION, RADIUS = (questions.question(name) for name in ("03.3", "02.1", "10.3"))


def right_scores(map, mask):
    return SCORES.reference(map, mask)


def always_zero(map, mask):
    return (0.0, *right_scores(map, mask)[1:])


def of_largest_size(map, mask):
    return (mask.flatten()[map.abs().argmax()].float().item(), *right_scores(map, mask)[1:])


def rounded(map, mask):
    hit, energy, overlap = right_scores(map, mask)
    return hit, round(energy, 2), overlap


def diagonal_of_zero(features, labels, k):
    unit = features / features.norm(dim=1, keepdim=True)
    near = (unit @ unit.T).fill_diagonal_(0).topk(k).indices
    return (labels[near] == labels[:, None]).float().mean(1)


def likeliest_class(weights, biases, image, label):
    scores = weights @ image + biases
    return questions.question("09.3").reference(weights, biases, image, int(scores.argmax()))


def without_the_zero(hits, samples, sigma, alpha):
    from scipy.stats import beta, norm
    p = beta.ppf(alpha, hits, samples - hits + 1) if hits else 0.0
    return float(sigma * norm.ppf(p))


PASSED_ONCE = [("03.3", always_zero), ("03.3", of_largest_size), ("03.3", rounded),
               ("02.1", diagonal_of_zero), ("09.3", likeliest_class), ("10.3", without_the_zero)]


def credits(asked, function):
    """What an answer earns, with each secret."""
    for secret in SECRETS:
        drawn = marks.references(asked.id, secret)
        given = judging.outcomes(function, drawn.cases)
        yield judging.credit(drawn.cases, judging.verdicts(asked, drawn.cases, given, drawn.answers))


@pytest.mark.parametrize("name, function", PASSED_ONCE, ids=lambda value: getattr(value, "__name__", value))
def test_a_wrong_answer_that_passed_once(name, function):
    """In the notebook, whatever the seed; in the grader it earns the same with each of twelve secrets."""
    asked = questions.question(name)
    for seed in range(6):
        cases = asked.cases(seed)
        given, expected = judging.outcomes(function, cases), judging.outcomes(asked.reference, cases)
        assert any(judging.verdicts(asked, cases, given, expected))
    earned = set(credits(asked, function))
    assert len(earned) == 1 and earned != {1.0}


@pytest.mark.parametrize("asked", questions.questions("03") + [PRECISION, RADIUS], ids=lambda asked: asked.id)
@pytest.mark.parametrize("value", [0.5, 0, 1, None, [], (0.0, 0.5, 0.5)], ids=repr)
def test_a_constant_earns_nothing_with_any_of_twelve_secrets(asked, value):
    assert set(credits(asked, lambda *of: value)) == {0.0}


def test_the_majority_that_is_barely_there():
    """55 of 100: the bound is below one half, and the radius 0, not less."""
    assert RADIUS.reference(55, 100, 0.25, 0.001) == 0.0
    assert without_the_zero(55, 100, 0.25, 0.001) < 0


DIAGNOSED = {   # the mistakes of whom no hint spoke
    "01.1": "from the top", "02.1": "to 0", "03.1": "last pixels hidden", "03.2": "on a copy",
    "03.3": "Dice", "04.3": "both ends included", "06.2": "pixels that are black", "06.3": "at the end only",
    "08.1": "as in PyTorch's tutorial", "09.1": "not normalised",
    "09.2": "gradient once", "09.3": "own class is among the others", "10.2": "gradient once", "10.3": "twice as large"}
MORE = {"01.1": "field of nothing", "03.3": "largest size", "08.1": "number of channels too", "10.3": "no certificate"}


@pytest.mark.parametrize("name, words", [*DIAGNOSED.items(), *MORE.items()])
def test_a_mistake_of_whom_no_hint_spoke_has_its_own(name, words):
    assert sum(words in mistake.hint for mistake in questions.question(name).mistakes) == 1


def test_every_lesson_grades_code_on_a_network():
    """By an answer that is a whole method on a network that is built in the sandbox, not one formula."""
    on_networks = {asked.lesson for asked in questions.questions() for case in asked.cases(0)
                   if any(isinstance(argument, questions.Network) for argument in case.arguments)}
    assert on_networks == set(questions.LESSONS)


def test_the_same_points_for_a_known_mistake_with_any_secret():
    """A slip in the last square earned 0 to 2.2 of 5 by luck."""
    for mistake in questions.question("03.1").mistakes:
        assert len(set(credits(questions.question("03.1"), mistake.solution))) == 1, mistake.hint


def test_three_numbers_in_any_container_are_one_answer():
    cases = SCORES.cases(0)
    expected = judging.outcomes(SCORES.reference, cases)
    for container in (list, torch.tensor, lambda found: [torch.tensor([part]) for part in found]):
        given = judging.outcomes(lambda map, mask: container(right_scores(map, mask)), cases)
        assert not any(judging.verdicts(SCORES, cases, given, expected))
