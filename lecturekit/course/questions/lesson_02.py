"""Lesson 2, Neighbours and t-SNE: precision among neighbours, the map's forces, the parts of a variance."""

import torch
from torch.nn import functional as F

from lecturekit.course.questions import AUTOGRAD, Kind, Mistake, Question
from lecturekit.course.questions.drawing import normal, telling, uniform, whole
from lecturekit.representation import embedding, tsne, variance

SHARES = variance.shares   # the answer to 02.3 may not call it by its name

# 02.1 precision at k


def _clusters(count, k, spread=1.0):
    """Draws rows around a shared offset, of very different lengths, so that cosine, dot product and distance disagree."""
    def draw(random):
        labels = torch.randint(4, (count,), generator=random)
        rows = normal(random, 4, 6)[labels] + spread * normal(random, count, 6)
        return rows * uniform(random, count, 1).mul(3).exp(), labels, k
    return draw


def _apart(random):
    """Rows that nearly all point away from each other: hardly a cosine is positive."""
    rows = normal(random, 7, 12)
    rows = (rows - rows.mean(0)) * uniform(random, 7, 1).add(0.5)
    return rows, torch.tensor([0, 1, 0, 1, 2, 2, 0])[torch.randperm(7, generator=random)], 2


def _one_label(random):
    return normal(random, 9, 4), torch.full((9,), whole(random, 0, 3)), whole(random, 1, 8)


def _hits(near, labels):
    return labels[near] == labels[:, None]


def _share(near, labels):
    return _hits(near, labels).float().mean()


def _cosines(features):
    units = F.normalize(features, dim=1)
    return units @ units.T


def _without_self(similarity, instead=-1e9):
    return similarity.clone().fill_diagonal_(instead)


def _nearest(features, k):
    return _without_self(_cosines(features)).topk(k).indices


def _majority(features, labels, k):
    return (labels[_nearest(features, k)].mode(1).values == labels).float().mean()


PRECISION_MISTAKES = (
    Mistake("Every picture is its own best neighbour. Take it out before you pick the k nearest.",
            lambda features, labels, k: _share(_cosines(features).topk(k).indices, labels)),
    Mistake("The dot product favours long vectors. The cosine divides by both lengths first.",
            lambda features, labels, k: _share(_without_self(features @ features.T).topk(k).indices, labels)),
    Mistake("That is the Euclidean distance. It was to be the cosine, which ignores how long a vector is.",
            lambda features, labels, k: _share(_without_self(-torch.cdist(features, features)).topk(k).indices, labels)),
    Mistake("Those are the k farthest pictures: the largest cosine is the nearest.",
            lambda features, labels, k: _share(_cosines(features).topk(k, largest=False).indices, labels)),
    Mistake("You count the queries with at least one hit. Precision is the share of all k that hit.",
            lambda features, labels, k: _hits(_nearest(features, k), labels).any(1).float().mean()),
    Mistake("You set each row's cosine with itself to 0. Where all others are negative, 0 still wins: it must be lower "
            "than any cosine.",
            lambda features, labels, k: _share(_without_self(_cosines(features), 0).topk(k).indices, labels)),
    Mistake("You let the k neighbours vote. Precision counts each of them.", _majority),
    Mistake("You count the hits of a row: divide by k as well.",
            lambda features, labels, k: k * _share(_nearest(features, k), labels)))


def _telling(draw, *numbers):
    wrong = (PRECISION_MISTAKES[number].solution for number in numbers or range(len(PRECISION_MISTAKES)))
    return telling(draw, embedding.precision_at_k, *wrong)


