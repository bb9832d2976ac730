"""Training images as uint8 arrays in memory, and the random crops and colours drawn from them."""

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision.transforms import v2

from lecturekit.pictures import datasets, pixels


def imagenette_arrays(root, split, every=1):
    """The images of `root/split`, or each `every`-th, as (3,H,W) uint8 tensors, and their labels 0 to 9 in the order of
    the folders."""
    paths = [(path, label) for label, folder in enumerate(sorted((root / split).iterdir()))
             for path in sorted(folder.glob("*.JPEG"))][::every]
    images = [torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1) for path, _ in paths]
    return images, [label for _, label in paths]


def squares(images, side=128):
    """The central squares (N,3,side,side) in [0,1] of uint8 images (3,H,W)."""
    cut = (pixels.center_square(image[None].float() / 255) for image in images)
    return torch.cat([pixels.resize(square, side).clamp(0, 1) for square in cut])


class Crops(Dataset):
    """Random resized crops and mirror images, uint8 (3,pixels,pixels); seeded per image."""

    def __init__(self, images, labels, pixels, smallest, seed):
        self.images, self.labels, self.pixels, self.smallest, self.seed = images, labels, pixels, smallest, seed

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        image, rng = self.images[i], np.random.default_rng((self.seed, i))
        height, width = image.shape[1:]
        area = height * width * rng.uniform(self.smallest, 1)
        ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        h, w = (min(height, round((area / ratio) ** 0.5)), min(width, round((area * ratio) ** 0.5)))
        top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
        crop = v2.functional.resize(image[:, top:top + h, left:left + w], [self.pixels, self.pixels], antialias=True)
        return (crop.flip(-1) if rng.random() < 0.5 else crop).contiguous(), self.labels[i]


def mixed(sources, side, smallest, seed):
    """A batch of crops (N,3,side,side) in [0,1] from [(images, how many of them)]; the same for the same seed."""
    generator, crops = torch.Generator().manual_seed(seed), []
    for images, count in sources:
        drawn = Crops(images, [0] * len(images), side, smallest, seed)
        crops += [drawn[int(i)][0] for i in torch.randint(len(images), (count,), generator=generator)]
    return torch.stack(crops).float().div(255).contiguous(memory_format=torch.channels_last)


def jitter(images, brightness=0.2, contrast=0.2, saturation=0.2):
    """Each image of (N,3,H,W) in [0,1] with its own random brightness, contrast and saturation."""
    def factors(strength):
        return 1 + strength * (2 * torch.rand(len(images), 1, 1, 1) - 1)
    images = images * factors(brightness)
    images = torch.lerp(images.mean((1, 2, 3), keepdim=True), images, factors(contrast))
    images = torch.lerp(images.mean(1, keepdim=True), images, factors(saturation))
    return images.clamp_(0, 1)


def tabletop_arrays(split):
    """The tabletop images as (3,H,W) uint8 tensors, and their labels 10 to 19."""
    data = datasets.tabletop(split)
    return list(data.pixels), [10 + int(label) for label in data.labels]
