"""From a plain dict of factors to a 128x128 sRGB image and one exact mask for each object (Mitsuba 3, path traced).

World: z up, the table top is z = 0, the wall behind it x = -WALL, the camera on the +x side looking back, so the
picture's right is +y. Azimuth turns the object: 0 shows its front, 90 its left side (+y of its own frame).
"""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyoidn
import trimesh


def _use_llvm():
    """Point DrJit at an LLVM of version 19 or later (older ones crash); return the Mitsuba variant that then works."""
    folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/lib64", "/usr/local/lib",
               "/opt/homebrew/opt/llvm/lib", "/usr/local/opt/llvm/lib", *map(str, Path("/usr/lib").glob("llvm-*/lib"))]
    if "DRJIT_LIBLLVM_PATH" not in os.environ:
        found = [path for folder in folders for path in Path(folder).glob("libLLVM*") if _llvm_version(path) >= 19]
        if not found:
            return "scalar_rgb"
        os.environ["DRJIT_LIBLLVM_PATH"] = str(max(found, key=_llvm_version))
    return "llvm_ad_rgb"


def _llvm_version(path):
    """The major version in a library's name (libLLVM.so.19.1, libLLVM-19.so, libLLVM-14.0.6.so.1), 0 if none."""
    digits = path.name.replace("libLLVM", "").replace(".so", "").replace(".dylib", "").strip(".-").split(".")[0]
    return int(digits) if digits.isdigit() else 0


VARIANT = _use_llvm()
import mitsuba as mi  # noqa: E402  (reads DRJIT_LIBLLVM_PATH when imported)

mi.set_variant(VARIANT)
import shapes  # noqa: E402
import surfaces  # noqa: E402
from parts import corner_normals, project_uv  # noqa: E402

PIXELS, GUIDE_SAMPLES = 128, 6
FIELD = 35.0                     # field of view, degrees
DIAGONAL = 1.35                  # every object's bounding-box diagonal, the unit of all lengths
WALL = 1.7                       # from the table's centre to the wall
ENVIRONMENT = 0.75               # radiance of the constant light from all around
HALF, ROOM_TILE = 6.0, 1.6       # half the side of floor and wall; size of one tile of their pictures
TILE = 0.55                      # size of one tile of a foreign surface, in scene units


class Body:
    """One instance of a category as arrays: normalised, rotated by nothing, standing on the origin."""

    def __init__(self, category, instance):
        parts = shapes.make(category, instance)
        bounds = np.array([p.mesh.bounds for p in parts])
        low, high = bounds[:, 0].min(0), bounds[:, 1].max(0)
        scale = DIAGONAL / np.linalg.norm(high - low)
        shift = np.array([*(low + high)[:2] / 2, low[2]])
        parts = [p._replace(mesh=_place(p.mesh, shift, scale)) for p in parts]
        size = (high - low) * scale
        self.height, self.low = size[2], np.array([-size[0] / 2, -size[1] / 2, 0])
        self.body = [p for p in parts if p.role == "body"]
        self.details = [p for p in parts if p.role != "body"]
        self.points = np.concatenate([p.mesh.vertices for p in parts])
        self.native = self._texcoords("native")
        self.foreign = self._texcoords("foreign")
        self.normals = [np.concatenate([corner_normals(p.mesh) for p in group] or [np.zeros((0, 3))])
                        for group in (self.body, self.details)]
        self.corners = [np.concatenate([p.mesh.triangles.reshape(-1, 3) for p in group] or [np.zeros((0, 3))])
                        for group in (self.body, self.details)]

    def _texcoords(self, which):
        kinds = [p.uv if which == "native" else "box" for p in self.body]
        return np.concatenate([project_uv(p.mesh, k, self.low, TILE) for p, k in zip(self.body, kinds)])

    def detail_materials(self):
        """Colour (linear) and roughness (4 numbers) of every corner of the detail parts."""
        rows = [np.tile(surfaces.linear_material(p.role), (3 * len(p.mesh.faces), 1)) for p in self.details]
        return np.concatenate(rows or [np.zeros((0, 4))])


def _place(mesh, shift, scale):
    mesh = mesh.copy()
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    mesh.apply_translation(-shift)
    mesh.apply_scale(scale)
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


@lru_cache(maxsize=400)
def body(category, instance):
    return Body(category, instance)


def turn(azimuth):
    """Rotation of the object about z that shows the camera the side at `azimuth` degrees."""
    a = np.radians(-azimuth)
    return np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])


def world_points(thing):
    """The vertices (V, 3) of an object of `factors["objects"]` in the scene."""
    return body(thing["category"], thing["instance"]).points @ turn(thing["azimuth"]).T + [*thing["position"], 0]


