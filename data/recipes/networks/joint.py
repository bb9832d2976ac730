"""Train the joint image-text model on tabletop's captions, and publish it; joint_card.py measures it.

    python data/recipes/networks/joint.py

The image network is frozen; the loss is the contrastive one of Radford et al. 2021. Half of the sentences are cut down
("a mug", "a red mug", "a lemon on a wooden floor"). A sentence that is also true of another picture of the batch does
not count as wrong there. Interrupted at any moment, training resumes from the last finished round.
"""

import math
import sys
from pathlib import Path

import torch
from torch.nn import functional as F

from lecturekit.pictures import captions
from lecturekit.networks import joint
from lecturekit.networks.models import TABLETOP

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import fitting
from networks.rounds import Recipe, Rounds

RECIPE = Recipe(rounds=2, epochs=12, pairs=2000, batch=128, weight_decay=1e-2, chunk=100)
LARGEST_SCALE = math.log(50)
CUT = 0.5                                       # share of sentences that are cut down
FACTS = [*TABLETOP, *((colour, thing) for colour in captions.COLOURS for thing in TABLETOP), *captions.KINDS["floor"]]


def facts(words):
    """What a sentence says: each thing, with its colour where it has one, and the floor; a row of zeros and ones."""
    said = {word for word in words if word in captions.KINDS["floor"]}
    for before, word in zip(["", *words], words):
        if word in TABLETOP:
            said.add((before, word) if before in captions.COLOURS else word)
    return torch.tensor([float(fact in said) for fact in FACTS])


def truths(words):
    """What is true of the picture that a full sentence describes."""
    return (facts(words) + facts([word for word in words if word not in captions.COLOURS])).clamp(max=1)


def cut_down(words, generator):
    """A sentence without some of: its floor, its colours, one of its two things."""
    draw = torch.rand(3, generator=generator).tolist()
    on = words.index("on")
    things, floor = words[:on], words[on:]
    if "and" in things and draw[0] < 0.5:
        middle = things.index("and")
        things = things[:middle] if draw[0] < 0.25 else things[middle + 1:]
    if draw[1] < 0.5:
        things = ["a" if word == "an" else word for word in things if word not in captions.COLOURS]
    return things + floor * (draw[2] < 0.4)


def contrastive(images, texts, true, scale):
    """The mean cross-entropy of the right text for each image and of the right image for each text (Radford et al.
    2021, fig. 3), unit vectors (N,D); where `true` (N,N), image by text, holds off the diagonal, none is compared."""
    right = torch.arange(len(images))
    elsewhere = true & ~torch.eye(len(images), dtype=torch.bool)
    logits = (scale * images @ texts.T).masked_fill(elsewhere, -math.inf)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


class Contrast(Rounds):
    """The joint model in training."""

    def __init__(self):
        super().__init__(joint.NAME, RECIPE, joint.Joint, joint.BODY)

    def epoch(self, sentences, generator):
        words = [captions.words(sentence) for sentence in sentences]
        true, order = torch.stack([truths(each) for each in words]), torch.randperm(len(words), generator=generator)
        return [(rows, self.texts([words[row] for row in rows], generator), true[rows])
                for rows in order.split(self.recipe.batch)]

    def texts(self, sentences, generator):
        """Sentences (lists of words), some of them cut down."""
        return [cut_down(words, generator) if torch.rand((), generator=generator) < CUT else words
                for words in sentences]

    def loss(self, batch, done):
        rows, texts, true = batch
        said = torch.stack([facts(words) for words in texts])
        codes = self.model.encode_texts([" ".join(words) for words in texts])
        scale = self.model.log_scale.clamp(max=LARGEST_SCALE).exp()
        images = self.model.encode_maps(self.maps[rows].float())
        loss = contrastive(images, codes, true @ said.T == said.sum(1), scale)
        return loss, {"loss": loss}


if __name__ == "__main__":
    fitting.main(__doc__, Contrast)
