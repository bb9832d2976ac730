"""Train the captioner on tabletop's captions, and publish it; captioner_card.py measures it.

    python data/recipes/networks/captioner.py

The image network is frozen. Interrupted at any moment, training resumes from the last finished round.
"""

import sys
from pathlib import Path

import torch
from torch.nn import functional as F

from lecturekit.pictures import captions
from lecturekit.networks import captioner

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import fitting
from networks.rounds import Recipe, Rounds

RECIPE = Recipe(rounds=3, epochs=5, pairs=4000, batch=64, weight_decay=1e-4, chunk=250)
PADDING = -1


def padded(sentences):
    """The indices (N,T) of sentences between their full stops, PADDING behind them."""
    rows = [torch.tensor([*captions.encode(sentence), 0]) for sentence in sentences]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PADDING)


class Captions(Rounds):
    """The captioner in training: the mean cross-entropy of each word after the ones before it."""

    def __init__(self):
        super().__init__(captioner.NAME, RECIPE, captioner.Captioner, captioner.BODY)

    def epoch(self, sentences, generator):
        words = padded(sentences)
        order = torch.randperm(len(words), generator=generator)
        return [(rows, words[rows]) for rows in order.split(self.recipe.batch)]

    def loss(self, batch, done):
        rows, words = batch
        logits = self.model.speak(self.maps[rows].float(), words[:, :-1].clamp(min=0))
        loss = F.cross_entropy(logits.flatten(0, 1), words[:, 1:].flatten(), ignore_index=PADDING)
        return loss, {"loss": loss}


if __name__ == "__main__":
    fitting.main(__doc__, Captions)
