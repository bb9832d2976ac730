"""Renders the Tabletop data set: ten categories on a table, each image with its masks and every factor that made it.

    python data/recipes/pictures/tabletop/render.py [--split train test ...] [--workers 2]

Each sample depends on (split, index) alone. Finished samples wait in build/tabletop/<split>/, so a run that was
stopped goes on where it was; once a split is complete it is packed into data/tabletop/<split>.tar, a WebDataset-style
tar: 000000.jpg (128x128 RGB), 000000.png (the mask, 0 background, 1 the object; two_objects: 1 the left one, 2 the
right one), 000000.json (the factors). Any prefix is balanced over the categories: number i shows category i % 10.

The factors (colours are sRGB, 0 to 1, with the nearest of nine names; lengths in the scene's unit: every object's
bounding box has the diagonal 1.35; angles in degrees):
  split, index, seed           which sample it is; its random seed
  category, label              what it is, 0 to 9 in the order of `shapes.CATEGORIES`
  instance                     0 to 19 in train, 20 to 27 elsewhere
  azimuth                      0 to 360: 0 shows the front, 90 the object's left side (stop sign within 60 degrees of
                               the front, washing machine within 65, or they would not be recognised)
  position                     [x, y] on the table: x towards the camera, y to the right
  object_colour, object_colour_name
  surface, surface_label       the category whose typical surface it wears (another one in cue_conflict)
  surface_seed                 which grain, spots, scratches of that surface (0 to 7)
  size                         longer side of its bounding box as a fraction of the image's side
  box                          [left, top, right, bottom] in pixels
  elevation, distance, aim     the camera: degrees above the table, distance from its target, the target's height
  floor, background            kinds: wood, tiles, striped, ... and plain, brick, striped, ... (`surfaces`)
  floor_colour, floor_colour_name, background_colour, background_colour_name
  floor_seed, floor_turn, background_seed
  light_azimuth                0 behind the camera's line, positive from the right
  light_elevation, light_intensity (1 is typical), light_warmth (-1 bluish to 1 reddish)
  azimuth_index                grid alone: 0 to 7
In two_objects all from `category` to `box` are lists of two, the left object first. In cue_conflict `shape` and
`shape_label` repeat the category, to be read with `surface` and `surface_label`.
"""

import argparse
import io
import json
import multiprocessing
import os
import tarfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from tqdm import tqdm  # noqa: E402

import plan  # noqa: E402
from shapes import CATEGORIES  # noqa: E402

ROOT = Path(__file__).resolve().parents[4]
QUALITY, SAMPLES = 85, 16
KINDS = ("jpg", "json", "png")


def flat(factors):
    """The factors as they are saved: one level deep, lists of two where there are two objects."""
    things = [_flat_object(factors, i) for i in range(len(factors["objects"]))]
    out = {key: factors[key] for key in ("split", "index", "seed")}
    out |= things[0] if len(things) == 1 else {key: [thing[key] for thing in things] for key in things[0]}
    out |= {key: factors[key] for key in ("elevation", "distance", "aim")}
    for plane in ("floor", "background"):
        for key, value in factors[plane].items():
            out[plane if key == "kind" else f"{plane}_{key}"] = value
    out |= {f"light_{key}": value for key, value in factors["light"].items()}
    del out["background_turn"]
    if "azimuth_index" in factors:
        out["azimuth_index"] = int(factors["azimuth_index"])
    if factors["split"] == "cue_conflict":
        out |= {"shape": out["category"], "shape_label": out["label"]}
    return out


def _flat_object(factors, i):
    thing = factors["objects"][i]
    left, bottom, right, top = plan.extent(factors, i)
    box = 64 * np.array([1 + left, 1 - top, 1 + right, 1 - bottom])
    return {"category": thing["category"], "label": CATEGORIES.index(thing["category"]), "instance": thing["instance"],
            "azimuth": thing["azimuth"], "position": thing["position"], "object_colour": thing["colour"],
            "object_colour_name": thing["colour_name"], "surface": thing["surface"],
            "surface_label": CATEGORIES.index(thing["surface"]), "surface_seed": thing["surface_seed"],
            "size": plan.number(plan.size(factors, i)), "box": [plan.number(c, 1) for c in box]}


def encode(image, masks, factors):
    """The three members of a sample as bytes, by their suffix."""
    picture, mask = io.BytesIO(), io.BytesIO()
    Image.fromarray(image).save(picture, "JPEG", quality=QUALITY, optimize=True)
    levels = Image.fromarray(sum(((i + 1) * m).astype(np.uint8) for i, m in enumerate(masks)), "P")
    levels.putpalette([0, 0, 0, 255, 255, 255, 128, 128, 128])
    levels.save(mask, "PNG", bits=1 if len(masks) == 1 else 2, optimize=True)
    return {"jpg": picture.getvalue(), "png": mask.getvalue(),
            "json": json.dumps(flat(factors), separators=(",", ":")).encode()}


def write(path, data):
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def render_sample(job):
    """Render one (folder, split, index) and save it; the picture last, as the sign that the sample is complete."""
    folder, split, index = job
    import scene
    factors = plan.plan(split, index)
    members = encode(*scene.render(factors, SAMPLES), factors)
    for kind in ("json", "png", "jpg"):
        write(folder / f"{index:06d}.{kind}", members[kind])


def one_thread():
    """Each worker renders on one thread: two processes are faster than two threads."""
    import drjit
    import scene  # noqa: F401  (sets the variant)
    drjit.set_thread_count(1)


def missing(folder, split):
    folder.mkdir(parents=True, exist_ok=True)
    return [(folder, split, i) for i in range(plan.COUNTS[split]) if not (folder / f"{i:06d}.jpg").exists()]


def pack(folder, split, target):
    """All samples of a split as one tar whose bytes depend on its members alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for index in range(plan.COUNTS[split]):
            for kind in KINDS:
                data = (folder / f"{index:06d}.{kind}").read_bytes()
                member = tarfile.TarInfo(f"{index:06d}.{kind}")
                member.size, member.mode = len(data), 0o644
                tar.addfile(member, io.BytesIO(data))
    write(target, buffer.getvalue())


def main():
    parser = argparse.ArgumentParser(description="Render the Tabletop data set.")
    parser.add_argument("--split", nargs="+", choices=list(plan.COUNTS), default=list(plan.COUNTS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "tabletop", help="folder of finished samples")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "tabletop", help="folder of the tar files")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with multiprocessing.get_context("fork").Pool(args.workers, one_thread) as pool:
        for split in args.split:
            jobs = missing(args.build / split, split)
            done = pool.imap_unordered(render_sample, jobs, chunksize=1)
            for _ in tqdm(done, total=plan.COUNTS[split], initial=plan.COUNTS[split] - len(jobs), desc=split):
                pass
            pack(args.build / split, split, args.out / f"{split}.tar")


if __name__ == "__main__":
    main()
