"""Six parametric families: chair, mug, lemon, bell pepper, dumbbell, table lamp.

Each is `family(rng) -> list[Part]`: z up, front towards +x, resting on z = 0, centred in x and y, longest side 1.
Inside a family the lengths are metres, or fractions of the fruit. A profile is (radius, z) or (way along, radius).
"""

import numpy as np
import trimesh

import geometry as g
from parts import Part, project_uv


def finish(parts):
    """Parts (mesh, role) or (mesh, role, uv) set on z = 0, centred, longest side 1."""
    low = np.min([part[0].bounds[0] for part in parts], 0)
    high = np.max([part[0].bounds[1] for part in parts], 0)
    move, scale = -np.array([*(low + high)[:2] / 2, low[2]]), 1 / (high - low).max()
    return [Part(part[0].copy().apply_translation(move).apply_scale(scale), *part[1:]) for part in parts]


def pick(rng, *options):
    """One of the options."""
    return options[rng.integers(len(options))]


# ---------------------------------------------------------------- chair


QUARTER_TURN = np.array([(0.0, -1, 0, 0), (1, 0, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)])  # the front from -y to +x


def chair(rng):
    """Four legs, a seat and a back: slats, spindles, ladder, panel, splat, cross, hoop; some have arms or a cushion."""
    height, thick = rng.uniform(0.42, 0.48), rng.uniform(0.026, 0.045)
    seat, corner = _seat(rng, rng.uniform(0.40, 0.50), rng.uniform(0.38, 0.46), thick)
    style = pick(rng, "square", "square", "tapered", "turned", "round")
    parts = [(seat.apply_translation((0, 0, height - thick)), "body")]
    back = _back_surface(rng, corner, height)
    square = style == "square"
    bar = rng.uniform(0.034, 0.046) if square else rng.uniform(0.032, 0.042)
    parts += _legs(rng, style, corner, height - thick, bar)
    if square or rng.random() < 0.3:
        parts += _aprons(corner, height - thick, rng.uniform(0.04, 0.07))
    parts += _back(rng, back, bar, square)
    if rng.random() < 0.3:
        parts += _arms(rng, back, corner, height, bar)
    if rng.random() < 0.25:
        parts.append((_cushion(rng, corner, height), "fabric"))
    for part in parts:
        part[0].apply_transform(QUARTER_TURN)
    return finish(parts)


def _seat(rng, width, depth, thick):
    """The seat from z = 0 up to `thick`, and where its legs stand, (x, front y, back y)."""
    kind = pick(rng, "square", "trapezoid", "squircle", "round", "shield")
    outline = {
        "square": lambda: g.rounded_rectangle(width, depth, 0.025),
        "trapezoid": lambda: g.rounded_rectangle(width, depth, 0.04),
        "squircle": lambda: g.superellipse(width, depth, 4.0, 64),
        "round": lambda: g.superellipse(width, max(depth, 0.95 * width), 2.3, 64),
        "shield": lambda: g.superellipse(width, depth, 3.0, 64),
    }[kind]()
    narrow = {"trapezoid": 0.16, "shield": 0.22}.get(kind, 0.0)
    outline = outline * np.column_stack([1 - narrow * (outline[:, 1] / depth + 0.5), np.ones(len(outline))])
    reach = {"round": 0.66, "squircle": 0.84, "shield": 0.78}.get(kind, 0.9)
    corner = np.array([width / 2 * reach, -depth / 2 * reach, depth / 2 * reach])
    return g.slab(outline, thick, min(0.012, thick / 3), steps=3), corner * (1 - narrow / 3, 1, 1)


def _back_surface(rng, corner, height):
    """The back as a map (u in [-1, 1] across, v in [0, 1] up) -> points: it leans, flares, curves round the sitter."""
    x, _, y = corner
    rise, lean = rng.uniform(0.36, 0.56), rng.uniform(0.08, 0.22)
    flare, hollow = rng.uniform(-0.06, 0.12), rng.uniform(0.0, 0.05)

    def at(u, v):
        u, v = np.broadcast_arrays(np.asarray(u, float), np.asarray(v, float))
        behind = rise * lean * np.maximum(v, 0) ** 1.4 + hollow * (1 - u ** 2) * v
        return np.stack([x * u * (1 + flare * v), y + behind, height - 0.01 + rise * v], -1)

    return at


def _legs(rng, style, corner, height, bar):
    """Four legs from the floor to the seat's underside, with stretchers between some of them."""
    side, front, back = corner
    least, most = {"square": (0.0, 0.0), "round": (0.0, 0.04), "tapered": (0.03, 0.08), "turned": (0.02, 0.06)}[style]
    splay = rng.uniform(least, most)
    tops = [np.array([x, y, height + 0.004]) for x in (-side, side) for y in (front, back)]
    feet = [np.array([x + np.sign(x) * splay, y + np.sign(y) * 0.7 * splay, 0]) for x, y, _ in tops]
    role = "metal" if style == "round" and rng.random() < 0.5 else "body"
    legs = [(_leg(style, foot, top, bar), role) for foot, top in zip(feet, tops)]
    kind = pick(rng, "none", "box", "h") if style != "round" else "none"
    return legs + [(mesh, role) for mesh in _stretchers(kind, feet, tops, bar, rng.uniform(0.25, 0.45))]


