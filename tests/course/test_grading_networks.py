"""Questions on networks in the sandbox: the networks are built there, the answers are tensors, the references stay out."""

import os

import pytest
import solutions
import torch
from submissions import submission, write

from lecturekit.course import judging, questions
from lecturekit.course.grading import copies, marks, plain, sandbox
from lecturekit.course.questions import Network

LIMITS = sandbox.Limits(wall=120, cpu=60)   # the clock of a busy machine
HOOKED, ATTACK = questions.question("05.2"), questions.question("09.2")
FIELD, NEIGHBOURS = questions.question("01.2"), questions.question("02.1")


@pytest.fixture(scope="module", autouse=True)
def sandboxed():
    if why := sandbox.available():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)


def graded(asked, source, folder):
    """The marks of one question."""
    result = marks.grade(write(folder, submission(asked.lesson, {asked.id: source})), asked.lesson, "secret", limits=LIMITS)
    return next(one for one in result["questions"] if one["id"] == asked.id)


@pytest.mark.parametrize("asked", [FIELD, NEIGHBOURS, HOOKED, ATTACK], ids=lambda asked: asked.id)
def test_the_solution_of_a_question_on_networks_is_right(asked, tmp_path):
    one = graded(asked, solutions.source(asked), tmp_path)
    assert (one["earned"], one["state"], one["hint"]) == (5, "answered", ""), one
    assert len(one["cases"]) == marks.DRAWS * len(asked.kinds) and all(case["ok"] for case in one["cases"])


def test_an_answer_that_keeps_what_is_overwritten_loses_that_kind_and_is_told(tmp_path):
    source = solutions.source(HOOKED).replace("        return output.clone()\n", "")
    one = graded(HOOKED, source, tmp_path)
    wrong = {case["kind"] for case in one["cases"] if not case["ok"]}
    assert wrong == {"a layer before one that works in place"} and 4.5 < one["earned"] < 4.7
    assert one["hint"] == HOOKED.mistakes[-1].hint


@pytest.mark.parametrize("asked", [FIELD, NEIGHBOURS, HOOKED], ids=lambda asked: asked.id)
def test_an_answer_that_leaves_its_hook_loses_that_kind_and_is_told(asked, tmp_path):
    one = graded(asked, solutions.source(asked).replace("    handle.remove()\n", ""), tmp_path)
    wrong = {(case["kind"], case["difference"].partition(":")[0]) for case in one["cases"] if not case["ok"]}
    assert wrong == {("a network that must come back without a hook", "HookLeft")} and 4 < one["earned"] < 5
    assert one["hint"] in [mistake.hint for mistake in asked.mistakes if "hook stays" in mistake.hint or "hook is still on" in mistake.hint]


def test_an_attack_without_a_random_start_loses_that_kind_and_is_told(tmp_path):
    source = solutions.source(ATTACK).replace("ball(eps * (", "ball(0 * (")
    one = graded(ATTACK, source, tmp_path)
    assert {case["difference"] for case in one["cases"] if not case["ok"]} == {
        "nothing moved: at these images every gradient is zero, and a step along it is none"}
    assert one["hint"] == ATTACK.mistakes[1].hint and one["earned"] == 4.5


def test_the_package_is_no_help(tmp_path):
    source = "def grad_cam_at(model, images, classes, layer):\n    " \
             "return getattr(attribution, 'grad' + '_cam')(model, images, classes, layer)"
    one = graded(HOOKED, source, tmp_path)
    assert one["earned"] == 0 and "is not there: write it yourself" in one["message"]


def test_the_sandbox_builds_the_same_networks_as_the_grader():
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    networks = [Network(name, 5) for name in ("plain", "inplace", "deep_head", "residual", "functional", "curved", "even")]
    cases = [(network, images) for network in (*networks, Network("resnet_s"))]
    source = f"def {HOOKED.function}(model, images):\n    return model(images)"
    reply = sandbox.shared().run(HOOKED, ["import torch"], source, cases, LIMITS)
    got = [values[0] for _, values in plain.unpack(reply["frames"]) if values]
    assert len(got) == len(cases)
    for (network, _), logits in zip(cases, got):
        assert torch.allclose(logits, judging.built([network])[0](images), atol=1e-4), network


def test_a_bundled_network_is_there_only_where_the_question_uses_it(tmp_path):
    for asked, found in ((HOOKED, ["resnet_s.safetensors"]), (questions.question("03.1"), [])):
        copies.make(asked, tmp_path / asked.id)
        assert [path.name for path in (tmp_path / asked.id).rglob("*.safetensors")] == found


def test_the_small_networks():
    from lecturekit.networks import small
    images = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    for name in small.ARCHITECTURES:
        network = small.build(name, 3)
        assert network(images).shape == (2, small.CLASSES) and not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert torch.equal(network(images), small.build(name, 3)(images))
        assert not torch.equal(network(images), small.build(name, 4)(images))
    with pytest.raises(ValueError, match="name: got 'unknown'"):
        small.build("unknown", 3)


def test_what_each_small_network_is_for():
    from lecturekit.networks import small
    images = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    grey = torch.full((1, 3, 12, 12), 0.5).requires_grad_()
    gradient, = torch.autograd.grad(small.build("even", 3)(grey)[0, 2], grey)
    assert gradient.abs().max() == 0
    sure, unsure = (small.build(name, 3)(images).abs().max() for name in ("sure", "unsure"))
    assert sure > 100 * unsure
    kept = []
    inplace = small.build("inplace", 3)
    inplace.conv2.register_forward_hook(lambda module, inputs, output: kept.append(output))
    inplace(images)
    assert kept[0].min() == 0   # the ReLU behind it wrote over it
