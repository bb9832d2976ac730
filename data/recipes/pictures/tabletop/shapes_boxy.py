"""Four parametric families: washing machine, computer keyboard, school bus, stop sign.

Each is `family(rng) -> list[Part]`: z up, the front faces +x; the scene centres and scales it. The parts with the role
"body" carry the category's own surface, and say with `uv` where on its picture each corner lies.
"""

import numpy as np
import trimesh

import geometry as g
import surfaces
from parts import Part

TO_FRONT = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])  # turns what lies to face +x


def facing(outline, depth, bevel, at):
    """An outline (n, 2) in (y, z) extruded towards +x from the point `at`."""
    return g.slab(outline, depth, bevel).apply_transform(TO_FRONT).apply_translation(at)


def disc(radius, depth, at, count=40):
    """A round plate facing +x."""
    return facing(g.circle(radius, count), depth, 0.15 * min(radius, depth), at)


def ring(radius, thick, at, count=48):
    """A torus facing +x."""
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    curve = np.stack([0 * turn, radius * np.cos(turn), radius * np.sin(turn)], 1)
    return g.sweep(curve, thick, up=(1, 0, 0), wrap=True).apply_translation(at)


def merged(meshes, role="body", uv=None):
    return Part(trimesh.util.concatenate(meshes), role, "fit" if uv is None else uv)


def corners(mesh):
    """The corners of the faces (3 F, 3), and the normal of the face of each."""
    return mesh.triangles.reshape(-1, 3), np.repeat(mesh.face_normals, 3, 0)


# ---------------------------------------------------------------- washing machine


def washing_machine(rng):
    """A white box with a round glass door in a wide ring, above it a panel with a drawer, a display and a knob."""
    width, depth, height = rng.uniform(0.56, 0.66), rng.uniform(0.5, 0.62), rng.uniform(0.78, 0.92)
    front, panel = depth / 2, rng.uniform(0.11, 0.15)
    case = g.box(depth, width, height, (0, 0, height / 2 + 0.02), rng.uniform(0.01, 0.03))
    parts = [Part(case, "body", "fit")]
    parts += _door(rng, front, (0.02 + (height - panel) * rng.uniform(0.48, 0.54)), rng.uniform(0.165, 0.215))
    parts += _panel(rng, front, width, 0.02 + height - panel / 2 - 0.02, panel)
    spots = [(i * depth / 2.6, j * width / 2.6, 0) for i in (-1, 1) for j in (-1, 1)]
    feet = [g.rod(spot, np.add(spot, (0, 0, 0.03)), 0.025) for spot in spots]
    return parts + [merged(feet, "rubber")]


def _door(rng, front, z, radius):
    """Ring, rim and bulging glass, with a handle or a hinge at its side."""
    outer, side = rng.choice(["chrome", "grey", "dark", "metal"]), rng.choice([-1, 1])
    bulge = g.ellipsoid((rng.uniform(0.04, 0.08), 0.74 * radius, 0.74 * radius), (front + 0.025, 0, z), 48)
    handle = g.box(0.05, 0.03, rng.uniform(0.08, 0.12), (front + 0.03, side * radius * 0.93, z), 0.008)
    return [Part(disc(radius, 0.03, (front - 0.005, 0, z), 64), "white" if outer != "grey" else "dark"),
            Part(ring(0.84 * radius, 0.14 * radius, (front + 0.02, 0, z)), outer),
            Part(disc(0.8 * radius, 0.03, (front, 0, z), 48), "dark"), Part(bulge, "glass"), Part(handle, "dark")]


