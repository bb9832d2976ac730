"""Attacks beside foolbox's and torchattacks', at equal steps and eps: `python bench/attacks.py [--imagenette DIR]`.

peers    accuracy under attack of three networks on 500 tabletop test images, by each library; DeepFool by its median
         distance on the first 100 of them
robust   the robust network under PGD-20, APGD and the worst case of several attacks in the L2 ball of its training, on
         the images of its card: 300 of tabletop and, with --imagenette, every eighth validation photo

Every figure is kept in build/bench_attacks_PART.json as soon as it is measured, and not measured again.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import torch

from lecturekit.pictures import datasets
from lecturekit.networks import models
from lecturekit.robustness import attacks, standing

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
NETWORKS = ("alexnet_s", "vgg_s", "resnet_s")
LIBRARIES = ("lecturekit", "foolbox", "torchattacks")
CASES = {   # norm, eps, steps; None: the nearest image that fools
    "PGD-10 Linf 2/255": ("linf", 2 / 255, 10), "PGD-10 L2 1.0": ("l2", 1.0, 10),
    "FGSM Linf 2/255": ("linf", 2 / 255, 1), "FGSM Linf 8/255": ("linf", 8 / 255, 1),
    "DeepFool L2": ("l2", None, 20), "PGD-10 Linf 1/255": ("linf", 1 / 255, 10), "PGD-10 L2 0.5": ("l2", 0.5, 10)}


def ours(model, x, y, norm, eps, steps):
    if eps is None:
        return attacks.deepfool(model, x, y, norm, steps, candidates=10)
    if steps == 1:
        return attacks.fgsm(model, x, y, eps, norm)
    return attacks.pgd(model, x, y, eps, norm, steps)


def foolbox_attack(model, x, y, norm, eps, steps):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import foolbox
    asked = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    if eps is None:
        attack = foolbox.attacks.L2DeepFoolAttack(steps=steps)
    elif steps == 1:
        attack = foolbox.attacks.LinfFastGradientAttack()
    else:
        kind = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD}[norm]
        attack = kind(rel_stepsize=2.5 / steps, steps=steps)
    return attack(asked, x, y, epsilons=eps)[1]


def torchattacks_attack(model, x, y, norm, eps, steps):
    import torchattacks
    if eps is None:
        return torchattacks.DeepFool(model, steps=steps)(x, y)
    if steps == 1:
        return torchattacks.FGSM(model, eps=eps)(x, y)
    kind = {"linf": torchattacks.PGD, "l2": torchattacks.PGDL2}[norm]
    return kind(model, eps=eps, alpha=2.5 * eps / steps, steps=steps, random_start=True)(x, y)


ATTACKS = dict(zip(LIBRARIES, (ours, foolbox_attack, torchattacks_attack)))


def measured(attack, model, images, labels, norm, eps, steps, batch=50):
    """Accuracy under attack, where an image counts only if it is right without one too; the median distance of the
    fooled where eps is None."""
    torch.manual_seed(0)
    found = torch.cat([attack(model, x, y, norm, eps, steps) for x, y in zip(images.split(batch), labels.split(batch))])
    right = ~attacks.fooled(model, images, labels)
    fooled = attacks.fooled(model, found.detach(), labels)
    if eps is None:
        return attacks.distance(images, found.detach())[right & fooled].median().item()
    return (right & ~fooled).float().mean().item()


def peers(kept, arguments):
    test = datasets.tabletop("test")[:arguments.count]
    for case, (norm, eps, steps) in CASES.items():
        for name in NETWORKS:
            model = models.load(name)
            images, _, labels = datasets.for_model(test[:100] if eps is None else test, model, arguments.side)
            for library, attack in ATTACKS.items():
                kept.measure(f"{name}, {arguments.side} px | {case} | {library}",
                             lambda: measured(attack, model, images, labels, norm, eps, steps))


def apgd(loss):
    def attack(model, x, y, norm, eps, steps):
        import torchattacks
        if loss == "towards":
            return torchattacks.APGDT(model, norm="L2", eps=eps, steps=steps, n_classes=4)(x, y)   # 3 wrong classes
        return torchattacks.APGD(model, norm="L2", eps=eps, steps=steps, loss=loss)(x, y)
    return attack


def robust(kept, arguments, eps=1.0, steps=20):
    model = models.load("resnet_s_robust")
    rivals = {"lecturekit PGD-20": ours, "torchattacks PGD-20": torchattacks_attack,
              "torchattacks APGD-20 cross-entropy": apgd("ce"), "torchattacks APGD-20 DLR": apgd("dlr"),
              "torchattacks APGD-20 towards 3 classes": apgd("towards"), "foolbox PGD-20": foolbox_attack}
    sets = card_images(model, arguments.imagenette)
    for what, (images, labels) in sets.items():
        kept.measure(f"robust, {what} | no attack", lambda: standing.accuracy(model, images, labels))
    for name, attack in rivals.items():
        for what, (images, labels) in sets.items():
            kept.measure(f"robust, {what} | {name}", lambda: measured(attack, model, images, labels, "l2", eps, steps))
    for what, (images, labels) in sets.items():
        kept.measure(f"robust, {what} | lecturekit worst case of 5 attacks",
                     lambda: standing.worst_case(model, images, labels, eps, "l2", steps).accuracy)


def card_images(model, imagenette):
    """{name: (images, labels)} as `data/recipes/networks/evaluate.py` takes them."""
    images, _, labels = datasets.for_model(datasets.tabletop("test")[:300], model)
    found = {"300 of tabletop": (images, labels)}
    if imagenette:
        sys.path.append(str(ROOT / "data/recipes"))
        from pictures.photos import imagenette_arrays, squares
        arrays, labels = imagenette_arrays(imagenette, "val", every=8)
        found[f"{len(labels)} of Imagenette"] = (squares(arrays), torch.tensor(labels))
    return found


class Kept:
    """Figures in a JSON file."""

    def __init__(self, path):
        self.path = path
        path.parent.mkdir(exist_ok=True)
        self.figures = json.loads(path.read_text()) if path.exists() else {}

    def measure(self, name, function):
        begun = time.time()
        if name not in self.figures:
            self.figures[name] = function()
            part = self.path.with_suffix(".part")
            part.write_text(json.dumps(self.figures, indent=1))
            part.replace(self.path)
        print(f"{name:70} {self.figures[name]:8.4f} {time.time() - begun:7.0f} s", flush=True)


if __name__ == "__main__":
    parts = {"peers": peers, "robust": robust}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(parts)}; default: all")
    parser.add_argument("--count", type=int, default=500, help="images for the peers")
    parser.add_argument("--side", type=int, default=96, help="px of the images for the peers (lesson 9 takes 96)")
    parser.add_argument("--imagenette", type=Path, help="the folder that holds train/ and val/")
    arguments = parser.parse_args()
    for part in arguments.parts or parts:
        print(f"--- {part}")
        parts[part](Kept(BUILD / f"bench_attacks_{part}.json"), arguments)
