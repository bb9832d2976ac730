"""How long the lessons take on this machine, told from five seconds of the work that they are made of.

data/times.json holds the seconds of each lesson where it was measured, and those of the probe there: a machine whose probe
takes twice as long needs about twice as long for the lessons. data/recipes/show/times.py makes it.
"""

import json
import os
import platform
import statistics
import time
from pathlib import Path

import torch

from lecturekit import files
from lecturekit.networks import models

FILE = "times.json"
PICTURES, SIDE = 16, 96   # of a pass of the probe


def probe(seconds=5.0):
    """The median time, in s, of a pass of pictures through a bundled network and back, over `seconds` of such passes."""
    model, spent, end = models.load("resnet_s", device="cpu"), [], time.perf_counter() + seconds
    images = torch.rand(PICTURES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).requires_grad_()
    while time.perf_counter() < end or len(spent) < 3:
        begun = time.perf_counter()
        torch.autograd.grad(model(images).max(1).values.sum(), images)
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent[1:])   # the first one sets things up


def measured():
    """{"machine": text, "probe": s, "lessons": {"01": s, ...}} as measured once."""
    return json.loads((files.root() / FILE).read_text())


def expected(seconds=5.0):
    """{"01": seconds, ...} that each lesson should take here, run as a whole."""
    known = measured()
    factor = probe(seconds) / known["probe"]
    return {lesson: factor * taken for lesson, taken in known["lessons"].items()}


def machine():
    """What this machine computes with, in words."""
    return (f"{_processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
            f"{torch.backends.cpu.get_cpu_capability()}, {platform.system()}, Python {platform.python_version()}, "
            f"torch {torch.__version__}")


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:   # not Linux
        lines = []
    named = (line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
