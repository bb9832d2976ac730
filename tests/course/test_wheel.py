"""The wheel: the package, its data and its lessons in one file, which runs from anywhere."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lecturekit import files
from lecturekit.course import lessons, timing

ROOT = Path(__file__).parents[2]
PROGRAM = """from lecturekit import files
from lecturekit.course import doctor, exercises, lessons
print(files.root(), lessons.FOLDER, doctor.data(), *exercises.build(["01"]), sep="\\n")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
                    "--no-index", "--wheel-dir", str(folder), str(ROOT)], check=True)
    path, = folder.glob("lecturekit-*.whl")
    return path


def test_brings_the_published_data_the_lessons_and_nothing_of_the_recipes(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert {f"lecturekit/data/{name}" for name in files.checksums()} <= names
        assert {f"lecturekit/notebooks/{path.name}" for path in lessons.paths().values()} <= names
        assert f"lecturekit/data/{timing.FILE}" in names   # for doctor --time
        assert archive.read("lecturekit/data/SHA256SUMS") == (files.root() / "SHA256SUMS").read_bytes()
        assert b"lecturekit = lecturekit.__main__:main" in archive.read(
            next(name for name in names if name.endswith("entry_points.txt")))
    assert not [name for name in names if "recipes" in name.split("/") or name.startswith(("data", "tests", "notebooks"))]
    assert wheel.stat().st_size < 120e6


def test_runs_in_another_folder_without_the_clone(wheel, tmp_path):
    place = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(place), os.environ["PYTHONPATH"]])}
    done = subprocess.run([sys.executable, "-P", "-c", PROGRAM], cwd=tmp_path, env=environment, check=True,
                          capture_output=True, text=True)
    data, notebooks, told, mine = done.stdout.splitlines()
    assert (data, notebooks) == (str(place / "lecturekit/data"), str(place / "lecturekit/notebooks"))
    assert told.startswith(f"{len(files.checksums())} files") and mine == "exercises/01_filters.ipynb"
    assert (tmp_path / mine).is_file()