def _leg(style, foot, top, bar):
    if style == "square":
        return g.sweep(g.segment(foot, top), g.rectangle(bar, bar, 0.1 * bar), [0.8, 1.0], up=(0, 1, 0))
    if style == "turned":
        beads = [(0.3, 0), (0.42, 0.05), (0.55, 0.22), (0.45, 0.3), (0.68, 0.33), (0.45, 0.36), (0.62, 0.5),
                 (0.7, 0.62), (0.45, 0.74), (0.7, 0.77), (0.45, 0.8), (0.55, 0.86), (0.5, 1.0)]
        return g.turned(foot, top, np.array(beads) * (bar, 1))
    return g.rod(foot, top, bar * (0.32 if style == "tapered" else 0.4), bar * (0.62 if style == "tapered" else 0.4))


def _stretchers(kind, feet, tops, bar, level):
    """Bars between the legs (left front, left back, right front, right back) at `level` of their height."""
    points = [foot + level * (top - foot) for foot, top in zip(feet, tops)]
    thin = 0.3 * bar
    sides = [g.rod(points[0], points[1], thin), g.rod(points[2], points[3], thin)]
    if kind == "box":
        return sides + [g.rod(points[0], points[2], thin), g.rod(points[1], points[3], thin)]
    if kind == "h":
        return sides + [g.rod((points[0] + points[1]) / 2, (points[2] + points[3]) / 2, thin)]
    return []


def _aprons(corner, height, drop):
    """The frame of four boards under the seat."""
    x, front, back = corner
    z, middle, board = height - drop / 2 + 0.002, (front + back) / 2, 0.018
    across = [g.box(2 * x, board, drop, (0, y, z)) for y in (front, back)]
    along = [g.box(board, back - front, drop, (sx * x, middle, z)) for sx in (-1, 1)]
    return [(mesh, "body") for mesh in across + along]


def _back(rng, at, bar, square):
    """Posts and filling of the back."""
    straight, bent = ("slats", "ladder", "panel", "splat", "cross"), ("spindles", "ladder", "panel", "hoop", "hoop")
    fill = pick(rng, *(straight if square else bent))
    if fill == "hoop":
        return [(mesh, "body") for mesh in _hoop(rng, at, bar)]
    meshes = [_post(at, side, bar, square) for side in (-1, 1)]
    top = rng.uniform(0.06, 0.11)
    if fill != "panel":
        meshes.append(_rail(at, 1 - top / 0.9, top, rng.uniform(1.0, 1.12), pick(rng, 0, 0.03, 0.06)))
    builders = {"slats": _slats, "spindles": _spindles, "ladder": _ladder, "panel": _panel, "splat": _splat,
                "cross": _cross}
    meshes += builders[fill](rng, at)
    return [(mesh, "body") for mesh in meshes]


def _post(at, side, bar, square):
    curve = at(side, np.linspace(-0.03, 1, 10))
    section = g.rectangle(bar, bar * 0.9, 0.1 * bar) if square else g.circle(bar * 0.42, 14)
    return g.sweep(curve, section, np.linspace(1.0, 0.85, 10), up=(1, 0, 0))


def _rail(at, v, tall, reach=1.0, crest=0.0, thick=0.02):
    """A board across the back at height v; `crest` raises its middle."""
    u = np.linspace(-reach, reach, 17)
    curve = at(u, v + crest * (1 - (u / reach) ** 2))
    return g.sweep(curve, g.rectangle(thick, tall, 0.2 * thick), up=(0, 0.12, 1))


def _slats(rng, at):
    count = rng.integers(3, 7)
    wide = rng.uniform(0.28, 0.5) * 0.4 / count
    slats = [_slat(at, u, wide) for u in np.linspace(-1, 1, count + 2)[1:-1]]
    return slats + ([_rail(at, 0.22, 0.04)] if rng.random() < 0.5 else [])


def _slat(at, u, wide, thick=0.012):
    return g.sweep(at(u, np.linspace(0, 0.93, 8)), g.rectangle(thick, wide, 0.003), up=(1, 0, 0))


def _spindles(rng, at):
    return [g.sweep(at(u, np.linspace(0, 0.93, 10)), g.circle(0.010, 10), _swell(10), up=(1, 0, 0))
            for u in np.linspace(-1, 1, rng.integers(5, 9) + 2)[1:-1]]


def _swell(count):
    return 0.75 + 0.5 * np.sin(np.pi * np.linspace(0, 1, count)) ** 2


def _ladder(rng, at):
    count, tall, crest = rng.integers(2, 5), rng.uniform(0.035, 0.06), pick(rng, 0, 0.03)
    return [_rail(at, v, tall, crest=crest) for v in np.linspace(0.2, 0.72, count)]


def _panel(rng, at):
    """A solid board, from low down or only in the upper half."""
    low = pick(rng, 0.03, 0.3, 0.5)
    return [_board(at, low, 1.02, rng.uniform(1.0, 1.1), rng.uniform(2.5, 8))]


