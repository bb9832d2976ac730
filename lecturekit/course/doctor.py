"""`python -m lecturekit doctor`: does this machine have what the lessons need?

Each check returns what it found, or raises an error that says what to do. It imports what it needs itself, so that
one missing package does not stop the others.
"""

from importlib import metadata
from pathlib import Path

LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"   # of a clone; a wheel has none
MEMORY = 1.5e9   # bytes that a lesson may need
OF_CUDA = ("nvidia-", "cuda-", "triton")   # what torch brings along, unless it came from PyTorch's index for the CPU


def pins(lock=LOCK):
    """{package: version} that requirements.lock asks for on this machine."""
    from packaging.requirements import Requirement
    lines = (line.rstrip(" \\") for line in lock.read_text().splitlines())
    requirements = [Requirement(line) for line in lines if line and not line.startswith((" ", "#"))]
    return {r.name: str(next(iter(r.specifier)).version) for r in requirements
            if (not r.marker or r.marker.evaluate()) and not (_cpu_only() and r.name.startswith(OF_CUDA))}


def _cpu_only():
    return metadata.version("torch").endswith("+cpu")


def installed(package):
    """The installed version without its local part ("2.13.0" of "2.13.0+cu130"), or "none"."""
    try:
        return metadata.version(package).partition("+")[0]
    except metadata.PackageNotFoundError:
        return "none"


def unfit(package="lecturekit"):
    """What this installation has outside the ranges that the package asks for: "torch 1.0 instead of >=2.13"."""
    from packaging.requirements import Requirement
    asked = [Requirement(line) for line in metadata.requires(package) or []]
    found = {r: installed(r.name) for r in asked if not r.marker or r.marker.evaluate({"extra": ""})}
    return [f"{r.name} {version} instead of {r.specifier}" for r, version in found.items()
            if version == "none" or not r.specifier.contains(version, prereleases=True)]


def packages():
    if not LOCK.is_file():
        if wrong := unfit():
            raise RuntimeError(f"{'; '.join(wrong)}. Install lecturekit again in an environment of its own.")
        return f"within the ranges that lecturekit asks for, torch {installed('torch')}"
    wanted = pins()
    wrong = [f"{name} {installed(name)} instead of {version}" for name, version in wanted.items()
             if installed(name) != version]
    if wrong:
        raise RuntimeError(f"{'; '.join(wrong)}. Delete the folder .venv and install again as README.md says.")
    return f"{len(wanted)} at the versions of {LOCK.name}, torch {wanted['torch']}"


def data():
    from lecturekit import files
    names = files.checksums()
    size = sum(files.verified(name).stat().st_size for name in names)
    return f"{len(names)} files, {size / 1e6:.0f} MB, sha256 as in {files.SUMS}"


def evidence():
    from lecturekit.show import evidence
    names = evidence.names()
    old = [f"{name} ({', '.join(reasons)})" for name in names if (reasons := evidence.stale(name))]
    if old:
        raise RuntimeError(f"stale: {'; '.join(old)}. `make evidence` makes it anew.")
    return f"{len(names)} stored findings, made with these weights and settings"


def prediction():
    from lecturekit.pictures import datasets
    from lecturekit.networks import models
    model, tabletop = models.default(), datasets.tabletop("test")[:1]
    probability, index = models.predict(model, tabletop.images)[0].max(0)
    truth = tabletop.categories[tabletop.labels[0]]
    return f"{model.name} sees a {model.categories[index]} ({probability:.0%}) in the picture of a {truth}"


def memory():
    import psutil
    free = psutil.virtual_memory().available
    if free < MEMORY:
        raise MemoryError(f"{free / 1e9:.1f} GB free, a lesson needs up to {MEMORY / 1e9} GB. Close other programs.")
    return f"{free / 1e9:.1f} GB free"


def device():
    import torch
    from lecturekit import devices
    if (chosen := devices.chosen()).type != "cpu":
        torch.zeros(1, device=chosen)   # raises where there is none
        return f"{chosen}, as {devices.VARIABLE} says"
    others = [name for name, backend in (("cuda", torch.cuda), ("mps", torch.mps)) if backend.is_available()]
    return f"cpu with {torch.get_num_threads()} threads" + (f"; also here: {', '.join(others)}" if others else "")


CHECKS = [packages, data, evidence, prediction, memory, device]


def examine(checks=CHECKS):
    """Run the checks; yields (name, passed, what was found or what to do)."""
    for check in checks:
        try:
            yield check.__name__, True, check()
        except Exception as error:
            yield check.__name__, False, str(error) or repr(error)