def _panel(rng, front, width, z, high):
    """The control panel: a plate, a drawer with a grip, a knob with its pointer, a display, a few buttons."""
    side, tone = rng.choice([-1, 1]), rng.choice(["grey", "dark", "white", "blue"], p=[0.35, 0.3, 0.2, 0.15])
    plate = facing(g.rectangle(0.96 * width, 0.78 * high), 0.008, 0.0, (front, 0, z))
    drawer = facing(g.rectangle(0.26 * width, 0.56 * high), 0.01, 0.0, (front + 0.006, side * 0.32 * width, z))
    grip = facing(g.rectangle(0.16 * width, 0.1 * high), 0.01, 0.0,
                  (front + 0.01, side * 0.32 * width, z - 0.14 * high))
    spot = rng.choice([0.0, -0.3]) * side * width
    knob = disc(rng.uniform(0.26, 0.34) * high, 0.045, (front + 0.008, spot, z))
    pointer = facing(g.rectangle(0.05 * high, 0.24 * high), 0.01, 0.0, (front + 0.05, spot, z + 0.1 * high))
    other = side * width * (-0.07 if spot else -0.26)
    display = facing(g.rectangle(0.16 * width, 0.3 * high), 0.01, 0.0, (front + 0.006, other, z + 0.1 * high))
    spots = [(front + 0.006, other + i * 0.06 * width, z - 0.22 * high) for i in (-1, 0, 1)]
    buttons = [disc(0.07 * high, 0.015, spot, 16) for spot in spots]
    button, turner = ("chrome", "white") if tone in ("dark", "blue") else ("dark", "chrome")
    return [Part(plate, tone), Part(drawer, "white"), Part(grip, "grey"), Part(knob, turner), Part(pointer, "dark"),
            Part(display, "lens"), merged(buttons, button)]


# ---------------------------------------------------------------- computer keyboard

ROWS = (  # widths of the keys of each row, back to front, 15 units in all
    (1,) * 13 + (2,), (1.5,) + (1,) * 12 + (1.5,), (1.75,) + (1,) * 11 + (2.25,), (2.25,) + (1,) * 10 + (2.75,),
    (1.25, 1.25, 1.25, 6.25, 1.25, 1.25, 1.25, 1.25))
PAD = ((1, 1, 1, 1),) * 4 + ((2, 1, 1),)


def computer_keyboard(rng):
    """A deck with rows of tapered caps, some with a function row or a number pad, tilted a little."""
    gap, tall = rng.uniform(0.1, 0.18), rng.uniform(0.28, 0.45)
    keys = list(_keys(rng, ROWS, 0.0))
    width = 15.0
    if rng.random() < 0.5:
        keys += list(_keys(rng, PAD, 15.6))
        width = 19.6
    depth = 5.0
    if rng.random() < 0.6:
        keys += list(_keys(rng, ((1,) * int(width),), 0.0, back=-1.35))
        depth = 6.35
    margin, thick = rng.uniform(0.3, 0.7), rng.uniform(0.5, 0.9)
    outline = g.rounded_rectangle(depth + 2 * margin, width + 2 * margin, rng.uniform(0.2, 0.7))
    deck = g.slab(outline, thick, 0.12).apply_translation(((5 - depth / 2), width / 2, 0))
    caps = [_cap(*key, gap, thick, tall) for key in keys]
    body = trimesh.util.concatenate([mesh for mesh, _ in caps])
    parts = [Part(body, "body", np.concatenate([uv for _, uv in caps])), *_deck(rng, deck)]
    tilt = trimesh.transformations.rotation_matrix(np.radians(rng.uniform(2, 7)), (0, 1, 0))
    return [part._replace(mesh=part.mesh.apply_transform(tilt)) for part in parts]


def _deck(rng, deck):
    """The deck in the tone between the caps, or in a fixed one."""
    role = rng.choice(["body", "dark", "grey", "white"], p=[0.55, 0.2, 0.15, 0.1])
    return [Part(deck, str(role), np.tile(surfaces.CAP_GAP, (3 * len(deck.faces), 1)))]


def _keys(rng, rows, left, back=0.0):
    """For each key (x, y, its width, its legend's number); a key wider than 2 has no legend."""
    number = rng.integers(10)
    for row, widths in enumerate(rows):
        y = left
        for width in widths:
            number += 1
            yield back + row + 0.5, y + width / 2, width, number if width < 2 else None
            y += width


