"""Measure the bundled networks and write a card for each: data/weights/NAME.md.

    python data/recipes/networks/evaluate.py --imagenette DIR [NAME ...]

The photos: the Imagenette validation set, shorter side resized to the network's (128 px, 224 px for ImageNet's), central
square. The robust network is also measured under PGD-20 in the L2 ball that it was trained in, on every eighth photo and
the first 300 tabletop images.
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
from lecturekit.networks.nets import ARCHITECTURES, IMAGENET

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

from networks import imagenet
from networks.attack import pgd_l2
from networks.train import RECIPES, ROOT, save_atomically
from pictures.photos import imagenette_arrays

LIMITS = {
    "resnet_s": "Small photos only (128 px), twenty categories and no way to say none of them.",
    "alexnet_s": "As for resnet_s; its 11x11 first layer with stride 4 sees little detail.",
    "vgg_s": "As for resnet_s; three linear layers behind a 2x2 map, so CAM does not apply to it.",
    "resnet_s_robust": "Robust in the L2 ball that it was trained in and no further; no certificate.",
    "squeezenet1_1": "Texture more than shape; photos of 160 px, enlarged to 224, lack the detail that it was trained on.",
}
SHOWN = {"chelsea": 3, "coffee": 2, "china": 3}   # photos whose likeliest answers the card of an ImageNet network lists


def squares(images, side):
    """The central squares (N,3,side,side) in [0,1] of uint8 images (3,H,W)."""
    central = [pixels.center_square(image[None].float() / 255) for image in images]
    return torch.cat([pixels.resize(image, side).clamp(0, 1) for image in central])


def probabilities(model, images, batch=64):
    """Class probabilities (N,classes) of uint8 images (3,H,W); only a batch of squares is held at a time."""
    chunks = [images[i:i + batch] for i in range(0, len(images), batch)]
    return torch.cat([models.predict(model, squares(chunk, model.image_size)) for chunk in chunks])


def accuracy(probabilities, labels, k=1):
    """The share of rows whose label is among the k likeliest."""
    return (probabilities.topk(k).indices == labels[:, None]).any(1).float().mean().item()


def robust_accuracy(model, images, labels, eps, steps=20, batch=64):
    """Accuracy under PGD; an image counts as held only if the network is also right without the attack."""
    torch.manual_seed(0)
    held = 0
    for x, y in zip(images.split(batch), labels.split(batch)):
        attacked = models.predict(model, pgd_l2(model, x, y, eps, steps)).argmax(1)
        held += ((attacked == y) & (models.predict(model, x).argmax(1) == y)).sum().item()
    return held / len(labels)


def measure(model, photographs):
    """{what: share} of a network, from the uint8 validation photos and their labels 0 to 9."""
    return measure_imagenet(model, *photographs) if model.name in IMAGENET else measure_trained(model, *photographs)


def measure_imagenet(model, images, labels):
    truth = torch.tensor([models.category_index(model, category) for category in models.IMAGENETTE])[labels]
    answers = probabilities(model, images)
    what = "Imagenette validation, one of ImageNet's 1,000 categories"
    return {f"{what}, top-{k}": accuracy(answers, truth, k) for k in (1, 5)}


def measure_trained(model, images, labels):
    test = datasets.tabletop("test")
    tabletop = test.images, test.labels + len(models.IMAGENETTE)
    figures = {"Imagenette validation": accuracy(probabilities(model, images), labels),
               "tabletop test": accuracy(models.predict(model, tabletop[0]), tabletop[1])}
    eps = RECIPES[model.name].eps
    if eps:
        some = (squares(images[::8], model.image_size), labels[::8]), [part[:300] for part in tabletop]
        figures[f"{len(some[0][1])} of Imagenette validation, PGD-20, L2, eps {eps}"] = robust_accuracy(model, *some[0], eps)
        figures[f"{len(some[1][1])} of tabletop test, PGD-20, L2, eps {eps}"] = robust_accuracy(model, *some[1], eps)
    return figures


def logged(log):
    """The last training loss, where the log of the epochs was kept."""
    if not log.exists():
        return ""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return f"; last training loss {rows[-1]['loss']:.3f} (`{log.name}`)"


def adversarial(recipe):
    return f"; from {recipe.start}, against PGD in the L2 ball of eps {recipe.eps}, {recipe.steps} step(s)" if recipe.eps else ""


def trained(name):
    """The lines of a card on a network that train.py trained."""
    recipe, log = RECIPES[name], ROOT / "data/weights" / f"{name}.log"
    phases = "\n".join(f"  - `{phase}`" for phase in recipe.phases)
    return f"""- **Data** Imagenette's training photos (9,469) and tabletop's training images (3,000), random crops, mirror images and
  colour jitter.
