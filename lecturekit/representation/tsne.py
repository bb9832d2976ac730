"""The pieces of t-SNE, small enough to read (van der Maaten and Hinton 2008); `embedding.tsne` is the fast one.

Pictures that are near in feature space attract each other on the map, all others repel: the map minimises
KL(P || Q), where P holds similarities of features and Q those of map points.
"""

import torch

from lecturekit.representation.embedding import vectors

STEPS = 64   # halvings of the interval that holds a row's precision


def squared_distances(points):
    """|a - b|^2 between all rows of points (N,D), in double precision. (N,N)"""
    return torch.cdist(points.double(), points.double(), compute_mode="donot_use_mm_for_euclid_dist") ** 2


def conditional_probabilities(features, perplexity):
    """p(j|i): Gaussian similarities of features (N,D) to row i, its width such that 2^entropy is the perplexity.

    Each row sums to 1 and is found by bisection on the logarithm of the precision 1 / (2 sigma^2) (equation 1).
    """
    count = len(vectors(features))
    if not 1 < perplexity < count:
        raise ValueError(f"perplexity: got {perplexity}. It takes a number between 1 and {count}, the pictures.")
    distances = squared_distances(features)
    distances = distances / distances.mean().clamp(min=1e-300)
    low, high = (torch.full((count, 1), bound, dtype=torch.double) for bound in (-30.0, 30.0))
    for _ in range(STEPS):
        middle = (low + high) / 2
        wide = perplexities(_gaussian(distances, middle.exp()))[:, None] > perplexity
        low, high = torch.where(wide, middle, low), torch.where(wide, high, middle)
    return _gaussian(distances, ((low + high) / 2).exp())


def _gaussian(distances, precision):
    own = torch.eye(len(distances), dtype=torch.bool)
    return (-distances * precision).masked_fill(own, -torch.inf).softmax(1)


def perplexities(probabilities):
    """2^entropy of each row of probabilities (N,N): how many neighbours it effectively has. (N,)"""
    return torch.special.entr(probabilities).sum(1).exp()


def joint_probabilities(features, perplexity):
    """P (N,N), symmetric, sum 1: the mean of p(j|i) and p(i|j), over N. Equidistant rows give a uniform P."""
    conditional = conditional_probabilities(features, perplexity)
    return (conditional + conditional.T) / (2 * len(conditional))


def _student(points):
    kernel = 1 / (1 + squared_distances(points))
    return kernel.fill_diagonal_(0)


def map_similarities(points):
    """Q (N,N), symmetric, sum 1: 1 / (1 + d^2) between map points (N,2), zero on the diagonal (equation 4)."""
    kernel = _student(points)
    return kernel / kernel.sum()


def divergence(joint, points):
    """KL(P || Q) in nats between `joint` (N,N) and the similarities of map points (N,2)."""
    q = map_similarities(points)
    return (torch.special.xlogy(joint, joint) - torch.special.xlogy(joint, q.clamp(min=1e-300))).sum()


def gradient(joint, points):
    """dKL/dpoints (N,2) = 4 sum_j (p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2) (equation 5)."""
    force = (joint - map_similarities(points)) * _student(points)
    points = points.double()
    return 4 * (force.sum(1, keepdim=True) * points - force @ points)