def _cap(x, y, width, legend, gap, z, tall):
    """One cap, narrower at its top, and where its corners lie on the printed picture."""
    low, top = g.rectangle(1 - gap, width - gap), g.rectangle(0.76 - gap, width - 0.22 - gap)
    mesh = g.loft([np.column_stack([low, np.full(4, 0.0)]), np.column_stack([top - (0.03, 0), np.full(4, tall)])])
    u0, v0, u1, v1 = surfaces.cap_window(legend or 0, legend is None)
    points, _ = corners(mesh)
    across = points[:, 1] / (width - gap) + 0.5
    along = 0.5 - points[:, 0] / (1 - gap)
    uv = np.stack([u0 + across * (u1 - u0), v0 + along * (v1 - v0)], 1)
    return mesh.apply_translation((x, y, z)), uv


# ---------------------------------------------------------------- school bus


def school_bus(rng):
    """A long body with a bonnet: windows, rails and paint come with the surface; glass, wheels and lamps are parts."""
    long, width, tall, ground = rng.uniform(5.0, 7.4), rng.uniform(2.1, 2.4), rng.uniform(2.3, 2.6), 0.55
    nose, bonnet = rng.uniform(0.9, 1.4), 0.47 * tall
    shell = _shell(width, tall, long).apply_translation((-long, 0, ground))
    hood = g.box(nose + 0.2, width * 0.86, bonnet, (nose / 2, 0, ground + bonnet / 2), 0.14)
    windows = round(long / 0.95)
    parts = [Part(shell, "body", _side_uv(shell, ground, tall, windows / 4 / long)),
             Part(hood, "body", _side_uv(hood, ground, tall, 0.0))]
    parts += _front(rng, nose, width, ground, bonnet, tall)
    parts += _rear(width, long, ground, tall) + _roof_lamps(rng, long, width, ground + tall)
    return parts + _wheels(rng, long, width, nose)


def _shell(width, tall, long):
    """The passenger body: a section with a round roof, carried from x = 0 to `long`."""
    arch = np.linspace(0, np.pi, 17)
    across = width / 2 * np.sign(np.cos(arch)) * abs(np.cos(arch)) ** 0.5
    roof = np.stack([across, tall * (0.86 + 0.14 * np.sin(arch) ** 0.7)], 1)
    outline = np.vstack([[(-width / 2, 0), (width / 2, 0)], roof])
    return facing(outline, long, 0.08, (0, 0, 0))


def _side_uv(mesh, ground, tall, scale):
    """Windows and rails on what faces sideways or forward below the roof, plain paint elsewhere."""
    points, normals = corners(mesh)
    uv = np.stack([points[:, 0] * scale, (points[:, 2] - ground) / tall], 1)
    plain = abs(normals[:, 1]) < 0.75
    uv[plain] = surfaces.BUS_PLAIN
    return uv


def _front(rng, nose, width, ground, bonnet, tall):
    """Windscreen in two panes, grille, lamps, bumper, mirrors and a sign above."""
    pane = g.rectangle(0.42 * width, 0.30 * tall)
    glass = [facing(pane, 0.06, 0.0, (0.0, y * width, ground + 0.665 * tall)) for y in (-0.225, 0.225)]
    grille = facing(g.rectangle(0.4 * width, 0.42 * bonnet), 0.06, 0.0, (nose + 0.08, 0, ground + 0.52 * bonnet))
    lamps = [disc(0.15, 0.07, (nose + 0.08, y * 0.32 * width, ground + 0.55 * bonnet), 20) for y in (-1, 1)]
    bumper = g.box(0.18, width, 0.26, (nose + 0.18, 0, ground + 0.05), 0.03)
    mirrors = [g.box(0.08, 0.2, 0.42, (0.35, y * (width / 2 + 0.12), ground + 0.62 * tall), 0.03) for y in (-1, 1)]
    sign = facing(g.rectangle(0.5 * width, 0.08 * tall), 0.06, 0.0, (0.0, 0, ground + 0.885 * tall))
    return [merged(glass, "glass"), merged(lamps, "light"), merged([grille, bumper, *mirrors, sign], "dark")]


