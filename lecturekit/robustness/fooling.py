"""Pictures that mean nothing to a person and a class to a network, by evolution (Nguyen et al. 2015).

MAP-Elites (Mouret and Clune 2015): an archive holds one champion for each class; children of random champions are
rendered and shown to the network in one batch, and each class takes the child that it believes in more than in its
champion. A genome is a dictionary of tensors (N,...); an encoding draws, mutates and renders genomes.
"""

from dataclasses import dataclass

import torch

from lecturekit import validate
from lecturekit.networks import running
from lecturekit.networks.models import predict
from lecturekit.show.bar import bar


@dataclass(frozen=True)
class Archive:
    """The champions: genomes, images (classes,C,side,side), the probability of each for its class, the best one after
    each generation (generations,classes)."""

    genomes: dict
    images: torch.Tensor
    confidences: torch.Tensor
    history: torch.Tensor


def evolve(model, encoding, generations, archive=None, children=32, seed=0):
    """`generations` of `children` each, from the encoding's first genomes or on from an `archive`: `Archive`.

    Each generation draws from a seed of its own, so two runs of ten generations give what one of twenty does.
    """
    validate.positive("generations", generations, whole=True)
    validate.positive("children", children, whole=True)
    done = 0 if archive is None else len(archive.history)
    for number in bar(range(done, done + generations)):
        generator = torch.Generator().manual_seed(seed * 100_003 + number)
        if archive is None:
            genomes = encoding.draw(children, generator)
        else:
            parents = torch.randint(len(archive.images), (children,), generator=generator)
            genomes = encoding.mutate({key: value[parents] for key, value in archive.genomes.items()}, generator)
        archive = _elites(model, archive, genomes, encoding.render(genomes))
    return archive


def _elites(model, archive, genomes, images):
    """The archive after a generation: each class keeps its champion or takes the best child."""
    confidences, best = predict(model, running.like(model, images)).cpu().max(0)   # over the children: (classes,)
    genomes, images = {key: value[best] for key, value in genomes.items()}, images[best]
    if archive is None:
        return Archive(genomes, images, confidences, confidences[None])
    better = confidences > archive.confidences
    kept = torch.maximum(confidences, archive.confidences)
    genomes = {key: _where(better, value, archive.genomes[key]) for key, value in genomes.items()}
    return Archive(genomes, _where(better, images, archive.images), kept, torch.cat([archive.history, kept[None]]))


def _where(chosen, these, those):
    return torch.where(chosen.view(-1, *[1] * (these.ndim - 1)), these, those)


class Pixels:
    """Direct encoding: every value is a gene. A child changes each with probability `rate`, by a normal step."""

    def __init__(self, side=64, channels=3, rate=0.1, step=0.3):
        self.shape, self.rate, self.step = (channels, validate.positive("side", side, whole=True), side), rate, step

    def draw(self, count, generator):
        return {"values": torch.rand(count, *self.shape, generator=generator)}

    def mutate(self, genomes, generator):
        values = genomes["values"]
        noise = self.step * torch.randn(values.shape, generator=generator)
        changed = torch.rand(values.shape, generator=generator) < self.rate
        return {"values": (values + noise * changed).clamp(0, 1)}

    def render(self, genomes):
        return genomes["values"]


ACTIVATIONS = (torch.sin, torch.tanh, lambda x: torch.exp(-x.square()), lambda x: x.abs().clamp(max=2) - 1,
               torch.sigmoid, lambda x: torch.cos(2 * x))


class CPPN:
    """Compositional pattern-producing networks (Stanley 2007): a small network of sines, bells and steps says the
    colour of each place from x, y and the distance r from the middle, so that patterns are regular, at any `side`.

    A genome has `nodes` nodes, each wired to any before it, its function among `ACTIVATIONS`, and three colours.
    Nodes wake one by one: a child changes weights and functions, and gains or loses connections.
    """

    def __init__(self, side=64, channels=3, nodes=10):
        self.side, self.channels, self.nodes = validate.positive("side", side, whole=True), channels, nodes
        line = (torch.arange(side) + 0.5) / side * 2 - 1
        y, x = torch.meshgrid(line, line, indexing="ij")
        self.inputs = torch.stack([x, y, (x.square() + y.square()).sqrt(), torch.ones_like(x)]).flatten(1)   # (4,P)
        order = torch.arange(nodes + channels)
        # (nodes+channels, 4+nodes): whom each node may listen to
        self.allowed = torch.arange(4 + nodes) < (4 + order[:, None]).clamp(max=4 + nodes)

    def draw(self, count, generator):
        shape = (count, *self.allowed.shape)
        wired = (torch.rand(shape, generator=generator) < 0.3) & self.allowed
        return {"weights": 2 * torch.randn(shape, generator=generator), "wired": wired,
                "kinds": torch.randint(len(ACTIVATIONS), shape[:2], generator=generator)}

    def mutate(self, genomes, generator):
        weights, wired, kinds = genomes["weights"], genomes["wired"], genomes["kinds"]
        changed = torch.rand(weights.shape, generator=generator) < 0.15
        weights = weights + 0.7 * torch.randn(weights.shape, generator=generator) * changed
        rewired = (torch.rand(weights.shape, generator=generator) < 0.01) & self.allowed
        other = torch.rand(kinds.shape, generator=generator) < 0.03
        drawn = torch.randint(len(ACTIVATIONS), kinds.shape, generator=generator)
        return {"weights": weights, "wired": wired ^ rewired, "kinds": torch.where(other, drawn, kinds)}

    def render(self, genomes):
        weights = genomes["weights"] * genomes["wired"]   # (N,nodes+C,4+nodes)
        count, places = len(weights), self.inputs.shape[1]
        values = torch.zeros(count, 4 + self.nodes, places)
        values[:, :4] = self.inputs
        for node in range(self.nodes):
            heard = (weights[:, node, None, :4 + node] @ values[:, :4 + node])[:, 0]   # (N,P)
            for kind, function in enumerate(ACTIVATIONS):
                own = genomes["kinds"][:, node] == kind
                if own.any():
                    values[own, 4 + node] = function(heard[own])
        colours = weights[:, self.nodes:] @ values   # (N,C,P)
        return (0.5 + 0.5 * torch.sin(colours)).view(count, self.channels, self.side, self.side)
