"""The middle of the picture: a map that never looks at one, and objects by how far off they are."""

import torch


def bump(images, width=0.5):
    """A Gaussian in the middle of each of images (N,C,S,S), its width in parts of half a side: (N,S,S)."""
    places = torch.linspace(-1, 1, images.shape[-1]) / width
    return torch.exp(-places[:, None] ** 2 - places ** 2).repeat(len(images), 1, 1)


def distances(masks):
    """How far the middle of each object lies from that of its picture, of masks (N,S,S): [px]."""
    return [(mask.nonzero().float().mean(0) - (mask.shape[-1] - 1) / 2).norm().item() for mask in masks]


def groups(far):
    """{group: which of the objects belong to it, bool (N,)}, in halves by their distances."""
    far = torch.tensor(far)
    far = far > far.median()
    return {"all": torch.ones_like(far), "in the middle": ~far, "off the middle": far}
