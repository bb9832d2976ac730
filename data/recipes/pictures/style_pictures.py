"""Make the style pictures data/styles/*.jpg: brush strokes, a mosaic, a grid of primaries.

    python data/recipes/pictures/style_pictures.py

Strokes: noise in the colours of a palette, smeared along a flow of whirls (line integral convolution, Cabral and
Leedom 1993) in layers from broad to fine, lit as if the paint stood up. Mosaic: square tiles that follow the edges of
a picture (Hausner 2001). Grid: rectangles, halved at random, between black lines.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from lecturekit import files

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import publishing

SIZE = 320
NIGHT = ("#0b1437", "#14296b", "#1d4fa3", "#3f86c9", "#8fc4dc", "#e9e4c3", "#f3c53d", "#e08a1e")
CLAY = ("#0f4c5c", "#1f8a8c", "#86c5b2", "#f2e3bc", "#e9b44c", "#d1622b", "#8f2d22", "#2b2d42")
GROUT = "#3b3630"
PRIMARIES = ("#f3efe2", "#d3201f", "#173f9c", "#f4cf1f")
INK = "#14120f"


def colours(names):
    """(K,3) floats in [0,1] from "#rrggbb" texts."""
    return np.array([[int(name[i:i + 2], 16) for i in (1, 3, 5)] for name in names]) / 255


def smooth(rng, scale, channels=()):
    """Noise of the size of the picture, blurred by `scale` px, mean 0, standard deviation 1, wrapped around."""
    noise = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE, *channels)), scale, mode="wrap", axes=(0, 1))
    return (noise - noise.mean((0, 1))) / noise.std((0, 1))


def grid():
    """Row and column of each pixel, (2,H,W)."""
    return np.mgrid[:SIZE, :SIZE].astype(float)


def lit(canvas, height, strength):
    """The canvas (H,W,3) with its relief lit from the upper left."""
    down, right = np.gradient(height)
    light = np.tanh((down + right) * 1.2)
    return (canvas * (1 - strength * light[..., None])).clip(0, 1)


# Brush strokes

WHIRLS = ((92, 96, 46, 1), (80, 236, 34, -1), (176, 170, 40, 1),   # row, column, radius, sense
          (250, 64, 34, -1), (262, 262, 44, 1))
LAYERS = ((4.5, 60, 0.13, 1.0), (2.6, 46, 0.20, 0.5), (1.7, 34, 0.26, 0.32))   # width, length, spread of tones, cover


def flow():
    """Unit vectors (2,H,W) along the level lines of waves, noise and whirls; and how near (H,W) a whirl is."""
    rng = np.random.default_rng(5)
    rows, cols = grid()
    potential = 0.9 * rows + 14 * smooth(rng, 34) + 10 * np.sin(cols / 38)
    near = np.zeros((SIZE, SIZE))
    for row, col, radius, sense in WHIRLS:
        bump = np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * radius ** 2 * 0.6))
        potential += sense * 2.6 * radius * bump
        near = np.maximum(near, bump)
    down, right = np.gradient(potential)
    field = np.stack([right, -down])
    return field / np.linalg.norm(field, axis=0), near


def sampled(values, places, mode):
    """values (H,W,C) at places (2,H,W), linearly interpolated."""
    parts = [ndimage.map_coordinates(values[..., c], places, order=1, mode=mode) for c in range(values.shape[-1])]
    return np.stack(parts, -1)


def smear(picture, field, length):
    """Line integral convolution: the mean of picture (H,W,C) along `length` px of the line through each pixel."""
    total, weight = picture.copy(), 1.0
    for sense in (1, -1):
        places = grid()
        for step in range(1, length // 2 + 1):
            here = sampled(field.transpose(1, 2, 0), places, "nearest").transpose(2, 0, 1)
            places = places + sense * here / np.maximum(np.linalg.norm(here, axis=0), 1e-6)
            share = np.cos(np.pi / 2 * step / (length / 2 + 1)) ** 2
            total += share * sampled(picture, places, "reflect")
            weight += share
    return total / weight


def layer(rng, field, tone, width, length, spread):
    """One coat of strokes: its colours (H,W,3), and how high (H,W) the paint stands, standard deviation 1."""
    palette = colours(NIGHT)
    tone = (tone + spread * smooth(rng, width)).clip(0, 1)
    paint = np.stack([np.interp(tone, np.linspace(0, 1, len(palette)), palette[:, c]) for c in range(3)], -1)
    smeared = smear(np.concatenate([paint, smooth(rng, width, (1,))], -1), field, length)
    return smeared[..., :3], smeared[..., 3] / smeared[..., 3].std()


def brush_strokes():
    rng, (field, near) = np.random.default_rng(7), flow()
    tone = 0.30 + 0.14 * smooth(rng, 26) + 0.62 * near ** 1.5
    canvas, height = 0, 0
    for width, length, spread, cover in LAYERS:
        paint, ridge = layer(rng, field, tone, width, length, spread)
        opacity = 1 / (1 + np.exp(-9 * (ridge - np.quantile(ridge, 1 - cover)))) if cover < 1 else np.ones_like(ridge)
        canvas = canvas * (1 - opacity[..., None]) + paint * opacity[..., None]
        height = height * (1 - opacity) + ridge * width * opacity
    sharper = canvas + 0.6 * (canvas - ndimage.gaussian_filter(canvas, 1.5, axes=(0, 1)))
    return lit(sharper, height, 0.22)


# Mosaic

TILE = 11   # px


def plan():
    """What the mosaic shows: the index of a colour (H,W), and the direction that its tiles follow, radians."""
    rng = np.random.default_rng(3)
    height = smooth(rng, 42) + 0.25 * smooth(rng, 16)
    bands = np.searchsorted(np.quantile(height, np.linspace(0, 1, 13)[1:-1]), height)
    down, right = np.gradient(ndimage.gaussian_filter(height, 5))
    return bands, np.arctan2(down, right)


def nearest(sites, turns, where):
    """For each pixel of where (P,2) the site with the nearest square, and the distances to the nearest two."""
    _, near = cKDTree(sites).query(where, 9)
    offsets, turn = where[:, None] - sites[near], turns[near]
    across = np.abs(offsets[..., 0] * np.sin(turn) + offsets[..., 1] * np.cos(turn))
    along = np.abs(offsets[..., 0] * np.cos(turn) - offsets[..., 1] * np.sin(turn))
    distance = np.maximum(across, along)
    order = distance.argsort(1)[:, :2]
    first, second = np.take_along_axis(distance, order, 1).T
    return near[np.arange(len(where)), order[:, 0]], first, second


def tiles(direction, rounds=25):
    """Squares that fill the picture: the tile (H,W) of each pixel and how far, in px, the pixel lies from its rim."""
    rng, where = np.random.default_rng(11), grid().reshape(2, -1).T
    sites = rng.uniform(0, SIZE, ((SIZE // TILE) ** 2, 2))
    for _ in range(rounds + 1):
        cells = sites.round().astype(int).clip(0, SIZE - 1)
        owner, first, second = nearest(sites, direction[tuple(cells.T)], where)
        counts = np.maximum(np.bincount(owner, minlength=len(sites)), 1)
        moved = np.stack([np.bincount(owner, where[:, i], len(sites)) / counts for i in (0, 1)], 1)
        sites = np.where(moved.any(1, keepdims=True), moved, sites)
    return owner.reshape(SIZE, SIZE), ((second - first) / 2).reshape(SIZE, SIZE)


def mosaic():
    rng, (bands, direction) = np.random.default_rng(2), plan()
    owner, rim = tiles(direction)
    palette = colours(CLAY)[rng.permutation(np.arange(12) % len(CLAY))]
    band = np.array([np.bincount(bands[owner == tile], minlength=12).argmax() for tile in range(owner.max() + 1)])
    paint = palette[band] * rng.uniform(0.72, 1.18, (len(band), 1)) + rng.normal(0, 0.025, (len(band), 3))
    stone = lit(paint[owner], 3.0 * rim.clip(0, 2) + 0.6 * smooth(rng, 1.2), 0.10)
    cover = ((rim - 0.7) / 0.7).clip(0, 1)[..., None]
    return (stone * cover + colours([GROUT])[0] * (1 - cover)).clip(0, 1)


# Grid of primaries

LINE = 3   # px, half of its width


def halves(rng, top, left, bottom, right, least=22):
    """The rectangles (top, left, bottom, right) that are left when one is cut at random until all are small."""
    height, width = bottom - top, right - left
    if max(height, width) < 2.2 * least or (max(height, width) < 90 and rng.random() < 0.25):
        return [(top, left, bottom, right)]
    share = rng.uniform(0.28, 0.72)
    if height > width * rng.uniform(0.7, 1.4):
        cut = top + int(share * height)
        return halves(rng, top, left, cut, right) + halves(rng, cut, left, bottom, right)
    cut = left + int(share * width)
    return halves(rng, top, left, bottom, cut) + halves(rng, top, cut, bottom, right)


def paint_for(rng, palette, beside):
    """White, or a colour that no rectangle above or to the left has."""
    taken = [any((colour == other).all() for other in beside) for colour in palette[1:]]
    shares = np.array([0.4, *np.where(taken, 0, 0.2)])
    return palette[rng.choice(len(palette), p=shares / shares.sum())]


def primaries():
    rng, palette, picture = np.random.default_rng(4), colours(PRIMARIES), np.zeros((SIZE, SIZE, 3))
    canvas = smooth(rng, 0.8) + smooth(rng, 6)
    for top, left, bottom, right in halves(rng, 0, 0, SIZE, SIZE):
        above, before = max(top - 2 * LINE, 0), max(left - 2 * LINE, 0)
        beside = picture[above, left + 2 * LINE], picture[top + 2 * LINE, before]
        picture[top:bottom, left:right] = paint_for(rng, palette, beside)
        picture[max(top - LINE, 0):top + LINE, left:right] = colours([INK])[0]
        picture[top:bottom, max(left - LINE, 0):left + LINE] = colours([INK])[0]
    return (picture * (1 + 0.012 * canvas[..., None])).clip(0, 1)


def write(name, picture):
    folder = files.root() / "styles"
    folder.mkdir(exist_ok=True)
    Image.fromarray((picture * 255).round().astype(np.uint8)).save(folder / f"{name}.jpg", quality=92)


if __name__ == "__main__":
    publishing.parser(__doc__).parse_args()
    for make in (brush_strokes, mosaic, primaries):
        write(make.__name__, make())
