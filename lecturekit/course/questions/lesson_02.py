"""Lesson 2, Neighbours and t-SNE: neighbours in a layer of a network, the map's forces, the parts of a variance."""

import torch
from torch.nn import functional as F

from lecturekit.course import judging
from lecturekit.course.questions import AUTOGRAD, Kind, Mistake, Network, Question
from lecturekit.course.questions.drawing import normal, telling, uniform, whole
from lecturekit.pictures import datasets, pixels
from lecturekit.representation import embedding, tsne, variance

SHARES = variance.shares   # the answer to 02.3 may not call it by its name

# 02.1 neighbours in a layer of a network


def _shown(random, labels, side=12, spread=0.25):
    """Pictures (N,3,side,side) of the labels: each has a pattern, in which brightness and contrast vary from one to the
    next, so that cosine, dot product and distance disagree."""
    patterns = uniform(random, int(labels.max()) + 1, 3, side, side)
    contrast = 0.2 + 0.8 * uniform(random, len(labels), 1, 1, 1)
    noise = spread * normal(random, len(labels), 3, side, side)
    return (contrast * (patterns[labels] + noise) + 0.3 * uniform(random, len(labels), 1, 1, 1)).clamp(0, 1)


def _pictures(architecture, layer, k, count=24, labels=4):
    """Draws a network, pictures (N,3,12,12) and labels (N,); the layer and k are given."""
    def draw(random):
        own = torch.randint(labels, (count,), generator=random)
        return Network(architecture, whole(random, 0, 1 << 20)), _shown(random, own), own, layer, k
    return draw


def _scenes(random):
    """The course's own network on sixteen rendered scenes of four categories."""
    data = datasets.tabletop("test")
    some = torch.randperm(200, generator=random)
    labels = torch.as_tensor(data.labels)[some]
    chosen = some[labels < 4][:16]
    return (Network("resnet_s"), pixels.resize(data[chosen].images, 64), torch.as_tensor(data.labels)[chosen],
            "layer3.1.relu2", 3)


def _share(near, labels):
    return _hits(near, labels).float().mean()


def _hits(near, labels):
    return labels[near] == labels[:, None]


def _cosines(features):
    units = F.normalize(features, dim=1)
    return units @ units.T


def _without_self(similarity, instead=-1e9):
    return similarity.clone().fill_diagonal_(instead)


def _layer_precision(model, images, labels, layer, k):
    return embedding.precision_at_k(embedding.features(model, images, layer)[layer], labels, k)


def _with_hook(pool=lambda maps: maps.mean((2, 3)), similar=lambda features: _without_self(_cosines(features)),
               score=lambda near, labels: _share(near, labels), into=False, copied=True, removed=True, largest=True):
    """The precision by a hook of its own, with one of its parts exchanged: how maps (N,C,h,w) become features (N,D), how
    `similar` these are (N,N), the `score` of the neighbours, what goes `into` the layer, no copy, no removal."""
    def answer(model, images, labels, layer, k):
        kept = []
        hook = model.get_submodule(layer).register_forward_hook(
            lambda module, inputs, output: kept.append((inputs[0] if into else output).clone() if copied else output))
        with torch.no_grad():
            model(images.clone())
        if removed:
            hook.remove()
        features = pool(kept[0]) if kept[0].ndim == 4 else kept[0]
        near = similar(features).topk(k, largest=largest).indices
        return score(near, labels)
    return answer


def _vote(near, labels):
    return (labels[near].mode(1).values == labels).float().mean()