def _board(at, low, high, reach, power, thick=0.022):
    """A curved board with a superelliptic outline on the back surface."""
    outline = g.superellipse(2 * reach, high - low, power, 56)
    u, v = outline.T
    middle = (high + low) / 2
    layers = ((0.0, 0.0), (0.0, 0.5), (0.0, 0.95), (0.15, 1.0), (0.85, 1.0), (1.0, 0.95), (1.0, 0.5), (1.0, 0.0))
    return g.loft([at(u * size, middle + v * size) + (0, (depth - 0.5) * thick, 0) for depth, size in layers])


def _splat(rng, at):
    """One broad, waisted board in the middle."""
    v = np.linspace(0, 0.93, 16)
    waist = g.ramp([(0, 0.8), (0.25, pick(rng, 0.45, 1.0)), (0.6, 1.25), (0.93, 0.7)], v)
    scale = np.column_stack([np.ones(16), waist])
    board = g.rectangle(0.014, rng.uniform(0.10, 0.15), 0.003)
    return [g.sweep(at(0.0, v), board, scale, up=(1, 0, 0)), _rail(at, 0.06, 0.03)]


def _cross(rng, at):
    """Two diagonals and a low rail."""
    low = rng.uniform(0.12, 0.3)
    way = np.linspace(-1, 1, 9)
    curves = [at(side * way, low + (0.9 - low) * (way + 1) / 2) for side in (-1, 1)]
    board = g.rectangle(0.032, 0.014, 0.003)
    return [g.sweep(curve, board, up=(0, 1, 0.1)) for curve in curves] + [_rail(at, low, 0.04)]


def _hoop(rng, at, bar):
    """A bent bow from seat to seat, filled with spindles: the Windsor chair."""
    turn = np.linspace(0, np.pi, 33)
    power = rng.uniform(0.55, 0.9)
    u, v = np.cos(turn), np.sin(turn) ** power
    bow = g.sweep(at(np.sign(u) * np.abs(u) ** power, v), g.circle(0.38 * bar, 14), up=(0, 1, 0.15))
    inside = np.linspace(-1, 1, rng.integers(4, 9) + 2)[1:-1]
    tops = (1 - np.abs(inside) ** (2 / power)) ** (power / 2)
    return [bow] + [g.sweep(at(s, np.linspace(0, top, 8)), g.circle(0.009, 10), _swell(8), up=(1, 0, 0))
                    for s, top in zip(inside, tops)]


def _arms(rng, at, corner, height, bar):
    """Armrests from the posts forward, each on one upright."""
    level, reach = rng.uniform(0.38, 0.5), rng.uniform(0.6, 0.9)
    meshes = []
    for side in (-1, 1):
        rear = at(side, level)
        tip = np.array([side * corner[0] * 1.08, corner[1] * reach, rear[2] + 0.005])
        curve = g.spline([rear, (rear + tip) / 2 + (side * 0.02, 0, 0.008), tip], 10)
        meshes.append(g.sweep(curve, g.superellipse(0.05, 0.024, 3, 16), np.linspace(0.7, 1.05, 10), up=(0, 0, 1)))
        meshes.append(g.rod((side * corner[0], curve[7, 1], height - 0.01), curve[7], 0.4 * bar))
    return [(mesh, "body") for mesh in meshes]


def _cushion(rng, corner, height):
    x, front, back = corner
    outline = g.superellipse(2.05 * x, (back - front) * 0.98, pick(rng, 3, 6), 56)
    cushion = g.slab(outline, rng.uniform(0.03, 0.05), 0.014, steps=4)
    return cushion.apply_translation((0, (front + back) / 2 - 0.01, height - 0.002))


# ---------------------------------------------------------------- mug


def mug(rng):
    """A hollow cup with real walls (cylinder, tapered, barrel, waisted, bowl) and one handle."""
    height, radius = rng.uniform(0.085, 0.115), rng.uniform(0.038, 0.046)
    wall = rng.uniform(0.0032, 0.005)
    profile = _mug_profile(rng, height, radius)
    cup = g.revolve(_cup(profile, wall, height), 64)
    handle = _handle(rng, profile, height, wall)
    between_bands = project_uv(handle, "cylinder", 0, 1) * (0.2, 0.25) + (0, 0.4)
    parts = [(cup, "body", "cylinder"), (handle, "body", between_bands)]
    if rng.random() < 0.6:
        parts.append((_glaze(profile, wall, height), "inside"))
    if rng.random() < 0.3:
        level = rng.uniform(0.72, 0.88) * height
        parts.append((g.slab(g.circle(profile(level) - 0.6 * wall, 48), 0.002, z=level), "liquid"))
    return finish(parts)


