"""Fitting at the scale of a lesson: a linear probe on fixed features, and fine-tuning of all weights in seconds."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.networks import hooks
from lecturekit.representation.embedding import features, pooled, vectors


def linear_probe(inputs, labels, classes=None, penalty=1e-3, steps=100):
    """Softmax regression from inputs (N,D) to labels (N,): the nn.Linear that minimises the mean cross-entropy plus
    penalty / 2 * |weights|^2, for inputs scaled to unit variance. Convex, started at zero, so there is no seed.
    """
    validate.positive("penalty", penalty)
    labels = _labels(vectors(inputs, "inputs"), labels, classes)
    classes = classes or int(labels.max()) + 1
    centre, scale = inputs.mean(0), inputs.std(0, correction=0)
    scale = torch.where(scale > 1e-6, scale, 1)
    scaled = (inputs - centre) / scale
    head = zero_head(inputs.shape[1], classes)
    _minimise(head, lambda: F.cross_entropy(head(scaled), labels) + penalty / 2 * (head.weight ** 2).sum(), steps)
    with torch.no_grad():
        head.weight /= scale
        head.bias -= head.weight @ centre
    return head.requires_grad_(False)


def zero_head(inputs, classes):
    """An nn.Linear of zeros: every class equally probable, so its cross-entropy is ln(classes)."""
    head = nn.Linear(inputs, classes)
    nn.init.zeros_(head.weight), nn.init.zeros_(head.bias)
    return head


def _minimise(module, objective, steps):
    optimiser = torch.optim.LBFGS(module.parameters(), max_iter=steps, history_size=20, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = objective()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimiser.step(closure)


def _labels(inputs, labels, classes):
    if not len(inputs):
        raise ValueError("labels: got none. It takes at least one picture to learn from.")
    classes = classes or int(torch.as_tensor(labels).max()) + 1
    return validate.targets(labels, len(inputs), classes, "labels")


class Headed(nn.Module):
    """A network up to `layer`, each channel averaged over the picture, then `head`, such as a `linear_probe`'s."""

    def __init__(self, body, layer, head):
        super().__init__()
        self.body, self.layer, self.head = body, layer, head

    def forward(self, images):
        return self.head(pooled(hooks.forward_to(self.body, images, self.layer)))


def fine_tune(model, layer, images, labels, classes, steps=20, rate=1e-4, batch=16, seed=0):
    """Train a copy of `model` up to `layer` with a linear head on images (N,3,H,W) and labels (N,): all weights move.

    The head starts as a `linear_probe`, so that its first errors do not tear the features (Kumar et al. 2022), and
    batch norm keeps its statistics; AdamW, a rate that warms up and falls to zero, batches drawn anew for each of
    `steps`. Returns a frozen `Headed`; the model itself stays as it was.
    """
    labels = _labels(validate.images(images), labels, classes)
    head = linear_probe(features(model, images, layer)[layer], labels, classes)
    network = Headed(copy.deepcopy(model), layer, head).requires_grad_(True).eval()
    optimiser = torch.optim.AdamW(network.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.2)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = torch.randperm(len(images), generator=generator)[:batch]
        with torch.enable_grad():
            loss = F.cross_entropy(network(images[chosen]), labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.requires_grad_(False)


@torch.no_grad()
def accuracy(classifier, inputs, labels, batch=256):
    """Share of inputs (features (N,D) or images (N,3,H,W)) whose largest output is their label (N,)."""
    guesses = torch.cat([classifier(chunk).argmax(1) for chunk in inputs.split(batch)])
    return (guesses == torch.as_tensor(labels)).float().mean().item()


def few(labels, each, seed=0):
    """Indices of `each` pictures of every class in labels (N,), drawn from `seed`; all of a class that has fewer."""
    validate.positive("each", each, whole=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    shuffled = torch.as_tensor(labels)[order]
    return torch.cat([order[(shuffled == c).nonzero().flatten()[:each]] for c in shuffled.unique()])