PRECISION_MISTAKES = (
    Mistake("Every picture is its own best neighbour. Take it out before you pick the k nearest.",
            _with_hook(similar=_cosines)),
    Mistake("The dot product favours long vectors. The cosine divides by both lengths first.",
            _with_hook(similar=lambda features: _without_self(features @ features.T))),
    Mistake("That is the Euclidean distance. It was to be the cosine, which ignores how long a vector is.",
            _with_hook(similar=lambda features: _without_self(-torch.cdist(features, features)))),
    Mistake("Those are the k farthest pictures: the largest cosine is the nearest.",
            _with_hook(similar=_cosines, largest=False)),
    Mistake("You count the queries with at least one hit. Precision is the share of all k that hit.",
            _with_hook(score=lambda near, labels: _hits(near, labels).any(1).float().mean())),
    Mistake("You let the k neighbours vote. Precision counts each of them.", _with_hook(score=_vote)),
    Mistake("You count the hits of a row: divide by k as well.",
            _with_hook(score=lambda near, labels: near.shape[1] * _share(near, labels))),
    Mistake("You recorded what goes into the layer: a forward hook is also handed what comes out of it.",
            _with_hook(into=True)),
    Mistake("You compare maps place by place: average each channel over the picture first, so that it does not matter "
            "where a thing stands.", _with_hook(pool=lambda maps: maps.flatten(1))),
    Mistake("You take each channel's largest value: take its mean over the places.",
            _with_hook(pool=lambda maps: maps.amax((2, 3)))),
    Mistake("You set each row's cosine with itself to 0. Where another cosine is negative, 0 still wins: it must be lower "
            "than any cosine.", _with_hook(similar=lambda features: _without_self(_cosines(features), 0))),
    Mistake("Right, but where the next layer works in place: it overwrites what your hook kept.",
            _with_hook(copied=False)),
    Mistake("Right, but your hook is still on the network: whoever uses it next runs your code, too.",
            _with_hook(removed=False)))


def _by(*numbers):
    """`draw`, until the mistakes of these numbers differ from the right answer, and no neighbour is one by a hair."""
    return lambda draw: telling(_clear(draw), _layer_precision, *(PRECISION_MISTAKES[n].solution for n in numbers))


def _clear(draw, margin=2e-5):
    """`draw`, until the last of each row's k cosines is larger than the next one by more than rounding."""
    def drawn(random):
        while True:
            model, images, labels, layer, k = draw(random)
            built, = judging.built([model])
            cosines = _without_self(_cosines(embedding.features(built, images, layer)[layer]))
            ordered = cosines.sort(1, descending=True).values
            if (ordered[:, k - 1] - ordered[:, k]).min() > margin:
                return model, images, labels, layer, k
    drawn.__name__ = draw.__name__
    return drawn


PRECISION = Question(
    "02.1", "layer_precision", points=5, minutes=15, reference=_layer_precision, mistakes=PRECISION_MISTAKES,
    bundled=("resnet_s",),
    kinds=(Kind("ordinary", "maps behind a ReLU", _by(*range(10))(_pictures("plain", "relu2", 3))),
           Kind("ordinary", "a hidden layer without places", _by(*range(8))(_pictures("deep_head", "relu2", 4))),
           Kind("edge", "one neighbour", _by(0, 1, 2, 3, 7, 8)(_pictures("residual", "block1.relu1", 1))),
           Kind("edge", "all the others are neighbours", _by(0, 10)(_pictures("curved", "fc", 6, 7, 3))),
           Kind("edge", "a layer before one that works in place", _by(0, 11)(_pictures("inplace", "conv2", 3))),
           Kind("edge", "a network that must come back without a hook", _by(0, 1, 2, 3)(_pictures("lent", "relu1", 2))),
           Kind("degenerate", "one label alone", _pictures("plain", "conv2", 5, 9, 1)),
           Kind("large", "the course's own network and scenes", _by(0)(_scenes))),
    idea="A forward hook keeps the layer's output while the network runs. Average what has places over them, make all "
         "lengths the same, and all cosines are one matrix product. Who is looking for neighbours must not find himself.",
    formula="kept = []; a forward hook does kept.append(output.clone()), the network runs, the hook is removed; features = "
            "kept[0], or kept[0].mean((2, 3)) where it has four dimensions; unit vectors, all cosines by one matrix "
            "product, minus infinity on the diagonal, topk, then the mean of labels[near] == labels[:, None].",
    without="lecturekit's `hooks` and `embedding`",
    forbidden=("precision_at_k", "neighbours", "similarity", "embedding", "hooks", "record", "features", "forward_to"))


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
