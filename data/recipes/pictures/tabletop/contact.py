"""Contact sheets to look at: every category's instances from several sides, or the start of a rendered split.

    python data/recipes/pictures/tabletop/contact.py --shapes mug lemon --out sheet.png
    python data/recipes/pictures/tabletop/contact.py --split train --out sheet.png
"""

import argparse
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

SPLITS = Path(__file__).resolve().parents[3] / "tabletop"
OUTLINES = ((255, 0, 255), (0, 255, 255))


def shape_sheet(categories, instances=6, azimuths=(20, 110, 200, 300)):
    """Rows of images: each category's instances (columns) at each azimuth, plain room, the palette's colours."""
    import plan
    import scene
    rows = []
    for category in categories:
        for azimuth in azimuths:
            plans = [plan.preview(category, instance, azimuth) for instance in range(instances)]
            rows.append(np.concatenate([scene.render(plan, 64)[0] for plan in plans], 1))
    return np.concatenate(rows)


def split_sheet(split, count=100, columns=10, outline=False, start=0):
    """The images of a split's tar from number `start` on, with the masks' outlines if asked."""
    pictures = []
    with tarfile.open(SPLITS / f"{split}.tar") as tar:
        for i in range(start, start + count):
            image = np.array(Image.open(io.BytesIO(tar.extractfile(f"{i:06d}.jpg").read())))
            mask = np.array(Image.open(io.BytesIO(tar.extractfile(f"{i:06d}.png").read()))).astype(int)
            pictures.append(_outlined(image, mask) if outline else image)
    return np.concatenate([np.concatenate(pictures[i:i + columns], 1) for i in range(0, count, columns)])


def _outlined(image, mask):
    image = image.copy()
    for value, colour in enumerate(OUTLINES, 1):
        inside = mask == value
        image[inside & ~_shrunk(inside)] = colour
    return image


def _shrunk(mask):
    padded = np.pad(mask, 1)
    return padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+")
    parser.add_argument("--instances", type=int, default=6)
    parser.add_argument("--split")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--outline", action="store_true")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    sheet = shape_sheet(args.shapes, args.instances) if args.shapes else split_sheet(
        args.split, args.count, outline=args.outline, start=args.start)
    Image.fromarray(sheet).save(args.out)


if __name__ == "__main__":
    main()
