"""Where networks and pictures live: on the processor, unless LECTUREKIT_DEVICE names a card."""

import os

import torch

VARIABLE = "LECTUREKIT_DEVICE"


def chosen(device=None):
    """The torch.device of `device`, by default of LECTUREKIT_DEVICE ("cuda", "cuda:1", "mps"), else the processor.

    Raises ValueError for a name that PyTorch does not know.
    """
    name = device or os.environ.get(VARIABLE) or "cpu"
    try:
        return torch.device(name)
    except RuntimeError:
        raise ValueError(f'{VARIABLE}: got {name!r}. It takes "cpu", "cuda" or "mps".') from None