def _mug_profile(rng, height, radius):
    """Outer radius as a function of z."""
    kind = pick(rng, "cylinder", "cylinder", "tapered", "barrel", "waist", "bowl", "flare")
    amount = rng.uniform(0.6, 1.0)
    shape = {
        "cylinder": [(0, 1), (0.5, 1), (1, 1)],
        "tapered": [(0, 1 - 0.24 * amount), (0.5, 1 - 0.12 * amount), (1, 1)],
        "barrel": [(0, 1 - 0.2 * amount), (0.5, 1.06), (1, 1 - 0.14 * amount)],
        "waist": [(0, 1.02), (0.5, 1 - 0.12 * amount), (1, 1.04)],
        "bowl": [(0, 0.62), (0.15, 0.86), (0.45, 1.03), (0.75, 1.06), (1, 1.04)],
        "flare": [(0, 1.12), (0.5, 1 - 0.04 * amount), (1, 0.9)],
    }[kind]
    foot = rng.uniform(0.03, 0.09)

    def outer(z):
        turn = np.sqrt(np.clip(1 - (1 - np.minimum(z / height / foot, 1)) ** 2, 0, 1))
        return radius * g.ramp(shape, z / height) * (1 - 0.16 * (1 - turn))

    return outer


def _cup(outer, wall, height):
    """Closed profile: under the foot, up the outside, over the rim, down the inside."""
    z = np.r_[np.linspace(0, 0.1, 7), np.linspace(0.13, 1, 20)] * height
    z = np.minimum(z, height - wall / 2)
    rim = np.linspace(0, np.pi, 9)[1:-1]
    top = outer(height) - wall / 2
    lip = np.column_stack([top + wall / 2 * np.cos(rim), height - wall / 2 + wall / 2 * np.sin(rim)])
    inside = z[z > 1.6 * wall][::-1]
    walls = np.vstack([np.column_stack([outer(z), z]), lip, np.column_stack([outer(inside) - wall, inside])])
    floor = [(walls[-1, 0] * 0.93, 1.1 * wall), (walls[-1, 0] * 0.8, wall), (0, wall)]
    return np.vstack([[(0, 0.002), (outer(0.0) - 0.003, 0.002), (outer(0.0) - 0.001, 0)], walls, floor])


def _glaze(outer, wall, height):
    """A thin shell over the whole inside, up to just under the rim."""
    z = np.linspace(2 * wall, height - 0.4 * wall, 16)
    radius = outer(z) - wall
    floor = np.array([(0, 0.9 * wall), (0.8 * radius[0], 0.9 * wall), (0.95 * radius[0], 1.1 * wall)])
    below, above = np.column_stack([radius + 0.0006, z]), np.column_stack([radius - 0.0004, z])
    return g.revolve(np.vstack([floor, below, above[::-1], floor[::-1] + (0, 0.0006)]), 64)


def _handle(rng, outer, height, wall):
    """A bar from the wall out and back in the x-z plane: D, ear, square or round loop."""
    kind = pick(rng, "d", "ear", "square", "loop")
    low, high = rng.uniform(0.16, 0.26) * height, rng.uniform(0.78, 0.88) * height
    out = rng.uniform(0.026, 0.036)
    path = {
        "d": [(0, 1), (0.15, 1), (0.55, 1.0), (1, 0.72), (1, 0.3), (0.55, 0), (0.15, 0), (0, 0)],
        "ear": [(0, 0.96), (0.12, 0.97), (0.5, 1.08), (1, 0.86), (0.85, 0.45), (0.4, 0.12), (0.12, 0.02), (0, 0)],
        "square": [(0, 1), (0.8, 1), (0.98, 0.95), (1, 0.8), (1, 0.2), (0.98, 0.05), (0.8, 0), (0, 0)],
        "loop": [(0, 0.9), (0.12, 0.92), (0.4, 1), (0.8, 0.9), (1, 0.5), (0.8, 0.1), (0.4, 0), (0.12, 0.08), (0, 0.1)],
    }[kind]
    way, rise = np.array(path).T
    z = low + rise * (high - low)
    base = np.array([outer(max(min(value, height), 0)) for value in z])
    x = np.interp(rise, [0, 1], [outer(low), outer(high)]) * (1 - way) + way * (max(base) + out)
    x[[0, -1]] = base[[0, -1]] - 0.5 * wall
    curve = g.spline(np.column_stack([x, 0 * x, z]), 40)
    section = g.superellipse(rng.uniform(0.010, 0.016), rng.uniform(0.007, 0.010), pick(rng, 2, 3.5), 16)
    return g.sweep(curve, section, 1 + 0.25 * np.abs(np.linspace(-1, 1, 40)) ** 4, up=None)


# ---------------------------------------------------------------- lemon


def lemon(rng):
    """A prolate body on its side with a nipple at one end and a stalk button at the other; some keep a leaf."""
    length, girth = 1.0, rng.uniform(0.58, 0.72)
    parts = [(_lemon_body(rng, length, girth), "body"), (_button(rng, length), "wood")]
    if rng.random() < 0.35:
        parts += _leaf(length)
    angles = rng.uniform((-0.7, -0.12, 0), (0.7, 0.12, 2 * np.pi))
    tilt = trimesh.transformations.euler_matrix(*angles)
    for mesh, _ in parts:
        mesh.apply_transform(tilt)
    return finish(parts)


