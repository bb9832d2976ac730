"""Attacks on classifiers that are no networks: scikit-learn's linear models, SVC, trees and nearest neighbours.

All ask for the smallest change of an input (N,D) in [0,1] that changes the label. A linear model's boundary is met in
closed form, a tree's by visiting its leaves; the others are linearised again and again (Moosavi-Dezfooli et al. 2016).
"""

from dataclasses import dataclass

import numpy as np

from lecturekit import validate
from lecturekit.moving.projections import NORMS

TINY = 1e-6     # how far beyond a linear boundary
BEYOND = 0.1    # and beyond one that is not, as a share of the gap, more in each round


@dataclass(frozen=True)
class Nearest:
    """The changed inputs (N,D) and their distances (N,) from the originals: 0 where the label was wrong from the
    start, infinite, and the input as it was, where no change was found."""

    inputs: np.ndarray
    distances: np.ndarray


def linear_distances(weights, biases, inputs, labels, norm="linf"):
    """Distance (N,) of inputs (N,D) to the boundary of a linear classifier (C,D), (C,): the least over the rivals t of
    (score_y - score_t) / |w_y - w_t|, with the 1-norm for "linf"; negative where the label is wrong. No box."""
    validate.one_of("norm", norm, NORMS)
    scores = inputs @ weights.T + biases   # (N,C)
    rows = np.arange(len(inputs))
    gaps = scores[rows, labels][:, None] - scores
    lengths = np.linalg.norm(weights[labels][:, None] - weights, 1 if norm == "linf" else 2, axis=2)   # (N,C)
    gaps[rows, labels], lengths[rows, labels] = np.inf, 1
    return (gaps / np.maximum(lengths, 1e-300)).min(1)


def nearest(estimator, inputs, labels, norm="linf", target=None, rounds=8):
    """The smallest change found that gives inputs (N,D) in [0,1] another label than `labels` (N,), or the label
    `target`, within [0,1]: `Nearest`.

    `estimator`: a fitted linear model, SVC with rbf kernel, DecisionTreeClassifier or KNeighborsClassifier. Exact for
    trees and, without a target, for linear models; else an upper bound, better with more `rounds`.
    """
    validate.one_of("norm", norm, NORMS)
    validate.positive("rounds", rounds, whole=True)
    inputs, labels = _inputs(estimator, inputs), _classes(estimator, labels, len(inputs), "labels")
    rivals = np.arange(len(estimator.classes_))
    if target is not None:
        rivals = _classes(estimator, target, 1, "target")
    done = estimator.predict(inputs) != estimator.classes_[labels]
    if target is not None:
        done = estimator.predict(inputs) == target
    best = Nearest(inputs, np.where(done, 0, np.inf))
    exact = hasattr(estimator, "tree_") or hasattr(estimator, "coef_") and target is None
    if hasattr(estimator, "tree_"):
        candidates = [_nearest_leaf(estimator, inputs, labels, rivals, norm)]
    elif target is not None:
        candidates = _towards(estimator, inputs, rivals[0], norm, rounds)
    else:
        candidates = _beyond(estimator, inputs, labels, norm, 1 if exact else rounds)
    for found in candidates:
        best = _nearer(best, found, inputs, _fooled(estimator, found, labels, rivals), norm)
    return best if exact else _back(estimator, inputs, best, labels, rivals, norm)


def _nearer(best, found, inputs, hit, norm):
    """The nearer of `best` and, where they hit, `found`."""
    changes = found - inputs
    lengths = np.abs(changes).max(1) if norm == "linf" else np.linalg.norm(changes, axis=1)
    distances = np.where(hit, lengths, np.inf)
    nearer = distances < best.distances
    return Nearest(np.where(nearer[:, None], found, best.inputs), np.minimum(distances, best.distances))


def _back(estimator, inputs, best, labels, rivals, norm):
    """Halfway back to the inputs, and so on, as long as the label stays changed."""
    low, high = np.zeros((len(inputs), 1)), np.ones((len(inputs), 1))
    for _ in range(10):
        middle = (low + high) / 2
        hit = _fooled(estimator, inputs + middle * (best.inputs - inputs), labels, rivals)[:, None]
        low, high = np.where(hit, low, middle), np.where(hit, middle, high)
    found = inputs + high * (best.inputs - inputs)
    return _nearer(best, found, inputs, _fooled(estimator, found, labels, rivals), norm)


