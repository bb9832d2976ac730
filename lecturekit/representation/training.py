"""Fitting at the scale of a lesson: a linear probe on fixed features, and fine-tuning of all weights in seconds."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.networks import hooks, layout, running
from lecturekit.representation.embedding import features, pooled, vectors


@running.differentiable()
def linear_probe(inputs, labels, classes=None, penalty=1e-3, steps=100):
    """Softmax regression from inputs (N,D) to labels (N,): the nn.Linear that minimises the mean cross-entropy plus
    penalty / 2 * |weights|^2, for inputs scaled to unit variance. Convex, started at zero, so there is no seed.
    """
    validate.positive("penalty", penalty)
    labels = _labels(vectors(inputs, "inputs"), labels, classes)
    classes, dtype = classes or int(labels.max()) + 1, inputs.dtype
    inputs = validate.ordinary(inputs if dtype == torch.float64 else inputs.float()).detach()
    centre, scale = inputs.mean(0), inputs.std(0, correction=0)
    scale = torch.where(scale > 1e-6, scale, 1)
    scaled = (inputs - centre) / scale
    head = zero_head(inputs.shape[1], classes).to(inputs)
    _minimise(head, lambda: F.cross_entropy(head(scaled), labels) + penalty / 2 * (head.weight ** 2).sum(), steps)
    with torch.no_grad():
        head.weight /= scale
        head.bias -= head.weight @ centre
    return head.requires_grad_(False).to(dtype)


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

    optimiser.step(closure)


def _labels(inputs, labels, classes):
    if not len(inputs):
        raise ValueError("labels: got none. It takes at least one picture to learn from.")
    classes = classes or int(torch.as_tensor(labels).max()) + 1
    return validate.targets(labels, len(inputs), classes, "labels").to(inputs.device)


class Headed(nn.Module):
    """A network up to `layer`, each channel averaged over the picture, then `head`, such as a `linear_probe`'s. `reshape`
    makes maps of what the layer gives, if it gives others (`layout`)."""

    def __init__(self, body, layer, head, reshape=None):
        super().__init__()
        self.body, self.layer, self.head, self.reshape = body, layer, head, reshape

    def forward(self, images):
        form = layout.channels(images, self.reshape)
        return self.head(pooled(hooks.reached(self.body, images, [self.layer], form)[self.layer]))


@running.differentiable()
def fine_tune(model, layer, images, labels, classes, steps=20, rate=1e-4, batch=16, seed=0, reshape=None):
    """Train a copy of `model` up to `layer` with a linear head on images (N,3,H,W) and labels (N,): all weights move.

    The head starts as a `linear_probe`, so that its first errors do not tear the features (Kumar et al. 2022), and
    batch norm keeps its statistics; AdamW, a rate that warms up and falls to zero, batches drawn anew for each of
    `steps`. Returns a frozen `Headed`; the model itself stays as it was.
    """
    labels = _labels(validate.images(images), labels, classes)
    head = linear_probe(features(model, images, layer, reshape=reshape)[layer], labels, classes)
    network = Headed(copy.deepcopy(model), layer, head, reshape).requires_grad_(True).eval()
    with running.entered(network):
        _tune(network, validate.ordinary(images), labels, steps, rate, batch, seed)
    return network.requires_grad_(False)


def _tune(network, images, labels, steps, rate, batch, seed):
    optimiser = torch.optim.AdamW(network.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.2)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = torch.randperm(len(images), generator=generator)[:batch]
        loss = F.cross_entropy(network(images[chosen]), labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def accuracy(classifier, inputs, labels, batch=256):
    """Share of inputs (features (N,D) or images (N,C,H,W)) whose largest logit is that of their label (N,)."""
    guesses = running.logits(classifier, inputs, batch).argmax(1).cpu()
    return (guesses == torch.as_tensor(labels).cpu()).float().mean().item()


def few(labels, each, seed=0):
    """Indices of `each` pictures of every class in labels (N,), drawn from `seed`; all of a class that has fewer."""
    validate.positive("each", each, whole=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    shuffled = torch.as_tensor(labels)[order]
    return torch.cat([order[(shuffled == c).nonzero().flatten()[:each]] for c in shuffled.unique()])
