"""Cut an object out of its picture, given a map of where it seems to be: no mask is ever learnt from."""

import cv2
import numpy as np
import torch

from lecturekit import validate


def grab_cut(images, maps, foreground=0.95, background=0.3, iterations=5):
    """Where the object is, from images (N,3,H,W) in [0,1] and maps (N,H,W): bool masks (N,H,W).

    Simonyan et al. 2014, section 3.2: the pixels of a map from its `foreground` quantile up are the object, those from
    its `background` quantile down are not; what lies between is decided by colour, in `iterations` rounds of GrabCut
    (Rother et al. 2004; OpenCV), the first with the colours of these seeds. A constant map has an empty mask.
    """
    validate.images(images)
    _require(images, maps, foreground, background)
    validate.positive("iterations", iterations, whole=True)
    masks = [_cut(picture, _seeds(each, foreground, background), iterations)
             for picture, each in zip(_bytes(images), maps.detach().cpu().numpy())]
    return torch.from_numpy(np.array(masks, dtype=bool).reshape(maps.shape)).to(images.device)


def centre_map(images):
    """A map that knows nothing but the middle of the picture: 1 there, falling to 0 in the corners: (N,H,W)."""
    validate.images(images)
    count, _, *sides = images.shape
    rows, columns = ((2 * torch.arange(side).to(images) + 1 - side) / side for side in sides)   # -1 to 1
    distance = (rows[:, None].square() + columns.square()).sqrt() / 2 ** 0.5
    return (1 - distance).repeat(count, 1, 1)


def mask_iou(found, masks):
    """Intersection over union of bool masks (N,H,W) with the true ones (N,H,W): (N,); 0 where nothing was found."""
    for argument, got in (("found", found), ("masks", masks)):
        if not isinstance(got, torch.Tensor) or got.dtype != torch.bool or got.ndim != 3:
            raise TypeError(f"{argument}: got {_described(got)}. It takes a bool tensor (N,H,W).")
    if found.shape != masks.shape or not masks.flatten(1).any(1).all():
        raise ValueError(f"masks: got {_described(masks)}. It takes masks with at least one pixel each, here of shape "
                         f"{tuple(found.shape)}.")
    return (found & masks).sum((1, 2)) / (found | masks).sum((1, 2))


def _seeds(values, foreground, background):
    """OpenCV's labels (H,W) for a map (H,W): sure object, sure background, and open (GC_PR_BGD) between."""
    low, high = np.quantile(values, [background, foreground])
    labels = np.full(values.shape, cv2.GC_PR_BGD, np.uint8)
    labels[values <= low] = cv2.GC_BGD
    labels[(values >= high) & (values > values.min())] = cv2.GC_FGD   # also where the quantiles tie
    return labels


def _cut(picture, labels, iterations):
    """The object (H,W) in a picture (H,W,3), uint8, with its seeds (H,W)."""
    if (labels == cv2.GC_FGD).any():
        cv2.setRNGSeed(0)   # GrabCut's clusters of colours start at random
        models = np.zeros((1, 65)), np.zeros((1, 65))
        seeds = labels != cv2.GC_PR_BGD
        cv2.grabCut(picture[seeds][:, None], labels[seeds][:, None], None, *models, 0, cv2.GC_INIT_WITH_MASK)
        cv2.grabCut(picture, labels, None, *models, 1, cv2.GC_EVAL_FREEZE_MODEL)   # the colours of the seeds alone
        cv2.grabCut(picture, labels, None, *models, iterations - 1, cv2.GC_EVAL)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def _bytes(images):
    """uint8 arrays (N,H,W,3) from images (N,3,H,W) in [0,1]."""
    array = (images.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return array.cpu().contiguous().numpy()


def _require(images, maps, foreground, background):
    if images.shape[1] != 3 or not images.shape[2] * images.shape[3]:
        raise ValueError(f"images: got shape {tuple(images.shape)}. It takes colour pictures (N,3,H,W).")
    validate.maps(maps, images[:, 0].shape)
    if not 0 <= background < foreground <= 1:
        raise ValueError(f"background, foreground: got {background!r}, {foreground!r}. It takes two quantiles from 0 "
                         "to 1, the first below the second.")


def _described(got):
    return f"{got.dtype} of shape {tuple(got.shape)}" if isinstance(got, torch.Tensor) else type(got).__name__