def _lemon_body(rng, length, girth):
    """Turned about x, then made irregular by a few low waves."""
    nipple, neck = rng.uniform(0.11, 0.18), rng.uniform(0.16, 0.24)
    low, high = rng.uniform(0.75, 0.9), rng.uniform(0.75, 0.9)
    profile = [(0, 0), (0.012, 0.10), (0.04, 0.16), (0.06 + 0.3 * nipple, neck + 0.14), (0.25, low), (0.5, 1.0),
               (0.72, high), (0.87 - 0.2 * nipple, 0.3 + neck), (0.935 - nipple / 3, neck + 0.05), (0.97, 0.15),
               (0.99, 0.1), (1, 0)]
    way = (1 - np.cos(np.linspace(0, np.pi, 61))) / 2
    radius = g.ramp(profile, way) * girth / 2
    mesh = g.loft(_rings_about_x((way - 0.5) * length, radius, 72))
    mesh.vertices += _waves(rng, mesh.vertices, 0.012)
    return mesh


def _rings_about_x(x, radius, count):
    ring = g.circle(1.0, count)
    return [np.column_stack([np.full(count, a), r * ring]) for a, r in zip(x, radius)]


def _waves(rng, points, amount, count=9):
    """Smooth random displacements (n, 3) along the radius about x."""
    total = np.zeros(len(points))
    for _ in range(count):
        wave = rng.normal(size=3) * rng.uniform(3, 7)
        total += np.sin(points @ wave + rng.uniform(0, 2 * np.pi)) / np.sqrt(count)
    return amount * total[:, None] * points * (0.6, 2.2, 2.2)


def _button(rng, length):
    """The stalk's star-shaped button at the blunt end, x = -length / 2."""
    size = rng.uniform(0.045, 0.06)
    x = -length / 2 + np.array([0.02, 0.005, -0.012, -0.022, -0.024])
    return g.loft(_rings_about_x(x, size * np.array([0.7, 1.0, 0.9, 0.5, 0.0]), 20))


def _leaf(length):
    """A short stalk and one leaf that arches back over the fruit."""
    root = np.array([-length / 2, 0, 0])
    stalk = g.spline([root, root + (-0.06, 0, 0.02), root + (-0.10, 0, 0.08)], 8)
    along = g.spline([stalk[-2], root + (-0.02, 0.06, 0.27), root + (0.27, 0.12, 0.45)], 20)
    wide = np.sin(np.pi * np.linspace(0.02, 0.99, 20)) ** 0.8
    blade = g.superellipse(0.24, 0.02, 2, 16)
    leaf = g.sweep(along, blade, np.column_stack([wide, 0.3 + 0.3 * wide]), up=(-0.7, 0, 0.7))
    return [(g.sweep(stalk, g.circle(0.02, 10), up=(0, 1, 0)), "wood"), (leaf, "stem")]


# ---------------------------------------------------------------- bell pepper


def bell_pepper(rng):
    """Three or four lobes with shoulders round a dimple, from which a curved stem rises; some lie on their side."""
    tall = rng.uniform(0.85, 1.3)
    body = _pepper_body(rng, tall)
    upright = project_uv(body, "cylinder", 0, 1)
    parts = [(body, "body", upright), *[(mesh, "stem") for mesh in _stem(rng, tall)]]
    if rng.random() < 0.3:
        lie = trimesh.transformations.euler_matrix(0, rng.uniform(1.15, 1.5), 0)
        turn = trimesh.transformations.rotation_matrix(rng.uniform(0, 2 * np.pi), (0, 0, 1))
        for part in parts:
            part[0].apply_transform(turn).apply_transform(lie)
    return finish(parts)


def _pepper_body(rng, tall):
    """Rings from the bottom's dimple over belly and shoulders into the top's dimple, pulled into lobes."""
    count, sides = rng.integers(3, 5), 96
    angle = 2 * np.pi * np.arange(sides) / sides
    lobe = _lobes(rng, angle, count)
    taper, dimple = rng.uniform(0.72, 0.96), rng.uniform(0.10, 0.16)
    way = np.linspace(0, 1, 56)
    radius = g.ramp([(0, 0), (0.08, 0.3 * taper), (0.2, 0.78 * taper), (0.35, 0.95 * taper), (0.6, 0.97), (0.75, 0.94),
                     (0.87, 0.62), (0.94, 0.3), (1, 0)], way) / 2
    z = g.ramp([(0, 0.07), (0.08, 0.02), (0.2, 0.05), (0.35, 0.3), (0.6, 0.72), (0.75, 0.93), (0.87, 1.0),
                (0.94, 1 - 0.7 * dimple), (1, 1 - dimple)], way) * tall
    depth = g.ramp([(0, 1.6), (0.2, 1.3), (0.4, 0.7), (0.7, 0.9), (0.87, 1.3), (1, 0.5)], way) * rng.uniform(0.13, 0.2)
    lean = rng.uniform(-0.08, 0.08, 2)
    rings = []
    for r, h, d in zip(radius, z, depth):
        pull = 1 - d * (1 - lobe)
        lift = (lobe - 0.5) * 0.09 * np.abs(h / tall - 0.5) * 2 * np.sign(h / tall - 0.5) * min(1, 3 * r)
        x, y = r * pull * np.cos(angle), r * pull * np.sin(angle)
        rings.append(np.column_stack([x + lean[0] * h, y + lean[1] * h, h + lift]))
    return g.loft(rings)


