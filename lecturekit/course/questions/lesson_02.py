"""Lesson 2, Neighbours and t-SNE: precision among neighbours, the map's forces, the parts of a variance."""

import torch
from torch.nn import functional as F

from lecturekit.representation import embedding, tsne, variance
from lecturekit.course.questions import Mistake, Question

SHARES = variance.shares   # the answer to 02.3 may not call it by its name


def _generator(seed):
    return torch.Generator().manual_seed(seed)


# 02.1 precision at k

def _clusters(seed):
    """Rows around a shared offset, of very different lengths, so that cosine, dot product and distance disagree."""
    random, cases = _generator(seed), []
    for count, k in ((30, 1), (36, 3), (40, 5)):
        labels = torch.randint(4, (count,), generator=random)
        centres = torch.randn(4, 6, generator=random)
        rows = centres[labels] + torch.randn(count, 6, generator=random)
        cases.append((rows * torch.rand(count, 1, generator=random).mul(3).exp(), labels, k))
    return cases


def _share(near, labels):
    return (labels[near] == labels[:, None]).float().mean()


def _cosines(features):
    units = F.normalize(features, dim=1)
    return units @ units.T


def _apart(similarity):
    return similarity - 1e9 * torch.eye(len(similarity))


def _counts_itself(features, labels, k):
    return _share(_cosines(features).topk(k).indices, labels)


def _dot_product(features, labels, k):
    return _share(_apart(features @ features.T).topk(k).indices, labels)


def _distance(features, labels, k):
    return _share(_apart(-torch.cdist(features, features)).topk(k).indices, labels)


def _farthest(features, labels, k):
    return _share(_cosines(features).topk(k, largest=False).indices, labels)


def _any_of_them(features, labels, k):
    near = _apart(_cosines(features)).topk(k).indices
    return (labels[near] == labels[:, None]).any(1).float().mean()


# 02.2 the gradient of t-SNE

def _maps(seed):
    random, cases = _generator(seed), []
    for count in (5, 8, 12):
        joint = torch.rand(count, count, generator=random) ** 3
        joint = (joint + joint.T).fill_diagonal_(0)
        cases.append((joint / joint.sum(), torch.randn(count, 2, generator=random)))
    return cases


def _pull(joint, points, factor=4, power=1, rows=False):
    kernel = 1 / (1 + tsne.squared_distances(points))
    kernel.fill_diagonal_(0)
    total = kernel.sum(1, keepdim=True) * len(points) if rows else kernel.sum()
    force = (joint - kernel / total) * kernel ** power
    return factor * (force[:, :, None] * (points[:, None] - points[None])).sum(1)


def _gaussian_map(joint, points):
    kernel = (-tsne.squared_distances(points)).exp().fill_diagonal_(0)
    return 4 * ((joint - kernel / kernel.sum())[:, :, None] * (points[:, None] - points[None])).sum(1)


# 02.3 the parts of a variance

def _grids(seed):
    random, cases = _generator(seed), []
    for styles, views, size in ((3, 5, 4), (6, 4, 7), (2, 8, 3)):
        style = torch.randn(styles, 1, size, generator=random) * torch.tensor([3.0] + [1.0] * (size - 1))
        view = torch.randn(1, views, size, generator=random)
        rest = torch.randn(styles, views, size, generator=random)
        cases.append((5 + style + 2 * view + 0.7 * rest,))
    return cases


def variance_parts(grid):
    """Shares (style, view, residual) of the variance of features on a grid (styles, views, D)."""
    styles, views, size = grid.shape
    codes = torch.cartesian_prod(torch.arange(styles), torch.arange(views)).T
    found = SHARES(grid.reshape(-1, size), {"style": codes[0], "view": codes[1]})
    return found["style"], found["view"], found["residual"]


def _parts(centred, style, view):
    total = (centred ** 2).sum()
    return style / total, view / total, 1 - (style + view) / total


def _swapped(grid):
    style, view, residual = variance_parts(grid)
    return view, style, residual


def _unweighted(grid):
    centred = grid - grid.mean((0, 1))
    return _parts(centred, (centred.mean(1) ** 2).sum(), (centred.mean(0) ** 2).sum())


def _not_centred(grid):
    styles, views, _ = grid.shape
    return _parts(grid, views * (grid.mean(1) ** 2).sum(), styles * (grid.mean(0) ** 2).sum())


def _each_feature_alone(grid):
    parts = torch.tensor([variance_parts(grid[:, :, i:i + 1]) for i in range(grid.shape[2])])
    return tuple(parts.mean(0))


QUESTIONS = [
    Question(
        "02.1", "neighbour_precision", 5, 10, _clusters, embedding.precision_at_k,
        (
            Mistake("Every picture is its own best neighbour. Take it out before you pick the k nearest.",
                    _counts_itself),
            Mistake("The dot product favours long vectors. The cosine divides by both lengths first.", _dot_product),
            Mistake("That is the Euclidean distance. It was to be the cosine, which ignores how long a vector is.",
                    _distance),
            Mistake("Those are the k farthest pictures: the largest cosine is the nearest.", _farthest),
            Mistake("You count the queries with at least one hit. Precision is the share of all k that hit.",
                    _any_of_them),
        ),
        "Unit vectors, all cosines by one matrix product, minus infinity on the diagonal, topk, then compare labels.",
        forbidden=("precision_at_k",),
    ),
    Question(
        "02.2", "map_gradient", 5, 15, _maps, tsne.gradient,
        (
            Mistake("The direction is right, the length is not: look at the factor in front of the sum.",
                    lambda joint, points: _pull(joint, points, factor=2)),
            Mistake("The sign is turned: where p is larger than q, a step against the gradient must bring i to j.",
                    lambda joint, points: -_pull(joint, points)),
            Mistake("Each pair's force is also divided by 1 + d^2. That factor is missing.",
                    lambda joint, points: _pull(joint, points, power=0)),
            Mistake("q is normalised by the sum over all pairs, not by the sum of its own row.",
                    lambda joint, points: _pull(joint, points, rows=True)),
            Mistake("On the map, similarities fall as 1 / (1 + d^2); a Gaussian was SNE, before the t.", _gaussian_map),
        ),
        "Build the kernel 1 / (1 + d^2) with a zero diagonal, q from it, then sum (p - q) kernel (y_i - y_j) over j.",
        tolerance=1e-5, forbidden=("gradient", "backward"),
    ),
    Question(
        "02.3", "variance_parts", 5, 15, _grids, variance_parts,
        (
            Mistake("Style and view are exchanged: the mean over the views is what a style has of its own.", _swapped),
            Mistake("A style's mean stands for all its pictures: count its square once for each of them.", _unweighted),
            Mistake("Variance is measured around the mean of all pictures. Subtract that first.", _not_centred),
            Mistake("Add the squares over all features before you divide: what hardly moves must count little.",
                    _each_feature_alone),
        ),
        "Subtract the mean of all. Means over views give style, means over styles view; compare sums of squares.",
        forbidden=("shares",),
    ),
]
