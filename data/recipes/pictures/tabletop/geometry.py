"""Building blocks of the parametric families: closed surfaces through rings, swept and revolved outlines.

Every builder returns a watertight `trimesh.Trimesh` with shared vertices whose faces look outward.
"""

import numpy as np
import trimesh
from scipy.interpolate import PchipInterpolator, make_interp_spline


def loft(rings, wrap=False):
    """Closed surface through `rings` (k, n, 3); its ends are capped, or joined to each other if `wrap`."""
    rings = np.asarray(rings, float)
    count, size = rings.shape[:2]
    index = np.arange(count * size).reshape(count, size)
    rows = np.vstack([index, index[:1]]) if wrap else index
    a, b = rows[:-1], rows[1:]
    c, d = np.roll(b, -1, 1), np.roll(a, -1, 1)
    faces = [np.stack(corners, -1).reshape(-1, 3) for corners in ((a, b, c), (a, c, d))]
    vertices = rings.reshape(-1, 3)
    if not wrap:
        vertices = np.vstack([vertices, rings[0].mean(0), rings[-1].mean(0)])
        faces += [_fan(index[0], count * size), _fan(index[-1][::-1], count * size + 1)]
    return _outward(vertices, np.vstack(faces))


def _fan(ring, centre):
    return np.stack([ring, np.roll(ring, -1), np.full(len(ring), centre)], -1)


def _outward(vertices, faces):
    mesh = trimesh.Trimesh(vertices, faces)  # merges the points of a ring that has shrunk to one
    mesh.update_faces(mesh.nondegenerate_faces())
    mesh.remove_unreferenced_vertices()
    if mesh.volume < 0:
        mesh.invert()
    return mesh


def circle(radius=1.0, count=24):
    """Outline (count, 2) of a circle."""
    angle = 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def superellipse(width, depth, power=4.0, count=48):
    """Outline (count, 2) of |2x/width|^p + |2y/depth|^p = 1: 2 is an ellipse, large powers approach a rectangle."""
    unit = circle(1.0, count)
    return np.sign(unit) * np.abs(unit) ** (2 / power) * (width / 2, depth / 2)


def rectangle(width, depth, chamfer=0.0):
    """Outline of a rectangle, its corners cut by `chamfer`: (4, 2), or (8, 2) if chamfered."""
    x, y, c = width / 2, depth / 2, chamfer
    if not c:
        return np.array([(x, -y), (x, y), (-x, y), (-x, -y)])
    half = np.array([(x - c, -y), (x, c - y), (x, y - c), (x - c, y)])
    return np.vstack([half, -half])


def rounded_rectangle(width, depth, radius, steps=6):
    """Outline (4 * (steps + 1), 2) of a rectangle with round corners."""
    turn = np.linspace(0, np.pi / 2, steps + 1)
    corner = radius * np.stack([np.cos(turn), np.sin(turn)], 1)
    x, y = width / 2 - radius, depth / 2 - radius
    other = corner[::-1] * (-1, 1)
    return np.vstack([corner + (x, y), other + (-x, y), -corner + (-x, -y), -other + (x, -y)])


def inset(outline, distance):
    """A counter-clockwise outline (n, 2), each point moved inward by `distance` along the bisector of its edges."""
    before, after = outline - np.roll(outline, 1, 0), np.roll(outline, -1, 0) - outline
    normals = [unit(edge) @ np.array([(0.0, 1.0), (-1.0, 0.0)]) for edge in (before, after)]
    bisector = normals[0] + normals[1]
    return outline + 2 * distance * bisector / np.maximum((bisector ** 2).sum(1, keepdims=True), 0.5)


