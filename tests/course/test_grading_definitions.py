"""A mark's digest changes with what the mark depends on, and with nothing else."""

import shutil

import pytest

from lecturekit.course.grading import definitions


@pytest.fixture
def edited(tmp_path, monkeypatch):
    """`edited(file, old, new)`: the ids of lesson 3's questions whose digest that edit of the package changes."""
    package = tmp_path / "lecturekit"
    shutil.copytree(definitions.ROOT, package, ignore=shutil.ignore_patterns("__pycache__", "slides_assets", "*.bin"))
    monkeypatch.setattr(definitions, "ROOT", package)

    def digests():
        for cached in (definitions.module, definitions.digest, definitions._judges):
            cached.cache_clear()
        return definitions.digests("03")

    def edit(name, old, new):
        before, path = digests(), package / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        after = digests()
        path.write_text(text)
        return sorted(name for name in before if before[name] != after[name])
    yield edit
    monkeypatch.undo()
    digests()


ALL = ["03.1", "03.2", "03.3"]
QUESTIONS, OCCLUSION = "course/questions/lesson_03.py", "attribution/perturbation.py"


@pytest.mark.parametrize("name, old, new", [
    (QUESTIONS, '"""Lesson 3', '"""About lesson 3'), (QUESTIONS, "QUESTIONS = [", "# in order\nQUESTIONS = ["),
    ("course/grading/sandbox.py", "GRACE = 30", "GRACE = 40"), ("attribution/cam.py", "\nfrom ", "\nNEW = 3\nfrom "),
    ("attribution/perturbation.py", '    """', '    """Another text. ')])
def test_texts_and_other_methods_change_nothing(edited, name, old, new):
    assert edited(name, old, new) == []


def test_a_question_changes_its_own_marks_alone(edited):
    assert edited(QUESTIONS, '"03.1", "spans", points=5', '"03.1", "spans", points=6') == ["03.1"]
    assert edited(QUESTIONS, "def _only_whole(", "def _only_whole(changed, ") == ["03.1"]


def test_what_a_reference_reaches_in_the_package_changes_its_marks(edited):
    assert edited("attribution/localisation.py", "def iou(maps, masks,", "def iou(maps, masks, changed=0,") == ["03.3"]
    changed = edited(OCCLUSION, "def spans(", "def spans(changed, ")
    assert "03.1" in changed and "03.3" not in changed


def test_the_grader_changes_all_marks(edited):
    assert edited("course/grading/marks.py", "LONGEST = 300", "LONGEST = 301") == ALL
    assert edited("course/grading/worker.py", "def seed():", "def seed(number=0):") == ALL
    assert edited("course/judging.py", "ORDINARY = 0.5", "ORDINARY = 0.4") == ALL
    assert edited("networks/small.py", "CLASSES = 5", "CLASSES = 6") == ALL