def _lobes(rng, angle, count):
    """1 on the back of each lobe, 0 in the grooves, which are narrow; lobes differ in width and height."""
    warped = angle + rng.uniform(0.05, 0.2) * np.sin(angle + rng.uniform(0, 2 * np.pi))
    lobe = np.abs(np.cos(count * warped / 2 + rng.uniform(0, np.pi)))
    smooth = np.sqrt(lobe ** 2 + 0.01) ** 0.75
    return smooth * (1 + 0.12 * np.sin(angle + rng.uniform(0, 2 * np.pi)))


def _stem(rng, tall):
    """Calyx and a thick stem that bends and widens at its cut end."""
    root = np.array([0, 0, tall * 0.86])
    turn, bend, high = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.2), rng.uniform(0.24, 0.36)
    side = np.array([np.cos(turn), np.sin(turn), 0]) * bend
    way = np.array([0, 0, 0.5, 1])[:, None] * side + np.array([0, 0.4, 0.75, 1])[:, None] * (0, 0, high)
    curve = g.spline(root + way, 20)
    ribbed = g.circle(0.055, 30) * (1 + 0.12 * np.cos(5 * 2 * np.pi * np.arange(30) / 30))[:, None]
    thick = g.ramp([(0, 1.7), (0.25, 1.0), (0.7, 0.85), (1, 1.15)], np.linspace(0, 1, 20))
    stem = g.sweep(curve, ribbed, thick, up=np.cross(side, (0, 0, 1)))
    star = g.circle(0.2, 60) * (1 + 0.16 * np.cos(5 * 2 * np.pi * np.arange(60) / 60))[:, None]
    heights, sizes = (-0.03, 0.015, 0.04, 0.075), (1.0, 0.95, 0.7, 0.3)
    calyx = g.loft([np.column_stack([star * s, np.full(60, root[2] + h)]) for h, s in zip(heights, sizes)])
    return [calyx, stem]


# ---------------------------------------------------------------- dumbbell


def dumbbell(rng):
    """Two heavy heads (hexagonal, round, ball, stacked discs) on a knurled handle along x."""
    kind = pick(rng, "hex", "hex", "hex", "round", "round", "discs", "discs", "ball", "square")
    handle, radius = rng.uniform(0.115, 0.14), rng.uniform(0.055, 0.085)
    grip = rng.uniform(0.014, 0.018)
    heads = {"hex": _prism_head, "square": _prism_head, "round": _round_head, "discs": _discs, "ball": _ball}[kind]
    one = heads(rng, radius, kind)
    length = max(mesh.bounds[1, 0] for mesh, _ in one)
    sides = []
    for mesh, role in one:
        right = mesh.copy().apply_translation((handle / 2, 0, 0))
        sides += [(right, role), (right.copy().apply_transform(np.diag([-1.0, 1, 1, 1])), role)]
    bar = handle + (2 * length + 0.004 if kind == "discs" else 0.02)
    return finish(sides + [(mesh, "metal") for mesh in _grip(rng, handle, grip, bar)])


def _along_x(profile, count=48):
    """A profile (k, 2) of (radius, x) turned about the x axis."""
    x, r = np.asarray(profile, float)[:, 1], np.asarray(profile, float)[:, 0]
    return g.loft(_rings_about_x(x, r, count))


def _prism_head(rng, radius, kind):
    """A prism with heavily bevelled ends, a flat face down."""
    long = rng.uniform(0.9, 1.25) * radius
    if kind == "square":
        outline = g.rectangle(1.7 * radius, 1.7 * radius, 0.35 * radius)
    else:
        outline = _blunt(g.circle(radius, 6), 0.12)
    bevel = rng.uniform(0.12, 0.3) * radius
    sizes = [(0, 1 - bevel / radius), (bevel * 0.7, 1), (long - bevel * 0.7, 1), (long, 1 - bevel / radius)]
    head = g.loft([np.column_stack([np.full(len(outline), x), outline * s]) for x, s in sizes])
    return [(head, "body"), (_along_x([(0.45 * radius, -0.008), (0.45 * radius, 0.002)], 32), "metal")]


def _blunt(outline, share):
    """Each corner of an outline (n, 2) replaced by two, `share` of the way to its neighbours."""
    before, after = np.roll(outline, 1, 0), np.roll(outline, -1, 0)
    return np.stack([outline + share * (before - outline), outline + share * (after - outline)], 1).reshape(-1, 2)


def _round_head(rng, radius, kind):
    """A drum with rounded edges, grooves and a metal end cap."""
    long, edge = rng.uniform(0.8, 1.3) * radius, rng.uniform(0.1, 0.25) * radius
    turn = np.linspace(0, np.pi / 2, 5)
    left = [(radius - edge + edge * np.sin(t), edge - edge * np.cos(t)) for t in turn]
    right = [(radius - edge + edge * np.cos(t), long - edge + edge * np.sin(t)) for t in turn]
    drum = _along_x(left + right, 56)
    cap = _along_x([(0.55 * radius, long - 0.002), (0.55 * radius, long + 0.002), (0.48 * radius, long + 0.004)], 40)
    return [(drum, "body"), (cap, "metal"), (_along_x([(0.4 * radius, -0.01), (0.4 * radius, 0.002)], 32), "metal")]


