"""What an object is made of: named parts, smooth normals and texture coordinates.

Every object is a list of `Part`s in its own frame: z up, resting on z = 0, centred in x and y, its front towards +x
(a viewer at azimuth 0 sees the front). Units are free: `scene` scales each object to one bounding-box diagonal.
"""

from typing import NamedTuple

import numpy as np
import trimesh

CREASE = np.cos(np.radians(40))  # faces that meet at a sharper angle keep a hard edge


class Part(NamedTuple):
    """A mesh with the role that decides its material.

    "body" takes the category's typical surface in the object's colour (in cue conflict another category's); every
    other role is a fixed material of `surfaces.MATERIALS`. `uv`, for body parts only, is the native map of the
    category's own surface: "box", "fit", "cylinder", "sphere" (see `project_uv`) or an array (3 F, 2) for the corners
    of the faces in order. A foreign surface is always mapped by "box".
    """
    mesh: trimesh.Trimesh
    role: str = "body"
    uv: object = "box"


def corner_normals(mesh):
    """Smooth normals (3 F, 3) for the corners of the faces, hard across edges sharper than the crease angle."""
    around = mesh.vertex_faces[mesh.faces.reshape(-1)]                    # (3F, D), padded with -1
    normals, areas = mesh.face_normals, mesh.area_faces
    own = np.repeat(normals, 3, 0)
    weight = np.einsum("cdk,ck->cd", normals[around], own) > CREASE
    weight = weight * (around >= 0) * areas[around]
    total = np.einsum("cd,cdk->ck", weight, normals[around])
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0, total / np.maximum(length, 1e-30), own)


def project_uv(mesh, kind, low, size):
    """Texture coordinates (3 F, 2) for the corners of the faces.

    "box" projects each face along its main axis, one unit of texture for `size` units of space counted from the
    corner `low` of the object; "fit" does so over the mesh's own box, 0 to 1 each way; "cylinder" wraps u around z,
    "sphere" measures v by latitude too, each 0 to 1 over the mesh.
    """
    if isinstance(kind, np.ndarray):
        return kind
    corners = mesh.vertices[mesh.faces]                                   # (F, 3, 3)
    if kind == "fit":
        low, size = mesh.bounds[0], mesh.extents
    if kind in ("box", "fit"):
        axis = abs(mesh.face_normals).argmax(1)
        pick = np.array([[1, 2], [0, 2], [1, 0]])[axis]                   # x-faces show (y, z), y-faces (x, z), ...
        uv = np.take_along_axis((corners - low) / size, pick[:, None, :], 2)
        ahead = np.take_along_axis(mesh.face_normals, axis[:, None], 1)[:, 0] > 0
        uv[:, :, 0] *= np.where(ahead == (axis == 1), -1, 1)[:, None]     # no side shows its picture mirrored
        uv[:, :, 1] *= np.where(axis == 2, -1, 1)[:, None]
        return uv.reshape(-1, 2)
    return _wrap_uv(corners - mesh.bounds.mean(0), mesh.extents, kind).reshape(-1, 2)


def _wrap_uv(corners, extents, kind):
    """Cylindrical or spherical coordinates (F, 3, 2) with no face torn across the seam."""
    u = np.arctan2(corners[..., 1], corners[..., 0]) / (2 * np.pi) + 0.5
    u = np.where((u.max(1) - u.min(1) > 0.5)[:, None] & (u < 0.5), u + 1, u)
    v = corners[..., 2] / extents[2] + 0.5
    if kind == "sphere":
        v = np.arcsin(np.clip(2 * v - 1, -1, 1)) / np.pi + 0.5
    return np.stack([u, v], -1)
