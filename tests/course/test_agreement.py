"""The check in the notebook and the grader say the same of the same answers: right or not, over 200 of them."""

import itertools
import sys
from collections import Counter

import kernels
import mutants
import pytest
import solutions
from submissions import submission, write

from lecturekit.course import questions
from lecturekit.course.grading import marks, sandbox, submissions

EVERY = questions.questions()
OWNERS = {   # where a name that a question forbids is found
    "precision_at_k": "embedding.precision_at_k", "gradient": "tsne.gradient",
    "shares": "variance.shares", "occlusion": "attribution.occlusion", "pointing_game": "localisation.pointing_game",
    "relu_rule": "rules.relu_rule", "integrated_gradients": "attribution.integrated_gradients", "cam": "attribution.cam",
    "hooks": "hooks.record", "discrimination": "localisation.discrimination", "optimise": "optimise.optimise",
    "gram": "objectives.gram", "cdist": "torch.cdist", "pgd": "attacks.pgd",
    "smoothing": "smoothing.certify", "deepfool": "attacks.deepfool", "attacks": "attacks.fgsm", "ball": "projections.ball"}


def wrapped(asked, result, before=""):
    """The solution, its result changed by an expression in `found`."""
    name = asked.function
    return (f"{solutions.source(asked)}\nimport numpy as np\nfrom fractions import Fraction\nright = {name}\n{before}\n"
            f"def {name}(*of):\n    found = right(*of)\n    return {result}\n")


def numbers(asked):
    """The same numbers in other containers."""
    yield "as a list", wrapped(asked, "list(found) if isinstance(found, tuple) else found")
    yield "as an array", wrapped(asked, "np.array(found.detach()) if hasattr(found, 'detach') else found")
    yield "nested lists", wrapped(asked, "found.tolist() if hasattr(found, 'tolist') else found")
    yield "stacked", wrapped(asked, "torch.stack([torch.as_tensor(part) for part in found]) if isinstance(found, tuple) "
                             "and len({getattr(part, 'shape', ()) for part in found}) == 1 else found")
    yield "of shape (1,)", wrapped(asked, "torch.as_tensor([float(found)]) if isinstance(found, float) or "
                                   "getattr(found, 'ndim', 1) == 0 else found")
    yield "a fraction", wrapped(asked, "Fraction(float(found)) if isinstance(found, float) else found")
    yield "a set", wrapped(asked, "{1, 2}")
    yield "one dimension more", wrapped(asked, "[found]")


def words(asked):
    """Forbidden names where they mean nothing, and where they are calls in disguise."""
    path = next((OWNERS[name] for name in asked.forbidden if name in OWNERS), None)
    if path is None:
        return
    module, _, name = path.rpartition(".")
    use = f"import torch\n{solutions.source(asked)}\n"
    yield "a docstring", wrapped(asked, "found", f'"""{name}: {path} is not used."""\nnotes = {{"{name}": "{path}"}}')
    yield "a helper of that name", wrapped(asked, f"{name}(found)", f"def {name}(value):\n    return value")
    yield "an argument of that name", wrapped(asked, f"(lambda {name}: {name})(found)")
    yield "in a lambda", use + f"hidden = lambda *of: {path}(*of)\nright = {asked.function}\n" \
        f"def {asked.function}(*of):\n    return right(*of) if True else hidden(*of)\n"
    yield "in a comprehension", wrapped(asked, f"[{path}(1) for _ in [] ] or found")
    yield "by an alias", wrapped(asked, "found if True else other(1)", f"other = {path}")
    yield "by getattr", wrapped(asked, f"found if True else getattr({module}, '{name}')(1)")
    yield "in a dict of a module", wrapped(asked, f"found if True else vars({module})['{name}'](1)")


def mistakes(asked):
    """Wrong ones: the first slips of the pen, and what is no answer."""
    made = mutants.of(solutions.source(asked))
    yield from itertools.islice(((f"slip: {what}", source) for what, source in made if "without" not in what), 0, 8, 4)
    yield "nothing", wrapped(asked, "None")
    yield "raises", wrapped(asked, "1 / 0")
    yield "not a number", wrapped(asked, "float('nan')")


