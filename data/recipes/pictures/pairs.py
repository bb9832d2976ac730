"""Training pictures of two objects, put together from tabletop's pictures of one.

Each object is cut out with its mask, scaled down as if the camera stood further away, and put on the floor of a third
picture, from which its own object was painted out row by row, left and right of each other.
"""

import torch
from torch.nn import functional as F
from torchvision.transforms.functional import gaussian_blur

from lecturekit.pictures import captions

# bounds of what is drawn; lengths and places are fractions of the picture's side
SIZES, GAPS, MIDDLES, BOTTOMS = (0.3, 0.56), (-0.02, 0.09), (0.44, 0.56), (0.6, 0.84)
ZOOMS, ROOM_ZOOMS, DRIFT = (0.92, 1.2), (0.6, 1.0), (-0.06, 0.06)
SHADOW, BRIGHTNESS = (0.0, 0.5), (0.85, 1.15)   # how dark a shadow is; how bright a picture


class Pairs:
    """Draws pairs from a Tabletop of single objects."""

    def __init__(self, data):
        self.data = data
        chunks = zip(data.images.split(250), data.masks.split(250))
        self.rooms = torch.cat([(empty_rooms(*chunk) * 255).round().byte() for chunk in chunks])
        self.boxes = torch.tensor([sample["box"] for sample in data.samples]) / data.pixels.shape[-1]

    def draw(self, count, generator):
        """`count` pictures (N,3,H,W) of two objects, and their captions."""
        rooms = torch.randint(len(self.data), (count,), generator=generator)
        pairs = torch.randint(len(self.data), (count, 2), generator=generator)
        cut = self.data.pixels[pairs].float() / 255, self.data.masks[pairs], self.boxes[pairs]
        images = compose(self.rooms[rooms].float() / 255, *cut, generator)
        return relit(images, generator), [self._caption(*row) for row in zip(rooms.tolist(), pairs.tolist())]

    def _caption(self, room, pair):
        things = [(self.data.samples[i]["object_colour_name"], self.data.samples[i]["category"]) for i in pair]
        return captions.sentence(things, self.data.samples[room]["floor"])


def views(data, rows, generator):
    """New views (N,3,H,W) of the pictures `rows` of a Tabletop: mirrored or not, moved, scaled, brighter or darker."""
    images = data.pixels[rows].float() / 255
    mirrored = torch.rand(len(rows), 1, 1, 1, generator=generator) < 0.5
    middle = torch.full((len(rows), 2), 0.5)
    zoom = uniform(ZOOMS, (len(rows),), generator)
    target = middle + uniform(DRIFT, middle.shape, generator)
    return relit(move(torch.where(mirrored, images.flip(3), images), zoom, middle, target, "reflection"), generator)


def relit(images, generator):
    return (images * uniform(BRIGHTNESS, (len(images), 1, 1, 1), generator)).clamp(0, 1)


def empty_rooms(images, masks):
    """The pictures (N,3,H,W) without their object, each pixel of it copied from elsewhere in its row."""
    hidden = F.max_pool2d(masks[:, None].float(), 9, 1, 4).bool()
    rooms, open_ = images.clone(), hidden.clone()
    for mirrored in (True, False):
        for shift in (0, 32, 64, 96, 16, 48, 80, 112):
            source, free = ((t.flip(3) if mirrored else t).roll(shift, 3) for t in (images, ~hidden))
            rooms, open_ = torch.where(open_ & free, source, rooms), open_ & ~free
    average = (images * ~hidden).sum(3, keepdim=True) / (~hidden).sum(3, keepdim=True).clamp(min=1)
    return torch.where(open_, average, rooms)


def move(pictures, scale, source, target, padding="zeros"):
    """Pictures (N,C,H,W) scaled by `scale` (N,), so that the points `source` (N,2) come to lie at `target` (N,2).

    Points are (x, y) as fractions of the picture's side.
    """
    shift = (2 * target - 1) - scale[:, None] * (2 * source - 1)
    matrices = torch.stack([torch.stack([1 / scale, 0 * scale, -shift[:, 0] / scale], 1),
                            torch.stack([0 * scale, 1 / scale, -shift[:, 1] / scale], 1)], 1)
    grid = F.affine_grid(matrices, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode=padding, align_corners=False)


def layout(boxes, generator):
    """Where the objects of pairs go: scales (N,2) and the points (N,2,2) at which their boxes (N,2,4) stand."""
    sides = (boxes[..., 2:] - boxes[..., :2])
    scales = (uniform(SIZES, sides.shape[:2], generator) / sides.amax(2)).clamp(max=1)
    widths, gap = sides[..., 0] * scales, uniform(GAPS, (len(boxes),), generator)
    left = uniform(MIDDLES, (len(boxes),), generator) - (widths.sum(1) + gap) / 2
    x = torch.stack([left + widths[:, 0] / 2, left + widths[:, 0] + gap + widths[:, 1] / 2], 1)
    return scales, torch.stack([x, uniform(BOTTOMS, x.shape, generator)], 2)


def uniform(bounds, shape, generator):
    low, high = bounds
    return low + (high - low) * torch.rand(shape, generator=generator)


def compose(rooms, images, masks, boxes, generator):
    """Pictures (N,3,H,W) of the objects images (N,2,3,H,W), cut out by masks (N,2,H,W), in rooms (N,3,H,W).

    boxes (N,2,4): left, top, right, bottom of each object as fractions of the side.
    """
    scales, spots = layout(boxes, generator)
    feet = torch.stack([boxes[..., [0, 2]].mean(2), boxes[..., 3]], 2)
    middle = torch.full((len(rooms), 2), 0.5)
    zoom = uniform(ROOM_ZOOMS, (len(rooms),), generator)
    scene = move(rooms, zoom, middle, middle + uniform(DRIFT, (len(rooms), 2), generator), "reflection")
    for i in spots[..., 1].argsort(1).T:   # the further object first, so that the nearer one may hide it
        every = torch.arange(len(rooms))
        cut = torch.cat([images[every, i], masks[every, i, None].float()], 1)
        moved = move(cut, scales[every, i], feet[every, i], spots[every, i])
        scene = shaded(scene, moved[:, 3:], generator)
        scene = torch.lerp(scene, moved[:, :3], moved[:, 3:])
    return scene


def shaded(scene, masks, generator):
    """The scene with a soft shadow beside and below objects of masks (N,1,H,W)."""
    count = len(scene)
    shift = torch.stack([uniform((-0.08, 0.08), (count,), generator), uniform((0, 0.03), (count,), generator)], 1)
    low = masks * (masks.flip(2).cumsum(2).flip(2) < 24)   # the lowest part of the object, near the floor
    shadow = gaussian_blur(move(low, torch.ones(count), torch.full_like(shift, 0.5), 0.5 + shift), 9, 3.0)
    return scene * (1 - uniform(SHADOW, (count, 1, 1, 1), generator) * shadow)
