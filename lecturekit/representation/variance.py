"""Which factor of the scene moves the features? Analysis of variance on rendered grids (Aubry and Russell 2015)."""

import numpy as np
import torch

from lecturekit import validate
from lecturekit.representation.embedding import pca, vectors


def group_means(features, codes):
    """The mean of features (N,D) over all rows with the same code (N,), given back to each of those rows. (N,D)"""
    codes = torch.as_tensor(codes)
    counts = torch.bincount(codes).clamp(min=1)[:, None]
    sums = features.new_zeros(len(counts), features.shape[1]).index_add_(0, codes, features)
    return (sums / counts)[codes]


def shares(features, factors, within=None):
    """How much of the variance of features (N,D) each factor explains: {factor: share, ..., "residual": share}.

    `factors` {name: values (N,)} must form a full grid: every combination equally often. Then the shares and the
    residual (what only combinations of factors explain) sum to 1. With `within`, the name of a factor, all others
    are nested in it: "chair 3" has nothing in common with "mug 3", so means are taken inside each category.
    """
    codes = _full_grid(vectors(features), factors)
    if within is not None:
        validate.one_of("within", within, factors)
    rest = (features - features.mean(0)).double()
    total = (rest ** 2).sum().clamp(min=1e-300)
    outer = group_means(rest, codes[within]) if within else torch.zeros_like(rest)
    explained = {within: (outer ** 2).sum()} if within else {}
    rest = rest - outer
    for name in [name for name in codes if name != within]:
        inside = codes[name] + (codes[within] * (codes[name].max() + 1) if within else 0)
        part = group_means(rest, inside)
        explained[name], rest = (part ** 2).sum(), rest - part
    explained["residual"] = (rest ** 2).sum()
    return {name: (value / total).item() for name, value in explained.items()}


def dimension(features, share=0.95):
    """The intrinsic dimension of features (N,D) as Aubry and Russell (2015) count it: the least number of principal
    components that hold `share` (0 to 1) of their variance. 0 where nothing varies."""
    if not 0 < share <= 1:
        raise ValueError(f"share: got {share}. It takes a number above 0, up to 1.")
    held = pca(features, min(vectors(features).shape))[1].double().cumsum(0)
    return int((held < share * held[-1] - 1e-6).sum()) + 1 if held[-1] > 0 else 0


def _full_grid(features, factors):
    """{factor: codes (N,) long} after the check that every combination occurs equally often."""
    codes = {}
    for name, values in factors.items():
        if len(values) != len(features):
            raise ValueError(f"{name}: got {len(values)} values. It takes one for each of {len(features)} features.")
        codes[name] = torch.from_numpy(np.unique(np.asarray(values), return_inverse=True)[1])
    sizes = [int(c.max()) + 1 for c in codes.values()]
    joint = np.ravel_multi_index([c.numpy() for c in codes.values()], sizes)
    counts = np.bincount(joint, minlength=np.prod(sizes))
    if (counts != counts[0]).any():
        raise ValueError(f"factors: got {' x '.join(map(str, sizes))} levels of {', '.join(codes)} with {counts.min()} "
                         f"to {counts.max()} pictures a combination. It takes a full grid, all equally often.")
    return codes
