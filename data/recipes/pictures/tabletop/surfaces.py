"""Procedural surfaces: one typical of each category, the floors, the walls, and the fixed materials of details.

Every picture tiles: its left edge meets its right, its bottom its top. Colours are sRGB, 0 to 1.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

SIZE = 256


class Surface(NamedTuple):
    """A tiling sRGB picture (H, W, 3) uint8, its gloss, and how large a tile is on a foreign shape."""
    image: np.ndarray
    roughness: float = 0.5
    tile: float = 1.0


# role of a part: colour, roughness
MATERIALS = {
    "metal": ((0.62, 0.63, 0.65), 0.35), "chrome": ((0.85, 0.85, 0.87), 0.2),
    "dark": ((0.07, 0.07, 0.08), 0.4), "glass": ((0.10, 0.14, 0.18), 0.08),
    "white": ((0.90, 0.90, 0.88), 0.3), "cream": ((0.88, 0.82, 0.68), 0.4),
    "grey": ((0.45, 0.45, 0.47), 0.5), "rubber": ((0.10, 0.10, 0.10), 0.8),
    "light": ((1.00, 0.96, 0.80), 0.3), "red": ((0.75, 0.06, 0.05), 0.25),
    "amber": ((0.95, 0.55, 0.05), 0.25), "stem": ((0.30, 0.42, 0.14), 0.6),
    "wood": ((0.45, 0.29, 0.16), 0.5), "cord": ((0.15, 0.13, 0.12), 0.7),
    "inside": ((0.93, 0.92, 0.88), 0.25), "liquid": ((0.16, 0.08, 0.04), 0.1),
    "fabric": ((0.72, 0.68, 0.60), 0.95), "lens": ((0.55, 0.70, 0.80), 0.1), "blue": ((0.10, 0.30, 0.70), 0.3),
}


def to_linear(srgb):
    """sRGB values to linear light."""
    c = np.asarray(srgb, float)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def linear_material(role):
    """Linear colour and roughness of a fixed role, as 4 numbers."""
    colour, roughness = MATERIALS[role]
    return np.array([*to_linear(colour), roughness])


def noise(rng, sx, sy=None, size=SIZE):
    """Tiling Gaussian noise (size, size) of standard deviation 1, blurred by `sx` and `sy` 512ths of the side."""
    scale = size / 512
    field = gaussian_filter(rng.standard_normal((size, size)), (scale * (sy or sx), scale * sx), mode="wrap")
    return (field - field.mean()) / field.std()


def grid(size=SIZE):
    """Texture coordinates u, v (size, size) from 0 to 1, v upward."""
    u, v = np.meshgrid((np.arange(size) + 0.5) / size, 1 - (np.arange(size) + 0.5) / size)
    return u, v


def paint(colour, factor, size=SIZE):
    """A picture of one colour times `factor` (H, W), as float (H, W, 3)."""
    return np.clip(np.broadcast_to(np.asarray(factor)[..., None], (size, size, 3)) * np.asarray(colour), 0, 1)


def mix(below, above, cover):
    """`above` over `below` where `cover` (H, W), 0 to 1, is high."""
    cover = np.clip(cover, 0, 1)[..., None]
    return below * (1 - cover) + np.asarray(above) * cover


def edge(distance, width):
    """1 where `distance` is negative, 0 where positive, a ramp of `width` between."""
    return np.clip(0.5 - distance / width, 0, 1)


def to_uint8(image):
    return (255 * np.clip(image, 0, 1) + 0.5).astype(np.uint8)


def contrast_of(colour):
    """Near-black on light colours, near-white on dark ones."""
    return np.array([0.08] * 3) if np.dot(colour, [0.3, 0.6, 0.1]) > 0.35 else np.array([0.93] * 3)


def relief(height, strength):
    """Brightness factor of a height field lit from the upper left."""
    dy, dx = (np.roll(height, -1, a) - np.roll(height, 1, a) for a in (0, 1))
    return np.clip(1 + strength * (dx + dy), 0.3, 1.7)


def cells(rng, count, size=SIZE):
    """Distances to the nearest and second nearest of `count` random points, tiling, in units of their mean spacing."""
    points = rng.random((count, 2))
    around = np.concatenate([points + [i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    u, v = grid(size)
    near = cKDTree(around).query(np.stack([u, v], -1).reshape(-1, 2), k=2)[0]
    return (near * count ** 0.5).reshape(size, size, 2).transpose(2, 0, 1)


# ---- the typical surface of each category: (rng, colour) -> Surface ----

def wood_grain(rng, colour):
    """Vertical grain: rings bent by slow noise, fibres, and a few dark pores."""
    u, v = grid()
    rings = np.sin(2 * np.pi * (7 * u + 0.55 * noise(rng, 40, 110)))
    fibres, pores = noise(rng, 1.5, 60), noise(rng, 1.2, 14)
    factor = 0.86 + 0.17 * rings + 0.06 * fibres - 0.25 * (pores > 2.1)
    return Surface(to_uint8(paint(colour, factor)), 0.45)


def enamel_mug(rng, colour):
    """Glossy enamel with two bands and many speckles in the contrasting tone."""
    u, v = grid()
    ink = contrast_of(colour)
    image = paint(colour, 1 + 0.02 * noise(rng, 20))
    speck = noise(rng, 2.2)
    image = mix(image, ink, edge(2.35 - speck, 0.3))
    for centre, width in ((0.2, 0.055), (0.8, 0.055), (0.7, 0.018)):
        image = mix(image, ink, edge(abs(v - centre) - width, 0.008))
    return Surface(to_uint8(image), 0.15)


def lemon_peel(rng, colour):
    """Small dark pits all over, slow blotches of a lighter and a darker tone."""
    near, _ = cells(rng, 560)
    image = paint(colour, 1.02 + 0.05 * noise(rng, 30))
    image *= relief(gaussian_filter(np.minimum(near, 0.35), 0.8, mode="wrap"), 0.8)[..., None]
    return Surface(to_uint8(mix(image, np.array(colour) * 0.55, 0.85 * edge(near - 0.17, 0.16))), 0.38)


def pepper_skin(rng, colour):
    """Waxy skin: fine vertical streaks, paler and greener here and there."""
    streaks = noise(rng, 2, 70)
    broad = noise(rng, 9, 120)
    image = paint(colour, 0.97 + 0.05 * streaks + 0.05 * broad)
    image = mix(image, np.array(colour) * 0.45 + np.array([0.42, 0.46, 0.12]), 0.5 * edge(1.3 - broad, 1.2))
    image = mix(image, [1, 1, 0.93], 0.7 * edge(2.4 - noise(rng, 1.5), 0.3))
    return Surface(to_uint8(image), 0.1)


def hammered_iron(rng, colour):
    """Cast iron under hammered paint: round dents with dark rims."""
    near, second = cells(rng, 130)
    rim = np.clip((second - near) * 2.5, 0, 1)
    factor = relief(gaussian_filter(near ** 2, 1, mode="wrap"), 2.5) * (0.7 + 0.36 * rim) + 0.05 * noise(rng, 1)
    return Surface(to_uint8(paint(colour, factor)), 0.3)


def panelled_enamel(rng, colour):
    """Smooth white goods: one pressed panel to a tile, a seam around it, screws at its corners, vent slots low down."""
    u, v = grid()
    ink = np.array([0.33, 0.35, 0.38])
    image = paint(colour, 1 + 0.01 * noise(rng, 60))
    x, y = abs(u - 0.5), abs(v - 0.5)
    image = mix(image, ink, edge(0.492 - np.maximum(x, y), 0.004))
    image = mix(image, np.array(colour) * 0.68, edge(abs(np.maximum(x, y) - 0.43) - 0.006, 0.006))
    image = mix(image, ink, edge(np.hypot(x - 0.46, y - 0.46) - 0.014, 0.006))
    slots = (abs(v - 0.16) < 0.05) & (abs(u - 0.75) < 0.13) & ((v * 40) % 1 < 0.45)
    return Surface(to_uint8(mix(image, ink, slots.astype(float))), 0.2, tile=0.75)


LEGENDS = "QWERTYASDFGHZXCVBNUIOPJKLM1234567890"
CAPS = 6                                    # key caps along each side of the picture
CAP_GAP = (0.01 / CAPS, 1 - 0.99 / CAPS)     # a spot in the tone between the caps


def cap_window(index, inner=False):
    """Texture bounds (u0, v0, u1, v1) of the key cap `index`; `inner` keeps to its unprinted middle strip."""
    row, column = divmod(index % CAPS ** 2, CAPS)
    u, v, size = column / CAPS, 1 - (row + 1) / CAPS, 1 / CAPS
    low, high = (0.14, 0.2) if inner else (0.06, 0.94)
    return u + low * size, v + low * size, u + high * size, v + high * size


def printed_caps(rng, colour):
    """A field of key caps, each with its rim, its bevel and a printed letter."""
    cell = 96
    side, ink = CAPS * cell, tuple((255 * contrast_of(colour)).astype(int))
    base = tuple((255 * np.array(colour)).astype(int))
    picture = Image.new("RGB", (side, side), tuple(int(0.42 * c) for c in base))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(60)
    for i, letter in enumerate(LEGENDS):
        x, y = (i % CAPS) * cell, (i // CAPS) * cell
        draw.rounded_rectangle((x + 5, y + 5, x + cell - 6, y + cell - 6), 12, tuple(int(0.68 * c) for c in base))
        draw.rounded_rectangle((x + 10, y + 7, x + cell - 11, y + cell - 17), 10, base)
        draw.text((x + cell / 2, y + cell / 2 - 5), letter, ink, font, anchor="mm", stroke_width=2)
    return Surface(np.array(picture.resize((SIZE, SIZE), Image.LANCZOS)), 0.5, tile=1.3)


def woven_linen(rng, colour):
    """Warp and weft: threads over and under each other, some thicker."""
    u, v = grid()
    count = 44
    over = ((np.floor(u * count) + np.floor(v * count)) % 2).astype(bool)
    warp = 0.82 + 0.18 * np.sin(np.pi * (u * count % 1)) + 0.05 * noise(rng, 4, 200)
    weft = 0.72 + 0.18 * np.sin(np.pi * (v * count % 1)) + 0.05 * noise(rng, 200, 4)
    factor = np.where(over, warp, weft)
    return Surface(to_uint8(paint(colour, 1.02 * factor)), 0.95)


def bus_paint(rng, colour):
    """Paint with two black rub rails below a row of dark windows (v from the ground up, u along the side)."""
    u, v = grid()
    image = paint(colour, 1 + 0.012 * noise(rng, 25))
    for centre, width in ((0.30, 0.018), (0.40, 0.018), (0.56, 0.012)):
        image = mix(image, [0.05, 0.05, 0.05], edge(abs(v - centre) - width, 0.006))
    x, y = abs((u * 4) % 1 - 0.5) / 4, abs(v - 0.72)
    image = mix(image, [0.05, 0.05, 0.05], edge(np.maximum(x - 0.108, y - 0.122), 0.006))
    glass = np.stack([0.16 + 0.25 * (v - 0.6), 0.22 + 0.3 * (v - 0.6), 0.30 + 0.4 * (v - 0.6)], -1)
    image = mix(image, glass, edge(np.maximum(x - 0.094, y - 0.105), 0.006))
    return Surface(to_uint8(image), 0.22, tile=1.1)


BUS_PLAIN = (0.0, 0.93)                     # a spot of plain paint


OCTAGON = np.stack([np.cos(np.radians(22.5 + 45 * np.arange(8))), np.sin(np.radians(22.5 + 45 * np.arange(8)))], 1)


def sign_sheet(rng, colour):
    """Retroreflective sheet: a white octagonal border and STOP on the colour; the octagon fills the tile."""
    side = 1024
    base = tuple((255 * np.array(colour)).astype(int))
    picture = Image.new("RGB", (side, side), base)
    draw, reach = ImageDraw.Draw(picture), side / 2 / np.cos(np.radians(22.5))
    for shrink, fill in ((0.965, "white"), (0.90, base)):
        draw.polygon([tuple(side / 2 + shrink * reach * p) for p in OCTAGON], fill)
    draw.text((side / 2, side / 2), "STOP", "white", ImageFont.load_default(330), anchor="mm", stroke_width=16)
    image = np.array(picture.resize((SIZE, SIZE), Image.LANCZOS)) / 255
    u, v = grid()
    mesh = 0.97 + 0.03 * np.sin(2 * np.pi * 32 * (u + v)) * np.sin(2 * np.pi * 32 * (u - v))
    return Surface(to_uint8(image * mesh[..., None]), 0.35, tile=1.1)


SURFACES = {
    "chair": wood_grain, "mug": enamel_mug, "lemon": lemon_peel, "bell pepper": pepper_skin, "dumbbell": hammered_iron,
    "washing machine": panelled_enamel, "computer keyboard": printed_caps, "table lamp": woven_linen,
    "school bus": bus_paint, "stop sign": sign_sheet,
}


@lru_cache(maxsize=1500)
def surface(category, seed, colour):
    """The typical `Surface` of a category in a colour; the seed decides its grain, spots and scratches."""
    return SURFACES[category](np.random.default_rng(seed), colour)


# ---- floors and walls: (rng, colour) -> picture, float (H, W, 3) ----

def plain(rng, colour):
    return paint(colour, 1 + 0.012 * noise(rng, 3))


def boards(rng, colour):
    """Six boards across, each with its own tone and grain, joints staggered."""
    u, v = grid()
    board = np.floor(u * 6).astype(int)
    tone, joint = rng.uniform(0.75, 1.1, 6)[board], rng.random(6)[board]
    grain = 0.05 * np.sin(2 * np.pi * (24 * u + 0.6 * noise(rng, 20, 90))) + 0.04 * noise(rng, 1.5, 40)
    seam = np.maximum(edge(0.49 - abs(u * 6 % 1 - 0.5), 0.012), edge(abs((v + joint) % 1 - 0.5) - 0.004, 0.004))
    return paint(colour, (tone + grain) * (1 - 0.65 * seam))


def tiles(rng, colour):
    """Four by four glazed tiles with light joints."""
    u, v = grid()
    tone = rng.uniform(0.9, 1.05, (4, 4))[np.floor(v * 4).astype(int) % 4, np.floor(u * 4).astype(int) % 4]
    joint = edge(0.47 - np.maximum(abs(u * 4 % 1 - 0.5), abs(v * 4 % 1 - 0.5)), 0.015)
    return mix(paint(colour, tone + 0.015 * noise(rng, 8)), 0.5 * np.array(colour) + 0.45, joint)


def stripes(rng, colour):
    """Five stripes of the colour on a pale ground."""
    u, _ = grid()
    return mix(plain(rng, 0.2 * np.array(colour) + 0.74), np.array(colour), edge(abs(u * 5 % 1 - 0.5) - 0.25, 0.02))


def checks(rng, colour):
    """A chess board of the colour and a pale one."""
    u, v = grid()
    dark = (np.floor(u * 6) + np.floor(v * 6)) % 2
    return mix(plain(rng, 0.15 * np.array(colour) + 0.78), np.array(colour), dark)


def carpet(rng, colour):
    """Short pile: coarse grains and slow shading."""
    return paint(colour, 0.85 + 0.16 * noise(rng, 2.5) + 0.05 * noise(rng, 25))


def marble(rng, colour):
    """Thin bent veins on a pale ground tinted by the colour."""
    ground = 0.22 * np.array(colour) + 0.70
    veins = 1 - np.clip(abs(noise(rng, 34) + 0.25 * noise(rng, 9)) * 5, 0, 1)
    fine = 1 - np.clip(abs(noise(rng, 16)) * 9, 0, 1)
    return mix(mix(paint(ground, 1 + 0.03 * noise(rng, 40)), 0.4 * np.array(colour) + 0.1, 0.75 * veins),
               0.5 * np.array(colour) + 0.2, 0.3 * fine)


def concrete(rng, colour):
    """Grey, faintly tinted, blotched and pitted."""
    ground = 0.25 * np.array(colour) + 0.75 * np.array([0.47, 0.47, 0.46])
    pits = noise(rng, 1.4) > 2.6
    return paint(ground, 1 + 0.07 * noise(rng, 45) + 0.05 * noise(rng, 6) + 0.04 * noise(rng, 1) - 0.35 * pits)


def bricks(rng, colour):
    """A running bond of eight courses with pale mortar."""
    u, v = grid()
    row = np.floor(v * 8).astype(int)
    x = u * 4 + 0.5 * (row % 2)
    tone = rng.uniform(0.75, 1.1, (8, 4))[row, np.floor(x).astype(int) % 4]
    joint = np.maximum(edge(0.455 - abs(x % 1 - 0.5), 0.03), edge(0.41 - abs(v * 8 % 1 - 0.5), 0.05))
    return mix(paint(colour, tone + 0.06 * noise(rng, 2)), [0.72, 0.70, 0.66], joint)


def dots(rng, colour):
    """Round dots of the colour on a pale ground, every second row shifted."""
    u, v = grid()
    x = u * 4 + 0.5 * (np.floor(v * 4) % 2)
    away = np.hypot(x % 1 - 0.5, v * 4 % 1 - 0.5)
    return mix(plain(rng, 0.15 * np.array(colour) + 0.78), np.array(colour), edge(away - 0.24, 0.03))


FLOORS = {"wood": boards, "tiles": tiles, "striped": stripes, "checkered": checks, "plain": plain, "carpet": carpet,
          "marble": marble, "concrete": concrete}
WALLS = {"plain": plain, "brick": bricks, "striped": stripes, "dotted": dots, "panelled": boards, "tiled": tiles,
         "concrete": concrete, "checkered": checks}
FLOOR_GLOSS = {"wood": 0.45, "tiles": 0.25, "plain": 0.6, "carpet": 0.95, "marble": 0.2, "concrete": 0.85}


@lru_cache(maxsize=400)
def floor(kind, seed, colour):
    return Surface(to_uint8(FLOORS[kind](np.random.default_rng(seed), colour)), FLOOR_GLOSS.get(kind, 0.6))


@lru_cache(maxsize=400)
def wall(kind, seed, colour):
    return Surface(to_uint8(WALLS[kind](np.random.default_rng(seed), colour)), 0.8)
