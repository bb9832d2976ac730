"""Train the feed-forward style network: data/weights/style_net.safetensors and its log; style_card.py measures it.

    python data/recipes/moving/style.py --imagenette DIR

Each step paints three random crops of Imagenette's training photos, one in each style, and lowers
weight * style loss + content loss + smoothness * total variation, as the describing network sees them. Each step
draws its crops from the seed and its own number, so that training resumes from the last checkpoint as if it had not
been interrupted. At each checkpoint the bundled photos are painted to FOLDER/style_net.png: look at it.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from lecturekit.pictures import datasets, pixels
from lecturekit.networks import models
from lecturekit.moving import objectives, style_nets
from lecturekit.moving.style_nets import CONTENT_LAYER, STYLE_LAYERS, STYLES

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import fitting
from pictures.photos import imagenette_arrays, mixed

NAME = "style_net"
PHOTOS = ("chelsea", "astronaut", "coffee", "china")


@dataclass(frozen=True)
class Phase(fitting.Phase):
    style_weights: tuple       # one for each style


@dataclass(frozen=True)
class Recipe:
    phases: tuple = (Phase(2000, 2e-3, 2e-3, (15, 15, 15)), Phase(2600, 2e-3, 0, (10, 10, 5)))
    pixels: int = 96           # side of the crops
    style_pixels: int = 256    # side of the style pictures
    smoothness: float = 0.5
    every: int = 200           # steps between checkpoints
    seed: int = 0

    @property
    def steps(self):
        return sum(phase.length for phase in self.phases)


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


class Painting(fitting.Steps):
    """The style network in training."""

    clip = 5.0

    def __init__(self, imagenette):
        super().__init__(NAME, Recipe(), [style_nets.DESCRIBER])
        self.model = style_nets.StyleNet().to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.Adam(self.model.parameters())
        self.losses = objective(self.recipe, Critic(self.recipe.style_pixels, fast=True))
        self.sources = [(imagenette_arrays(imagenette, "train")[0], len(STYLES))]   # a crop for each style

    def rate(self, step):
        return fitting.straight(self.recipe.phases, step, warm=50, ahead=1)

    def loss(self, step, done):
        photos = mixed(self.sources, self.recipe.pixels, 0.3, self.recipe.seed + step)
        phase, _ = fitting.phase_at(self.recipe.phases, step)
        with torch.autocast("cpu", torch.bfloat16):
            painted = self.model(photos, torch.eye(len(STYLES))).float()
        loss, *parts = self.losses(painted, photos, torch.arange(len(STYLES)), phase.style_weights)
        return loss.mean(), {(name, part): value for part, values in zip(("style", "content"), parts)
                             for name, value in zip(STYLES, values)}

    def row(self, stage, measured):
        means = super().row(stage, measured)
        return {name: {part: means[name, part] for part in ("style", "content")} for name in STYLES}

    @torch.no_grad()
    def show(self, folder, side=256):
        """The bundled photos, each beside its painting in every style."""
        rows = [torch.cat([photo, *(self.model(photo, style) for style in STYLES)], 3)
                for photo in (datasets.photo(name, side) for name in PHOTOS)]
        pixels.to_pil(torch.cat(rows, 2)).save(folder / f"{NAME}.png")


if __name__ == "__main__":
    fitting.main(__doc__, Painting, imagenette=True)
