"""The lessons' printed facts hold where numbers are rounded otherwise: with weights that differ in the seventh digit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lecturekit.course import lessons

STARTUP = Path(__file__).parents[1] / "rounding"


@pytest.mark.slow
@pytest.mark.parametrize("number", lessons.chosen())
def test_what_a_lesson_prints_does_not_hang_on_rounding(number, tmp_path):
    (tmp_path / "profile_default").mkdir()
    (tmp_path / "profile_default" / "startup").symlink_to(STARTUP / "profile_default" / "startup")
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", lessons.path(number)],
                         env=os.environ | {"IPYTHONDIR": str(tmp_path), "NO_COLOR": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-6000:]
