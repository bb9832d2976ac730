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

import fitting
from pictures.photos import imagenette_arrays, mixed, tabletop_arrays

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
        half = self.steps / 2
        phases = fitting.Phase(half, self.rate, self.rate), fitting.Phase(half, self.rate, 0)
        return fitting.straight(phases, step, warm=50, ahead=1)


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


class Decoding(fitting.Steps):
    """A decoder in training, and all that its losses need."""

    def __init__(self, name, imagenette):
        super().__init__(f"decoder_{name}", RECIPES[name], used(RECIPES[name]))
        self.model = decoders.Decoder(name).to(memory_format=torch.channels_last)
        if self.recipe.start:
            self.model.load_state_dict(decoders.load(self.recipe.start).state_dict())
        self.judges = Judges()
        self.network, self.describer = (models.load(each).to(memory_format=torch.channels_last)
                                        for each in (decoders.NETWORK, DESCRIBER))
        self.optimiser = torch.optim.Adam(self.model.parameters(), betas=(0.8, 0.99))
        self.judging = torch.optim.Adam(self.judges.parameters(), betas=(0.5, 0.99))
        photos = round(self.recipe.batch * self.recipe.photos)
        self.sources = [(imagenette_arrays(imagenette, "train")[0], photos),
                        (tabletop_arrays("train")[0], self.recipe.batch - photos)]

    def parts(self):
        return super().parts() | {"judges": self.judges, "judging": self.judging}

    def rate(self, step):
        return self.recipe.rate_at(step)

    def loss(self, step, done):
        images = mixed(self.sources, decoders.SIDE, self.recipe.smallest_crop, self.recipe.seed + step)
        losses = self.losses(images, step)
        return sum(getattr(self.recipe, name) * loss for name, loss in losses.items()), losses

    def losses(self, images, step):
        """{name: loss} of a batch; the judges learn here too."""
        with torch.autocast("cpu", torch.bfloat16):
            codes = hooks.forward_to(self.network, images, self.model.layer).detach()
            made = self.model.layers(codes).float()   # not yet enlarged
            images = F.interpolate(images, made.shape[-1], mode="area")
            losses = {"pixels": F.mse_loss(made, images) * 10}
            if self.recipe.features:
                losses |= self.perceptual(images, made, step)
        return losses

    def perceptual(self, images, made, step):
        with torch.no_grad():
            real = objectives.codes(self.describer, images, DESCRIBED)
        fake = objectives.codes(self.describer, made, DESCRIBED)
        self.teach(real, {layer: values.detach() for layer, values in fake.items()}, step)
        self.judges.requires_grad_(False)
        return {"features": mean(relative(fake[layer], real[layer]) for layer in DESCRIBED),
                "judges": -mean(score.mean() for score in self.judges(fake))}

    def teach(self, real, fake, step):
        """One step of the judges, on the hinge loss."""
        self.judges.requires_grad_(True)
        loss = mean(F.relu(1 - a).mean() + F.relu(1 + b).mean() for a, b in zip(self.judges(real), self.judges(fake)))
        fitting.descend(self.judging, loss, self.rate(step))

    @torch.no_grad()
    def show(self, folder):
        """Tabletop test pictures above their reconstructions."""
        images = datasets.tabletop("test")[:10].images
        made = self.model.eval()(hooks.forward_to(self.network, images, self.model.layer))
        rows = torch.cat([torch.cat(list(row), 2) for row in (images, made)], 1)
        pixels.to_pil(rows[None]).save(folder / f"{self.name}.png")


def used(recipe):
    """The bundled parts that a recipe starts from."""
    return [decoders.NETWORK, *[DESCRIBER] * bool(recipe.features), *[f"decoder_{recipe.start}"] * bool(recipe.start)]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def relative(features, target):
    """|features - target|^2 / |target|^2, the mean over pictures."""
    difference, target = ((features - target).float(), target.float())
    return (difference.square().flatten(1).sum(1) / target.square().flatten(1).sum(1).clamp(min=1e-3)).mean()


if __name__ == "__main__":
    fitting.main(__doc__, Decoding, imagenette=True, names=RECIPES)