- **Recipe** `data/recipes/networks/train.py`, seed {recipe.seed}, {recipe.epochs()} epochs; SGD with Nesterov momentum 0.9, weight decay
  {recipe.weight_decay}, label smoothing 0.1, bfloat16{logged(log)}{adversarial(recipe)}:
{phases}"""


def answers(model):
    """The photos of SHOWN with their likeliest categories, as the lines of a card."""
    lines = []
    for photo, count in SHOWN.items():
        probability, index = models.predict(model, datasets.photo(photo, model.image_size))[0].topk(count)
        likeliest = ", ".join(f"{model.categories[i]} {p:.2f}" for p, i in zip(probability, index))
        lines.append(f"  - `{photo}`: {likeliest}")
    return "\n".join(lines)


def fetched(model):
    """The lines of a card on a network whose weights imagenet.py fetched."""
    return f"""- **Data** ImageNet (ILSVRC 2012), trained by the authors: F. N. Iandola, S. Han, M. W. Moskewicz, K. Ashraf, W. J. Dally,
  K. Keutzer, SqueezeNet (2016), version 1.1.
- **Recipe** `data/recipes/networks/imagenet.py`: the arrays of the Python package {imagenet.NAME} {imagenet.VERSION} (source archive, sha256
  `{imagenet.SHA256}`), for BGR in 0 to 255 less Caffe's mean, folded exactly
  into the first layer so that it takes normalised RGB. Equal to torchvision's `squeezenet1_1` with the same weights.
- **Answers** for photos of scikit-image and scikit-learn, the central square at {model.image_size} px:
{answers(model)}
- **Licence** BSD 2-clause, `{model.name}.LICENSE`."""


def card(model, figures):
    """The card as Markdown: architecture, figures, data, recipe, limits, sha256."""
    name, side, classes = model.name, model.image_size, model.categories
    rows = "\n".join(f"| {what} | {value:.1%} |" for what, value in figures.items())
    count = sum(parameter.numel() for parameter in model.parameters())
    named = " of ImageNet, in its order" if name in IMAGENET else f": {', '.join(classes)}"
    return f"""# {name}

{inspect.getdoc(ARCHITECTURES[name])} Definition: `lecturekit/networks/nets.py`. {count:,} parameters, stored in half precision.

| accuracy (weights as stored, float32 arithmetic) | |
|---|---|
{rows}

- **Input** {side}x{side} RGB in [0,1]; normalisation is the first layer. **Output** logits over {len(classes):,}
  categories{named}.
{fetched(model) if name in IMAGENET else trained(name)}
- **Limits** {LIMITS[name]}
- **sha256** `{files.sha256(ROOT / "data/weights" / f"{name}.safetensors")}`

Written by `data/recipes/networks/evaluate.py`.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="default: every network whose weights are there")
    parser.add_argument("--imagenette", type=Path, required=True, help="the folder that holds train/ and val/")
    arguments = parser.parse_args()
    there = [name for name in ARCHITECTURES if (ROOT / "data/weights" / f"{name}.safetensors").exists()]
    images, labels = imagenette_arrays(arguments.imagenette, "val")
    for name in arguments.names or there:
        model = models.load(name).to(memory_format=torch.channels_last)
        figures = measure(model, (images, torch.tensor(labels)))
        text = card(model, figures)
        save_atomically(lambda path: path.write_text(text), ROOT / "data/weights" / f"{name}.md")
        print(name, {what: f"{value:.4f}" for what, value in figures.items()}, flush=True)


if __name__ == "__main__":
    main()
