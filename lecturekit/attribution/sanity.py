"""Does a map depend on what the network learnt? Cascading randomisation of the weights (Adebayo et al. 2018).

A method whose map stays the same when the weights are drawn anew, layer upon layer from the top, does not explain the
network that it was given.
"""

import numpy as np
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from lecturekit import validate
from lecturekit.networks import models, running
from lecturekit.show.bar import bar

KINDS = ("rank", "absolute rank", "ssim")
FEWEST = 5    # blocks, where the network has so many layers
WINDOW = 7    # px, the side of the squares that SSIM compares


def cascade(model, seed=0):
    """The network with its last block drawn anew, then with the last two, and so on down to the first.

    Yields (name of the block that was drawn last, model), each model a copy of its own; `model` stays as it was.
    """
    groups = blocks(model)
    seeds = torch.randint(2 ** 31, (len(groups),), generator=torch.Generator().manual_seed(seed)).tolist()
    for group, own in zip(reversed(groups), seeds):
        model = models.randomised(model, own, group)
        yield group[0], model


def blocks(model):
    """The parts of a network that have weights, first to last: lists of layer names, for randomisation one by one.

    The network is taken apart level by level until there are at least five. Batch norm belongs to what is before it;
    parameters that stand in no layer, such as a class token, to the first.
    """
    running.layers(model)   # a scripted network shows none
    names = _children(model, "")
    if not names:
        raise ValueError(f"model: got {type(model).__name__} without layers that have weights. It takes one with them.")
    while len(_with_their_norm(model, names)) < FEWEST and (lower := _one_level_down(model, names)) != names:
        names = lower
    first, *others = _with_their_norm(model, names)
    return [first + _loose(model, names), *others]


def _loose(model, names):
    """The names of the parameters outside of these layers."""
    return [loose for loose, _ in model.named_parameters() if not loose.startswith(tuple(f"{name}." for name in names))]


def curves(model, images, target, methods, seed=0, kind="rank"):
    """How alike the maps stay to those of the given network as it is randomised from the top (`cascade`).

    `methods`: {name: function of (model, images, target) that gives maps (N,H,W)}. Returns the names of the steps and,
    for each method, the mean similarity (steps + 1,): 1 for the network as it is, then one value for each step. A
    method passes if it falls towards 0.
    """
    validate.one_of("kind", kind, KINDS)
    if not len(validate.images(images)):
        raise ValueError("images: got none. It takes at least one image.")
    first = {name: method(model, images, target) for name, method in methods.items()}
    steps, values = [], {name: [similarity(maps, maps, kind).mean()] for name, maps in first.items()}
    for step, drawn in bar(cascade(model, seed), total=len(blocks(model))):
        steps.append(step)
        for name, method in methods.items():
            values[name].append(similarity(first[name], method(drawn, images, target), kind).mean())
    return steps, {name: torch.stack(means) for name, means in values.items()}


def similarity(maps, others, kind="rank"):
    """How alike two maps (N,H,W) are: (N,), 1 for equal ones; 0 where one of the two is constant.

    "rank": Spearman's correlation of the pixels, "absolute rank": that of their absolute values, "ssim": structural
    similarity (Wang et al. 2004) of the maps scaled to [0,1], in squares of 7 px.
    """
    validate.one_of("kind", kind, KINDS)
    validate.maps(others, validate.maps(maps).shape, "others")
    ours, theirs = (got.detach().cpu().double().numpy() for got in (maps, others))
    if kind == "absolute rank":
        ours, theirs = np.abs(ours), np.abs(theirs)
    compare = _ssim if kind == "ssim" else _spearman
    varied = [np.ptp(one) > 0 < np.ptp(other) for one, other in zip(ours, theirs)]
    scores = [compare(one, other) if both else 0.0 for one, other, both in zip(ours, theirs, varied)]
    return torch.tensor(scores, dtype=torch.float32)


def _spearman(one, other):
    from scipy.stats import rankdata   # seconds to import
    return np.corrcoef(rankdata(one), rankdata(other))[0, 1]


def _ssim(one, other):
    if min(one.shape) < WINDOW:
        raise ValueError(f"maps: got {one.shape[0]}x{one.shape[1]} px. SSIM takes at least {WINDOW}x{WINDOW} px.")
    one, other = ((values - values.min()) / np.ptp(values) for values in (one, other))
    from skimage.metrics import structural_similarity   # seconds to import
    return structural_similarity(one, other, win_size=WINDOW, data_range=1)


def _one_level_down(model, names):
    """The names of the children with weights, in the place of their parents."""
    return [child for name in names for child in _children(model, name) or [name]]


def _children(model, name):
    children = model.get_submodule(name).named_children()
    return [f"{name}.{child}".lstrip(".") for child, module in children if next(module.parameters(), None) is not None]


def _with_their_norm(model, names):
    groups = []
    for name in names:
        if groups and isinstance(model.get_submodule(name), _BatchNorm):
            groups[-1].append(name)
        else:
            groups.append([name])
    return groups
