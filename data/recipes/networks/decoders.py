"""Train a decoder: data/weights/decoder_NAME.safetensors and its log; decoders_card.py measures it.

    python data/recipes/networks/decoders.py NAME --imagenette DIR

Each step draws crops of tabletop's training pictures, three of them for each one of Imagenette's training photos,
computes their features, and lowers the mean squared error in pixels. The generator goes on from the decoder of relu6
with two more losses (Dosovitskiy and Brox 2016b, "Generating images with perceptual similarity metrics based on deep
networks"): the error in features of resnet_s_robust, whose gradients draw, and what judges beside these features think
of it (as in Sauer et al. 2021). The error in its own code would be a third one; it was left out, for the generator met
it with grids that nobody sees an object in.

Each step draws from the seed and its own number, so that training resumes from the last checkpoint as if it had not
been interrupted. At each checkpoint tabletop test pictures and their reconstructions are drawn to
FOLDER/decoder_NAME.png: look at it.
"""

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from lecturekit.pictures import datasets, pixels
from lecturekit.networks import decoders, hooks, models
from lecturekit.moving import objectives

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

from networks.train import ROOT, publish, save_atomically
from pictures.photos import Crops, imagenette_arrays, tabletop_arrays

DESCRIBER, DESCRIBED = "resnet_s_robust", ("relu1", "layer1", "layer2", "layer3", "layer4")
JUDGED = {"relu1": 64, "layer1": 64, "layer2": 128}   # layers and their channels


@dataclass(frozen=True)
class Recipe:
    steps: int
    batch: int = 16             # pictures
    photos: float = 0.25        # the share of them that are photos, the others are of tabletop
    rate: float = 2e-3
    smallest_crop: float = 0.5
    start: str = ""             # the decoder whose weights it starts from
    pixels: float = 1.0         # weights of the losses
    features: float = 0.0
    judges: float = 0.0
    every: int = 200            # steps between checkpoints
    seed: int = 0

    def rate_at(self, step):
        """Warmed up over 50 steps, then constant, falling in a straight line to zero in the second half."""
        return self.rate * min(1, (step + 1) / 50, 2 * (1 - step / self.steps))


RECIPES = {
    "relu6": Recipe(6000),
    "generator": Recipe(5000, photos=0, smallest_crop=0.75, start="relu6", pixels=0.3, features=1.0, judges=0.3),
    "relu5": Recipe(3000),
    "relu2": Recipe(2500),
}


class Judges(nn.Module):
    """For each judged layer, two convolutions that tell features of photographs (high) from those of pictures made."""

    def __init__(self, width=32):
        super().__init__()
        self.heads = nn.ModuleDict({layer: nn.Sequential(
            spectral_norm(nn.Conv2d(channels, width, 4, 2, 1)), nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, 1, 3, 1, 1))) for layer, channels in JUDGED.items()})

    def forward(self, features):
        """One score for each place of each layer: a list of tensors (N,1,h,w)."""
        return [head(features[layer]) for layer, head in self.heads.items()]