def camera(factors):
    """Position, target and the three axes (right, up, forward) of the camera."""
    e, target = np.radians(factors["elevation"]), np.array([0, 0, factors["aim"]])
    position = target + factors["distance"] * np.array([np.cos(e), 0, np.sin(e)])
    forward = np.array([-np.cos(e), 0, -np.sin(e)])
    right = np.array([0.0, 1.0, 0.0])
    return position, target, right, np.cross(right, forward), forward


def project(points, factors):
    """Picture coordinates (V, 2) of world points, each side -1 to 1, y upward."""
    position, _, right, up, forward = camera(factors)
    ray = points - position
    depth = ray @ forward * np.tan(np.radians(FIELD / 2))
    return np.stack([ray @ right / depth, ray @ up / depth], 1)


def _material(surface):
    """A surface as a Mitsuba material; the gloss is a 1x1 bitmap, since numbers would be compiled into the kernel."""
    image, gloss = np.ascontiguousarray(surface.image), np.full((1, 1, 1), surface.roughness, np.float32)
    return {"type": "twosided", "bsdf": {
        "type": "principled", "base_color": {"type": "bitmap", "bitmap": mi.Bitmap(image)},
        "roughness": {"type": "bitmap", "bitmap": mi.Bitmap(gloss), "raw": True}}}


def _mesh(corners, normals, plugins, uv=None, materials=None):
    """A Mitsuba mesh of unshared corners (3F, 3), with texture coordinates or with colours and gloss at each corner.

    Everything is a mesh, also the room and the lamp: what differs between scenes is then data, and one compiled
    kernel renders them all (the transforms of Mitsuba's own rectangles would be compiled in).
    """
    props = mi.Properties()
    for name, plugin in plugins.items():
        props[name] = mi.load_dict(plugin)
    mesh = mi.Mesh("mesh", len(corners), len(corners) // 3, props=props,
                   has_vertex_normals=True, has_vertex_texcoords=True)
    for key, columns in {"color": slice(0, 3), "rough": slice(3, 4)}.items() if materials is not None else ():
        mesh.add_attribute(f"vertex_{key}", columns.stop - columns.start, _flat(materials[:, columns]))
    params = mi.traverse(mesh)
    params["vertex_positions"], params["vertex_normals"] = _flat(corners), _flat(normals)
    params["faces"] = np.arange(len(corners), dtype=np.uint32)
    params["vertex_texcoords"] = _flat((corners[:, :2] if uv is None else uv) * [1, -1])   # Mitsuba counts v downward
    params.update()
    return mesh


def _flat(array):
    return np.ascontiguousarray(array, np.float32).ravel()


def _quad(centre, right, up, plugins, uv):
    """A rectangle about `centre` with half sides `right` and `up`, facing their cross product."""
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, -1), (1, 1), (-1, 1)], float)
    corners = np.array(centre) + square @ np.array([right, up], float)
    normal = np.cross(right, up) / np.linalg.norm(np.cross(right, up))
    return _mesh(corners, np.tile(normal, (6, 1)), plugins, square @ uv)


DETAIL = {"type": "twosided", "bsdf": {
    "type": "principled", "base_color": {"type": "mesh_attribute", "name": "vertex_color"},
    "roughness": {"type": "mesh_attribute", "name": "vertex_rough"}}}
LIGHT = {"type": "path", "max_depth": 4}
GUIDES = {"type": "aov", "aovs": "albedo:albedo,normal:sh_normal"}   # what the denoiser may look at
NOWHERE = np.array([[0, 0, -1], [1e-3, 0, -1], [0, 1e-3, -1.0]])  # keeps the scene's structure where there is no detail


def object_meshes(thing):
    """The body and the detail mesh of one object of `factors["objects"]`."""
    form, rotation = body(thing["category"], thing["instance"]), turn(thing["azimuth"])
    surface = surfaces.surface(thing["surface"], thing["surface_seed"], tuple(thing["colour"]))
    own = thing["surface"] == thing["category"]
    corners = [c @ rotation.T + [*thing["position"], 0] for c in form.corners]
    normals = [n @ rotation.T for n in form.normals]
    uv = form.native if own else form.foreign / surface.tile
    main = _mesh(corners[0], normals[0], {"bsdf": _material(surface)}, uv)
    if not len(corners[1]):
        corners[1], normals[1] = NOWHERE, np.tile([0, 0, 1.0], (3, 1))
    materials = form.detail_materials() if form.details else np.full((3, 4), 0.5)
    return main, _mesh(corners[1], normals[1], {"bsdf": DETAIL}, materials=materials)