def _rear(width, long, ground, tall):
    """The emergency door's panes, the lamps and the bumper at the back."""
    x = -long - 0.04
    panes = [facing(g.rectangle(w * width, 0.26 * tall), 0.06, 0.0, (x, y * width, ground + 0.7 * tall))
             for w, y in ((0.26, 0), (0.2, 0.31), (0.2, -0.31))]
    lamps = [disc(0.13, 0.08, (x - 0.02, y * width, ground + z * tall), 20) for y in (-0.38, 0.38) for z in (0.4, 0.93)]
    bumper = g.box(0.16, width, 0.24, (x - 0.04, 0, ground + 0.05), 0.03)
    seams = [g.box(0.05, 0.03, 0.75 * tall, (x + 0.03, y * 0.17 * width, ground + 0.5 * tall)) for y in (-1, 1)]
    return [merged(panes, "glass"), merged(lamps, "red"), merged([bumper, *seams], "dark")]


def _roof_lamps(rng, long, width, top):
    """Warning lamps at the roof's corners; some buses have a white roof hatch."""
    spots = [(x, y * width, top - 0.12) for x in (-0.1, 0.1 - long) for y in (-0.36, 0.36)]
    lamps = merged([g.ellipsoid((0.12, 0.14, 0.1), spot, 16) for spot in spots], "amber")
    where = rng.uniform(0.3, 0.7) if rng.random() < 0.5 else None
    return [lamps] if where is None else [lamps, Part(g.box(0.7, 0.8, 0.1, (-long * where, 0, top), 0.03), "white")]


def _wheels(rng, long, width, nose):
    """Four wheels with hubs, in dark arches."""
    radius, spots = rng.uniform(0.45, 0.52), [(nose * 0.35, s) for s in (-1, 1)] + [(-long * 0.74, s) for s in (-1, 1)]

    def axle(r, inner, outer):
        return [g.rod((x, s * inner, radius), (x, s * outer, radius), r) for x, s in spots]
    half = width / 2
    return [merged(axle(radius * 1.22, half - 0.3, half + 0.015), "dark"),
            merged(axle(radius, half - 0.3, half + 0.06), "rubber"),
            merged(axle(0.45 * radius, half, half + 0.1), rng.choice(["grey", "white", "metal"]))]


# ---------------------------------------------------------------- stop sign


def stop_sign(rng):
    """An octagonal plate on a short post, on a foot or in the ground; some have a second, small plate."""
    post, size = rng.uniform(0.55, 1.5), rng.uniform(0.024, 0.04)
    middle = post + 1.0
    plate = facing(surfaces.OCTAGON / np.cos(np.radians(22.5)) * 0.999, 0.05, 0.008, (0.04, 0, middle))
    points, _ = corners(plate)
    uv = np.stack([points[:, 1] / 2 + 0.5, (points[:, 2] - middle) / 2 + 0.5], 1)
    parts = [Part(plate, "body", uv), *_post(rng, middle, size * 2)]
    bolts = [disc(0.035, 0.02, (0.085, 0, middle + z), 12) for z in (-0.7, 0.7)]
    if rng.random() < 0.25:
        low = middle - 1.0 - 0.2
        parts.append(Part(facing(g.rounded_rectangle(0.9, 0.26, 0.04), 0.04, 0.0, (0.04, 0, low)), "white"))
    return parts + [merged(bolts, "metal")]


def _post(rng, height, half):
    """A round, square or wooden post up to the plate's middle, and a foot."""
    kind = rng.choice(["round", "square", "wood"])
    if kind == "round":
        post = Part(g.rod((0, 0, 0), (0, 0, height + 0.6), half), "metal")
    else:
        wide = 1.6 * half
        bar = g.box(0.07, 2 * wide, height + 0.6, (0, 0, (height + 0.6) / 2), 0.01)
        post = Part(bar, "grey" if kind == "square" else "wood")
    outline = (g.circle(0.45, 40), g.rounded_rectangle(0.6, 0.6, 0.08), g.circle(0.35, 40))[rng.integers(3)]
    return [post, Part(g.slab(outline, rng.uniform(0.05, 0.14), 0.03), str(rng.choice(["rubber", "grey", "dark"])))]
