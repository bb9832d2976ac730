"""Measure the bundled networks and write a card for each: data/weights/NAME.md.

    python data/recipes/networks/evaluate.py --imagenette DIR [NAME ...]

The photos: the Imagenette validation set, shorter side resized to 128 px, central square. The robust network is also
measured under PGD-20 in the L2 ball that it was trained in, on every eighth photo and the first 300 tabletop images.
"""

import argparse
import inspect
import json
import sys
from pathlib import Path

import torch

from lecturekit import files
from lecturekit.pictures import datasets, pixels
from lecturekit.networks import models
from lecturekit.networks.nets import ARCHITECTURES

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

from networks.attack import pgd_l2
from networks.train import RECIPES, ROOT, save_atomically
from pictures.photos import imagenette_arrays

LIMITS = {
    "resnet_s": "Small photos only (128 px), twenty categories and no way to say none of them.",
    "alexnet_s": "As for resnet_s; its 11x11 first layer with stride 4 sees little detail.",
    "vgg_s": "As for resnet_s; three linear layers behind a 2x2 map, so CAM does not apply to it.",
    "resnet_s_robust": "Robust in the L2 ball that it was trained in and no further; no certificate.",
}


def photos(root):
    """Validation images (N,3,128,128) in [0,1] and labels (N,)."""
    images, labels = imagenette_arrays(root, "val")
    squares = [pixels.resize(pixels.center_square(image[None].float() / 255), 128).clamp(0, 1) for image in images]
    return torch.cat(squares), torch.tensor(labels)


def accuracy(model, images, labels):
    return (models.predict(model, images).argmax(1) == labels).float().mean().item()


def robust_accuracy(model, images, labels, eps, steps=20, batch=64):
    """Accuracy under PGD; an image counts as held only if the network is also right without the attack."""
    torch.manual_seed(0)
    held = 0
    for x, y in zip(images.split(batch), labels.split(batch)):
        attacked = models.predict(model, pgd_l2(model, x, y, eps, steps)).argmax(1)
        held += ((attacked == y) & (models.predict(model, x).argmax(1) == y)).sum().item()
    return held / len(labels)


def measure(name, photographs, tabletop):
    model = models.load(name).to(memory_format=torch.channels_last)
    figures = {"Imagenette validation": accuracy(model, *photographs), "tabletop test": accuracy(model, *tabletop)}
    eps = RECIPES[name].eps
    if eps:
        some = [part[::8] for part in photographs], [part[:300] for part in tabletop]
        figures[f"{len(some[0][1])} of Imagenette validation, PGD-20, L2, eps {eps}"] = robust_accuracy(model, *some[0], eps)
        figures[f"{len(some[1][1])} of tabletop test, PGD-20, L2, eps {eps}"] = robust_accuracy(model, *some[1], eps)
    return model, figures


def logged(log):
    """The last training loss, where the log of the epochs was kept."""
    if not log.exists():
        return ""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return f"; last training loss {rows[-1]['loss']:.3f} (`{log.name}`)"


def adversarial(recipe):
    return f"; from {recipe.start}, against PGD in the L2 ball of eps {recipe.eps}, {recipe.steps} step(s)" if recipe.eps else ""


def card(name, model, figures):
    """The card as Markdown: architecture, data, recipe, figures, limits, sha256."""
    path = ROOT / "data/weights" / f"{name}.safetensors"
    phases = "\n".join(f"  - `{phase}`" for phase in RECIPES[name].phases)
    rows = "\n".join(f"| {what} | {value:.1%} |" for what, value in figures.items())
    count = sum(parameter.numel() for parameter in model.parameters())
    return f"""# {name}

{inspect.getdoc(ARCHITECTURES[name])} Definition: `lecturekit/networks/nets.py`. {count:,} parameters, stored in half precision.

| accuracy (weights as stored, float32 arithmetic) | |
|---|---|
{rows}

- **Input** 128x128 RGB in [0,1]; normalisation is the first layer. **Output** logits over {len(model.categories)}
  categories: {", ".join(model.categories)}.
- **Data** Imagenette's training photos (9,469) and tabletop's training images (3,000), random crops, mirror images and
  colour jitter.
- **Recipe** `data/recipes/networks/train.py`, seed {RECIPES[name].seed}, {RECIPES[name].epochs()} epochs; SGD with Nesterov momentum 0.9, weight decay
  {RECIPES[name].weight_decay}, label smoothing 0.1, bfloat16{logged(path.with_suffix(".log"))}{adversarial(RECIPES[name])}:
{phases}
- **Limits** {LIMITS[name]}
- **sha256** `{files.sha256(path)}`

Written by `data/recipes/networks/evaluate.py`.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="default: every network whose weights are there")
    parser.add_argument("--imagenette", type=Path, required=True, help="the folder that holds train/ and val/")
    arguments = parser.parse_args()
    there = [name for name in RECIPES if (ROOT / "data/weights" / f"{name}.safetensors").exists()]
    photographs, test = photos(arguments.imagenette), datasets.tabletop("test")
    tabletop = test.images, test.labels + len(models.IMAGENETTE)
    for name in arguments.names or there:
        model, figures = measure(name, photographs, tabletop)
        text = card(name, model, figures)
        save_atomically(lambda path: path.write_text(text), ROOT / "data/weights" / f"{name}.md")
        print(name, {what: f"{value:.4f}" for what, value in figures.items()}, flush=True)


if __name__ == "__main__":
    main()
