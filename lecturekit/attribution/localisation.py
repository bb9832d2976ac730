"""Is a map right? Scores of maps (N,H,W) against masks (N,H,W) of where the object is, and against the network itself.

Where a map ties, all tied pixels count alike, so that a constant map scores chance.
"""

import torch

from lecturekit import validate
from lecturekit.networks.running import BATCH
from lecturekit.attribution.perturbation import fill_picture
from lecturekit.attribution.scores import class_scores


def pointing_game(maps, masks):
    """Does the map's maximum lie in the mask (Zhang et al. 2018, no margin)? 0 or 1, a share where it ties: (N,)."""
    maps, masks = _pairs(maps, masks)
    highest = maps == maps.amax((1, 2), keepdim=True)
    return (highest & masks).sum((1, 2)) / highest.sum((1, 2))


def energy_inside(maps, masks):
    """The share of the map's positive part inside the mask (N,); a map with none scores the mask's area."""
    maps, masks = _pairs(maps, masks)
    evidence = maps.clamp(min=0)
    evidence = torch.where((evidence > 0).any(2, True).any(1, True), evidence, torch.ones_like(evidence))
    return (evidence * masks).sum((1, 2)) / evidence.sum((1, 2))


def discrimination(maps, own, other):
    """Of the map's positive part on two objects, the share on its own, own / (own + other): (N,).

    1 is perfect; a map that knows nothing of the class scores 0.5 on average over both classes of a picture, and one
    with nothing positive on either object 0.5.
    """
    maps, own = _pairs(maps, own, "own")
    evidence, other = maps.clamp(min=0), _pairs(maps, other, "other")[1]
    on_own, on_other = ((evidence * mask).sum((1, 2)) for mask in (own, other))
    return torch.where(on_own + on_other > 0, on_own / (on_own + on_other), 0.5)


def iou(maps, masks, share=None):
    """Intersection over union of the mask and the map's highest pixels (N,): a `share` of them, or the mask's area."""
    maps, masks = _pairs(maps, masks)
    if share is not None and not 0 < share <= 1:
        raise ValueError(f"share: got {share!r}. It takes a number above 0, up to 1.")
    area = masks.sum((1, 2)) if share is None else torch.full((len(maps),), round(share * masks[0].numel()))
    ranked = maps.flatten(1).sort(1, descending=True).values
    threshold = ranked.gather(1, area[:, None].to(maps.device).clamp(min=1) - 1)
    high = maps >= threshold[:, :, None]
    return (high & masks).sum((1, 2)) / (high | masks).sum((1, 2))


def chance(masks):
    """What a map that knows nothing scores, each (N,): {"pointing game", "energy inside", "IoU"}.

    The mask's share a of the picture; for the IoU a / (2 - a), that of a random set of the same area.
    """
    area = masks.float().mean((1, 2))
    return {"pointing game": area, "energy inside": area, "IoU": area / (2 - area)}


def deletion(model, images, maps, target, steps=16, fill="blur", score="probability", batch=BATCH):
    """The score as pixels are hidden, the map's highest first: (N, steps + 1), from the whole image to the fill.

    Petsiuk et al. 2018 (they fill with grey). A good map makes it fall early.
    """
    return _curve(model, images, maps, target, steps, fill, score, batch, hide=True)


def insertion(model, images, maps, target, steps=16, fill="blur", score="probability", batch=BATCH):
    """The score as pixels appear on the fill, the map's highest first: (N, steps + 1), the fill's score first.

    Petsiuk et al. 2018. A good map makes it rise early.
    """
    return _curve(model, images, maps, target, steps, fill, score, batch, hide=False)


def area_under(curves):
    """Area under curves (N, steps + 1) over the share of pixels changed, by the trapezoidal rule: (N,)."""
    return torch.trapezoid(curves, dx=1 / (curves.shape[1] - 1), dim=1)


def bootstrap(values, samples=1000, level=0.95, seed=0):
    """(low, high): the interval that holds the mean of resampled values (N,) with probability `level` (Efron 1979)."""
    values = torch.as_tensor(values, dtype=torch.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values: got shape {tuple(values.shape)}. It takes a tensor (N,) with at least one value.")
    drawn = torch.randint(len(values), (samples, len(values)), generator=torch.Generator().manual_seed(seed))
    tails = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    return tuple(values.cpu()[drawn].mean(1).quantile(tails).tolist())


def _curve(model, images, maps, target, steps, fill, score, batch, hide):
    validate.positive("steps", steps, whole=True)
    under = fill_picture(images, fill)
    ranks = _ranks(validate.maps(maps, images[:, 0].shape))   # 0 for the highest pixel
    scores = []
    for step in range(steps + 1):
        chosen = (ranks < step / steps * ranks[0].numel() if len(ranks) else ranks.bool())[:, None]
        pictures = torch.where(chosen, under, images) if hide else torch.where(chosen, images, under)
        scores.append(class_scores(model, pictures, target, score, batch))
    return torch.stack(scores, 1)


def _ranks(maps):
    """The place of each pixel when those of its map are sorted, highest first: (N,H,W); ties in reading order."""
    order = maps.flatten(1).argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1).view_as(maps)


def _pairs(maps, masks, argument="masks"):
    """Maps and masks, checked to be of one shape, with something in every mask."""
    if not isinstance(masks, torch.Tensor) or masks.dtype != torch.bool:
        got = getattr(masks, "dtype", type(masks).__name__)
        raise TypeError(f"{argument}: got {got}. It takes a bool tensor (N,H,W).")
    if not masks.any(2).any(1).all():
        raise ValueError(f"{argument}: got one that is true nowhere. It takes masks with at least one pixel each.")
    return validate.maps(maps, masks.shape), masks
