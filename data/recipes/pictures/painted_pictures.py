"""Make the painted style pictures data/styles/*.jpg of 768 px: impasto, points, ink.

    python data/recipes/pictures/painted_pictures.py

Scenes of hills, drawn by programs too, are painted with strokes of a brush whose hairs leave grooves, from broad to fine
(Hertzmann 1998): where the canvas already looks like the scene, a finer coat leaves it alone. Impasto: thick strokes along
the level lines, lit as if the paint stood up. Points: round dabs of unmixed colours. Ink: hatching, the denser the darker.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from lecturekit import files

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import publishing
from pictures.style_pictures import colours, lit

SIZE = 768
TURNS, KINDS = 32, 5    # directions of a stamp, and how many different ones each has
DUSK = ("#2a1a4a", "#6b2d6f", "#c8455c", "#f08a4b", "#f9c66b")     # the sky, from above
HEATH = ("#7d3c6d", "#8c2f39", "#3f2a56", "#23395b", "#161a30")    # hills, from afar to near
DAY = ("#4f8fd0", "#8fc1e8", "#cfe3ee", "#f4e9c9", "#f7d9b0")
MEADOW = ("#7fa8c9", "#6aa56b", "#9cb84a", "#4d8a3d", "#c2913a")
GREY_SKY = ("#50596b", "#8b93a3", "#c9ccd0", "#f2efe6", "#ffffff")
GREY_HILLS = ("#b9b9b9", "#939393", "#6f6f6f", "#454545", "#222222")
SUN, INK, PAPER = "#fff1b8", "#1b1e2b", "#efe6d2"


def noise(rng, scale, shape=(SIZE, SIZE)):
    """Noise, blurred by `scale` px, mean 0, standard deviation 1, wrapped around."""
    drawn = ndimage.gaussian_filter(rng.standard_normal(shape), scale, mode="wrap")
    return (drawn - drawn.mean()) / drawn.std()


def scene(rng, sky, hills, sun):
    """A sun (row, column, radius in px) in a sky above hills: (H,W,3)."""
    rows, cols = np.mgrid[:SIZE, :SIZE]
    shade = (rows / (0.62 * SIZE) + 0.05 * noise(rng, 40)).clip(0, 1)
    picture = np.stack([np.interp(shade, np.linspace(0, 1, len(sky)), channel) for channel in colours(sky).T], -1)
    glow = np.exp(-np.hypot(rows - sun[0], cols - sun[1]) / (1.8 * sun[2]))[..., None]
    picture = picture * (1 - glow) + glow * colours([SUN])[0]
    picture[np.hypot(rows - sun[0], cols - sun[1]) < sun[2]] = colours([SUN])[0]
    for depth, paint in enumerate(colours(hills)):
        ridge = SIZE * (0.46 + 0.11 * depth) + (26 + 10 * depth) * noise(rng, 95 - 12 * depth, (SIZE,))
        land = rows > ridge
        picture[land] = (paint * (1 + 0.16 * noise(rng, 14)[..., None]))[land]
    return picture.clip(0, 1)


def stamps(rng, length, width):
    """[turn][kind] -> how much paint (h,w) a stroke leaves and how high its grooves stand."""
    half = int(np.hypot(length, width) / 2) + 2
    rows, cols = np.mgrid[-half:half + 1, -half:half + 1]
    places, made = np.linspace(-width, width, 64), []
    hairs = [(noise(rng, 64 / (2 * width + 4), (64,)).clip(-2, 2) / 4 + 0.5, noise(rng, 3, (64,)).clip(-2, 2))
             for _ in range(KINDS)]
    for turn in np.pi * np.arange(TURNS) / TURNS:
        along, across = cols * np.cos(turn) + rows * np.sin(turn), rows * np.cos(turn) - cols * np.sin(turn)
        kinds = []
        for groove, ragged in hairs:
            depth, end = np.interp(across, places, groove), length / 2 * (0.85 + 0.1 * np.interp(across, places, ragged))
            inside = 1 / (1 + np.exp(-1.2 * (end - np.abs(along)).clip(-30, 30))) \
                / (1 + np.exp(-2.0 * (width / 2 - np.abs(across)).clip(-30, 30)))
            kinds.append((inside * (0.55 + 0.45 * depth), inside * depth))
        made.append(kinds)
    return made


def coat(rng, canvas, relief, paint, turn, length, width, wanted):
    """Strokes on the canvas (H,W,3) and its relief (H,W), in place, at a jittered grid of sites, in random order: the colour
    is paint (H,W,3), the direction turn (H,W), and a site is painted with the probability wanted (H,W)."""
    kinds, step = stamps(rng, length, width), 0.8 * width
    margin = kinds[0][0][0].shape[0] // 2
    sites = np.stack(np.mgrid[0:SIZE:step, 0:SIZE:step], -1).reshape(-1, 2) \
        + rng.uniform(-step / 2, step / 2, (int(np.ceil(SIZE / step)) ** 2, 2))
    for row, col in rng.permutation(sites.round().astype(int).clip(0, SIZE - 1)):
        if rng.random() >= wanted[row, col]:
            continue
        cover, height = kinds[int(turn[row, col] / np.pi * TURNS + 0.5) % TURNS][rng.integers(KINDS)]
        top, left = max(row - margin, 0), max(col - margin, 0)
        part = (slice(top, row + margin + 1), slice(left, col + margin + 1))
        size = canvas[part].shape
        inner = (slice(top - row + margin, top - row + margin + size[0]),
                 slice(left - col + margin, left - col + margin + size[1]))
        share = cover[inner][..., None]
        canvas[part] += share * (paint[row, col] - canvas[part])
        relief[part] += share[..., 0] * (width * height[inner] - relief[part])


def directions(picture, scale):
    """The direction (H,W) of the level lines of the picture's lightness, radians in [0, pi)."""
    light = ndimage.gaussian_filter(picture.mean(-1), scale)
    down, right = np.gradient(light)
    down, right, both = (ndimage.gaussian_filter(part, 2 * scale) for part in (down ** 2, right ** 2, down * right))
    return (0.5 * np.arctan2(2 * both, right - down) + np.pi / 2) % np.pi


