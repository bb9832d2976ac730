"""Measure the bundled networks and write a card for each: data/weights/NAME.md.

    python data/recipes/networks/evaluate.py --imagenette DIR [NAME ...]

The photos: the Imagenette validation set, shorter side resized to the network's (128 px, 224 px for ImageNet's),
central square. A robust network is also attacked in L2 balls, of eps 1.0 and of the eps that it was trained in: by
PGD-20, on every sixteenth photo and the first 150 tabletop pictures, and by the union of several attacks
(`standing.worst_case`: PGD-20 on the cross-entropy, on the margin, and towards each of the three likeliest wrong
classes) on 30 pictures of each.
"""

import sys
from pathlib import Path

import torch

from lecturekit.pictures import datasets
from lecturekit.networks import models
from lecturekit.networks.nets import ARCHITECTURES, IMAGENET
from lecturekit.robustness import standing

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import publishing
from networks import imagenet
from networks.train import RECIPES, WATCHED
from pictures.photos import imagenette_arrays, squares

STEPS, UNION = 20, 100   # of PGD; pictures of each set for the union of attacks
LIMITS = {
    "resnet_s": "Small photos only (128 px), twenty categories and no way to say none of them.",
    "alexnet_s": "As for resnet_s; its 11x11 first layer with stride 4 sees little detail.",
    "vgg_s": "As for resnet_s; three linear layers behind a 2x2 map, so CAM does not apply to it.",
    "resnet_s_robust": "Robust in the L2 ball that it was trained in and no further; no certificate.",
    "squeezenet1_1": "Texture more than shape; a photo of 160 px enlarged to 224 px lacks the detail that it was "
                     "trained on.",
}
SHOWN = {"chelsea": 3, "coffee": 2, "china": 3}   # photos whose likeliest answers the card of an ImageNet network lists


def probabilities(model, images, batch=64):
    """Class probabilities (N,classes) of uint8 images (3,H,W); only a batch of squares is held at a time."""
    chunks = [images[i:i + batch] for i in range(0, len(images), batch)]
    return torch.cat([models.predict(model, squares(chunk, model.image_size)) for chunk in chunks])


def accuracy(probabilities, labels, k=1):
    """The share of rows whose label is among the k likeliest."""
    return (probabilities.topk(k).indices == labels[:, None]).any(1).float().mean().item()


def measure(model, images, labels):
    """{what: share} of a network, from the uint8 validation photos and their labels 0 to 9."""
    return (measure_imagenet if model.name in IMAGENET else measure_trained)(model, images, torch.tensor(labels))


def measure_imagenet(model, images, labels):
    truth = torch.tensor([models.category_index(model, category) for category in models.IMAGENETTE])[labels]
    answers, what = probabilities(model, images), "Imagenette validation, one of ImageNet's 1,000 categories"
    return {f"{what}, top-{k}": accuracy(answers, truth, k) for k in (1, 5)}


def measure_trained(model, images, labels):
    test = datasets.tabletop("test")
    truth = test.labels + len(models.IMAGENETTE)
    figures = {"Imagenette validation": accuracy(probabilities(model, images), labels),
               "tabletop test": accuracy(models.predict(model, test.images), truth)}
    if eps := RECIPES[model.name].eps:
        figures |= attacked(model, squares(images[::16], model.image_size), labels[::16], "Imagenette validation", eps)
        figures |= attacked(model, test.images[:150], truth[:150], "tabletop test", eps)
    return figures


def attacked(model, images, labels, what, eps):
    """{what: accuracy} under PGD on all images, and under the union of attacks on some, at eps 1.0 and at `eps`."""
    epsilons = sorted({1.0, eps})
    rows = torch.linspace(0, len(images) - 1, min(UNION, len(images))).long()   # evenly: each category has its share
    shares = standing.curve(model, images, labels, epsilons, norm="l2", steps=STEPS)
    union = [standing.worst_case(model, images[rows], labels[rows], each, "l2", STEPS).accuracy for each in epsilons]
    kinds = {f"{len(images)} of {what}, PGD-{STEPS}": shares, f"{len(rows)} of {what}, union of five attacks": union}
    return {f"{kind}, L2, eps {each}": share for kind, row in kinds.items() for each, share in zip(epsilons, row)}


