"""The lessons' measurements of attribution, on all pictures in place of a few: `python bench/attribution.py`.

cut        GrabCut seeded by maps, mean IoU over the tabletop test set (lesson 4)
two        share of a class's map on its own object, over all scenes with two objects (lesson 5)
sanity     rank correlation after each step of the cascading randomisation, eight pictures, three seeds (lesson 4)
"""

import argparse

import torch
from torchvision.transforms.functional import gaussian_blur

from lecturekit import attribution
from lecturekit.pictures import datasets
from lecturekit.networks import models
from lecturekit.attribution import localisation, sanity, segmentation

CAM_LAYERS = {"Grad-CAM, last maps": -1, "Grad-CAM, one stage earlier": -2}


def methods(model):
    """{name: function of (model, images, target) that gives maps of the pictures' size}."""
    stages = [name for name in models.landmarks(model) if name.startswith("layer")]
    found = {
        "saliency": attribution.saliency,
        "gradient x input": attribution.gradient_x_input,
        "SmoothGrad": lambda *of: attribution.smooth_grad(*of, samples=8),
        "Integrated Gradients": lambda *of: attribution.integrated_gradients(*of, fill="blur", steps=8),
        "deconvnet": lambda *of: attribution.saliency(*of, rule="deconvnet"),
        "guided backpropagation": lambda *of: attribution.saliency(*of, rule="guided"),
        "HiResCAM, one stage earlier": lambda *of: attribution.enlarge(attribution.hires_cam(*of, stages[-2]), of[1]),
        "Guided Grad-CAM": lambda *of: attribution.guided_grad_cam(*of, stages[-1])}
    for name, which in CAM_LAYERS.items():
        found[name] = lambda *of, which=which: attribution.enlarge(attribution.grad_cam(*of, stages[which]), of[1])
    return found


def report(name, values):
    low, high = localisation.bootstrap(values)
    print(f"{name:30} {values.mean():.3f}  95 %: {low:.3f} to {high:.3f}", flush=True)


def cut(model, side=96):
    images, masks, target = datasets.for_model(datasets.tabletop("test"), model, side)
    plain = attribution.saliency(model, images, target)
    seeds = {"saliency": plain, "saliency, blurred": blurred(plain),
             "SmoothGrad, blurred": blurred(attribution.smooth_grad(model, images, target, samples=4)),
             "guided backpropagation": attribution.saliency(model, images, target, rule="guided"),
             "middle of the picture": segmentation.centre_map(images)}
    for name, seed in seeds.items():
        report(name, segmentation.mask_iou(segmentation.grab_cut(images, seed), masks))


def blurred(maps):
    return gaussian_blur(maps[:, None], 13, 3.0)[:, 0]


def two(model):
    images, masks, target = datasets.for_model(datasets.tabletop("two_objects"), model)
    for name, method in methods(model).items():
        maps = [method(model, images, target[:, k]) for k in (0, 1)]
        report(name, torch.cat([localisation.discrimination(maps[k], masks[:, k], masks[:, 1 - k]) for k in (0, 1)]))


def cascade(model, side=96):
    images, _, target = datasets.for_model(datasets.tabletop("test")[:8], model, side)
    runs = [sanity.curves(model, images, target, methods(model), seed) for seed in range(3)]
    print("randomised from the top down to:", *runs[0][0])
    for name in runs[0][1]:
        print(f"{name:30}", *(f"{value:6.2f}" for value in torch.stack([run[1][name] for run in runs]).mean(0)))


if __name__ == "__main__":
    parts = {"cut": cut, "two": two, "sanity": cascade}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(parts)}; default: all")
    for part in parser.parse_args().parts or parts:
        print(f"--- {part}")
        parts[part](models.load("resnet_s"))
