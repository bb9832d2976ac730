"""Train the feed-forward style network: data/weights/style_net.safetensors and its log; style_card.py measures it.

    python data/recipes/moving/style.py --imagenette DIR

Each step paints three random crops of Imagenette's training photos, one in each style, and lowers
weight * style loss + content loss + smoothness * total variation, as the describing network sees them. Each step
draws its crops from the seed and its own number, so that training resumes from the last checkpoint as if it had not
been interrupted. At each checkpoint the bundled photos are painted to FOLDER/style_net.png: look at it.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from lecturekit.pictures import datasets, pixels
from lecturekit.networks import models
from lecturekit.moving import objectives, style_nets
from lecturekit.moving.style_nets import CONTENT_LAYER, STYLE_LAYERS, STYLES

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

from networks.train import ROOT, publish, save_atomically
from pictures.photos import Crops, imagenette_arrays

NAME = "style_net"
PHOTOS = ("chelsea", "astronaut", "coffee", "china")


@dataclass(frozen=True)
class Phase:
    """Some steps at a rate that goes in a straight line from `rate` to `end`."""

    steps: int
    rate: float
    end: float
    style_weights: tuple       # one for each style


@dataclass(frozen=True)
class Recipe:
    phases: tuple = (Phase(2000, 2e-3, 2e-3, (15, 15, 15)), Phase(2600, 2e-3, 0, (10, 10, 5)))
    pixels: int = 96           # side of the crops
    style_pixels: int = 256    # side of the style pictures
    smoothness: float = 0.5
    every: int = 200           # steps between checkpoints
    seed: int = 0

    def phase(self, step):
        """The phase that a step lies in, and its learning rate, warmed up over the first 50 steps."""
        first = 0
        for phase in self.phases:
            if step < first + phase.steps:
                break
            first += phase.steps
        done = (step - first) / phase.steps
        return phase, min(1, (step + 1) / 50) * (phase.rate + done * (phase.end - phase.rate))

    def steps(self):
        return sum(phase.steps for phase in self.phases)


def objective(recipe, critic):
    """(painted, photos, styles, weights) -> the sum that the recipe lowers, style loss and content loss, (N,) each."""
    rough = objectives.total_variation()

    def losses(painted, photos, styles, weights):
        style, content = critic(painted, photos, styles)
        roughness = rough(painted) / painted[0].numel()
        return torch.tensor(weights)[styles] * style + content + recipe.smoothness * roughness, style, content
    return losses


class Critic:
    """The losses of pictures, as the describing network sees them; `fast` runs that network in bfloat16."""

    def __init__(self, style_pixels, fast=False):
        self.fast = fast
        self.network = style_nets.smoothed(models.load(style_nets.DESCRIBER)).to(memory_format=torch.channels_last)
        styles = torch.cat([style_nets.style_picture(name, style_pixels) for name in STYLES])
        self.grams = {layer: objectives.gram(values)   # (styles,C,C)
                      for layer, values in objectives.codes(self.network, styles, STYLE_LAYERS).items()}

    def codes(self, images, layers):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.fast):
            return {layer: values.float() for layer, values in objectives.codes(self.network, images, layers).items()}

    def __call__(self, painted, photos, styles):
        """Style and content loss (N,) of painted pictures of photos (N,3,H,W), styles an index tensor (N,)."""
        with torch.no_grad():
            content = self.codes(photos, [CONTENT_LAYER])[CONTENT_LAYER]
        features = self.codes(painted, [CONTENT_LAYER, *STYLE_LAYERS])
        style = objectives.style_loss(features, {layer: grams[styles] for layer, grams in self.grams.items()})
        return style, objectives.content_loss(features[CONTENT_LAYER], content)


def batch(images, recipe, step):
    """One crop for each style, (styles,3,pixels,pixels) in [0,1]; the same for the same step."""
    crops = Crops(images, [0] * len(images), recipe.pixels, 0.3, seed=recipe.seed + step)
    chosen = torch.randint(len(images), (len(STYLES),), generator=torch.Generator().manual_seed(recipe.seed + step))
    photos = torch.stack([crops[int(i)][0] for i in chosen]).float() / 255
    return photos.contiguous(memory_format=torch.channels_last)


def train_step(network, losses, optimiser, recipe, photos, step):
    """Style and content loss of one step, (2,styles)."""
    phase, rate = recipe.phase(step)
    for group in optimiser.param_groups:
        group["lr"] = rate
    with torch.autocast("cpu", torch.bfloat16):
        painted = network(photos, torch.eye(len(STYLES))).float()
    loss, style, content = losses(painted, photos, torch.arange(len(STYLES)), phase.style_weights)
    if not torch.isfinite(loss).all():
        raise FloatingPointError(f"the losses are {loss.tolist()} at step {step}")
    optimiser.zero_grad()
    loss.mean().backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimiser.step()
    return torch.stack([style, content]).detach()


@torch.no_grad()
def sample(network, path, side=256):
    """The bundled photos, each beside its painting in every style."""
    rows = [torch.cat([photo, *(network(photo, style) for style in STYLES)], 3)
            for photo in (datasets.photo(name, side) for name in PHOTOS)]
    pixels.to_pil(torch.cat(rows, 2)).save(path)


def prepare(recipe, checkpoint):
    """The network, its optimiser and the step to start with: from the checkpoint where there is one."""
    torch.manual_seed(recipe.seed)
    network = style_nets.StyleNet().to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters())
    if not checkpoint.exists():
        return network, optimiser, 0
    state = torch.load(checkpoint, weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    return network, optimiser, state["step"]


def record(network, optimiser, folder, step, measured):
    """Write the checkpoint, a line of the log with the losses (2,styles) and the sample."""
    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
    save_atomically(lambda path: torch.save(state, path), folder / f"{NAME}.pt")
    row = {"step": step} | {name: {"style": round(s.item(), 4), "content": round(c.item(), 4)}
                            for name, s, c in zip(STYLES, *measured)}
    with open(folder / f"{NAME}.log", "a") as log:
        log.write(json.dumps(row) + "\n")
    sample(network, folder / f"{NAME}.png")


def fit(recipe, imagenette, folder):
    """Train to the end of the recipe and return the network."""
    folder.mkdir(parents=True, exist_ok=True)
    network, optimiser, start = prepare(recipe, folder / f"{NAME}.pt")
    losses = objective(recipe, Critic(recipe.style_pixels, fast=True))
    images, measured = imagenette_arrays(imagenette, "train")[0], []
    for step in range(start, recipe.steps()):
        measured.append(train_step(network, losses, optimiser, recipe, batch(images, recipe, step), step))
        if (step + 1) % recipe.every == 0 or step + 1 == recipe.steps():
            record(network, optimiser, folder, step + 1, torch.stack(measured).mean(0))
            measured = []
    return network


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imagenette", type=Path, required=True, help="the folder that holds train/ and val/")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/train", help="checkpoints and logs")
    arguments = parser.parse_args()
    publish(fit(Recipe(), arguments.imagenette, arguments.folder), NAME, arguments.folder)