class Training:
    """A decoder in training, and all that its losses need."""

    def __init__(self, name):
        self.name, self.recipe, self.step = name, RECIPES[name], 0
        torch.manual_seed(self.recipe.seed)
        self.decoder = decoders.Decoder(name).to(memory_format=torch.channels_last)
        if self.recipe.start:
            self.decoder.load_state_dict(decoders.load(self.recipe.start).state_dict())
        self.judges = Judges()
        self.network, self.describer = (models.load(each).to(memory_format=torch.channels_last)
                                        for each in (decoders.NETWORK, DESCRIBER))
        self.optimisers = [torch.optim.Adam(self.decoder.parameters(), betas=(0.8, 0.99)),
                           torch.optim.Adam(self.judges.parameters(), betas=(0.5, 0.99))]

    def parts(self):
        return [self.decoder, self.judges, *self.optimisers]

    def losses(self, images):
        """{name: loss} of a batch; the judges learn here too."""
        with torch.autocast("cpu", torch.bfloat16):
            codes = hooks.forward_to(self.network, images, self.decoder.layer).detach()
            made = self.decoder.layers(codes).float()   # not yet enlarged
            images = F.interpolate(images, made.shape[-1], mode="area")
            losses = {"pixels": F.mse_loss(made, images) * 10}
            if self.recipe.features:
                losses |= self.perceptual(images, made)
        return losses

    def perceptual(self, images, made):
        with torch.no_grad():
            real = objectives.codes(self.describer, images, DESCRIBED)
        fake = objectives.codes(self.describer, made, DESCRIBED)
        self.teach(real, {layer: values.detach() for layer, values in fake.items()})
        self.judges.requires_grad_(False)
        return {"features": sum(relative(fake[layer], real[layer]) for layer in DESCRIBED) / len(DESCRIBED),
                "judges": -mean(score.mean() for score in self.judges(fake))}

    def teach(self, real, fake):
        """One step of the judges, on the hinge loss."""
        self.judges.requires_grad_(True)
        loss = mean(F.relu(1 - a).mean() + F.relu(1 + b).mean() for a, b in zip(self.judges(real), self.judges(fake)))
        descend(self.optimisers[1], loss, self.recipe.rate_at(self.step))

    def advance(self, images):
        """One step; {name: loss}, not weighted."""
        self.decoder.train()
        losses = self.losses(images)
        total = sum(getattr(self.recipe, name) * loss for name, loss in losses.items())
        if not math.isfinite(total.item()):
            raise FloatingPointError(f"the loss is {total.item()} at step {self.step}")
        descend(self.optimisers[0], total, self.recipe.rate_at(self.step))
        self.step += 1
        return {name: loss.item() for name, loss in losses.items()}


def descend(optimiser, loss, rate):
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def relative(features, target):
    """|features - target|^2 / |target|^2, the mean over pictures."""
    difference, target = ((features - target).float(), target.float())
    return (difference.square().flatten(1).sum(1) / target.square().flatten(1).sum(1).clamp(min=1e-3)).mean()


def batch(sources, recipe, step):
    """Crops (batch,3,128,128) in [0,1], from each source its share; the same for the same step."""
    generator, crops = torch.Generator().manual_seed(recipe.seed + step), []
    for images, share in sources:
        drawn = Crops(images, [0] * len(images), decoders.SIDE, recipe.smallest_crop, seed=recipe.seed + step)
        chosen = torch.randint(len(images), (round(recipe.batch * share),), generator=generator)
        crops += [drawn[int(i)][0] for i in chosen]
    return torch.stack(crops).float().div(255).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def sample(training, path):
    """Tabletop test pictures above their reconstructions."""
    images = datasets.tabletop("test")[:10].images
    training.decoder.eval()
    made = training.decoder(hooks.forward_to(training.network, images, training.decoder.layer))
    pixels.to_pil(torch.cat([torch.cat(list(row), 2) for row in (images, made)], 1)[None]).save(path)


def resume(training, checkpoint):
    if not checkpoint.exists():
        return
    state = torch.load(checkpoint, weights_only=True)
    training.step = state["step"]
    for part, values in zip(training.parts(), state["parts"]):
        part.load_state_dict(values)


def record(training, folder, losses):
    """Write the checkpoint, a line of the log (mean losses since the last one) and the sample."""
    name = f"decoder_{training.name}"
    state = {"step": training.step, "parts": [part.state_dict() for part in training.parts()]}
    save_atomically(lambda path: torch.save(state, path), folder / f"{name}.pt")
    row = {"step": training.step} | {key: round(mean(loss[key] for loss in losses), 4) for key in losses[0]}
    with open(folder / f"{name}.log", "a") as log:
        log.write(json.dumps(row) + "\n")
    sample(training, folder / f"{name}.png")


def fit(name, imagenette, folder):
    """Train to the end of the recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    training, losses = Training(name), []
    resume(training, folder / f"decoder_{name}.pt")
    photos = training.recipe.photos
    sources = [(imagenette_arrays(imagenette, "train")[0], photos), (tabletop_arrays("train")[0], 1 - photos)]
    while training.step < training.recipe.steps:
        losses.append(training.advance(batch(sources, training.recipe, training.step)))
        if training.step % training.recipe.every == 0 or training.step == training.recipe.steps:
            record(training, folder, losses)
            losses = []
    return training.decoder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--imagenette", type=Path, required=True, help="the folder that holds train/ and val/")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/train", help="checkpoints and logs")
    arguments = parser.parse_args()
    decoder = fit(arguments.name, arguments.imagenette, arguments.folder)
    publish(decoder, f"decoder_{arguments.name}", arguments.folder)
