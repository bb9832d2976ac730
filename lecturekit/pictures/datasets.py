"""Pictures to work on: tabletop (rendered, every factor known), digits, photos, Imagenette."""

import io
import json
import tarfile
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from PIL import Image

from lecturekit import devices, files, validate
from lecturekit.pictures import pixels
from lecturekit.pictures.categories import TABLETOP, category_index

SPLITS = ("train", "test", "grid", "light", "scale", "object_colour", "background_colour",
          "two_objects", "cue_conflict")
SKIMAGE_PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "immunohistochemistry")
SKLEARN_PHOTOS = ("china", "flower")


@dataclass(frozen=True)
class Tabletop:
    """Rendered pictures with their ground truth. Indexing by an int, slice, list or mask gives a smaller Tabletop.

    pixels  (N,3,128,128) uint8; `.images` gives the same as floats in [0,1]
    masks   (N,128,128) bool, true on the object; for two objects (N,2,128,128)
    labels  (N,) long, an index into `.categories`; for two objects (N,2)
    samples one dict per image with everything that made it; `.factors` gives the same by factor
    """

    pixels: torch.Tensor
    masks: torch.Tensor
    labels: torch.Tensor
    samples: tuple
    categories: tuple = TABLETOP

    @property
    def images(self):
        return self.pixels.to(devices.chosen()).float() / 255

    @property
    def factors(self):
        """{factor: array of its N values}: (N,), for colours (N,3), for two objects (N,2) and (N,2,3)."""
        shared = set.intersection(*(set(sample) for sample in self.samples)) if self.samples else set()
        return {key: np.array([sample[key] for sample in self.samples]) for key in sorted(shared)}

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        chosen = np.atleast_1d(np.arange(len(self))[index])
        return Tabletop(self.pixels[chosen], self.masks[chosen], self.labels[chosen],
                        tuple(self.samples[i] for i in chosen))


def for_model(data, model, side=None):
    """A Tabletop as a network takes it: images (N,3,side,side) in [0,1], masks (N,side,side), and the index of each
    picture's category in the network's output (N,); for two objects masks (N,2,side,side) and indices (N,2).

    `side` in px; by default the model's own.
    """
    side = side or validate.described(model, "image_size")
    masks = data.masks if data.masks.ndim == 4 else data.masks[:, None]
    index = torch.tensor([category_index(model, name) for name in data.categories])
    made = (pixels.resize(data.pixels.float() / 255, side).clamp(0, 1),
            (pixels.resize(masks.float(), side) > 0.5).reshape(*data.masks.shape[:-2], side, side), index[data.labels])
    return tuple(values.to(devices.chosen()) for values in made)


@lru_cache(maxsize=4)
def tabletop(split="train"):
    """One split of the tabletop data as a `Tabletop`: any first n of its images are balanced over the categories.

    train (3,000), test (1,000, unseen instances), grid (category x instance x azimuth, all else fixed), the sweeps
    light, scale, object_colour and background_colour (one factor moves), two_objects, cue_conflict.
    """
    validate.one_of("split", split, SPLITS)
    samples = _read_tar(files.verified(f"tabletop/{split}.tar"))
    pictures = np.stack([_decode(s["jpg"]) for s in samples])
    records = tuple(json.loads(s["json"]) for s in samples)
    return Tabletop(torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(),
                    torch.from_numpy(np.stack([_masks(s, r) for s, r in zip(samples, records)])),
                    torch.tensor([_labels(r) for r in records]), records)


def _read_tar(path):
    """The samples of a WebDataset tar: [{extension: bytes}], in order."""
    samples = {}
    with tarfile.open(path) as tar:
        for member in tar:
            key, extension = member.name.split(".", 1)
            samples.setdefault(key, {})[extension] = tar.extractfile(member).read()
    return list(samples.values())


def _decode(data):
    return np.array(Image.open(io.BytesIO(data)))


def _masks(sample, record):
    """(128,128) bool, or (2,128,128) where the record tells of two objects."""
    values = _decode(sample["png"])
    return np.stack([values == 1, values == 2]) if isinstance(record["category"], list) else values == 1


def _labels(record):
    names = record["category"]
    return [TABLETOP.index(name) for name in names] if isinstance(names, list) else TABLETOP.index(names)


def digits():
    """scikit-learn's 1,797 handwritten digits: images (1797,1,8,8) in [0,1], labels (1797,)."""
    from sklearn.datasets import load_digits   # slow to import
    data = load_digits()
    images, labels = torch.from_numpy(data.images).float()[:, None] / 16, torch.from_numpy(data.target).long()
    return images.to(devices.chosen()), labels.to(devices.chosen())


def photo_names():
    """The photos that scikit-image and scikit-learn bring along."""
    return [*SKIMAGE_PHOTOS, *SKLEARN_PHOTOS]


def photo(name, size=None):
    """A photo (1,3,H,W) in [0,1]; with `size`, its central square resized to size x size."""
    validate.one_of("name", name, photo_names())
    if name in SKLEARN_PHOTOS:
        from sklearn.datasets import load_sample_image
        array = load_sample_image(f"{name}.jpg")
    else:
        import skimage.data
        array = getattr(skimage.data, name)()
    return pixels.load(Image.fromarray(array), size)


def stereo():
    """scikit-image's motorcycle seen by two cameras: left and right (1,3,500,741) in [0,1], and the true disparity
    (500,741) in px, infinite where unknown: left[y, x] is the same point as right[y, x - disparity[y, x]]
    (Scharstein et al. 2014)."""
    import skimage.data
    left, right, disparity = skimage.data.stereo_motorcycle()
    told = pixels.to_tensor(left), pixels.to_tensor(right), torch.from_numpy(disparity).float()
    return tuple(values.to(devices.chosen()) for values in told)


def imagenette(split="val", root="data/imagenette", size="160px"):
    """torchvision's Imagenette (photos of ten ImageNet categories), where it was downloaded to `root`."""
    import torchvision   # slow to import, needed here alone
    validate.one_of("split", split, ("train", "val"))
    try:
        return torchvision.datasets.Imagenette(root, split, size)
    except RuntimeError:
        raise FileNotFoundError(
            f"root: got {str(root)!r}, which holds no Imagenette of size {size!r}. With a network, "
            f"torchvision.datasets.Imagenette({str(root)!r}, size={size!r}, download=True) brings it.") from None
