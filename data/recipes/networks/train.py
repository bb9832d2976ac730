"""Train a bundled network from scratch; `make train` runs this for each of them, then evaluate.py.

A recipe is a list of phases, each with its learning rate, crops and data: first Imagenette alone, then Imagenette and
tabletop together (one head over all twenty categories) while the rate decays. The robust network starts from resnet_s
and sees, for every image, its worst neighbour in an L2 ball (Madry et al. 2018). Interrupted at any moment, training
resumes from the last finished epoch.

    python data/recipes/networks/train.py resnet_s --imagenette DIR
"""

import argparse
import json
import math
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from torch.utils.data import ConcatDataset, DataLoader

from lecturekit.networks.models import load, stored
from lecturekit.networks.nets import ARCHITECTURES

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

from networks.attack import pgd_l2
from pictures.photos import Crops, imagenette_arrays, jitter, tabletop_arrays

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Phase:
    """Some epochs at a rate that goes in a straight line from `rate` to `end`."""

    epochs: int
    rate: float
    end: float
    tabletop: bool = True     # beside Imagenette
    pixels: int = 96          # side of the training crops
    smallest_crop: float = 0.3


@dataclass(frozen=True)
class Recipe:
    phases: tuple
    weight_decay: float = 5e-4
    seed: int = 0
    start: str = ""           # the network whose weights it starts from
    eps: float = 0.0          # adversarial training: the radius of the L2 ball, pixels in [0,1]
    steps: int = 2            # and the steps of its PGD

    def phase(self, epoch):
        """The phase that epoch (from 0, may be fractional) lies in, and how far into it, 0 to 1."""
        for phase in self.phases:
            if epoch < phase.epochs:
                return phase, epoch / phase.epochs
            epoch -= phase.epochs
        return self.phases[-1], 1.0

    def rate(self, epoch):
        """The learning rate at a fractional epoch, warmed up over the first one."""
        phase, done = self.phase(epoch)
        return min(1.0, epoch + 0.02) * (phase.rate + done * (phase.end - phase.rate))

    def epochs(self):
        return sum(phase.epochs for phase in self.phases)


RECIPES = {
    "resnet_s": Recipe((Phase(22, 0.05, 0.05, tabletop=False), Phase(12, 0.05, 0.007), Phase(2, 0.007, 0, pixels=128),
                        Phase(2, 0.01, 0, pixels=128, smallest_crop=0.6))),
    "alexnet_s": Recipe((Phase(24, 0.03, 0.03, tabletop=False, smallest_crop=0.4), Phase(11, 0.03, 0.009, smallest_crop=0.4),
                         Phase(5, 0.009, 0, pixels=128, smallest_crop=0.4),
                         Phase(14, 0.02, 0.005, smallest_crop=0.4), Phase(4, 0.005, 0, pixels=128, smallest_crop=0.4))),
    "vgg_s": Recipe((Phase(12, 0.03, 0.03, tabletop=False), Phase(24, 0.03, 0.004), Phase(3, 0.004, 0, pixels=128))),
    "resnet_s_robust": Recipe((Phase(2, 0.02, 0.007, smallest_crop=0.4), Phase(1, 0.007, 0, pixels=128, smallest_crop=0.4)),
                              start="resnet_s", eps=1.0, steps=1),
}


def loader(recipe, epoch, sources, batch=64):
    phase, _ = recipe.phase(epoch)
    parts = sources if phase.tabletop else sources[:1]
    crops = [Crops(*part, phase.pixels, phase.smallest_crop, seed=recipe.seed + 1000 * epoch) for part in parts]
    order = torch.Generator().manual_seed(recipe.seed + epoch)
    return DataLoader(ConcatDataset(crops), batch, shuffle=True, drop_last=True, num_workers=1, generator=order)


def train_epoch(model, optimiser, recipe, epoch, batches):
    """One pass; returns the mean loss."""
    total = 0.0
    model.train()
    for i, (images, labels) in enumerate(batches):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate(epoch + i / len(batches))
        images = jitter(images.float().div_(255)).contiguous(memory_format=torch.channels_last)
        if recipe.eps:
            images = pgd_l2(model, images, labels, recipe.eps, recipe.steps)
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(model(images), labels, label_smoothing=0.1)
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss is {loss.item()} at epoch {epoch}, step {i}")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item()
    return total / len(batches)


def save_atomically(write, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    write(temporary)
    os.replace(temporary, path)


def publish(part, name, folder=None):
    """Write data/weights/NAME.safetensors, what is stored of a part in half precision, and its log from `folder`, if any."""
    values = {key: value.half().contiguous() for key, value in stored(part).items()}
    save_atomically(lambda path: save_file(values, path), ROOT / "data/weights" / f"{name}.safetensors")
    if folder:
        save_atomically(lambda path: shutil.copyfile(folder / f"{name}.log", path), ROOT / "data/weights" / f"{name}.log")


def prepare(name, checkpoint):
    """The model, its optimiser and the epoch to start with: from the checkpoint where there is one."""
    recipe = RECIPES[name]
    torch.manual_seed(recipe.seed)
    model = ARCHITECTURES[name]().to(memory_format=torch.channels_last)
    if recipe.start:
        model.load_state_dict(load(recipe.start).state_dict())
    optimiser = torch.optim.SGD(model.parameters(), recipe.rate(0), 0.9, weight_decay=recipe.weight_decay, nesterov=True)
    if not checkpoint.exists():
        return model, optimiser, 0
    state = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return model, optimiser, state["epoch"]


def fit(name, imagenette, folder):
    """Train the network `name` to the end of its recipe and write data/weights/NAME.safetensors."""
    recipe, checkpoint = RECIPES[name], folder / f"{name}.pt"
    folder.mkdir(parents=True, exist_ok=True)
    model, optimiser, start = prepare(name, checkpoint)
    sources = [imagenette_arrays(imagenette, "train"), tabletop_arrays("train")]
    for epoch in range(start, recipe.epochs()):
        torch.manual_seed(recipe.seed + epoch)
        began = time.time()
        loss = train_epoch(model, optimiser, recipe, epoch, loader(recipe, epoch, sources))
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "epoch": epoch + 1}
        save_atomically(lambda path: torch.save(state, path), checkpoint)
        with open(folder / f"{name}.log", "a") as log:
            row = {"epoch": epoch + 1, "loss": round(loss, 4), "seconds": round(time.time() - began)}
            log.write(json.dumps(row) + "\n")
    weights = {key: (value.half() if value.is_floating_point() else value).contiguous()
               for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked")}
    save_atomically(lambda path: save_file(weights, path), ROOT / "data/weights" / f"{name}.safetensors")
    save_atomically(lambda path: shutil.copyfile(folder / f"{name}.log", path), ROOT / "data/weights" / f"{name}.log")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--imagenette", type=Path, required=True, help="the folder that holds train/ and val/")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/train", help="checkpoints and logs")
    arguments = parser.parse_args()
    fit(arguments.name, arguments.imagenette, arguments.folder)