PRECISION = Question(
    "02.1", "neighbour_precision", points=5, minutes=10, reference=embedding.precision_at_k,
    mistakes=PRECISION_MISTAKES,
    kinds=(Kind("ordinary", "three neighbours", _telling(_clusters(36, 3), 0, 1, 2, 3, 4, 6, 7)),
           Kind("ordinary", "five neighbours", _telling(_clusters(40, 5), 0, 1, 2, 3, 4, 6, 7)),
           Kind("edge", "one neighbour", _telling(_clusters(30, 1), 0, 1, 2, 3)),
           Kind("edge", "rows that point away from each other", _telling(_apart, 5)),
           Kind("degenerate", "one label alone", _one_label),
           Kind("large", "many rows", _telling(_clusters(150, 10), 0, 1, 2, 3, 4, 6, 7))),
    idea="Make the lengths the same, and all cosines are one matrix product. Who is looking for neighbours must not "
         "find himself. Then compare labels.",
    formula="Unit vectors, all cosines by one matrix product, minus infinity on the diagonal, topk, then the mean of "
            "labels[near] == labels[:, None].",
    without="lecturekit's `embedding.precision_at_k` and `embedding.neighbours`",
    forbidden=("precision_at_k", "neighbours"))


# 02.2 the gradient of t-SNE


def _map(count, spread=1.0):
    def draw(random):
        joint = uniform(random, count, count) ** 3
        joint = (joint + joint.T).fill_diagonal_(0)
        return joint / joint.sum(), spread * normal(random, count, 2)
    return draw


def _one_place(random):
    joint, points = _map(5)(random)
    return joint, points[:1].repeat(5, 1)


def _pull(joint, points, factor=4, power=1, rows=False, itself=False, mean=False):
    kernel = 1 / (1 + tsne.squared_distances(points))
    kernel.fill_diagonal_(float(itself))
    total = kernel.sum(1, keepdim=True) * len(points) if rows else kernel.sum()
    force = (joint - kernel / total) * kernel ** power
    every = force[:, :, None] * (points[:, None] - points[None])
    return factor * (every.mean(1) if mean else every.sum(1))


def _gaussian_map(joint, points):
    kernel = (-tsne.squared_distances(points)).exp().fill_diagonal_(0)
    return 4 * ((joint - kernel / kernel.sum())[:, :, None] * (points[:, None] - points[None])).sum(1)


def _not_normalised(joint, points):
    kernel = (1 / (1 + tsne.squared_distances(points))).fill_diagonal_(0)
    return 4 * (((joint - kernel) * kernel)[:, :, None] * (points[:, None] - points[None])).sum(1)


FORCE = Question(
    "02.2", "map_gradient", points=5, minutes=15, reference=tsne.gradient, tolerance=1e-5,
    kinds=(Kind("ordinary", "a few points", _map(5)),
           Kind("edge", "three points", _map(3)),
           Kind("edge", "points far apart", _map(8, spread=6.0)),
           Kind("degenerate", "all points at one place", _one_place),
           Kind("large", "many points", _map(30))),
    idea="Every other point pulls or pushes: its force has the direction of the difference, and the size (p - q) / "
         "(1 + d^2). Build q from the distances on the map first; no point has a force on itself.",
    formula="Build the kernel 1 / (1 + d^2) with a zero diagonal, q from it, then 4 times the sum of (p - q) kernel "
            "(y_i - y_j) over j.",
    mistakes=(
        Mistake("The direction is right, the length is not: look at the factor in front of the sum.",
                lambda joint, points: _pull(joint, points, factor=2)),
        Mistake("The sign is turned: where p is larger than q, a step against the gradient must bring i to j.",
                lambda joint, points: -_pull(joint, points)),
        Mistake("Each pair's force is also divided by 1 + d^2. That factor is missing.",
                lambda joint, points: _pull(joint, points, power=0)),
        Mistake("q is normalised by the sum over all pairs, not by the sum of its own row.",
                lambda joint, points: _pull(joint, points, rows=True)),
        Mistake("On the map, similarities fall as 1 / (1 + d^2); a Gaussian was SNE, before the t.", _gaussian_map),
        Mistake("You counted each point as similar to itself: q is over pairs of different points.",
                lambda joint, points: _pull(joint, points, itself=True)),
        Mistake("Your q does not sum to 1: divide by the sum over all pairs.", _not_normalised),
        Mistake("You average over the other points: their forces add up.",
                lambda joint, points: _pull(joint, points, mean=True))),
    without="autograd, and lecturekit's own `tsne.gradient`",
    forbidden=("gradient", *AUTOGRAD))


# 02.3 the parts of a variance


