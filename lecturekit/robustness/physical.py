"""Attacks that live in the world: a sticker on a stop sign, a patch beside an object, seen through a camera.

What `optimise` moves is the sticker; its `transform` puts the sticker into pictures and photographs them:

    optimise(sticker, class_score(model, target), transform=transforms.chain(placed(pictures, corners), photographed()),
             project=projections.box)

Places in a picture run from -1 to 1 along each side, x to the right and y downward, at any resolution.
"""

import math

import numpy as np
import torch

from lecturekit import validate
from lecturekit.pictures import transforms
from lecturekit.pictures.transforms import SQUARE, homography, warp

SHAPES = ("square", "disc")
FIELD, DIAGONAL = 35.0, 1.35   # tabletop's camera, degrees, and the diagonal of every object's bounding box
FOOT, FRONT = 0.75, 0.065      # a sign's foot from front to back (0.6 to 0.9), and its face's x, in half widths of it


def photographed(strength=1.0):
    """Print and photograph, as a transform: perspective, light, blur, noise and JPEG (Athalye et al. 2018; Kurakin et
    al. 2017). `strength` scales all but the JPEG."""
    return transforms.chain(
        transforms.perspective(0.12 * strength), transforms.light(0.25 * strength, 0.1 * strength),
        transforms.soften(0.8 * strength), transforms.noise(0.02 * strength), transforms.jpeg(50, 95))


# ---------------------------------------------------------------- placing


def onto(pictures, sticker, corners, masks=None, shape="square"):
    """Copies of pictures (N,3,H,W) with a sticker (1,3,s,s) between four corners (N,4,2) each, clockwise from its top
    left; only where `masks` (N,H,W) hold, if given. A "disc" is the sticker's inscribed circle."""
    validate.one_of("shape", shape, SHAPES)
    if len(validate.images(sticker, "sticker", in_range=False)) != 1:
        raise ValueError(f"sticker: got a batch of {len(sticker)}. It takes one (1,{pictures.shape[1]},h,w).")
    if tuple(corners.shape) != (len(pictures), 4, 2):
        raise ValueError(f"corners: got shape {tuple(corners.shape)}. It takes ({len(pictures)},4,2), x and y.")
    matrices = homography(corners, torch.tensor(SQUARE).expand_as(corners))
    cover = _cover(sticker, shape)   # (1,1,s,s)
    both = torch.cat([sticker * cover, cover], 1).expand(len(pictures), -1, -1, -1)   # colours that fade with the cover
    seen = warp(both, matrices, pictures.shape[2:])
    if masks is not None:
        seen = seen * masks[:, None]
    return pictures * (1 - seen[:, -1:]) + seen[:, :-1]


def _cover(sticker, shape):
    """How much of each place of the sticker counts (1,1,s,s)."""
    height, width = sticker.shape[2:]
    if shape == "square":
        return torch.ones(1, 1, height, width)
    y, x = ((torch.arange(n) + 0.5) / n * 2 - 1 for n in (height, width))
    return (y.square()[:, None] + x.square() <= 1).float()[None, None]


def placed(pictures, corners, masks=None, shape="square", batch=8):
    """A transform (sticker, generator) -> pictures: at its corners in `batch` of the pictures, drawn anew each time."""
    validate.images(pictures, "pictures")
    validate.positive("batch", batch, whole=True)

    def shown(sticker, generator):
        chosen = torch.randperm(len(pictures), generator=generator)[:batch]
        return onto(pictures[chosen], sticker, corners[chosen], None if masks is None else masks[chosen], shape)
    return shown


def thrown(pictures, scale=(0.3, 0.45), degrees=25, shape="disc", batch=8):
    """A transform (patch, generator) -> pictures: anywhere in `batch` of the pictures, its side a share in `scale` of
    theirs, turned by up to `degrees` (Brown et al. 2017)."""
    validate.images(pictures, "pictures")
    validate.positive("batch", batch, whole=True)

    def shown(patch, generator):
        chosen = torch.randperm(len(pictures), generator=generator)[:batch]
        return onto(pictures[chosen], patch, anywhere(len(chosen), scale, degrees, generator), None, shape)
    return shown


def anywhere(count, scale=(0.3, 0.45), degrees=25, generator=None):
    """Corners (count,4,2) of squares of random place, size and turn; upright ones are whole in the picture."""
    size, turn, x, y = torch.rand(4, count, 1, generator=generator)
    size, turn = scale[0] + size * (scale[1] - scale[0]), math.radians(degrees) * (2 * turn - 1)
    square = torch.tensor(SQUARE)   # (4,2)
    turned = torch.stack([turn.cos() * square[:, 0] - turn.sin() * square[:, 1],
                          turn.sin() * square[:, 0] + turn.cos() * square[:, 1]], 2)   # (count,4,2)
    middle = torch.stack([2 * x - 1, 2 * y - 1], 2) * (1 - size[..., None])
    return middle + size[..., None] * turned


# ---------------------------------------------------------------- the stop sign's face


def on_signs(signs, centre=(0.0, -0.5), half=0.3):
    """Corners (N,4,2) of a square on the face of each stop sign of a Tabletop, from its pose and the camera's.

    `centre` (right, up) and `half` the side in half widths of the plate: (0, 0) and 1 are the plate's bounding square.
    """
    if any(sample["category"] != "stop sign" for sample in signs.samples):
        raise ValueError("signs: got other things too. It takes a Tabletop of stop signs: data[data.labels == 9].")
    return torch.stack([_corners(sample, centre, half) for sample in signs.samples])


def _corners(sample, centre, half):
    height = 2 * sample["aim"]
    plate = math.sqrt((DIAGONAL ** 2 - height ** 2) / (4 + FOOT ** 2))   # half its width, in the scene's units
    spots = np.array(centre) + half * np.array(SQUARE) * (1, -1)         # right and up
    points = plate * np.stack([np.full(4, FRONT), *spots.T], 1) + (0, 0, height - plate)
    turn = np.radians(-sample["azimuth"])
    points[:, :2] = points[:, :2] @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]] + sample["position"]
    return torch.from_numpy(_seen(points, sample)).float()


def _seen(points, sample):
    """Places (V,2) in the picture of points (V,3) of the scene: z up, the camera on the +x side, +y to the right."""
    cos, sin = np.cos(np.radians(sample["elevation"])), np.sin(np.radians(sample["elevation"]))
    ray = points - (0, 0, sample["aim"]) - sample["distance"] * np.array([cos, 0, sin])
    depth = ray @ [-cos, 0, -sin] * np.tan(np.radians(FIELD / 2))
    return np.stack([ray[:, 1] / depth, -(ray @ [-sin, 0, cos]) / depth], 1)
