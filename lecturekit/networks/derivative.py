"""The backward step that receptive fields, attribution and objectives share: how a score changes with the images."""

import torch

from lecturekit import validate
from lecturekit.networks import hooks, running
from lecturekit.networks.running import BATCH

SCORES = ("logit", "probability")


def chosen(logits, target, score="logit"):
    """The target's logit or probability, (N,), from logits (N,classes)."""
    if validate.one_of("score", score, SCORES) == "probability" and logits.shape[1] < 2:
        raise ValueError(f"score: got {score!r} for a model of one class. It takes 'logit' there.")
    target = validate.targets(target, len(logits), logits.shape[1]).to(logits.device)
    scores = logits if score == "logit" else logits.softmax(1)
    return scores.gather(1, target[:, None])[:, 0]


def differentiate(model, images, score, layer=None, batch=BATCH):
    """(values, gradients): the values of the images (N,C,H,W), or of the output of `layer`, and the gradient of a score
    there, two tensors of one shape.

    `score(images, rows)` runs the model on some rows of the images and gives a number for each. The model runs in eval
    mode and is left as it was; a layer that runs more than once counts with its last output.
    """
    validate.positive("batch", batch, whole=True)
    rows = torch.arange(len(images))
    with running.entered(model, gradients=True):
        parts = [_derivative(model, images[some], lambda leaf, some=some: score(leaf, some), layer)
                 for some in (rows.split(batch) if len(rows) else [rows])]
    values, gradients = zip(*parts)
    return torch.cat(values), torch.cat(gradients)


def _derivative(model, images, score, layer):
    leaf, = running.chunks(images.detach().clone(), max(1, len(images)))
    with hooks.record(model, layer or (), cut=True) as outputs:   # no graph for what comes before the layer
        total = score(leaf.requires_grad_(layer is None)).sum()
    at = leaf if layer is None else outputs.get(layer)
    if at is None:
        raise hooks.unreached([layer])
    if not total.requires_grad:
        raise ValueError("model: the score does not depend on the images by differentiable operations.")
    gradient, = torch.autograd.grad(total, at, allow_unused=True, materialize_grads=True)
    return at.detach()[:len(images)], gradient[:len(images)]   # of no image, a blank one is run
