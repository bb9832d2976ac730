"""Attribution by hiding parts of the picture: occlusion and LIME. Nothing but forward passes."""

import math
import numbers

import torch

from lecturekit import validate
from lecturekit.pictures.pixels import gaussian_blur
from lecturekit.networks import running
from lecturekit.networks.derivative import chosen
from lecturekit.networks.running import BATCH
from lecturekit.show.bar import bar
from lecturekit.attribution.incremental import Incremental
from lecturekit.attribution.scores import class_scores

FEWEST = 32   # squares, below which it does not pay to tell what each can reach


def occlusion(model, images, target, window=16, stride=8, fill=0.5, score="logit", batch=BATCH, precision="float32"):
    """How far the score falls when a square hides a pixel, averaged over the squares that do: maps (N,H,W).

    Squares as in `sliding_scores`; equal to captum's `Occlusion` (Zeiler and Fergus 2014, section 4.2). `precision`:
    of the passes; "bfloat16" is for processors that compute in it, and keeps the order of the pixels, not their values.
    """
    validate.one_of("precision", precision, ("float32", "bfloat16"))
    with torch.autocast(validate.images(images).device.type, torch.bfloat16, precision == "bfloat16"):
        whole, slid = _slide(model, images, target, window, stride, fill, score, batch)
    rows, columns = (covered.to(slid) for covered in _covered(images, window, stride))
    total = torch.einsum("nyx,yh,xw->nhw", whole[:, None, None] - slid, rows, columns)
    return total / (rows.sum(0)[:, None] * columns.sum(0))


def sliding_scores(model, images, target, window=16, stride=8, fill=0.5, score="probability", batch=BATCH):
    """The score with a square at every position (Zeiler and Fergus 2014, fig. 6): (N, rows, columns) of positions.

    The first square lies at the top left, the next ones `stride` px further, until the image is covered (`spans`).
    `window` and `stride` are a number or (height, width). Raises ValueError for a window larger than the image, and
    for a stride larger than the window, which would leave pixels out.
    """
    return _slide(model, images, target, window, stride, fill, score, batch)[1]


def lime(model, images, target, segments=40, samples=200, fill="mean", score="logit", ridge=1.0, seed=0, batch=BATCH):
    """The weight of each superpixel in a linear model of the score, spread over its pixels: maps (N,H,W).

    Ribeiro et al. 2016, algorithm 1: in `samples` pictures a coin hides each superpixel or not; a ridge regression of
    the score, in which pictures close to the whole one weigh more. `segments`: how many, or their labels (N,H,W).
    """
    validate.positive("samples", samples, whole=True)
    labels = superpixels(images, int(segments)) if isinstance(segments, numbers.Integral) else _labels(segments, images)
    class_scores(model, images, target, score, batch)   # refuses a bad target before the work begins
    targets, under = torch.as_tensor(target).expand(len(images)), fill_picture(images, fill)
    maps = torch.zeros(labels.shape).to(images)
    for i, own in enumerate(labels.cpu()):
        on = torch.randint(2, (samples, int(own.max()) + 1), generator=torch.Generator().manual_seed(seed)).bool()
        _, seen = _scores_without(model, images[i:i + 1], targets[i:i + 1], lambda rows: ~on[rows][:, own], samples,
                                  under[i:i + 1], score, batch)
        maps[i] = _slopes(on.to(seen), seen[0], ridge)[own]
    return maps


def spans(length, window, stride):
    """Where a window sliding over `length` pixels starts and stops: [(start, stop)], the last cut off at the end."""
    if window > length:
        raise ValueError(f"window: got {window} px. It takes at most the image's side of {length} px.")
    if stride > window < length:
        raise ValueError(f"stride: got {stride} px with a window of {window} px. "
                         "It takes at most the window, so that every pixel is hidden at least once.")
    steps = math.ceil((length - window) / stride)
    return [(start, min(start + window, length)) for start in range(0, steps * stride + 1, stride)]


def superpixels(images, segments=40):
    """About `segments` SLIC superpixels (Achanta et al. 2012) of each image: labels (N,H,W) from 0."""
    from skimage.segmentation import slic   # slow to import, needed here alone
    validate.images(images)
    validate.positive("segments", segments, whole=True)
    labels = [torch.from_numpy(slic(picture, segments, start_label=0)).long()
              for picture in images.detach().float().permute(0, 2, 3, 1).cpu().numpy()]
    return torch.stack(labels) if labels else torch.zeros(0, *images.shape[2:]).long()


