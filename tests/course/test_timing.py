"""How long the lessons will take: from a probe of this machine and what was measured once."""

import json

import pytest

from lecturekit import files
from lecturekit.__main__ import main
from lecturekit.course import lessons, timing


@pytest.fixture
def known(monkeypatch, tmp_path):
    """Three passes a second where it was measured; lesson 3 took 30 s."""
    monkeypatch.setattr(files, "root", lambda: tmp_path)
    (tmp_path / timing.FILE).write_text(json.dumps({"probe": 0.3, "lessons": {"03": 30.0, "04": 9.0}}))


@pytest.mark.parametrize("here, third", [(0.3, 30), (0.6, 60), (0.1, 10)])
def test_a_slower_machine_takes_longer_by_as_much(known, monkeypatch, here, third):
    monkeypatch.setattr(timing, "probe", lambda seconds: here)
    assert timing.expected() == pytest.approx({"03": third, "04": 0.3 * third})


def test_the_probe_is_a_time():
    assert 0 < timing.probe(0.01) < 60


def test_every_lesson_was_measured(monkeypatch, capsys):
    monkeypatch.setattr(timing, "probe", lambda seconds: timing.measured()["probe"])
    assert set(timing.measured()["lessons"]) == set(lessons.chosen())
    assert main(["doctor", "--time"]) in (0, 1)   # 1 where something else must be done first
    told = capsys.readouterr().out
    assert "TO DO" in told or "lesson 10: about" in told