def training(name):
    """How a network was trained, in words."""
    recipe, last = RECIPES[name], publishing.last_row(name)
    said = (f"seed {recipe.seed}, {recipe.epochs()} epochs; SGD with Nesterov momentum 0.9, weight decay "
            f"{recipe.weight_decay}, label smoothing 0.1, bfloat16")
    if last:
        said += f"; last training loss {last['loss']:.3f} (`{name}.log`)"
    if recipe.eps:
        said += (f"; from {recipe.start}, against PGD in the L2 ball of eps {recipe.eps} at 128 px (on smaller crops "
                 f"in proportion), {recipe.steps} steps")
    if recipe.average:
        said += f"; published is the moving average of the weights (decay {recipe.average})"
    if recipe.watch:
        said += (f", with early stopping: of the epochs from {recipe.watch} on, the one after which it held best "
                 f"against PGD-{WATCHED[1]} on every {WATCHED[0]}th Imagenette validation photo")
    return said + ":" + "".join(f"\n  - `{phase}`" for phase in recipe.phases)


def trained(model):
    """The notes of a card on a network that train.py trained."""
    return {"Data": "Imagenette's training photos (9,469) and tabletop's training images (3,000), random crops, mirror "
                    "images and colour jitter.",
            "Recipe": f"`data/recipes/networks/train.py`, {training(model.name)}"}


def fetched(model):
    """The notes of a card on a network whose weights imagenet.py fetched."""
    return {"Data": "ImageNet (ILSVRC 2012), trained by the authors: F. N. Iandola, S. Han, M. W. Moskewicz, "
                    "K. Ashraf, W. J. Dally, K. Keutzer, SqueezeNet (2016), version 1.1.",
            "Recipe": f"`data/recipes/networks/imagenet.py`: the arrays of the Python package {imagenet.NAME} "
                      f"{imagenet.VERSION} (source archive, sha256 `{imagenet.SHA256}`), for BGR in 0 to 255 less "
                      "Caffe's mean, folded exactly into the first layer so that it takes normalised RGB. Equal to "
                      "torchvision's `squeezenet1_1` with the same weights.",
            "Answers": f"for photos of scikit-image and scikit-learn, the central square at {model.image_size} px:"
                       + "".join(f"\n  - `{photo}`: {likeliest(model, photo, SHOWN[photo])}" for photo in SHOWN),
            "Licence": f"BSD 2-clause, `{model.name}.LICENSE`."}


def likeliest(model, photo, count):
    """The likeliest categories of a bundled photo, in words."""
    probability, index = models.predict(model, datasets.photo(photo, model.image_size))[0].topk(count)
    return ", ".join(f"{model.categories[i]} {p:.2f}" for p, i in zip(probability, index))


def write(model, figures):
    """Write the card: architecture, figures, data, recipe, limits, sha256."""
    name, side, classes = model.name, model.image_size, model.categories
    named = " of ImageNet, in its order" if name in IMAGENET else f": {', '.join(classes)}"
    notes = {"Input": f"{side}x{side} RGB in [0,1]; normalisation is the first layer. **Output** logits over "
                      f"{len(classes):,} categories{named}.",
             **(fetched if name in IMAGENET else trained)(model), "Limits": LIMITS[name]}
    table = publishing.table(["accuracy (weights as stored, float32 arithmetic)", ""],
                             [[what, f"{value:.1%}"] for what, value in figures.items()])
    about = publishing.described(ARCHITECTURES[name], "networks/nets", model)
    publishing.write_card(name, about, [table], notes, __file__)


def main():
    parser = publishing.parser(__doc__, imagenette=True)
    parser.add_argument("names", nargs="*", help="default: every network that is published")
    arguments = parser.parse_args()
    photos = imagenette_arrays(arguments.imagenette, "val")
    for name in arguments.names or [name for name in ARCHITECTURES if publishing.published(name).exists()]:
        model = models.load(name).to(memory_format=torch.channels_last)
        write(model, measure(model, *photos))


if __name__ == "__main__":
    main()
