"""Every program of data/recipes says what it takes, and does nothing else, when it is asked."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import lecturekit
from recipes import FOLDER

RENDERING = {"mitsuba", "trimesh", "pyoidn"}   # the extra `data`, which tests do without


def programs():
    return [path for path in sorted(FOLDER.rglob("*.py")) if '\nif __name__ == "__main__":' in path.read_text()]


def test_help(tmp_path):
    names = [str(path) for path in programs()]
    where = os.environ | {"PYTHONPATH": str(Path(lecturekit.__file__).parents[1]), "LECTUREKIT_DATA": str(tmp_path)}
    helps = Path(__file__).parents[1] / "helpers/helps.py"
    told = subprocess.run([sys.executable, helps, *names], env=where, cwd=tmp_path, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    answers = [line.split("|") for line in told.stdout.splitlines()]
    assert [name for name, *_ in answers] == names and len(names) > 10
    for name, ended, first in answers:
        answered = ended == "0" and first.startswith(f"usage: {Path(name).name}")
        assert answered or ended.removeprefix("needs ") in RENDERING, (name, ended, first)
    assert not list(tmp_path.iterdir())


def test_the_docstring_names_the_command():
    for path in programs():
        command = f"python data/recipes/{path.relative_to(FOLDER).as_posix()}".removesuffix("/__main__.py")
        assert command in ast.get_docstring(ast.parse(path.read_text())), path