def _discs(rng, radius, kind):
    """Two to four plates, smaller outward, held by a nut."""
    count, parts, x = rng.integers(2, 5), [], 0.0
    for i in range(count):
        size, thick = radius * 1.15 * (1 - rng.uniform(0.08, 0.18) * i), rng.uniform(0.014, 0.024)
        edge = 0.2 * thick
        face = np.array([(0.5 * size, edge), (0.8 * size, edge), (0.84 * size, 0), (size - edge, 0), (size, edge)])
        plate = np.vstack([face, (face * (1, -1) + (0, thick))[::-1]]) + (0, x)
        parts.append((_along_x(plate, 56), "body"))
        x += thick + 0.0015
    nut = _blunt(g.circle(0.03, 6), 0.1)
    sizes = [(x, 1.0), (x + 0.014, 1.0), (x + 0.018, 0.85)]
    parts.append((g.loft([np.column_stack([np.full(12, a), nut * s]) for a, s in sizes]), "metal"))
    collar = _along_x([(0.026, -0.012), (0.026, 0.0)], 32)
    screw = _along_x([(0.0135, x), (0.0135, x + 0.03), (0.011, x + 0.033)], 24)
    return parts + [(collar, "metal"), (screw, "metal")]


def _ball(rng, radius, kind):
    """A cast sphere, slightly flattened at its ends."""
    flat = rng.uniform(0.8, 0.93)
    turn = np.linspace(-1, 1, 25) * np.arcsin(flat)
    return [(_along_x([(radius * np.cos(t), radius * (np.sin(t) + flat * 0.97)) for t in turn], 48), "body")]


def _grip(rng, handle, radius, length):
    """Handle, straight or swelling in its middle, with a knurled sleeve."""
    x = np.linspace(-0.5, 0.5, 25)
    swell = pick(rng, 0.0, 0.15, 0.25) * np.cos(np.pi * x) ** 2
    ends = [(0.85 * radius, -length / 2)], [(0.85 * radius, length / 2)]
    bar = _along_x(np.vstack([ends[0], np.column_stack([radius * (0.85 + swell), x * handle * 0.98]), ends[1]]), 32)
    grooves = np.linspace(-0.36, 0.36, 61)
    tooth = 1 + 0.035 * np.where(np.arange(61) % 2, 1, -1)
    sleeve = radius * (0.87 + np.interp(grooves, x, swell)) * tooth
    return [bar, _along_x(list(zip(sleeve, grooves * handle)), 32)]


# ---------------------------------------------------------------- table lamp


def table_lamp(rng):
    """A base (disc, turned, vase, bottle, ball, tripod), a stem, and a shade open below with the bulb in it."""
    tall = rng.uniform(0.48, 0.62)
    wide = rng.uniform(0.30, 0.40)
    shade_tall = rng.uniform(0.36, 0.46) * tall
    low = tall - shade_tall
    shade = _shade(rng, wide / 2, shade_tall).apply_translation((0, 0, low))
    parts = [(shade, "body", "cylinder")]
    parts += _lamp_base(rng, low + 0.25 * shade_tall)
    bulb = low + 0.42 * shade_tall
    parts += [(_bulb(bulb), "light"), (g.rod((0, 0, low - 0.01), (0, 0, bulb - 0.03), 0.014), "metal")]
    parts += [(mesh, "metal") for mesh in _spider(shade, bulb)]
    return finish(parts)


def _shade(rng, radius, height):
    """A thin closed wall: drum, cone, empire (concave), dome, or pleated."""
    kind = pick(rng, "drum", "cone", "cone", "empire", "dome", "pleated")
    shape = {
        "drum": [(0, 1), (0.5, 0.97), (1, 0.94)],
        "cone": [(0, 1), (0.5, 0.78), (1, 0.56)],
        "empire": [(0, 1), (0.25, 0.78), (0.6, 0.58), (1, 0.5)],
        "dome": [(0, 1), (0.35, 0.95), (0.7, 0.78), (0.9, 0.55), (1, 0.4)],
        "pleated": [(0, 1), (0.5, 0.8), (1, 0.6)],
    }[kind]
    way = np.linspace(0, 1, 14)
    outer = radius * g.ramp(shape, way)
    profile = np.vstack([np.column_stack([outer, way]), np.column_stack([outer - 0.004, way])[::-1]]) * (1, height)
    shade = g.revolve(profile, 144 if kind == "pleated" else 72, wrap=True)
    if kind == "pleated":
        turn = np.arctan2(shade.vertices[:, 1], shade.vertices[:, 0])
        shade.vertices[:, :2] *= (1 + 0.022 * np.cos(36 * turn))[:, None]
    return shade


def _bulb(z):
    profile = [(0, -0.03), (0.013, -0.03), (0.014, -0.015), (0.026, 0.012), (0.03, 0.03), (0.026, 0.047),
               (0.014, 0.058), (0, 0.06)]
    return g.revolve(g.spline(profile, 24).clip((0, -1)) + (0, z), 32)