def _grid(styles, views, size, rest=0.7, style=1.0):
    def draw(random):
        of_style = style * normal(random, styles, 1, size) * torch.tensor([3.0] + [1.0] * (size - 1))
        return 5 + of_style + 2 * normal(random, 1, views, size) + rest * normal(random, styles, views, size),
    return draw


def _parted(grid):
    """Shares (style, view, residual) of the variance of features on a grid (styles, views, D)."""
    styles, views, size = grid.shape
    codes = torch.cartesian_prod(torch.arange(styles), torch.arange(views)).T
    found = SHARES(grid.reshape(-1, size), {"style": codes[0], "view": codes[1]})
    return found["style"], found["view"], found["residual"]


def _parts(centred, style, view):
    total = (centred ** 2).sum()
    return style / total, view / total, 1 - (style + view) / total


def _unweighted(grid):
    centred = grid - grid.mean((0, 1))
    return _parts(centred, (centred.mean(1) ** 2).sum(), (centred.mean(0) ** 2).sum())


def _not_centred(grid):
    styles, views, _ = grid.shape
    return _parts(grid, views * (grid.mean(1) ** 2).sum(), styles * (grid.mean(0) ** 2).sum())


def _each_feature_alone(grid):
    return tuple(torch.tensor([_parted(grid[:, :, i:i + 1]) for i in range(grid.shape[2])]).mean(0))


def _swapped(grid):
    style, view, residual = _parted(grid)
    return view, style, residual


def _all_but_style(grid):
    style, view, _ = _parted(grid)
    return style, view, 1 - style


def _absolute(grid):
    styles, views, _ = grid.shape
    centred = grid - grid.mean((0, 1))
    total = centred.abs().sum()
    style, view = views * centred.mean(1).abs().sum() / total, styles * centred.mean(0).abs().sum() / total
    return style, view, 1 - style - view


def _one_mean(grid):
    """The mean of all numbers taken off, features mixed."""
    styles, views, _ = grid.shape
    centred = grid * torch.linspace(1, 1, grid.shape[2]) - grid.mean()
    return _parts(centred, views * (centred.mean(1) ** 2).sum(), styles * (centred.mean(0) ** 2).sum())


PARTS = Question(
    "02.3", "variance_parts", points=5, minutes=15, reference=_parted,
    kinds=(Kind("ordinary", "a few styles and views", _grid(3, 5, 4)),
           Kind("edge", "as many styles as views", _grid(4, 4, 6)),
           Kind("edge", "one feature", _grid(6, 4, 1)),
           Kind("degenerate", "nothing left over", _grid(4, 3, 5, rest=0.0)),
           Kind("degenerate", "no style", _grid(3, 6, 4, rest=0.3, style=0.0)),
           Kind("large", "many features", _grid(12, 9, 40))),
    idea="Subtract the mean of all. What a style has of its own is its mean over the views, and it stands for all of "
         "the style's pictures. A share compares sums of squares, over all features.",
    formula="centred = grid - grid.mean((0, 1)); style = views * (centred.mean(1) ** 2).sum(), view = styles * "
            "(centred.mean(0) ** 2).sum(), both divided by (centred ** 2).sum(); the residual is what is left of 1.",
    mistakes=(
        Mistake("Style and view are exchanged: the mean over the views is what a style has of its own.", _swapped),
        Mistake("A style's mean stands for all its pictures: count its square once for each of them.", _unweighted),
        Mistake("Variance is measured around the mean of all pictures. Subtract that first.", _not_centred),
        Mistake("Add the squares over all features before you divide: what hardly moves must count little.",
                _each_feature_alone),
        Mistake("Your residual still holds what belongs to the views.", _all_but_style),
        Mistake("You add absolute values: parts of a variance are sums of squares.", _absolute),
        Mistake("You subtract one mean of all the numbers: every feature has a mean of its own.", _one_mean),
        Mistake("You take roots: a share of the variance is one of squares.",
                lambda grid: tuple(part.clamp(min=0).sqrt() for part in map(torch.as_tensor, _parted(grid))))),
    without="lecturekit's own `variance.shares`", forbidden=("shares",))

QUESTIONS = [PRECISION, FORCE, PARTS]