def _inputs(estimator, inputs):
    inputs = np.asarray(inputs, np.float64)
    if inputs.ndim != 2 or inputs.shape[1] != estimator.n_features_in_ or not np.isfinite(inputs).all():
        raise ValueError(f"inputs: got shape {inputs.shape}. It takes finite numbers (N,{estimator.n_features_in_}).")
    if inputs.size and (inputs.min() < 0 or inputs.max() > 1):
        raise ValueError(f"inputs: got values from {inputs.min():.3g} to {inputs.max():.3g}. It takes them in [0,1].")
    return inputs


def _classes(estimator, labels, count, argument):
    """The places of `labels` among the estimator's classes, (count,)."""
    labels = np.broadcast_to(np.asarray(labels), (count,)) if np.ndim(labels) == 0 else np.asarray(labels)
    unknown = ~np.isin(labels, estimator.classes_)
    if unknown.any() or labels.shape != (count,):
        got = labels[unknown].tolist() if unknown.any() else f"shape {labels.shape}"
        raise ValueError(f"{argument}: got {got}. It takes {count} of the classes {estimator.classes_.tolist()}.")
    return np.searchsorted(estimator.classes_, labels)


def _fooled(estimator, inputs, labels, rivals):
    guesses = np.searchsorted(estimator.classes_, estimator.predict(inputs))
    return (guesses != labels) & np.isin(guesses, rivals)


# ---------------------------------------------------------------- smooth boundaries


def _beyond(estimator, inputs, labels, norm, rounds):
    """For each rival, where the boundary would lie if the margin were linear; from there again, ever further beyond."""
    margin = _margin_of(estimator)
    for rival in range(len(estimator.classes_)):
        points = inputs
        for number in range(rounds):
            gap, slope = margin(points, labels, rival)
            gap_at_inputs = gap + ((inputs - points) * slope).sum(1)
            points = inputs + _least(inputs, gap_at_inputs * (1 + BEYOND * number), -slope, norm)
            yield points


def _towards(estimator, inputs, target, norm, rounds):
    """In each round beyond the boundary between the target and whichever label the points have now."""
    margin, points = _margin_of(estimator), inputs
    for _ in range(rounds):
        guesses = np.searchsorted(estimator.classes_, estimator.predict(points))
        gap, slope = margin(points, guesses, target)
        points = points + _least(points, (1 + BEYOND) * gap, -slope, norm)
        yield points


def _least(inputs, gap, uphill, norm):
    """The least changes (N,D) that win `gap` (N,) in the directions `uphill` (N,D) and keep within [0,1]."""
    direction = np.sign(uphill) if norm == "linf" else uphill
    length = np.maximum(np.abs(direction).max(1, keepdims=True), 1e-300)
    smallest = np.where(direction, np.abs(direction), np.inf).min(1, keepdims=True)
    low, high = np.zeros_like(length), 1 / smallest.clip(1e-9)   # there, every value is at the end of its range
    for _ in range(60):
        middle = (low + high) / 2
        won = ((inputs + middle * direction).clip(0, 1) - inputs) * uphill
        enough = won.sum(1, keepdims=True) > gap[:, None] + TINY * length
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return (inputs + high * direction).clip(0, 1) - inputs


def _margin_of(estimator):
    """A function (points (N,D), labels (N,), rival) -> margins (N,) of the label over the rival, slopes (N,D)."""
    if hasattr(estimator, "n_neighbors"):
        return _neighbour_margin(estimator)
    if getattr(estimator, "kernel", None) == "rbf":
        return _kernel_margin(estimator)
    if hasattr(estimator, "coef_") and len(estimator.coef_) in (1, len(estimator.classes_)):
        return _linear_margin(*linear_parts(estimator))
    raise ValueError(f"estimator: got {type(estimator).__name__}. It takes a linear model, an SVC with kernel='rbf', "
                     "a DecisionTreeClassifier or a KNeighborsClassifier.")


def linear_parts(estimator):
    """Weights (C,D) and biases (C,) of a fitted linear classifier; of two classes the first one's are zero."""
    weights, biases = estimator.coef_, estimator.intercept_
    if len(weights) == 1:
        weights, biases = np.stack([0 * weights[0], weights[0]]), np.array([0, biases[0]])
    return weights, biases