def _spider(shade, bulb):
    """Three spokes that carry the shade, on a pole with a finial."""
    top = shade.bounds[1, 2]
    rim = shade.vertices[shade.vertices[:, 2] > top - 1e-6]
    radius = np.hypot(rim[:, 0], rim[:, 1]).min()
    spokes = [g.rod((0, 0, top - 0.012), (radius * np.cos(a), radius * np.sin(a), top - 0.012), 0.0022)
              for a in np.arange(3) * 2 * np.pi / 3]
    pole = g.rod((0, 0, bulb), (0, 0, top - 0.01), 0.004)
    return spokes + [pole, g.ellipsoid((0.01, 0.01, 0.014), (0, 0, top - 0.002), 20)]


def _lamp_base(rng, top):
    """Parts of the base, from the floor up to `top`."""
    kind = pick(rng, "disc", "turned", "vase", "gourd", "ball", "tripod", "column")
    if kind == "tripod":
        return _tripod(rng, top)
    pots = pick(rng, "white", "cream", "dark", "wood", "blue")
    role = {"disc": "metal", "turned": "wood", "column": pick(rng, "wood", "metal")}.get(kind, pots)
    if kind == "ball":
        return _balls(rng, top, role)
    profiles = {"disc": _disc_profile, "turned": _turned_profile, "column": _column_profile}
    return [(g.revolve(profiles.get(kind, _vase_profile)(rng, top, kind), 48), role)]


def _disc_profile(rng, top, kind):
    foot, thin = rng.uniform(0.085, 0.115), rng.uniform(0.007, 0.011)
    return [(0, 0), (foot, 0), (foot, 0.012), (foot - 0.004, 0.017), (0.03, 0.024), (thin * 1.3, 0.032), (thin, 0.05),
            (thin, top), (0, top)]


def _turned_profile(rng, top, kind):
    """Beads and hollows as a lathe makes them."""
    foot, belly = rng.uniform(0.075, 0.095), rng.uniform(0.032, 0.05)
    shape = [(0, foot), (0.05, foot), (0.08, 0.8 * foot), (0.11, 0.4 * foot), (0.15, 0.5 * foot), (0.19, 0.3 * foot),
             (0.35, belly), (0.5, 0.7 * belly), (0.66, 0.016), (0.7, 0.026), (0.74, 0.016), (0.85, 0.012), (1, 0.012)]
    way = np.linspace(0, 1, 48)
    return [(0, 0), *zip(g.ramp(shape, way), way * top), (0, top)]


def _column_profile(rng, top, kind):
    foot, thick = rng.uniform(0.075, 0.1), rng.uniform(0.022, 0.034)
    return [(0, 0), (foot, 0), (foot, 0.02), (foot - 0.005, 0.025), (1.35 * thick, 0.028), (1.35 * thick, 0.042),
            (thick, 0.048), (0.85 * thick, 0.8 * top), (0.5 * thick, 0.82 * top), (0.01, 0.84 * top),
            (0.01, top), (0, top)]


def _vase_profile(rng, top, kind):
    """A bellied pot, or a double gourd."""
    belly, foot = rng.uniform(0.07, 0.095), rng.uniform(0.045, 0.06)
    swell = [(0.42, belly), (0.62, 0.75 * belly)]
    if kind == "gourd":
        swell = [(0.3, belly), (0.5, 0.45 * belly), (0.66, 0.62 * belly)]
    shape = [(0, foot), (0.04, foot), *swell, (0.81, 0.019), (0.84, 0.019), (0.86, 0.011), (1, 0.011)]
    way = np.linspace(0, 1, 48)
    return [(0, 0), *zip(g.ramp(shape, way), way * top), (0, top)]


def _balls(rng, top, role):
    """A foot plate and one to three balls in a row."""
    count = rng.integers(1, 4)
    tall, wide = (0.4 * top / count, 1.02) if count > 1 else (0.34 * top, 1.1)
    foot = g.slab(g.circle(rng.uniform(0.07, 0.09), 48), 0.016, 0.004)
    radii = tall * np.array([wide, wide, 1])
    balls = [g.ellipsoid(radii, (0, 0, 0.014 + tall * (0.98 + 1.94 * i))) for i in range(count)]
    return [(foot, "metal"), (g.rod((0, 0, 0.01), (0, 0, top), 0.01), "metal"), *((ball, role) for ball in balls)]


def _tripod(rng, top):
    """Three splayed legs meeting under the socket."""
    spread, joint = rng.uniform(0.10, 0.13), top * 0.86
    role = pick(rng, "wood", "metal", "dark")
    turn = rng.uniform(0, 2 * np.pi) + np.arange(3) * 2 * np.pi / 3
    ways = np.column_stack([np.cos(turn), np.sin(turn), 0 * turn])
    legs = [g.rod(spread * way, -0.012 * way + (0, 0, joint), 0.007, 0.011) for way in ways]
    hub = g.revolve([(0, joint - 0.03), (0.024, joint - 0.03), (0.024, joint + 0.005), (0.011, joint + 0.01),
                     (0.011, top), (0, top)], 32)
    return [(leg, role) for leg in legs] + [(hub, "metal")]