def impasto():
    rng = np.random.default_rng(8)
    picture = scene(rng, DUSK, HEATH, (250, 500, 62))
    turn = (directions(picture, 9) + 0.35 * noise(rng, 30)) % np.pi
    canvas, relief = np.ones_like(picture) * colours(["#8a5a44"])[0], np.zeros((SIZE, SIZE))
    for length, width, spread, limit in ((110, 34, 0.12, 0), (64, 19, 0.12, 0.05), (36, 10, 0.10, 0.09)):
        blurred = ndimage.gaussian_filter(picture, width / 3, axes=(0, 1))
        paint = (blurred * (1 + spread * rng.standard_normal((SIZE, SIZE, 1)))
                 + 0.04 * rng.standard_normal((SIZE, SIZE, 3))).clip(0, 1)
        wanted = (np.abs(canvas - blurred).mean(-1) > limit) * (0.9 if limit else 1.0)
        coat(rng, canvas, relief, paint, turn, length, width, wanted)
    return lit(canvas, relief, 0.25)


def points():
    rng = np.random.default_rng(21)
    picture = scene(rng, DAY, MEADOW, (190, 220, 54))
    canvas, relief = np.ones_like(picture) * colours(["#f3ead6"])[0], np.zeros((SIZE, SIZE))
    turn = np.pi * rng.random((SIZE, SIZE))
    for size, strength in ((17, 0.05), (12, 0.10), (9, 0.15)):
        paint = (picture + strength * rng.standard_normal((SIZE, SIZE, 3))).clip(0, 1)
        coat(rng, canvas, relief, paint, turn, 1.25 * size, size, np.full((SIZE, SIZE), 0.75))
    return lit(canvas, relief, 0.12)


def ink():
    rng = np.random.default_rng(13)
    picture = scene(rng, GREY_SKY, GREY_HILLS, (210, 540, 70))
    dark, along = 1 - picture.mean(-1), directions(picture, 12)
    canvas = np.ones_like(picture) * colours([PAPER])[0] * (1 + 0.02 * noise(rng, 1.5)[..., None])
    relief = np.zeros((SIZE, SIZE))
    paint = np.ones_like(picture) * colours([INK])[0]
    for turn, from_dark in ((along, 0.10), (along + 0.9, 0.42), (along - 0.7, 0.66)):
        wanted = ((dark - from_dark) / 0.45).clip(0, 1) * 0.15
        coat(rng, canvas, relief, paint, (turn + 0.05 * noise(rng, 20)) % np.pi, 46, 3.2, wanted)
    return canvas.clip(0, 1)


if __name__ == "__main__":
    publishing.parser(__doc__).parse_args()
    for make in (impasto, points, ink):
        Image.fromarray((make() * 255).round().astype(np.uint8)).save(
            files.root() / "styles" / f"{make.__name__}.jpg", quality=90)