def _linear_margin(weights, biases):
    def margin(points, labels, rival):
        slopes = weights[labels] - weights[rival]
        return (points * slopes).sum(1) + biases[labels] - biases[rival], slopes
    return margin


def _kernel_margin(svc):
    """The decision values between each two classes, as libsvm adds them up from the support vectors."""
    if isinstance(svc.gamma, str):
        raise ValueError(f"estimator: got an SVC with gamma={svc.gamma!r}. It takes a number, such as gamma=0.1.")
    count, owner = len(svc.classes_), np.repeat(np.arange(len(svc.classes_)), svc.n_support_)
    shares, biases, pair = np.zeros((count, count, len(owner))), np.zeros((count, count)), 0
    for i in range(count):
        for j in range(i + 1, count):
            sign = 1 if count > 2 else -1   # scikit-learn turns the sign of two classes round
            value = np.where(owner == i, svc.dual_coef_[j - 1], 0) + np.where(owner == j, svc.dual_coef_[i], 0)
            shares[i, j], shares[j, i] = sign * value, -sign * value
            biases[i, j], biases[j, i] = sign * svc.intercept_[pair], -sign * svc.intercept_[pair]
            pair += 1

    def margin(points, labels, rival):
        squares = _squares(points, svc.support_vectors_)
        kernel = np.exp(-svc.gamma * squares) * shares[labels, rival]   # (N,S)
        pull = kernel @ svc.support_vectors_ - kernel.sum(1, keepdims=True) * points
        return kernel.sum(1) + biases[labels, rival], 2 * svc.gamma * pull
    return margin


def _neighbour_margin(estimator):
    """How much nearer the k nearest of the label are than those of the rival: mean squared distances."""
    known, owners = estimator._fit_X, estimator._y

    def margin(points, labels, rival):
        squares = _squares(points, known)   # (N,K)
        own = _closest(squares, owners == labels[:, None], estimator.n_neighbors)
        other = _closest(squares, np.broadcast_to(owners == rival, squares.shape), estimator.n_neighbors)
        gap = np.take_along_axis(squares, other, 1).mean(1) - np.take_along_axis(squares, own, 1).mean(1)
        return gap, 2 * (known[own].mean(1) - known[other].mean(1))
    return margin


def _squares(points, others):
    """Squared distances (N,K)."""
    return np.square(points).sum(1)[:, None] - 2 * points @ others.T + np.square(others).sum(1)


def _closest(squares, allowed, count):
    return np.argsort(np.where(allowed, squares, np.inf), 1)[:, :count]


# ---------------------------------------------------------------- trees


def leaf_boxes(tree):
    """The leaves of a fitted DecisionTreeClassifier: lowest and highest values (L,D), ends included, in float32 as the
    tree compares them, and their classes' places (L,)."""
    nodes, whole = tree.tree_, np.full((2, tree.n_features_in_), np.inf, np.float32)
    whole[0] *= -1
    boxes, classes, waiting = [], [], [(0, whole)]
    while waiting:
        node, box = waiting.pop()
        if nodes.children_left[node] == -1:
            boxes.append(box), classes.append(nodes.value[node][0].argmax())
            continue
        feature, edge = nodes.feature[node], np.float32(nodes.threshold[node])
        edge = np.nextafter(edge, np.float32(-np.inf)) if edge > nodes.threshold[node] else edge
        left, right = box.copy(), box.copy()
        left[1, feature] = min(box[1, feature], edge)
        right[0, feature] = max(box[0, feature], np.nextafter(edge, np.float32(np.inf)))
        waiting += [(nodes.children_left[node], left), (nodes.children_right[node], right)]
    lowest, highest = np.stack(boxes, 1)
    return lowest, highest, np.array(classes)


def _nearest_leaf(tree, inputs, labels, rivals, norm):
    lowest, highest, classes = leaf_boxes(tree)
    within = ((lowest <= 1) & (highest >= 0)).all(1) & np.isin(classes, rivals)
    lowest, highest, classes = lowest[within], highest[within], classes[within]
    points = inputs[:, None].clip(lowest, highest)   # (N,L,D): the nearest of each leaf
    changes = points - inputs[:, None]
    lengths = np.abs(changes).max(2) if norm == "linf" else np.linalg.norm(changes, axis=2)
    lengths = np.where(classes == labels[:, None], np.inf, lengths)
    return points[np.arange(len(inputs)), lengths.argmin(1)]
