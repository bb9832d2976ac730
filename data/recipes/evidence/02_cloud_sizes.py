"""Lesson 2: what decides how large a cloud is on a t-SNE map, its width in the data or its number of points?"""

import torch

from lecturekit.representation import embedding
from lecturekit.show.evidence import over_seeds

QUESTION = "How much larger is one of two clouds on the t-SNE map than the other?"
UNIT = "ratio of the areas on the map"
INTERVAL = "range over ten draws"
SETTINGS = {"draws": 10, "apart": 40.0,
            "cases": {"80 points beside 20, perplexity 5": [80, 1.0, 20, 1.0, 5],
                      "80 points beside 20, perplexity 15": [80, 1.0, 20, 1.0, 15],
                      "50 beside 50, one ten times as wide": [50, 10.0, 50, 1.0, 15],
                      "50 beside 50, equally wide": [50, 1.0, 50, 1.0, 15]}}
WEIGHTS = ()


def ratio(case, seed):
    """The area (root of the covariance's determinant) of the first cloud over the second's."""
    many, wide, few, narrow, perplexity = SETTINGS["cases"][case]
    points = torch.randn(many + few, 2, generator=torch.Generator().manual_seed(seed))
    points[:many] *= wide
    points[many:] = points[many:] * narrow + torch.tensor([SETTINGS["apart"], 0.0])
    drawn = embedding.tsne(points, perplexity, seed)
    first, second = (torch.linalg.det(torch.cov(part.T)).sqrt() for part in (drawn[:many], drawn[many:]))
    return (first / second).item()


def parts():
    return {case: lambda case=case: [ratio(case, seed) for seed in range(SETTINGS["draws"])] for case in SETTINGS["cases"]}


def rows(results):
    return [over_seeds(case, values, len(values), null=case.endswith("50, equally wide")) for case, values in results.items()]
