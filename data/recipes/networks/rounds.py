"""Training what stands on the maps of a frozen body, on tabletop's pictures and their captions.

A round draws new pictures (a view of every single object, and pairs put together from them) and computes their maps
once; then it trains on them for some epochs.
"""

from dataclasses import dataclass

import torch

import fitting
import publishing
from lecturekit.pictures import captions, datasets
from pictures.pairs import Pairs, views


@dataclass(frozen=True)
class Recipe:
    rounds: int
    epochs: int               # in each round
    pairs: int                # in each round
    batch: int
    weight_decay: float
    chunk: int                # pictures drawn at once
    rate: float = 2e-3
    clip: float = 5.0         # the largest norm of a gradient
    seed: int = 0


class Rounds(fitting.Training):
    """A subclass says `epoch`, the batches of an epoch, and the loss. `build()` makes a model with a frozen `body`."""

    unit = "round"

    def __init__(self, name, recipe, build, body):
        super().__init__(name, recipe, [body])
        self.model, self.stages, self.clip = build(), recipe.rounds, recipe.clip
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, recipe.rate, weight_decay=recipe.weight_decay)
        self.source = Pairs(datasets.tabletop("train"))

    def epoch(self, sentences, generator):
        """The batches of an epoch on self.maps (N,256,h,w), half precision, and their N sentences."""
        raise NotImplementedError

    def batches(self, stage):
        self.maps, sentences = self.drawn(torch.Generator().manual_seed(self.recipe.seed + stage))
        epochs = range(stage * self.recipe.epochs, (stage + 1) * self.recipe.epochs)
        orders = [torch.Generator().manual_seed(self.recipe.seed + epoch) for epoch in epochs]
        return [batch for order in orders for batch in self.epoch(sentences, order)]

    @torch.no_grad()
    def drawn(self, generator):
        """The body's maps, half precision, and the sentences of new pictures."""
        maps, sentences, body = [], [], self.model.body.eval()
        for images, said in self.pictures(generator):
            with torch.autocast("cpu", torch.bfloat16):
                maps.append(body(images.contiguous(memory_format=torch.channels_last)).contiguous().half())
            sentences += said
        return torch.cat(maps), sentences

    def pictures(self, generator):
        """A round's pictures (N,3,H,W) and their captions, a chunk at a time: singles, then pairs."""
        data, chunk = self.source.data, self.recipe.chunk
        for rows in torch.arange(len(data)).split(chunk):
            yield views(data, rows, generator), [captions.caption(data.samples[i]) for i in rows]
        for _ in range(self.recipe.pairs // chunk):
            yield self.source.draw(chunk, generator)

    def rate(self, done):
        return fitting.half_cosine(self.recipe.rate, done / self.recipe.rounds)

    def row(self, stage, measured):
        """The mean loss of each epoch."""
        losses = torch.tensor([step["loss"] for step in measured]).view(self.recipe.epochs, -1)
        return {"losses": [fitting.mean(epoch) for epoch in losses]}


def told(recipe, name, loss="training loss", more=""):
    """{title: text}: the notes of a card on data and recipe."""
    last = publishing.last_row(name)["losses"][-1]
    return {
        "Data": "tabletop's training pictures (3,000), a new view of each in every round (mirrored, moved, scaled), "
                f"and {recipe.pairs:,} pairs of two categories a round, put together from them by "
                f"`data/recipes/pictures/pairs.py`{more}.",
        "Recipe": f"`data/recipes/networks/{name}.py`, seed {recipe.seed}, {recipe.rounds} rounds of {recipe.epochs} "
                  f"epochs; AdamW, rate {recipe.rate}, weight decay {recipe.weight_decay}, batches of {recipe.batch}, "
                  f"gradients clipped at {recipe.clip:g}; last {loss} {last:.3f} (`{name}.log`)."}
