"""Where a network puts pictures: features by layer, their neighbours, and flat maps of them."""

import torch
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.networks import hooks, layout

METRICS = ("cosine", "euclidean")


def features(model, images, layers, pool=True, batch=16, reshape=None):
    """{layer: (N,D)} for images (N,C,H,W), all layers in one pass.

    A convolutional layer gives the mean of each channel over the picture; with pool=False all its values. `reshape`
    makes maps of what the layers give, if they give others (`layout`).
    """
    validate.images(images)
    layers = [layers] if isinstance(layers, str) else list(layers)
    if not pool:
        return hooks.features(model, images, layers, lambda output: output.flatten(1), batch)
    return hooks.features(model, images, layers, pooled, batch, layout.channels(images, reshape))


def pooled(activations):
    """The mean over the picture of activations (N,C,H,W), as (N,C); (N,D) stays as it is."""
    if activations.ndim not in (2, 4):
        raise ValueError(f"activations: got shape {tuple(activations.shape)}. It takes maps (N,C,H,W) or vectors (N,D).")
    return activations.flatten(2).mean(2) if activations.ndim == 4 else activations


def vectors(got, argument="features"):
    """`got` if it is a finite float tensor (N,D), else an error that says so."""
    takes = "It takes a finite float tensor (N,D), one row per picture; images.flatten(1) makes one of pixels."
    if not isinstance(got, torch.Tensor) or not got.is_floating_point():
        raise TypeError(f"{argument}: got {getattr(got, 'dtype', type(got).__name__)}. {takes}")
    if got.ndim != 2:
        raise ValueError(f"{argument}: got shape {tuple(got.shape)}. {takes}")
    if not torch.isfinite(got).all():
        raise ValueError(f"{argument}: got NaN or infinite values. {takes}")
    return got


def similarity(first, second, metric="cosine"):
    """How near rows of `first` (N,D) are to rows of `second` (M,D): the cosine, or minus the distance. (N,M)

    For unit vectors both order neighbours alike: |a - b|^2 = 2 - 2 cos(a, b).
    """
    validate.one_of("metric", metric, METRICS)
    vectors(first, "first"), vectors(second, "second")
    if metric == "cosine":
        return F.normalize(first, dim=1) @ F.normalize(second, dim=1).T
    return -torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")


def neighbours(features, k, queries=None, metric="cosine"):
    """Indices of the `k` rows of `features` (N,D) nearest to each query (M,D), nearest first. (M,k)

    Without queries every row asks, and is not its own neighbour.
    """
    others = len(vectors(features)) - (queries is None)
    if validate.positive("k", k, whole=True) > others:
        raise ValueError(f"k: got {k}. It takes at most {others}, one less than the pictures that ask each other.")
    near = similarity(features if queries is None else queries, features, metric)
    if queries is None:
        near.fill_diagonal_(-torch.inf)
    return near.topk(k, dim=1).indices


def precision_at_k(features, labels, k=5, metric="cosine"):
    """Share of the `k` nearest neighbours of each row of features (N,D) with its label (N,), averaged: 0 to 1."""
    labels = torch.as_tensor(labels)
    found = labels[neighbours(features, k, metric=metric)]
    return (found == labels[:, None]).float().mean().item()


def neighbourhood_recall(features, points, k=5, metric="euclidean"):
    """Share of each row's `k` neighbours in features (N,D) that are also its `k` neighbours in the map (N,2).

    `k` random neighbours give k / (N - 1).
    """
    if len(features) != len(points):
        raise ValueError(f"points: got {len(points)} of them. It takes one for each of the {len(features)} features.")
    true, shown = neighbours(features, k, metric=metric), neighbours(points, k, metric="euclidean")
    return (true[:, :, None] == shown[:, None, :]).any(2).float().mean().item()


