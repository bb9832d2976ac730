"""Every graded question: the stub fails, the solution passes, each planted mistake fails and gets its own hint."""

import ast
import inspect
import pickle
import re

import pytest
import solutions
import torch

from lecturekit.course import checks, comparing, judging, questions
from lecturekit.course.grading import answers, marks
from lecturekit.course.questions import Case, Kind, Network, drawing

EVERY = questions.questions()
SEEDS = (0, 1, 2026)
SPANS = questions.question("03.1")
SEEDED = [pytest.param(asked, seed, id=f"{asked.id}-{seed}", marks=[pytest.mark.slow] if asked.bundled and seed else [])
          for asked in EVERY for seed in SEEDS]   # on networks, seeds but the first take minutes


@pytest.fixture(params=EVERY, ids=lambda q: q.id)
def asked(request):
    return request.param


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No answer was checked before."""
    monkeypatch.setattr(checks, "_states", {})
    monkeypatch.setattr(checks, "_wrong", {})


def failing(asked, function, seed=0):
    """The text of the exception with which the check refuses a function."""
    with pytest.raises(checks.Wrong) as failure:
        checks.check(asked.id, function, seed)
    return str(failure.value)


def test_fifteen_points_of_code_a_lesson():
    for lesson in questions.LESSONS:
        points = [q.points for q in questions.questions(lesson)]
        assert len(points) == 3 and sum(points) == 15


def test_a_lesson_takes_a_student_no_more_than_an_hour():
    for lesson in questions.LESSONS:
        assert sum(q.minutes for q in questions.questions(lesson)) <= 45


def test_stub_fails_in_one_line(asked):
    def stub(*arguments):
        raise NotImplementedError
    with pytest.raises(NotImplementedError) as failure:
        checks.check(asked.id, stub)
    assert failure.value._render_traceback_() == [f"{asked.id}: {asked.function} is still to be written."]


@pytest.mark.parametrize("seed", SEEDS)
def test_solution_passes(asked, seed):
    passed = checks.check(asked.id, solutions.function(asked), seed)
    assert passed.points == asked.points and passed.cases == len(asked.kinds)


@pytest.mark.parametrize("asked, seed", SEEDED)
def test_each_mistake_fails_and_gets_its_own_hint(asked, seed):
    cases = asked.cases(seed)
    expected = judging.outcomes(asked.reference, cases)
    known = list(judging.known(asked, cases, expected))
    for mistake in asked.mistakes:
        given = judging.outcomes(mistake.solution, cases)
        assert any(judging.verdicts(asked, cases, given, expected)), mistake.hint
        assert judging.diagnosis(asked, cases, given, expected, known) == mistake.hint


def test_six_mistakes_with_hints_of_their_own(asked):
    hints = [mistake.hint for mistake in asked.mistakes] + [asked.idea, asked.formula]
    assert len(asked.mistakes) >= 6 and len(set(hints)) == len(hints)
    assert all(re.search(r"[^.][.?]$", hint) for hint in hints)


def test_kinds_of_case(asked):
    types = [kind.type for kind in asked.kinds]
    assert "ordinary" in types and "edge" in types and {"degenerate", "large"} & set(types)
    assert len({kind.what for kind in asked.kinds}) == len(types) >= 4


def test_a_seed_draws_one_case_of_each_kind_plain_and_always_the_same(asked):
    def flat(seed):
        return pickle.dumps([[comparing.finite(v) if isinstance(v, torch.Tensor) else v for v in case.arguments]
                             for case in asked.cases(seed)])
    assert [case.kind for case in asked.cases(1)] == list(asked.kinds)
    assert flat(1) == flat(1) and flat(1) != flat(2)


def test_the_arguments_are_those_that_the_cell_asks_for(asked):
    function, = (node for node in ast.parse(solutions.source(asked)).body if isinstance(node, ast.FunctionDef))
    names = [argument.arg for argument in function.args.args]
    assert all(len(case.arguments) == len(names) for case in asked.cases(0))
    parameters = inspect.signature(asked.reference).parameters.values()
    known = [part for part in parameters if part.kind is part.POSITIONAL_OR_KEYWORD]
    assert len(known) >= len(names)   # a wrong answer is told its case by these names


def expressions(source):
    """What stands in a piece of code that would give it away: calls, sums, products, of 12 characters or more."""
    kinds = (ast.Call, ast.BinOp, ast.Subscript, ast.Compare)
    return {text for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)
            and len(text := re.sub(r"\s", "", ast.unparse(node))) >= 12}


def test_no_first_hint_holds_a_piece_of_the_solution(asked):
    given_away = expressions(solutions.source(asked))
    assert given_away
    for mistake in asked.mistakes:
        text = re.sub(r"\s", "", mistake.hint)
        assert not [piece for piece in given_away if piece in text], mistake.hint
    assert not [piece for piece in given_away if piece in re.sub(r"\s", "", asked.idea)]


def test_the_rules_name_what_is_forbidden(asked):
    reference = asked.reference.__module__.startswith("lecturekit.course")
    assert bool(asked.without) or not asked.forbidden and reference
    assert asked.without in asked.rules and f"`{asked.function}`" in asked.rules
    assert answers.forbidden(asked, [solutions.source(asked)]) == []


WRONG = "def spans(length, window, stride):\n    return [(0, 1)]"


def test_hints_come_in_stages():
    function = solutions.function(SPANS, WRONG)
    texts = [failing(SPANS, function) for _ in range(4)]
    assert [SPANS.idea in text for text in texts] == [False, True, True, True]
    assert [SPANS.formula in text for text in texts] == [False, False, True, True]
    assert 'hint("03.1") tells more' in texts[0] and len(texts[0].splitlines()) == 2
    told = repr(checks.hint("03.1"))
    assert SPANS.idea in told and SPANS.formula in told


def test_a_wrong_answer_is_told_which_case_with_what_input_differs_by_how_much():
    text = failing(SPANS, solutions.function(SPANS, WRONG))
    case = SPANS.cases(0)[0]
    length, window, stride = case.arguments
    assert text.startswith(f"03.1, case 1 of {len(SPANS.kinds)}, {case.kind.what} (")
    assert f"spans(length={length}, window={window}, stride={stride})" in text
    assert "value 1 of" in text and f"expected {window}" in text and "got 1 values" in text


def test_a_diagnosis_is_given_at_once():
    last_pixels = solutions.source(SPANS).replace("min(start + window, length)", "min(start + window, length) - 1")
    text = failing(SPANS, solutions.function(SPANS, last_pixels))
    assert "Your stops are the last pixels hidden" in text and SPANS.formula not in text


def test_an_answer_that_is_like_a_mistake_on_some_cases_only_gets_no_diagnosis(asked):
    """Right on the first case, the mistake on all others: its hint would be a guess."""
    cases = asked.cases(0)
    expected = judging.outcomes(asked.reference, cases)
    right = judging.outcomes(solutions.function(asked), cases)
    known = list(judging.known(asked, cases, expected))
    for mistake in asked.mistakes:
        wrong = judging.outcomes(mistake.solution, cases)
        if judging.verdicts(asked, cases[:1], wrong[:1], expected[:1])[0]:
            assert judging.diagnosis(asked, cases, [right[0], *wrong[1:]], expected, known) != mistake.hint


def test_an_answer_that_fails_shows_its_own_traceback_and_which_case_it_was():
    with pytest.raises(ZeroDivisionError) as failure:
        checks.check("03.1", lambda length, window, stride: 1 / 0)
    assert failure.value.__notes__[0].startswith("03.1, squares that fit exactly: spans(length=")


def test_an_error_that_a_mistake_explains_gets_its_hint():
    asked = questions.question("01.2")
    left = solutions.source(asked).replace("    handle.remove()\n", "")
    assert "your hook is still on the network" in failing(asked, solutions.function(asked, left))


def test_an_answer_may_change_its_arguments(asked):
    solution = solutions.function(asked)   # now: the check would take its imports' calls for the answer's

    def greedy(*arguments):
        found = solution(*judging.built(arguments) if not asked.judge else arguments)
        for argument in arguments:
            if isinstance(argument, torch.Tensor):
                argument.zero_()
        return found
    assert checks.check(asked.id, greedy)


def test_points_count_by_kind_and_nothing_counts_without_the_ordinary():
    kinds = [Kind(name, name, drawing.normal) for name in ("ordinary", "edge", "large")]
    cases = [Case(kind, ()) for kind in kinds] * 2
    wrong = judging.Verdict("differs", "differs")

    def credit(*numbers):
        return judging.credit(cases, [wrong if number in numbers else None for number in range(6)])
    assert credit() == 1 and credit(1) == credit(4) == credit(1, 4) == 0.75 and credit(1, 2) == 0.5
    assert credit(0) == credit(3) == credit(0, 1) == 0


def test_the_same_secret_draws_the_same_cases_and_another_one_others():
    first, again, other = (marks.references("03.2", secret).cases[0].arguments[1] for secret in ("a", "a", "b"))
    assert (first == again).all() and not (first == other).all()


def test_networks_are_built_anew_for_each_call():
    network = Network("plain", 3)
    (first,), (second,) = judging.built([network]), judging.built([network])
    with torch.no_grad():
        first.fc.weight.zero_()
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(first(images), second(images))
    assert torch.equal(second(images), judging.built([network])[0](images))


def test_a_lent_network_must_come_back_without_a_hook():
    def kept(network, hook):
        getattr(network.conv1, hook)(lambda *of: None)

    for hook in ("register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"):
        answer = judging.called(kept, (Network("lent", 3), hook))
        assert answer.error == "HookLeft" and "a hook was left on conv1: remove it" in answer.text
        assert judging.called(kept, (Network("plain", 3), hook)) is None
    assert judging.called(lambda network: network.conv1.register_forward_hook(print).remove(), (Network("lent", 3),)) is None


def test_telling_draws_until_the_wrong_answers_differ():
    draw = drawing.telling(lambda random: (drawing.whole(random, 0, 3),), lambda n: n, lambda n: 2)
    drawn = {draw(torch.Generator().manual_seed(seed))[0] for seed in range(30)}
    assert drawn == {0, 1, 3}
    with pytest.raises(RuntimeError, match="tells 1 wrong answers"):
        drawing.telling(lambda random: (2,), lambda n: n, lambda n: 2, tries=5)(torch.Generator())


def test_unknown_question_and_wrong_argument():
    with pytest.raises(ValueError, match="id: got '99.1'"):
        checks.check("99.1", len)
    with pytest.raises(TypeError, match="function: got int"):
        checks.check(EVERY[0].id, 3)
    with pytest.raises(ValueError, match="type: got 'odd'"):
        Kind("odd", "what", drawing.normal)