def everywhere(asked):
    """(what, cells): answers whose parts stand in several cells."""
    source, name = solutions.source(asked), asked.function
    lines = source.replace(f"def {name}(", "def helper(")
    yield "a helper in a cell of its own", [lines, f"def {name}(*of):\n    return helper(*of)"]
    yield "a helper that is changed later", ["def helper(*of):\n    return 0", lines, f"def {name}(*of):\n    "
                                             "return helper(*of)"]
    yield "written again", [f"def {name}(*of):\n    return 0", source]
    yield "spoilt again", [source, f"def {name}(*of):\n    return 0"]
    yield "a constant of its own", ["PARTS = [1, 1]\nPARTS[1] = 0", f"{lines}\ndef {name}(*of):\n    "
                                    "return helper(*of) if PARTS[1] == 0 else None"]
    yield "a line below that fails", [f"{source}\nprint({name}(1))"]


EACH = 4   # of the answers that can be made of a question it gets every fourth, another one than the question before


def answers(asked):
    """(what, cells): this question's part of all answers, the right one and none among them."""
    first = EVERY.index(asked) % EACH
    return [one for number, one in enumerate(every_answer(asked))
            if number % EACH == first or one[0] in ("the solution", "nothing")]


def every_answer(asked):
    one_cell = itertools.chain([("the solution", solutions.source(asked))], numbers(asked), words(asked), mistakes(asked))
    yield from ((what, [source]) for what, source in one_cell)
    yield from everywhere(asked)


def graded(asked, cells, folder):
    """Whether the grader gives full marks for these cells of a student's notebook."""
    notebook = submission(asked.lesson, {asked.id: cells[-1]})
    place = next(number for number, cell in enumerate(notebook["cells"]) if cell["source"] == cells[-1])
    notebook["cells"][place:place] = [{"cell_type": "code", "metadata": {}, "source": source, "outputs": [],
                                       "execution_count": None} for source in cells[:-1]]
    result = marks.grade(write(folder, notebook), asked.lesson, "secret")
    one = next(one for one in result["questions"] if one["id"] == asked.id)
    return one["earned"] == one["points"]


def forget():
    marks.references.cache_clear(), marks._known.cache_clear()


@pytest.fixture
def in_this_process(monkeypatch):
    """The grader without its sandbox, and with one case of each kind."""
    monkeypatch.setattr(marks, "DRAWS", 1)
    forget()
    monkeypatch.setattr(sandbox, "available", lambda: "")
    monkeypatch.setattr(sandbox, "shared", lambda trusted=False: kernels.Box())
    yield
    forget()


@pytest.mark.slow
@pytest.mark.parametrize("asked", EVERY, ids=lambda asked: asked.id)
def test_the_check_and_the_grader_agree(asked, in_this_process, tmp_path):
    said = {}
    for what, cells in answers(asked):
        imports = "\n".join(submissions.setup(asked.lesson))
        said[what] = kernels.passes([imports, *cells], asked.id, asked.function), graded(asked, cells, tmp_path)
    assert {what: both for what, both in said.items() if both[0] != both[1]} == {}
    assert said["the solution"] == (True, True) and said["nothing"] == (False, False)


def test_there_are_200_answers_of_all_sorts():
    counted = Counter(what for asked in EVERY for what, _ in answers(asked))
    assert sum(counted.values()) >= 200 and len(counted) >= 20


@pytest.mark.parametrize("what, right", [
    ("as a list", True), ("as an array", True), ("stacked", True), ("of shape (1,)", True), ("a docstring", True),
    ("a helper of that name", True), ("in a lambda", False), ("in a comprehension", False), ("by an alias", False),
    ("a helper in a cell of its own", True), ("a line below that fails", True), ("spoilt again", False)])
def test_what_they_agree_on(what, right, in_this_process, tmp_path):
    asked = questions.question("03.2")
    cells = dict(every_answer(asked))[what]
    assert kernels.passes(["\n".join(submissions.setup("03")), *cells], asked.id, asked.function) is right
    assert graded(asked, cells, tmp_path) is right


def test_the_stand_in_for_a_kernel_leaves_the_main_module_in_place():
    main = sys.modules["__main__"]
    kernels.shell()
    assert sys.modules["__main__"] is main and hasattr(main, "__spec__")
