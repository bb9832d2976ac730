"""A row of evidence from what was measured on each picture, filter or run."""

import torch

from lecturekit.attribution import localisation
from lecturekit.show.evidence import Row


def mean(series, values, **where):
    """The mean of values (N,) with its 95 % bootstrap interval; `where`: Row's `at` and `null`."""
    values = torch.as_tensor(values, dtype=torch.float64)
    low, high = localisation.bootstrap(values)
    centre = values.mean().item()
    return Row(series, centre, min(low, centre), max(high, centre), len(values), **where)
