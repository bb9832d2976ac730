"""Train a bundled network from scratch; `make train` runs this for each of them, then evaluate.py.

Warm-up, a constant learning rate on Imagenette, then a linear decay to zero on Imagenette and tabletop together
(one head over all twenty categories). The robust network starts from resnet_s and sees, for every image, its
worst neighbour in an L2 ball (Madry et al. 2018). Interrupted at any moment, training resumes from the last
finished epoch.

    python data/recipes/train.py resnet_s --imagenette DIR
"""

import argparse
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from torch.utils.data import ConcatDataset, DataLoader

from attack import pgd_l2
from lecturekit.models import load
from lecturekit.nets import ARCHITECTURES
from photos import Crops, imagenette_arrays, jitter, tabletop_arrays

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Recipe:
    """Epochs on Imagenette alone (`stable`), then on both data sets with a decaying rate (`decay`); last, on larger
    and gentler crops, `polish` epochs with a fifth of the rate, decaying once more."""

    stable: int
    decay: int
    polish: int = 0
    pixels: int = 96          # training crops; the last `final` epochs use 128
    final: int = 2
    rate: float = 0.05
    weight_decay: float = 5e-4
    smallest_crop: float = 0.3
    seed: int = 0
    start: str = ""           # the network whose weights it starts from
    eps: float = 0.0          # adversarial training: the radius of the L2 ball, pixels in [0,1]
    steps: int = 2            # and the steps of its PGD


RECIPES = {
    "resnet_s": Recipe(stable=22, decay=14, polish=2),
    "alexnet_s": Recipe(stable=24, decay=16, final=5, rate=0.03, smallest_crop=0.4),
    "vgg_s": Recipe(stable=3, decay=9, pixels=80, final=1, rate=0.03),   # the stored weights: three at 96 px first
    "resnet_s_robust": Recipe(stable=0, decay=3, final=1, rate=0.02, smallest_crop=0.4, start="resnet_s", eps=1.0, steps=1),
}


def learning_rate(recipe, progress):
    """Rate at `progress` epochs: one epoch of warm-up, constant, linear to zero; so again for the polish."""
    left = recipe.stable + recipe.decay - progress
    if left <= 0:
        return recipe.rate / 5 * (recipe.polish + left) / recipe.polish
    return recipe.rate * min(1.0, progress + 0.02, left / recipe.decay)


def loader(recipe, epoch, sources, batch=64):
    before_polish = recipe.stable + recipe.decay - epoch
    pixels = recipe.pixels if before_polish > recipe.final else 128
    smallest = recipe.smallest_crop if before_polish > 0 else 0.6
    parts = sources if epoch >= recipe.stable else sources[:1]
    crops = [Crops(*part, pixels, smallest, seed=recipe.seed + 1000 * epoch) for part in parts]
    order = torch.Generator().manual_seed(recipe.seed + epoch)
    return DataLoader(ConcatDataset(crops), batch, shuffle=True, drop_last=True, num_workers=1, generator=order)


def train_epoch(model, optimiser, recipe, epoch, batches):
    """One pass; returns the mean loss."""
    total = 0.0
    model.train()
    for i, (images, labels) in enumerate(batches):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(recipe, epoch + i / len(batches))
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


def prepare(name, checkpoint):
    """The model, its optimiser and the epoch to start with: from the checkpoint where there is one."""
    recipe = RECIPES[name]
    torch.manual_seed(recipe.seed)
    model = ARCHITECTURES[name]().to(memory_format=torch.channels_last)
    if recipe.start:
        model.load_state_dict(load(recipe.start).state_dict())
    optimiser = torch.optim.SGD(model.parameters(), recipe.rate, 0.9, weight_decay=recipe.weight_decay, nesterov=True)
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
    sources = [imagenette_arrays(imagenette, "train")]
    for epoch in range(start, recipe.stable + recipe.decay + recipe.polish):
        if epoch >= recipe.stable and len(sources) == 1:
            sources.append(tabletop_arrays("train"))
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--imagenette", type=Path, required=True, help="the folder that holds train/ and val/")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/train", help="checkpoints and logs")
    arguments = parser.parse_args()
    fit(arguments.name, arguments.imagenette, arguments.folder)
