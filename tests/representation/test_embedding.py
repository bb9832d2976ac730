"""Neighbours, maps, matching, odd ones out, probes and parts of variance: closed forms, scikit-learn as peer."""

import math

import pytest
import sklearn.decomposition
import sklearn.linear_model
import sklearn.manifold._t_sne as peer
import sklearn.pipeline
import sklearn.preprocessing
import torch
from scipy.spatial.distance import squareform
from torch import nn

from lecturekit.pictures import datasets
from lecturekit.networks import models
from lecturekit.representation import embedding, matching, training, tsne, variance


@pytest.fixture(scope="module")
def net():
    return models.load("resnet_s", "random")


def cloud(count=40, dimensions=6, seed=0):
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed))


def pictures(count, size=64, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


# Features

def test_features_of_all_layers_come_from_one_pass_and_do_not_depend_on_the_batch(net):
    found = embedding.features(net, pictures(5), ["layer1", "layer3", "fc"], batch=2)
    assert {name: tuple(f.shape) for name, f in found.items()} == {"layer1": (5, 64), "layer3": (5, 256), "fc": (5, 20)}
    alone = embedding.features(net, pictures(5)[3:4], "layer3")["layer3"]
    assert torch.allclose(found["layer3"][3:4], alone, atol=1e-4)


def test_pooling_is_the_mean_of_the_flat_features(net):
    flat = embedding.features(net, pictures(2), "layer2", pool=False)["layer2"]
    assert torch.allclose(flat.view(2, 128, -1).mean(2), embedding.features(net, pictures(2), "layer2")["layer2"])


def test_no_picture_gives_no_features(net):
    assert embedding.features(net, pictures(0), "layer4")["layer4"].shape == (0, 384)


def test_a_layer_that_is_not_there_is_named(net):
    with pytest.raises(ValueError, match="layer9.*layer1"):
        embedding.features(net, pictures(1), "layer9")


# Neighbours

def test_unit_vectors_squared_distance_is_two_minus_two_cosines():
    units = nn.functional.normalize(cloud(), dim=1)
    squared = embedding.similarity(units, units, "euclidean") ** 2
    assert torch.allclose(squared, 2 - 2 * embedding.similarity(units, units), atol=1e-5)
    assert torch.equal(embedding.neighbours(units, 5), embedding.neighbours(units, 5, metric="euclidean"))


def test_cosine_ignores_length_and_distance_does_not():
    features = torch.tensor([[1.0, 0.0], [9.0, 0.5], [0.0, 1.0]])
    assert embedding.neighbours(features, 1)[0].item() == 1
    assert embedding.neighbours(features, 1, metric="euclidean")[0].item() == 2


def test_neighbours_are_nearest_first_and_exclude_only_the_one_that_asks():
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert embedding.neighbours(line, 3, metric="euclidean")[0].tolist() == [1, 2, 3]
    assert embedding.neighbours(line, 1, line[2:3], "euclidean").tolist() == [[2]]


def test_precision_is_one_for_tight_clusters_and_chance_for_random_labels():
    labels = torch.arange(10).repeat(60)
    assert embedding.precision_at_k(torch.eye(10)[labels] + 0.01 * cloud(600, 10), labels) == 1
    assert embedding.precision_at_k(cloud(600, 10), labels) == pytest.approx(59 / 599, abs=0.03)


def test_recall_of_a_perfect_map_and_of_random_neighbours():
    points = cloud(400, 2)
    assert embedding.neighbourhood_recall(points * 3 + 1, points, 7) == 1
    assert embedding.neighbourhood_recall(cloud(400, 20), cloud(400, 2, seed=1), 7) == pytest.approx(7 / 399, abs=0.01)


# Maps

def test_pca_agrees_with_scikit_learn():
    points, shares = embedding.pca(cloud(), 3)
    theirs = sklearn.decomposition.PCA(3, svd_solver="full").fit(cloud().numpy())
    assert torch.allclose(points, torch.from_numpy(theirs.transform(cloud().numpy())), atol=1e-4)
    assert torch.allclose(shares, torch.from_numpy(theirs.explained_variance_ratio_), atol=1e-5)


def test_pca_with_all_dimensions_keeps_every_distance():
    points, shares = embedding.pca(cloud(), 6)
    before, after = (embedding.similarity(p, p, "euclidean") for p in (cloud(), points))
    assert torch.allclose(before, after, atol=1e-4)
    assert shares.sum().item() == pytest.approx(1, abs=1e-5)


def test_tsne_repeats_with_its_seed_and_separates_clusters():
    labels = torch.arange(3).repeat(20)
    features = 5 * torch.eye(8)[labels] + 0.3 * cloud(60, 8)
    found = embedding.tsne(features, 10, init="random")
    assert torch.equal(found, embedding.tsne(features, 10, init="random"))
    assert not torch.allclose(found, embedding.tsne(features, 10, seed=1, init="random"), atol=1)
    assert embedding.precision_at_k(found, labels, metric="euclidean") == 1


def test_joint_probabilities_are_symmetric_sum_to_one_and_agree_with_scikit_learn():
    joint = tsne.joint_probabilities(cloud(), 8)
    assert torch.equal(joint, joint.T) and joint.sum().item() == pytest.approx(1)
    squared = tsne.squared_distances(cloud()).float().numpy()
    theirs = torch.from_numpy(squareform(peer._joint_probabilities(squared, 8, 0)))
    assert torch.allclose(joint, theirs, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("perplexity", [2, 8, 30])
def test_every_row_has_the_perplexity_that_was_asked_for(perplexity):
    rows = tsne.conditional_probabilities(cloud(), perplexity)
    assert torch.allclose(tsne.perplexities(rows), torch.full((40,), float(perplexity), dtype=torch.double), rtol=1e-6)


def test_equidistant_rows_give_a_uniform_joint():
    joint = tsne.joint_probabilities(torch.eye(12), 5)
    off = joint[~torch.eye(12, dtype=torch.bool)]
    assert torch.allclose(off, torch.full_like(off, 1 / (12 * 11)))


def test_the_gradient_sums_to_zero_and_agrees_with_autograd_and_scikit_learn():
    joint, points = tsne.joint_probabilities(cloud(), 8), cloud(40, 2, 1).double().requires_grad_()
    loss = tsne.divergence(joint, points)
    loss.backward()
    found = tsne.gradient(joint, points.detach())
    assert torch.allclose(found, points.grad, atol=1e-10)
    assert torch.allclose(found.sum(0), torch.zeros(2, dtype=torch.double), atol=1e-12)
    condensed = squareform(joint.numpy(), checks=False)
    value, theirs = peer._kl_divergence(points.detach().numpy().ravel(), condensed, 1, 40, 2)
    assert torch.allclose(found, torch.from_numpy(theirs).view(40, 2), atol=1e-7)
    assert loss.item() == pytest.approx(value, abs=1e-6)


def test_the_divergence_does_not_change_with_a_rigid_motion():
    joint, points = tsne.joint_probabilities(cloud(), 8), cloud(40, 2, 1).double()
    turn = torch.tensor([[math.cos(1), -math.sin(1)], [math.sin(1), math.cos(1)]], dtype=torch.double)
    assert tsne.divergence(joint, points @ turn + 3).item() == pytest.approx(tsne.divergence(joint, points).item())


# Thumbnails on a grid

def test_points_that_lie_on_a_grid_keep_their_cells_and_no_cell_is_used_twice():
    on_grid = torch.tensor([[x, y] for y in (2.0, 1.0, 0.0) for x in (0.0, 1.0, 2.0, 3.0)])
    assert embedding.grid_cells(on_grid, 4, 3).tolist() == list(range(12))
    assert len(embedding.grid_cells(cloud(50, 2), 8, 7).unique()) == 50
    assert embedding.grid_cells(torch.zeros(4, 2), 2, 2).sort().values.tolist() == [0, 1, 2, 3]


def test_a_mosaic_shows_each_picture_at_its_cell():
    thumbs = pictures(3, 4)
    canvas = embedding.mosaic(thumbs, [5, 0, 2], 3, 2)
    assert canvas.shape == (3, 8, 12)
    assert torch.equal(canvas[:, 4:, 8:], thumbs[0]) and torch.equal(canvas[:, :4, 8:], thumbs[2])
    assert (canvas[:, :4, 4:8] == 1).all()


# Odd one out

def test_the_odd_one_is_outside_the_most_similar_pair():
    a, b = torch.tensor([1.0, 0.1, 0.0]), torch.tensor([0.0, 0.2, 1.0])
    triplets = torch.stack([torch.stack(t) for t in ([b, a, 3 * a], [a, b, a], [a, a, b])])
    assert embedding.odd_one_out(triplets).tolist() == [0, 1, 2]


# Matching

def test_a_shifted_picture_is_matched_at_the_shift():
    picture = pictures(1, 64)
    shifted = picture.roll((4, 8), (2, 3))
    places, cosine = matching.match(matching.patches(picture, 9, 4), matching.patches(shifted, 9, 4))
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    moved = places - torch.stack([rows, columns], -1)
    assert (moved[2:12, 2:12] == torch.tensor([1, 2])).all()
    assert torch.allclose(cosine[2:12, 2:12], torch.ones(10, 10), atol=1e-5)


def test_dense_features_find_themselves(net):
    found = matching.dense(net, pictures(1, 96), "layer1")
    places, cosine = matching.match(found, found)
    assert found.shape == (64, 24, 24)
    assert places[3, 7].tolist() == [3, 7] and torch.allclose(cosine, torch.ones(24, 24), atol=1e-5)


def test_the_true_disparity_of_the_stereo_pair_is_found_by_patches():
    left, right, disparity = datasets.stereo()
    assert left.shape == right.shape == (1, 3, 500, 741) and disparity.shape == (500, 741)
    assert torch.isfinite(disparity).float().mean() > 0.9 and disparity[torch.isfinite(disparity)].min() > 0


def test_the_disparity_error_is_zero_for_the_truth_and_counts_pixels():
    disparity = torch.full((40, 60), 8.0)
    disparity[20, 40] = torch.inf
    rows, columns = torch.meshgrid(torch.arange(10), torch.arange(15), indexing="ij")
    matched = torch.stack([rows, columns - 2], -1)
    error = matching.disparity_error(matched, disparity, jump=4)
    unknown = torch.isnan(error)
    assert unknown[:, :2].all() and unknown[5, 10] and unknown.sum() == 21 and (error[~unknown] == 0).all()
    off = matching.disparity_error(matched + torch.tensor([3, 4]), disparity, jump=4)
    assert (off[~unknown] == 20).all()


# Linear probes and fine-tuning

def test_a_zero_head_has_the_cross_entropy_of_guessing():
    for classes in (10, 1000):
        loss = nn.functional.cross_entropy(training.zero_head(4, classes)(cloud(7, 4)), torch.arange(7))
        assert loss.item() == pytest.approx(math.log(classes), abs=1e-5)


def test_a_linear_probe_agrees_with_scikit_learn():
    features = cloud(90, 5) * torch.tensor([1, 5, 0.2, 1, 1]) + 3
    labels = (cloud(90, 1, 2)[:, 0] > 0).long() + torch.arange(90) % 2
    probe = training.linear_probe(features, labels, penalty=0.01)
    theirs = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(), sklearn.linear_model.LogisticRegression(C=1 / (0.01 * 90), tol=1e-8))
    probabilities = theirs.fit(features.numpy(), labels.numpy()).predict_proba(features.numpy())
    assert torch.allclose(probe(features).softmax(1), torch.from_numpy(probabilities).float(), atol=2e-3)


def test_a_probe_on_a_constant_feature_guesses_the_most_frequent_class():
    probe = training.linear_probe(torch.ones(5, 2), torch.tensor([0, 1, 1, 1, 2]))
    assert training.accuracy(probe, torch.ones(5, 2), torch.tensor([0, 1, 1, 1, 2])) == pytest.approx(0.6)


def test_fine_tuning_learns_and_leaves_the_model_alone(net):
    images, labels = pictures(16, 32) * 0.2, torch.arange(16) % 2
    images[labels == 1] += torch.tensor([0.7, 0, 0]).view(3, 1, 1)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    tuned = training.fine_tune(net, "layer3", images, labels, 2, steps=15, batch=16)
    assert training.accuracy(tuned, images, labels) == 1
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not net.training and not any(p.requires_grad for p in net.parameters())
    again = training.fine_tune(net, "layer3", images, labels, 2, steps=15, batch=16)
    assert torch.allclose(tuned(images), again(images), atol=1e-4)


def test_few_draws_the_same_number_of_every_class():
    labels = torch.tensor([0] * 10 + [1] * 7 + [2] * 2)
    chosen = training.few(labels, 3)
    assert torch.bincount(labels[chosen]).tolist() == [3, 3, 2] and len(chosen.unique()) == 8
    assert torch.equal(chosen, training.few(labels, 3)) and not torch.equal(chosen, training.few(labels, 3, seed=1))


# Variance

def full_grid(a=3, b=4, c=5):
    codes = torch.cartesian_prod(torch.arange(a), torch.arange(b), torch.arange(c)).T
    return {"category": codes[0], "instance": codes[1], "azimuth": codes[2]}


@pytest.mark.parametrize("within", [None, "category"])
def test_shares_of_a_full_grid_sum_to_one(within):
    found = variance.shares(cloud(60, 7), full_grid(), within)
    assert list(found) == ["category", "instance", "azimuth", "residual"]
    assert sum(found.values()) == pytest.approx(1, abs=1e-9) and min(found.values()) > 0


def test_an_additive_grid_is_explained_exactly_and_a_product_is_residual():
    factors = full_grid()
    additive = torch.stack([3.0 * factors["category"], 1.0 * factors["azimuth"]], 1)
    found = variance.shares(additive, factors)
    assert found["category"] == pytest.approx(9 * (2 / 3) / (9 * (2 / 3) + 2)) and found["residual"] == pytest.approx(0)
    signs = [1.0 * (factors[name] % 2) * 2 - 1 for name in ("instance",)]
    product = (signs[0] * (factors["azimuth"] - 2.0))[:, None]
    assert variance.shares(product, factors)["residual"] == pytest.approx(1)


def test_what_differs_between_the_instances_of_one_category_only_is_nested():
    factors = full_grid()
    features = ((factors["category"] == 1) * factors["instance"]).float()[:, None]
    nested = variance.shares(features, factors, "category")
    assert nested["residual"] == pytest.approx(0) and nested["category"] + nested["instance"] == pytest.approx(1)
    assert variance.shares(features, factors)["residual"] > 0.1


def test_the_dimension_counts_the_components_that_hold_most_of_the_variance():
    axes = torch.eye(6)[:4] * torch.tensor([3.0, 2, 1, 0.1])[:, None]
    features = torch.cat([axes, -axes]) + 7
    assert [variance.dimension(features, share) for share in (0.6, 0.9, 0.95, 0.9999, 1)] == [1, 2, 3, 4, 4]
    assert variance.dimension(features.repeat(3, 1)) == 3 and variance.dimension(torch.ones(4, 3)) == 0
    assert variance.dimension(torch.arange(9.0)[:, None] * torch.ones(5)) == 1


# Bad input

@pytest.mark.parametrize("call, message", [
    (lambda: embedding.neighbours(cloud(5), 5), "k: got 5.*at most 4"),
    (lambda: embedding.neighbours(cloud(5), 0), "k: got 0"),
    (lambda: embedding.similarity(cloud(), cloud(), "manhattan"), "metric: got 'manhattan'.*cosine, euclidean"),
    (lambda: embedding.neighbours(pictures(3), 1), "features: got shape.*flatten"),
    (lambda: embedding.neighbours(cloud() * torch.nan, 1), "features: got NaN"),
    (lambda: embedding.neighbourhood_recall(cloud(5), cloud(4, 2), 1), "points: got 4"),
    (lambda: embedding.pca(cloud(5), 7), "dimensions: got 7.*at most 5"),
    (lambda: embedding.tsne(cloud(5), 30), "perplexity: got 30"),
    (lambda: tsne.joint_probabilities(cloud(5), 5), "perplexity: got 5"),
    (lambda: embedding.grid_cells(cloud(7, 2), 3, 2), "columns, rows: got 3 x 2 cells for 7"),
    (lambda: embedding.odd_one_out(cloud()), "triplets: got"),
    (lambda: matching.patches(pictures(1), 8), "size: got 8.*odd"),
    (lambda: matching.match(torch.rand(3, 4, 4), torch.rand(2, 4, 4)), "first, second"),
    (lambda: training.linear_probe(cloud(5), torch.arange(4)), "labels: got shape"),
    (lambda: training.linear_probe(cloud(0), torch.arange(0)), "labels: got none"),
    (lambda: training.linear_probe(cloud(5), torch.arange(5), classes=3), "labels: got"),
    (lambda: variance.shares(cloud(4), {"a": [0, 0, 1, 1], "b": [0, 1, 0, 0]}), "factors: got 2 x 2.*full grid"),
    (lambda: variance.shares(cloud(6), {"a": [0, 1]}), "a: got 2 values"),
    (lambda: variance.dimension(cloud(6), 95), "share: got 95"),
    (lambda: variance.shares(cloud(2), {"a": [0, 1]}, within="b"), "within: got 'b'"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