def unit(vectors):
    """Vectors (..., d) scaled to length 1; zero stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def slab(outline, height, bevel=0.0, z=0.0, steps=1):
    """An outline (n, 2) extruded from z to z + height; `bevel` cuts its edges (`steps` > 1 rounds them)."""
    if not bevel:
        return loft([_at(outline, z), _at(outline, z + height)])
    turn = np.linspace(0, np.pi / 2, steps + 1)
    lower = [_at(inset(outline, bevel * (1 - np.sin(t))), z + bevel * (1 - np.cos(t))) for t in turn]
    upper = [_at(inset(outline, bevel * (1 - np.cos(t))), z + height - bevel * (1 - np.sin(t))) for t in turn]
    return loft(lower + upper)


def _at(outline, z):
    return np.column_stack([outline, np.full(len(outline), z)])


def box(width, depth, height, centre=(0, 0, 0), bevel=0.0):
    """A box around `centre`, its edges cut by `bevel`."""
    mesh = slab(rectangle(width, depth, bevel), height, bevel, -height / 2)
    return mesh.apply_translation(centre)


def revolve(profile, count=56, wrap=False):
    """The profile (k, 2) of (radius, z) turned about z; it starts and ends on the axis, or is closed (`wrap`)."""
    profile, ring = np.asarray(profile, float), circle(1.0, count)
    return loft([_at(ring * radius, z) for radius, z in profile], wrap)


def sweep(curve, section, scale=1.0, up=None, wrap=False):
    """A section, a radius or an outline (n, 2), carried along a plane `curve` (k, 3).

    `scale` is a number, (k,) or (k, 2). The section's second axis follows `up`, by default the axis
    most across the curve.
    """
    curve = np.asarray(curve, float)
    section = circle(section, 16) if np.isscalar(section) else np.asarray(section)
    tangent = unit(np.roll(curve, -1, 0) - np.roll(curve, 1, 0) if wrap else np.gradient(curve, axis=0))
    up = np.eye(3)[np.abs(tangent).max(0).argmin()] if up is None else np.asarray(up, float)
    side = unit(np.cross(tangent, up))
    normal = np.cross(side, tangent)
    sizes = np.broadcast_to(np.reshape(scale, (-1, 1)) if np.ndim(scale) == 1 else scale, (len(curve), 2))
    offsets = section[None, :, :] * sizes[:, None, :]
    rings = curve[:, None] + offsets[..., :1] * side[:, None] + offsets[..., 1:] * normal[:, None]
    return loft(rings, wrap)


def spline(points, count=24):
    """Smooth curve (count, d) through `points` (m, d), by chord length."""
    points = np.asarray(points, float)
    knots = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    order = min(3, len(points) - 1)
    return make_interp_spline(knots, points, order)(np.linspace(0, knots[-1], count))


def ramp(points, at):
    """Values at `at` of the smooth curve through (x, y) `points`, without overshoot."""
    x, y = np.asarray(points, float).T
    return PchipInterpolator(x, y)(at)


def segment(start, end, count=2):
    """Straight curve (count, 3)."""
    return np.linspace(start, end, count)


def rod(start, end, radius, end_radius=None):
    """A straight, possibly tapering round bar."""
    end_radius = radius if end_radius is None else end_radius
    return sweep(segment(start, end, 5), 1.0, np.linspace(radius, end_radius, 5))


def turned(start, end, profile, count=20):
    """A profile (k, 2) of (radius, fraction of the way) turned about the line from `start` to `end`."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    radius, way = np.asarray(profile, float).T
    curve = start + way[:, None] * (end - start)
    axis = unit(end - start)
    across = np.eye(3)[np.abs(axis).argmin()]
    side = unit(np.cross(axis, across))
    frame = np.stack([side, np.cross(axis, side)])
    return loft(curve[:, None] + radius[:, None, None] * (circle(1.0, count) @ frame)[None])


def ellipsoid(radii, centre=(0, 0, 0), count=32):
    """An ellipsoid of half axes `radii` about `centre`."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, count // 2 + 1)
    mesh = revolve(np.stack([np.cos(angle).clip(1e-9), np.sin(angle)], 1).round(9), count)
    return mesh.apply_scale(radii).apply_translation(centre)