def pca(features, dimensions=2):
    """Principal components of features (N,D): coordinates (N,d) and the share of the variance on each (d,).

    Signs as in scikit-learn: the largest weight of each component is positive.
    """
    highest = min(vectors(features).shape)
    if validate.positive("dimensions", dimensions, whole=True) > highest:
        raise ValueError(f"dimensions: got {dimensions}. It takes at most {highest} for {tuple(features.shape)}.")
    centred = (features - features.mean(0)).double()
    _, scales, axes = torch.linalg.svd(centred, full_matrices=False)
    axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
    shares = scales ** 2 / (scales ** 2).sum().clamp(min=1e-12)
    return (centred @ axes[:dimensions].T).float(), shares[:dimensions].float()


def tsne(features, perplexity=30.0, seed=0, init="pca"):
    """scikit-learn's t-SNE map (N,2) of features (N,D); init "random" makes it depend on the seed (van der Maaten
    and Hinton 2008). Module `tsne` holds its pieces. Raises ValueError for rows that are all alike, as a dead layer's."""
    from sklearn.manifold import TSNE   # slow to import, needed here alone
    validate.one_of("init", init, ("pca", "random"))
    if not 0 < perplexity < len(vectors(features)):
        raise ValueError(f"perplexity: got {perplexity}. It takes a number from 0 to {len(features)}, the pictures.")
    rows = features.detach().float().cpu()
    if not (rows - rows.mean(0)).square().sum() > 0:   # the variance by which scikit-learn divides
        raise ValueError("features: got rows that are all alike, which have no neighbours. It takes rows that differ.")
    rows = F.pad(rows, (0, max(0, 2 - rows.shape[1])))   # a map has two dimensions
    found = TSNE(perplexity=perplexity, init=init, random_state=seed, learning_rate="auto").fit_transform(rows.numpy())
    return torch.from_numpy(found).float()


def grid_cells(points, columns, rows):
    """A grid cell for each point (N,2), none used twice, so that the squared moves are least in sum. (N,) long

    Cell r * columns + c is row r from the top; the largest second coordinate is at the top.
    """
    from scipy.optimize import linear_sum_assignment   # seconds to import
    vectors(points, "points")
    if columns * rows < len(points):
        raise ValueError(f"columns, rows: got {columns} x {rows} cells for {len(points)} points. "
                         "They take at least one cell for each.")
    low, high = points.min(0).values, points.max(0).values
    places = (points - low) / (high - low).clamp(min=1e-12)
    centres = torch.cartesian_prod((torch.arange(rows).flip(0) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns)
    cost = torch.cdist(places.double(), centres.flip(1).double()) ** 2
    _, cells = linear_sum_assignment(cost.cpu().numpy())
    return torch.as_tensor(cells)


def mosaic(images, cells, columns, rows, fill=1.0):
    """One picture (C,rows*H,columns*W) with images (N,C,H,W) at their grid cells (N,), `fill` elsewhere."""
    count, channels, height, width = images.shape
    canvas = images.new_full((rows * columns, channels, height, width), fill)
    canvas[torch.as_tensor(cells)] = images
    return canvas.view(rows, columns, channels, height, width).permute(2, 0, 3, 1, 4).reshape(
        channels, rows * height, columns * width)


def odd_one_out(triplets):
    """Which of three is the odd one: 0, 1 or 2 for each triplet of features (T,3,D), the one outside the pair with
    the largest cosine (Hebart et al. 2020). (T,) long"""
    if not isinstance(triplets, torch.Tensor) or triplets.ndim != 3 or triplets.shape[1] != 3:
        raise ValueError(f"triplets: got {getattr(triplets, 'shape', type(triplets).__name__)}. "
                         "It takes features (T,3,D), three rows a triplet.")
    units = F.normalize(triplets, dim=2)
    pairs = [(1, 2), (0, 2), (0, 1)]   # pair i leaves out i
    return torch.stack([(units[:, a] * units[:, b]).sum(1) for a, b in pairs], 1).argmax(1)