def fill_picture(images, fill):
    """What lies under hidden pixels, as a picture for each image: (N,C,H,W)."""
    validate.images(images)
    if isinstance(fill, str):
        return _own_fill(images, validate.one_of("fill", fill, ("mean", "blur")))
    takes = "It takes a number in [0,1], one per channel, a picture (N,C,H,W), 'mean' or 'blur'."
    try:
        colour = torch.as_tensor(fill).to(images)
        picture = (colour[:, None, None] if colour.ndim == 1 else colour).expand_as(images)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"fill: got {fill!r} for images of shape {tuple(images.shape)}. {takes}") from None
    if picture.numel() and not (picture.min() >= 0 and picture.max() <= 1):
        raise ValueError(f"fill: got values from {picture.min():.3g} to {picture.max():.3g}. {takes}")
    return picture


def _own_fill(images, fill):
    if fill == "mean" or not len(images):
        return images.mean((2, 3), keepdim=True).expand_as(images)
    sigma = max(images.shape[2:]) / 12
    radius = min(math.ceil(2 * sigma), min(images.shape[2:]) - 1)
    return gaussian_blur(images, 2 * radius + 1, sigma)


def _slide(model, images, target, window, stride, fill, score, batch):
    """The scores without a square (N,) and with it at each position (N,rows,columns)."""
    rows, columns = _covered(images, window, stride)
    tops, lefts = (covered.int().argmax(1) for covered in (rows, columns))
    size = _pair("window", window)

    def squares(numbers):
        return rows[numbers // len(columns), :, None] & columns[numbers % len(columns), None, :]

    def corners(numbers):   # of rectangles of one size, also where a square is cut off
        starts = tops[numbers // len(columns)], lefts[numbers % len(columns)]
        return [start.clamp(max=length - side) for start, length, side in zip(starts, images.shape[2:], size)]

    count, ask = len(rows) * len(columns), None
    if len(images) and count >= FEWEST:
        passes = Incremental(model, images, size)
        ask = lambda pictures, image, numbers: passes.logits(pictures, image, corners(numbers))
    whole, slid = _scores_without(model, images, target, squares, count, fill, score, batch, ask)
    return whole, slid.unflatten(1, (len(rows), len(columns)))


def _scores_without(model, images, target, hidden, count, fill, score, batch, ask=None):
    """The score of each image (N,), and with each of `count` masks hidden (N,count).

    `hidden` gives the masks (n,H,W) of numbers (n,), so that they never stand in memory all at once; `ask` the logits of
    pictures, from the numbers of their images and masks, where there is a shorter way than through the network.
    """
    whole, under = class_scores(model, images, target, score, batch), fill_picture(images, fill)
    ask = ask or (lambda pictures, image, numbers: running.logits(model, pictures, batch))
    targets = torch.as_tensor(target).expand(len(images))
    jobs, scores = torch.arange(len(images) * count), [whole[:0]]
    for job in bar(jobs.split(batch) if len(jobs) else ()):
        image, mask = job // count, hidden(job % count).to(images.device)[:, None]
        pictures = torch.where(mask, under[image], images[image])
        scores.append(chosen(ask(pictures, image, job % count), targets[image], score))
    return whole, torch.cat(scores).view(len(images), count)


def _covered(images, window, stride):
    """For rows and for columns: which pixels a square covers at each of its positions, bool (positions,length)."""
    validate.images(images)
    sides = zip(images.shape[2:], _pair("window", window), _pair("stride", stride))
    return [torch.stack([_between(length, *span) for span in spans(length, *sizes)]) for length, *sizes in sides]


def _between(length, start, stop):
    pixels = torch.arange(length)
    return (pixels >= start) & (pixels < stop)


def _pair(argument, value):
    both = value if isinstance(value, (tuple, list)) and len(value) == 2 else (value, value)
    return [validate.positive(argument, each, whole=True) for each in both]


def _labels(segments, images):
    shape, takes = tuple(images[:, 0].shape), "It takes a number, or long labels from 0 of shape"
    if not isinstance(segments, torch.Tensor) or segments.dtype != torch.long or tuple(segments.shape) != shape:
        raise ValueError(f"segments: got {getattr(segments, 'shape', segments)}. {takes} {shape}.")
    if segments.numel() and segments.min() < 0:
        raise ValueError(f"segments: got the label {int(segments.min())}. {takes} {shape}.")
    return segments


def _slopes(on, scores, ridge, width=0.25):
    """Ridge regression of scores (S,) on switches (S,K), weighted by exp(-d^2 / width^2), d the cosine distance to all
    switches on; the intercept is free. Returns the slopes (K,)."""
    distance = 1 - on.mean(1).sqrt()   # cosine of a row of zeros and ones with a row of ones
    weight = torch.exp(-(distance / width) ** 2)
    switches, target = (values - weight @ values / weight.sum() for values in (on, scores))
    covariance = switches.T @ (weight[:, None] * switches) + ridge * torch.eye(on.shape[1]).to(on)
    return torch.linalg.solve(covariance, switches.T @ (weight * target))
