"""Local features: describe every place of a picture, find it again in another view of the same thing."""

import torch
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.networks import hooks, layout


def patches(image, size=15, stride=4):
    """Pixel descriptors (C*size*size,H',W'): the patch around every `stride`-th pixel of an image (1,C,H,W).

    Each patch's mean is taken away, so that the cosine of two patches is their normalised cross-correlation.
    """
    validate.images(image, "image")
    validate.positive("stride", stride, whole=True)
    if validate.positive("size", size, whole=True) % 2 == 0:
        raise ValueError(f"size: got {size}. It takes an odd number, so that a patch has a centre.")
    padded = F.pad(image, [size // 2] * 4, mode="replicate")
    found = F.unfold(padded, size, stride=stride)[0]
    shape = [-(-side // stride) for side in image.shape[-2:]]
    return (found - found.mean(0)).view(-1, *shape)


def dense(model, image, layer, reshape=None):
    """Descriptors (C,H',W') of every place of one image (1,C,H,W): the activations of a convolutional layer, or the maps
    that `reshape` makes of another's (`layout`).

    Each channel's mean over the picture is taken away, as from the patches.
    """
    if len(validate.images(image, "image")) != 1:
        raise ValueError(f"image: got a batch of {len(image)}. It takes one image (1,C,H,W).")
    found = hooks.features(model, image, layer, form=layout.maps(image, reshape))
    return found[0] - found[0].mean((1, 2), keepdim=True)


def match(first, second):
    """For every place of `first` (C,H,W) the most similar one of `second` (C,h,w), by cosine, over all of it.

    Returns rows and columns in `second` (H,W,2) and the cosine (H,W).
    """
    if first.ndim != 3 or second.ndim != 3 or len(first) != len(second):
        raise ValueError(f"first, second: got shapes {tuple(first.shape)} and {tuple(second.shape)}. "
                         "They take descriptors (C,H,W) with the same C.")
    units = [F.normalize(d.flatten(1), dim=0) for d in (first, second)]
    best = [(chunk.T @ units[1]).max(1) for chunk in units[0].split(2048, 1)]
    index = torch.cat([b.indices for b in best]).view(first.shape[1:])
    width = second.shape[2]
    return torch.stack([index // width, index % width], -1), torch.cat([b.values for b in best]).view(first.shape[1:])


def disparity_error(matched, disparity, jump, start=0):
    """How far, in px, each match lies from the truth: matched (H,W,2), the rows and columns that `match` found in the
    right picture of a rectified pair, whose cells lie `jump` px apart from `start` on. (H,W)

    left[y, x] is the same point as right[y, x - disparity[y, x]]; nan where that is unknown or outside the picture.
    """
    rows, columns = (torch.arange(side) for side in matched.shape[:2])
    y, x = (start + jump * torch.stack(torch.meshgrid(rows, columns, indexing="ij"))).round().long()
    y, x = y.clamp(0, disparity.shape[0] - 1), x.clamp(0, disparity.shape[1] - 1)
    truth = disparity[y, x]
    error = torch.hypot(jump * (matched[..., 0] - rows[:, None]).float(),
                        jump * (columns - matched[..., 1]).float() - truth)
    return torch.where(torch.isfinite(truth) & (truth <= x), error, torch.nan)
