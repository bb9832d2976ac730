"""Smallest changes against closed forms, boxes and exhaustive search; what they do on digits; bad input."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from lecturekit.pictures import datasets
from lecturekit.robustness import classical

ORDER = {"linf": np.inf, "l2": 2}
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def digits():
    images, labels = datasets.digits()
    return images.flatten(1).double().numpy(), labels.numpy()


def blobs(classes=3, features=5, each=40, seed=1):
    rng = np.random.default_rng(seed)
    middles = rng.uniform(0.35, 0.65, (classes, features))
    labels = np.repeat(np.arange(classes), each)
    return (middles[labels] + 0.05 * rng.normal(size=(len(labels), features))).clip(0.05, 0.95), labels


def test_the_ten_dimensional_example():
    x, w = np.array([2, -1, 3, -2, 2, 2, 1, -4, 5, 1.0]), np.array([-1, -1, 1, -1, 1, -1, 1, 1, -1, 1.0])
    assert w @ x == -3 and w @ (x + 0.5 * np.sign(w)) == 2
    weights, biases = np.stack([0 * w, w]), np.zeros(2)
    assert classical.linear_distances(weights, biases, x[None], [0]) == pytest.approx([3 / 10])
    assert classical.linear_distances(weights, biases, x[None], [0], "l2") == pytest.approx([3 / np.sqrt(10)])
    assert classical.linear_distances(weights, biases, x[None], [1]) == pytest.approx([-3 / 10])


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("classes", [2, 4])
def test_away_from_the_box_linear_models_fall_at_their_closed_form(norm, classes):
    inputs, labels = blobs(classes)
    model = LogisticRegression(C=100).fit(inputs, labels)
    expected = classical.linear_distances(*classical.linear_parts(model), inputs, labels, norm).clip(0)
    found = classical.nearest(model, inputs, labels, norm)
    inside = ((found.inputs > 0) & (found.inputs < 1)).all(1)
    assert inside.sum() > 40
    np.testing.assert_allclose(found.distances[inside], expected[inside], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.inputs - inputs, ORDER[norm], 1)[found.distances > 0],
                               found.distances[found.distances > 0])


def test_no_eps_below_the_distance_fools_a_linear_model_and_every_one_above_does(digits):
    inputs, labels = digits[0][1300:1360], digits[1][1300:1360]
    model = LinearSVC(C=0.1).fit(*(part[:600] for part in digits))
    found = classical.nearest(model, inputs, labels)
    moved = found.distances > 0
    free = classical.linear_distances(*classical.linear_parts(model), inputs, labels)
    assert (found.distances[moved] >= free[moved] - 1e-6).all() and (found.distances > free + 0.01).any()
    slopes = model.coef_[None] - model.coef_[labels][:, None]   # (N,C,D)
    for factor, fooled in ((0.99, False), (1.01, True)):
        best = (inputs[:, None] + factor * found.distances[:, None, None] * np.sign(slopes)).clip(0, 1)
        guesses = model.predict(best.reshape(-1, 64)).reshape(len(inputs), -1)
        assert ((guesses != labels[:, None]).any(1)[moved] == fooled).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_trees_distance_is_exact(norm):
    inputs, labels = blobs(features=2)
    tree = DecisionTreeClassifier(min_samples_leaf=10).fit(inputs, labels)   # no box narrower than the grid
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 201)] * 2), -1).reshape(-1, 2)
    guesses, step = tree.predict(grid), 1 / 200
    found = classical.nearest(tree, inputs, labels, norm)
    assert (tree.predict(found.inputs) != labels).all()
    for x, label, distance in zip(inputs, labels, found.distances):
        nearest = np.linalg.norm(grid - x, ORDER[norm], 1)[guesses != label].min()
        assert distance <= nearest + 1e-6 and (distance == 0 or distance > nearest - 1.5 * step)


def test_the_leaves_boxes_hold_their_own_inputs_and_no_others():
    inputs, labels = blobs()
    tree = DecisionTreeClassifier(random_state=0).fit(inputs, labels)
    lowest, highest, classes = classical.leaf_boxes(tree)
    seen = inputs.astype(np.float32)[:, None]
    home = ((seen >= lowest) & (seen <= highest)).all(2)
    assert (home.sum(1) == 1).all() and (classes[home.argmax(1)] == tree.predict(inputs)).all()
    corners = highest.clip(0, 1)[(highest >= 0).all(1) & (lowest <= 1).all(1)]
    inside = ((corners[:, None] >= lowest) & (corners[:, None] <= highest)).all(2).argmax(1)
    assert (tree.predict(corners) == classes[inside]).all()


def test_nearest_neighbours_of_two_points_fall_at_their_bisector():
    known = np.array([[0.3, 0.4], [0.7, 0.6]])
    model = KNeighborsClassifier(1).fit(known, [0, 1])
    inputs = np.array([[0.35, 0.3], [0.4, 0.45]])
    direction = known[1] - known[0]
    expected = (known.mean(0) - inputs) @ direction / np.linalg.norm(direction)
    np.testing.assert_allclose(classical.nearest(model, inputs, [0, 0], "l2").distances, expected, atol=2e-3)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_margins_between_two_classes_are_the_svms(classes):
    inputs, labels = blobs(classes)
    svc = SVC(gamma=3.0, decision_function_shape="ovo").fit(inputs, labels)
    margin, others = classical._kernel_margin(svc), RNG.uniform(size=(7, 5))
    expected = svc.decision_function(others).reshape(7, -1)[:, 0]   # of classes 0 and 1
    values, slopes = margin(others, np.zeros(7, int), 1)
    np.testing.assert_allclose(values, -expected if classes == 2 else expected)
    step = 1e-6 * np.eye(5)[2]
    ahead, behind = (margin(others + s, np.zeros(7, int), 1)[0] for s in (step, -step))
    np.testing.assert_allclose(slopes[:, 2], (ahead - behind) / 2e-6, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("model", [SVC(gamma=0.1, C=5), KNeighborsClassifier(1), KNeighborsClassifier(3)])
def test_a_curved_boundary_is_met_from_just_beyond(digits, model, norm):
    inputs, labels = digits[0][1300:1320], digits[1][1300:1320]
    model.fit(*(part[:600] for part in digits))
    found = classical.nearest(model, inputs, labels, norm)
    assert np.isfinite(found.distances).all() and (model.predict(found.inputs) != labels).all()
    assert found.inputs.min() >= 0 and found.inputs.max() <= 1
    blind = RNG.choice([-1.0, 1.0], (len(inputs), 64))
    blind *= (2 * found.distances / np.linalg.norm(blind, ORDER[norm], 1))[:, None]   # noise of twice the length
    assert (model.predict((inputs + blind).clip(0, 1)) != labels).mean() < 0.3


def test_a_nine_becomes_every_other_digit(digits):
    model = LogisticRegression(max_iter=300).fit(*(part[:1000] for part in digits))
    nine = digits[0][1000:][digits[1][1000:] == 9][:1]
    found = [classical.nearest(model, nine, [9], target=digit) for digit in range(9)]
    assert [int(model.predict(f.inputs)[0]) for f in found] == list(range(9))
    least = classical.nearest(model, nine, [9]).distances[0]
    assert least <= min(f.distances[0] for f in found) < 1.1 * least


@pytest.mark.parametrize("call, message", [
    (lambda m, x: classical.nearest(m, x + 1, [0, 1]), "inputs: got values from"),
    (lambda m, x: classical.nearest(m, x[:, :3], [0, 1]), r"inputs: got shape \(2, 3\)"),
    (lambda m, x: classical.nearest(m, x, [0, 7]), r"labels: got \[7\]"),
    (lambda m, x: classical.nearest(m, x, [0]), r"labels: got shape \(1,\)"),
    (lambda m, x: classical.nearest(m, x, [0, 1], target=5), r"target: got \[5\]"),
    (lambda m, x: classical.nearest(m, x, [0, 1], "l1"), "norm: got 'l1'"),
    (lambda m, x: classical.nearest(m, x, [0, 1], rounds=0), "rounds: got 0")])
def test_bad_input(call, message):
    inputs, labels = blobs()
    with pytest.raises(ValueError, match=message):
        call(LogisticRegression().fit(inputs, labels), inputs[[0, 50]])


@pytest.mark.parametrize("model", [RandomForestClassifier(3), SVC(kernel="poly"), SVC()])
def test_estimators_that_it_does_not_know(model):
    inputs, labels = blobs()
    with pytest.raises(ValueError, match="estimator: got"):
        classical.nearest(model.fit(inputs, labels), inputs, labels)