def _room(factors):
    """The table top, its picture turned by `turn`, and the wall behind it."""
    floor, wall = factors["floor"], factors["background"]
    a, reach = np.radians(floor["turn"]), HALF / ROOM_TILE
    turned = reach * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    look = surfaces.floor(floor["kind"], floor["seed"], tuple(floor["colour"]))
    paper = surfaces.wall(wall["kind"], wall["seed"], tuple(wall["colour"]))
    return {"floor": _quad((0, 0, 0), (HALF, 0, 0), (0, HALF, 0), {"bsdf": _material(look)}, turned),
            "wall": _quad((-WALL, 0, HALF), (0, HALF, 0), (0, 0, HALF), {"bsdf": _material(paper)}, reach * np.eye(2))}


def _lights(light):
    """A square lamp of side 2 at distance 5 from the table, and a constant light from all around."""
    a, e = np.radians([light["azimuth"], light["elevation"]])
    out = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    right = np.array([-np.sin(a), np.cos(a), 0])
    colour = 14 * light["intensity"] * np.array([1 + 0.25 * light["warmth"], 1.0, 1 - 0.3 * light["warmth"]])
    plugins = {"emitter": {"type": "area", "radiance": {"type": "rgb", "value": colour.tolist()}},
               "bsdf": {"type": "diffuse"}}
    return {"lamp": _quad(5 * out, right, np.cross(right, out), plugins, np.eye(2)),
            "sky": {"type": "constant", "radiance": {"type": "rgb", "value": [ENVIRONMENT] * 3}}}


def _sensor(factors):
    position, target, *_ = camera(factors)
    return {"type": "perspective", "fov": FIELD,
            "to_world": mi.ScalarTransform4f().look_at(position.tolist(), target.tolist(), [0, 0, 1]),
            "film": {"type": "hdrfilm", "width": PIXELS, "height": PIXELS, "rfilter": {"type": "box"}},
            "sampler": {"type": "independent"}}


def clean(scene, samples, seed):
    """The picture (128, 128, 3) in linear light: few samples, then Open Image Denoise with albedo and normals."""
    light, guides = (np.array(mi.render(scene, integrator=mi.load_dict(integrator), spp=spp, seed=seed), np.float32)
                     for integrator, spp in ((LIGHT, samples), (GUIDES, GUIDE_SAMPLES)))
    albedo, normal = np.clip(guides[..., -6:-3], 0, 1), guides[..., -3:]
    return pyoidn.denoise(color=np.ascontiguousarray(light[..., :3]), albedo=np.ascontiguousarray(albedo),
                          normal=np.ascontiguousarray(normal), hdr=True)


def to_srgb(linear):
    """Linear light (H, W, 3) to uint8 sRGB, highlights above 0.7 rolled off instead of clipped."""
    x = np.clip(np.nan_to_num(linear), 0, None)
    x = np.where(x < 0.7, x, 0.7 + 0.3 * (1 - np.exp(-(x - 0.7) / 0.3)))
    x = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return (255 * np.clip(x, 0, 1) + 0.5).astype(np.uint8)


def masks(scene, owners):
    """For each group of shapes, whether the ray through a pixel's centre meets it first: (len(owners), H, W) bool."""
    grid = (np.stack(np.meshgrid(np.arange(PIXELS), np.arange(PIXELS)), -1).reshape(-1, 2) + 0.5) / PIXELS
    if VARIANT == "scalar_rgb":
        hits = [_first_hit(scene, spot.tolist()) for spot in grid]
        seen = [[hit in group for hit in hits] for group in owners]
    else:
        hits = _first_hit(scene, mi.Point2f(*grid.T.astype(np.float32)))
        seen = [sum(np.array(hits == mi.ShapePtr(shape)) for shape in group) > 0 for group in owners]
    return np.array(seen).reshape(len(owners), PIXELS, PIXELS)


def _first_hit(scene, spot):
    """The shape behind a spot of the picture (0 to 1 each way), or the shapes behind many."""
    ray, _ = scene.sensors()[0].sample_ray(0.0, 0.5, spot, [0.5, 0.5])
    return scene.ray_intersect_preliminary(ray).shape


def render(factors, samples=16):
    """The image (128, 128, 3) uint8 and the masks (objects, 128, 128) bool of `factors` (see render.py)."""
    pairs = [object_meshes(thing) for thing in factors["objects"]]
    meshes = {f"object{i}_{j}": mesh for i, pair in enumerate(pairs) for j, mesh in enumerate(pair)}
    scene = mi.load_dict({"type": "scene", "sensor": _sensor(factors), **_room(factors),
                          **_lights(factors["light"]), **meshes})
    return to_srgb(clean(scene, samples, factors["seed"])), masks(scene, pairs)
