"""Training images as uint8 arrays in memory, and the random crops and colours drawn from them."""

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision.transforms import v2


def imagenette_arrays(root, split):
    """All images of `root/split` as (3,H,W) uint8 tensors, and their labels 0 to 9 in the order of the folders."""
    images, labels = [], []
    for label, folder in enumerate(sorted((root / split).iterdir())):
        for path in sorted(folder.glob("*.JPEG")):
            images.append(torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1))
            labels.append(label)
    return images, labels


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
    from lecturekit.pictures import datasets
    data = datasets.tabletop(split)
    images = (data.images * 255).round().to(torch.uint8)
    return list(images), [10 + int(label) for label in data.labels]
