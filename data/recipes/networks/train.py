"""Train a bundled network; `make train` runs this for each of them, then evaluate.py.

    python data/recipes/networks/train.py resnet_s --imagenette DIR

A recipe is a list of phases, each with its learning rate, crops and data: first Imagenette alone, then Imagenette and
tabletop together (one head over all twenty categories) while the rate decays. The robust network starts from resnet_s
and sees, for every image, its worst neighbour in an L2 ball (Madry et al. 2018); what is published of it is the moving
average of its weights, at the epoch after which this stood PGD best on held-out photos. Interrupted at any moment,
training resumes from the last finished epoch.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import ConcatDataset, DataLoader

from lecturekit.networks.models import load
from lecturekit.networks.nets import ARCHITECTURES

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import fitting
from networks.attack import attacked, standing
from pictures.photos import Crops, imagenette_arrays, jitter, squares, tabletop_arrays

SIDE = 128             # px; on smaller crops eps is smaller in proportion
WATCHED = 16, 10       # for early stopping: every 16th validation photo, attacked with 10 steps


@dataclass(frozen=True)
class Phase(fitting.Phase):
    tabletop: bool = True     # beside Imagenette
    pixels: int = 96          # side of the training crops
    smallest_crop: float = 0.3


@dataclass(frozen=True)
class Recipe:
    phases: tuple
    weight_decay: float = 5e-4
    seed: int = 0
    start: str = ""           # the network whose weights it starts from
    eps: float = 0.0          # adversarial training: the radius of the L2 ball, pixels in [0,1], at 128 px
    steps: int = 2            # and the steps of its PGD
    average: float = 0.0      # what is published: the moving average of the weights, with this decay
    watch: int = 0            # early stopping: the epoch from which on held-out photos are attacked

    def rate(self, epoch):
        """The learning rate at a fractional epoch, warmed up over the first one."""
        return fitting.straight(self.phases, epoch, warm=1, ahead=0.02)

    def epochs(self):
        return sum(phase.length for phase in self.phases)


RECIPES = {
    "resnet_s": Recipe((Phase(22, 0.05, 0.05, tabletop=False), Phase(12, 0.05, 0.007), Phase(2, 0.007, 0, pixels=128),
                        Phase(2, 0.01, 0, pixels=128, smallest_crop=0.6))),
    "alexnet_s": Recipe((Phase(24, 0.03, 0.03, tabletop=False, smallest_crop=0.4),
                         Phase(11, 0.03, 0.009, smallest_crop=0.4), Phase(5, 0.009, 0, pixels=128, smallest_crop=0.4),
                         Phase(14, 0.02, 0.005, smallest_crop=0.4), Phase(4, 0.005, 0, pixels=128, smallest_crop=0.4))),
    "vgg_s": Recipe((Phase(12, 0.03, 0.03, tabletop=False), Phase(24, 0.03, 0.004), Phase(3, 0.004, 0, pixels=128))),
    "resnet_s_robust": Recipe((Phase(11, 0.05, 0.02), Phase(1, 0.02, 0.015, pixels=128), Phase(3, 0.015, 0)),
                              start="resnet_s", eps=2.0, average=0.998, watch=7),
}


def held_out(imagenette):
    """The photos (N,3,128,128) in [0,1] that early stopping watches, and their labels (N,)."""
    images, labels = imagenette_arrays(imagenette, "val", WATCHED[0])
    return squares(images, SIDE), torch.tensor(labels)


class Network(fitting.Training):
    """A network of RECIPES in training; a stage is an epoch."""

    def __init__(self, name, imagenette):
        recipe = RECIPES[name]
        super().__init__(name, recipe, [recipe.start] if recipe.start else [])
        self.model = ARCHITECTURES[name]().to(memory_format=torch.channels_last)
        if recipe.start:
            self.model.load_state_dict(load(recipe.start).state_dict())
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(recipe.average), use_buffers=True)
        self.optimiser = torch.optim.SGD(self.model.parameters(), recipe.rate(0), 0.9, weight_decay=recipe.weight_decay,
                                         nesterov=True)
        self.stages = recipe.epochs()
        self.sources = [imagenette_arrays(imagenette, "train"), tabletop_arrays("train")]
        self.watched = held_out(imagenette) if recipe.watch else ()

    def batches(self, stage, size=64):
        phase, _ = fitting.phase_at(self.recipe.phases, stage)
        parts = self.sources if phase.tabletop else self.sources[:1]
        seed = self.recipe.seed + 1000 * stage
        crops = [Crops(*part, phase.pixels, phase.smallest_crop, seed) for part in parts]
        order = torch.Generator().manual_seed(self.recipe.seed + stage)
        return DataLoader(ConcatDataset(crops), size, shuffle=True, drop_last=True, num_workers=1, generator=order)

    def loss(self, batch, done):
        images, labels = batch
        images = jitter(images.float().div_(255)).contiguous(memory_format=torch.channels_last)
        if self.recipe.eps:
            images = attacked(self.model, images, labels, self.recipe.eps * images.shape[-1] / SIDE, self.recipe.steps)
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(self.model(images), labels, label_smoothing=0.1)
        return loss, {"loss": loss}

    def rate(self, done):
        return self.recipe.rate(done)

    def stepped(self):
        self.average.update_parameters(self.model)

    def row(self, stage, measured):
        row = super().row(stage, measured)
        if not 0 < self.recipe.watch <= stage + 1:
            return row
        clean, held = standing(self.candidate(), *self.watched, self.recipe.eps, WATCHED[1])
        return row | {"clean": round(clean, 4), "held": round(held, 4)}

    def score(self, row):
        return row.get("held", 0)

    def candidate(self):
        return self.average.module

    def parts(self):
        return super().parts() | {"average": self.average}


if __name__ == "__main__":
    fitting.main(__doc__, Network, imagenette=True, names=RECIPES)
