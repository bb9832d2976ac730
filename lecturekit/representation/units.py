"""Units: the images that make each one respond most, and what these images have in common.

A unit is a channel of a layer; its response to an image is the largest value of its map. The same questions are asked
of random directions of the layer: what they answer as well is a property of the layer, not of its units
(Szegedy et al. 2014, section 3).
"""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.networks import hooks, layout


@dataclass(frozen=True)
class Top:
    """For each unit its k strongest responses, strongest first, all tensors (units, k).

    values of the activation, index of the image, row and column on the layer's map
    """

    values: torch.Tensor
    images: torch.Tensor
    rows: torch.Tensor
    cols: torch.Tensor


def top(model, images, layer, k=9, batch=64, reshape=None):
    """The k of images (N,C,H,W) to which each unit of a layer responds most, each with the place: a Top. `reshape` makes
    maps of what the layer gives, if it gives others (`layout`)."""
    validate.images(images)
    if not 1 <= validate.positive("k", k, whole=True) <= len(images):
        raise ValueError(f"k: got {k}. It takes a number from 1 to the {len(images)} images.")
    form = layout.channels(images, reshape)
    values, places = zip(*(_strongest(hooks.features(model, chunk, layer, form=form)) for chunk in images.split(batch)))
    best = torch.cat(values).topk(k, 0)                                             # (k,units)
    rows, cols = (torch.cat(axis).gather(0, best.indices).t() for axis in zip(*places))
    return Top(best.values.t(), best.indices.t(), rows, cols)


def responses(model, images, layers, batch=64, reshape=None):
    """{layer: (N,units)}, the largest value of each unit's map for images (N,C,H,W), from one pass over them."""
    form = layout.channels(validate.images(images), reshape)
    return hooks.features(model, images, list(layers), lambda maps: _strongest(maps)[0], batch, form)


def _strongest(maps):
    """For each image and unit of maps (N,C,H,W) or (N,C) the largest value (N,C) and its (rows, cols)."""
    maps = maps if maps.ndim == 4 else maps[..., None, None]
    best = maps.flatten(2).max(2)
    return best.values, (best.indices // maps.shape[-1], best.indices % maps.shape[-1])


def random_directions(features, count, seed=0):
    """Features (N,D) seen along `count` random unit directions: (N,count)."""
    validate.positive("count", count, whole=True)
    directions = torch.randn(features.shape[1], count, generator=torch.Generator().manual_seed(seed))
    return features @ F.normalize(directions, dim=0).to(features)


def purity(scores, labels, k=9):
    """The share of the most frequent label among the k highest scores: (D,) for scores (N,D), a scalar for (N,)."""
    if len(scores) != len(labels):
        raise ValueError(f"labels: got {len(labels)} of them for {len(scores)} scores. It takes one for each.")
    if not 1 <= validate.positive("k", k, whole=True) <= len(labels):
        raise ValueError(f"k: got {k}. It takes a number from 1 to the {len(labels)} scores.")
    chosen = labels[scores.topk(k, 0).indices]                                      # (k,...) labels
    return F.one_hot(chosen).sum(0).amax(-1) / k


def chance_purity(labels, k=9, draws=1000, seed=0):
    """The mean purity of k images drawn at random: what a unit that knows nothing of the categories reaches."""
    scores = torch.rand(len(labels), draws, generator=torch.Generator().manual_seed(seed))
    return float(purity(scores, labels, k).mean())
