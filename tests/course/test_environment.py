"""What gets installed: one set of exact versions in every file that names them; doctor; the network block."""

import re
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from lecturekit.__main__ import main
from lecturekit.course import doctor

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def locked(name):
    """The requirements of a lock, "name==version ; marker", without their hashes."""
    lines = (ROOT / name).read_text().splitlines()
    return {line.rstrip(" \\") for line in lines if not line.startswith(" ")}


def versions(requirements):
    return dict(requirement.partition(" ;")[0].split("==") for requirement in requirements)


def test_environment_yml_has_the_versions_of_the_lock():
    pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    assert pip[-1] == "-e ."
    assert set(pip[:-1]) == locked("requirements.lock")


@pytest.mark.parametrize("extra", [None, *EXTRAS])
def test_the_locks_keep_within_the_ranges_of_pyproject(extra):
    found = versions(locked("requirements.lock") | (locked(f"requirements-{extra}.lock") if extra else set()))
    for wanted in map(Requirement, EXTRAS[extra] if extra else PROJECT["dependencies"]):
        assert wanted.specifier.contains(found[wanted.name])


def test_exact_versions_stand_in_the_locks_alone():
    assert not [line for line in sum(EXTRAS.values(), PROJECT["dependencies"]) if "==" in line]


def test_the_locks_of_the_extras_add_to_the_students_lock_and_never_contradict_it():
    for extra in EXTRAS:
        assert not versions(locked("requirements.lock")).keys() & versions(locked(f"requirements-{extra}.lock")).keys()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_hashes_and_no_address(lock):
    text = lock.read_text()
    assert not re.search(r"https?://|index-url|find-links|(^|\s)/", text)
    for entry in re.split(r"\n(?=\w)", text):
        assert re.fullmatch(r"[\w.-]+==[^\s;]+( ;.*)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n?)+", entry), entry[:80]


def test_torch_and_torchvision_are_the_pair_that_was_tried():
    found = versions(locked("requirements.lock"))
    assert (found["torch"], found["torchvision"]) == ("2.13.0", "0.28.0")


def test_the_installed_versions_are_the_locked_ones():
    assert doctor.packages()


def test_doctor_says_what_to_do_and_goes_on():
    def broken():
        raise FileNotFoundError("resnet_s is missing: fetch it")
    assert list(doctor.examine([broken, doctor.memory]))[0] == ("broken", False, "resnet_s is missing: fetch it")
    assert list(doctor.examine([broken, doctor.device]))[1][:2] == ("device", True)


def test_doctor_names_the_wrong_version(monkeypatch):
    monkeypatch.setattr(doctor, "installed", lambda name: "0.1")
    with pytest.raises(RuntimeError, match="torch 0.1 instead of 2.13.0"):
        doctor.packages()


def test_without_a_lock_doctor_asks_for_the_ranges_of_the_package(monkeypatch):
    monkeypatch.setattr(doctor, "LOCK", ROOT / "no.lock")
    monkeypatch.setattr(doctor.metadata, "requires", lambda package: PROJECT["dependencies"])
    assert doctor.packages().startswith("within the ranges")
    monkeypatch.setattr(doctor, "installed", lambda name: "none" if name == "scipy" else "2.9")
    with pytest.raises(RuntimeError, match="jupyterlab 2.9 instead of >=4.4.*scipy none instead of >="):
        doctor.packages()


def test_without_cuda_doctor_asks_for_nothing_of_nvidia(monkeypatch):
    monkeypatch.setattr(doctor, "_cpu_only", lambda: False)
    everything = doctor.pins()
    monkeypatch.setattr(doctor, "_cpu_only", lambda: True)
    assert doctor.pins().keys() == {name for name in everything if not re.match("nvidia|cuda|triton", name)}


def test_doctor_exits_with_an_error_only_if_something_must_be_done(monkeypatch, capsys):
    for passed, status in ((True, 0), (False, 1)):
        monkeypatch.setattr(doctor, "examine", lambda passed=passed: [("memory", passed, "text")])
        assert main(["doctor"]) == status
    assert capsys.readouterr().out.splitlines() == ["ok     memory      text", "TO DO  memory      text"]


def test_doctor_finds_this_machine_in_order():
    result = subprocess.run([sys.executable, "-m", "lecturekit", "doctor"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(result.stdout.splitlines()) == len(doctor.CHECKS)


REACH_OUT = """import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for reach in (lambda: s.connect(("192.0.2.1", 80)), lambda: s.sendto(b"x", ("192.0.2.1", 80)),
              lambda: socket.getaddrinfo("example.org", 80), lambda: socket.gethostbyname("example.org")):
    try: reach()
    except OSError as error: print(type(error).__name__)
"""


def test_the_network_is_blocked_in_this_process_and_in_those_it_starts():
    with pytest.raises(urllib.error.URLError, match="network blocked"):
        urllib.request.urlopen("https://example.org", timeout=5)
    output = subprocess.run([sys.executable, "-c", REACH_OUT], capture_output=True, text=True).stdout
    assert output.split() == ["NetworkBlocked"] * 4
