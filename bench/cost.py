"""How the cost of a method grows with windows, steps, side and batch: bench/COST.md and bench/cost.png.

    python bench/cost.py

Medians of five runs that take turns, on resnet_s; lines are the fits of seconds = c + a n, n the number of passes of one
picture or, for the side, of pixels.
"""

import statistics
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt   # noqa: E402
import numpy as np   # noqa: E402
import torch   # noqa: E402

from lecturekit import attribution   # noqa: E402
from lecturekit.course import timing   # noqa: E402
from lecturekit.networks import models   # noqa: E402

HERE, TIMES = Path(__file__).parent, 5
MODEL = models.load("resnet_s", device="cpu")


def pictures(count=1, side=128):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def windows(stride):
    return attribution.occlusion(MODEL, pictures(), 0, 16, stride)


def steps(count):
    return attribution.integrated_gradients(MODEL, pictures(), 0, steps=count)


def side(length):
    return attribution.saliency(MODEL, pictures(8, length), 0)


def batch(count):
    return attribution.saliency(MODEL, pictures(count), 0)


CURVES = {   # name: (function, its arguments, what is counted)
    "windows of occlusion": (windows, (16, 12, 10, 8, 6, 5), lambda stride: len(attribution.spans(128, 16, stride)) ** 2),
    "steps of Integrated Gradients": (steps, (8, 16, 32, 64, 128), lambda count: count),
    "pixels of each of 8 pictures, a gradient": (side, (64, 96, 128, 160, 192, 256), lambda length: length ** 2),
    "pictures of 128 px, a gradient": (batch, (1, 4, 8, 16, 32, 64), lambda count: count)}


def measured(function, arguments):
    """The median seconds for each argument; one uncounted round first."""
    spent = {argument: [] for argument in arguments}
    for _ in range(TIMES + 1):
        for argument, times in spent.items():
            begun = time.perf_counter()
            function(argument)
            times.append(time.perf_counter() - begun)
    return [statistics.median(times[1:]) for times in spent.values()]


def main():
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), dpi=160, layout="constrained")
    lines = ["# How cost grows", "", f"resnet_s. {timing.machine()}.", "",
             "| what grows | fixed, s | each, ms | R² |", "|---|---|---|---|"]
    for axis, (name, (function, arguments, counted)) in zip(axes.flat, CURVES.items()):
        sizes, seconds = np.array([counted(argument) for argument in arguments]), np.array(measured(function, arguments))
        each, fixed = np.polyfit(sizes, seconds, 1)
        fit = 1 - ((seconds - fixed - each * sizes) ** 2).sum() / ((seconds - seconds.mean()) ** 2).sum()
        lines.append(f"| {name} | {fixed:.3f} | {1000 * each:.4g} | {fit:.3f} |")
        axis.plot(sizes, seconds, "o", color="C0")
        axis.plot([0, sizes.max()], [fixed, fixed + each * sizes.max()], color="C1")
        axis.set(xlabel=name, ylabel="seconds", ylim=(0, None), title=f"{fixed:.2f} s + {1000 * each:.3g} ms each")
        print(lines[-1], flush=True)
    figure.savefig(HERE / "cost.png")
    (HERE / "COST.md").write_text("\n".join([*lines, "", "![Seconds against windows, steps, pixels and pictures, each with its "
                                             "line](cost.png)"]) + "\n")


if __name__ == "__main__":
    main()
