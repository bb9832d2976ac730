"""Draw pictures of the gallery, data/gallery/NAME.jpg: the lessons' own calls with more pixels and more steps.

    python data/recipes/gallery.py [NAME ...]

By default those that are missing (`make gallery`). data/gallery/index.json keeps, for each, what it shows and the
seconds that it took.
"""

import argparse
import io
import json
import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from tqdm import tqdm

from lecturekit import attribution, files
from lecturekit.attribution import gradients
from lecturekit.moving import dreams, inversion, objectives, optimise, parameters, projections, steps, style_nets
from lecturekit.networks import hooks, models
from lecturekit.pictures import datasets, pixels, transforms
from lecturekit.representation import embedding
from lecturekit.robustness import attacks, corruptions, fooling
from lecturekit.show import gallery, plots
from lecturekit.show.figure import settle

IMAGENET = "squeezenet1_1"
EIGHT = ("flamingo", "king penguin", "school bus", "daisy", "tabby", "pirate", "goldfish", "strawberry")
STAGES = ("features.1", "features.4", "features.7", "features.10", "features.12", "classifier.1")
MOVES = transforms.chain(transforms.jitter(12), transforms.scale(0.85, 1.15), transforms.rotate(10))
DEEP_MOVES = transforms.chain(transforms.jitter(4), transforms.scale(0.9, 1.1), transforms.rotate(5))


def ascent_imagenet():
    network = models.load(IMAGENET)
    wanted = torch.tensor([models.category_index(network, name) for name in EIGHT])
    begin, goal = parameters.Fourier(8, 256, decay=1.3), objectives.class_score(network, wanted)
    drawn = optimise(begin, goal, 140, steps.adam(0.01), transform=MOVES).images
    plots.images(drawn, EIGHT, columns=4, size=2.4, alt="Eight pictures climbed from random spectra, each for one class "
                 f"of an ImageNet network: {', '.join(EIGHT)}. Most can be named, and stand there more than once; of the "
                 "daisy and the strawberry there are parts.")


def dream_imagenet(layers=("features.7", "features.10", "features.12")):
    network, photo = models.load(IMAGENET), datasets.photo("chelsea", 384)
    dreamt = [dreams.dream(photo, objectives.energy(network, layer)) for layer in layers]
    plots.images(torch.cat([photo, *dreamt]), ["the photo", *layers], columns=4, size=3.0, alt="A photo of a cat, and "
                 "dreams of three layers of an ImageNet network: eyes everywhere, then eyes in rings of fur, then muzzles "
                 "about the nose.")


def two_classes():
    network = models.load(IMAGENET)
    photo = torch.cat([datasets.photo(name, 224) for name in ("chelsea", "coffee")], 3)
    names = "Egyptian cat", "espresso"
    asked = torch.tensor([models.category_index(network, name) for name in names])
    both, layer = photo.expand(2, -1, -1, -1), "features.12"
    found = {"guided backpropagation": attribution.saliency(network, both, asked, rule="guided"),
             "Grad-CAM": attribution.enlarge(attribution.grad_cam(network, both, asked, layer), both).clamp(min=0),
             "Guided Grad-CAM": attribution.guided_grad_cam(network, both, asked, layer),
             "occlusion": attribution.occlusion(network, both, asked, 40, 12).clamp(min=0)}
    limits = {name: maps.flatten(1).quantile(0.995, 1).view(-1, 1, 1) for name, maps in found.items()}
    shown = []
    for row in (0, 1):
        coloured = [plots.overlay((maps / limits[name]).clamp(max=1)[row], photo[0], 1) for name, maps in found.items()]
        shown += [photo[0], *coloured]
    plots.images(shown, ["asked for", *found, *[""] * 5], columns=5, size=3.2, rows=names, alt="A cat and a cup side by "
                 "side, asked for the cat above, for the espresso below: Grad-CAM, Guided Grad-CAM and occlusion light up "
                 "on what was asked for, guided backpropagation on both.")


def adversarial_pair(pairs=(("chelsea", "guacamole"), ("coffee", "iPod"))):
    network = models.load(IMAGENET)
    photos = torch.cat([datasets.photo(name, 224) for name, _ in pairs])
    labels = models.predict(network, photos).argmax(1)
    targets = torch.tensor([models.category_index(network, name) for _, name in pairs])
    moved = attacks.pgd(network, photos, labels, 1.5, "l2", 30, targets=targets)
    shown, titles = [], []
    for x, y in zip(photos, moved):
        shown += [x, y, (0.5 + y - x).clamp(0, 1), (0.5 + 10 * (y - x)).clamp(0, 1)]
        told = [models.predict(network, picture[None])[0].max(0) for picture in (x, y)]
        titles += [f"{network.categories[index]} {share:.2f}" for share, index in told]
        titles += ["the difference", "ten times the difference"]
    plots.images(shown, titles, columns=4, size=2.8, alt="A cat that a network takes for guacamole and a cup of espresso "
                 "that it takes for an iPod; the pictures look unchanged, ten times the difference looks like noise.")


def inversion_imagenet(most=400):
    network, photo = models.load(IMAGENET), datasets.photo("chelsea", 224)
    back = [inversion.invert(network, layer, hooks.features(network, photo, layer), inversion.noise(1, 224),
                             inversion.smooth(2, 1.0), most, 0.03, quiet=True).images for layer in tqdm(STAGES)]
    plots.images(torch.cat([photo, *back]), ["the photo", *STAGES], columns=4, size=3.0, alt="A photo of a cat and "
                 "pictures that have its code at six layers of an ImageNet network: nearly the photo at first, then "
                 "its eyes and nose among noise, at the end a texture in which only the eyes can be guessed.")


def inversion_rounds(layers=("relu3_2", "relu4_1", "relu5_1"), rounds=(2, 10, 30)):
    network, photo = style_nets.smoothed(models.load("vgg_s")), datasets.photo("chelsea", 192)
    shown, titles = [], []
    for layer in layers:
        goal = objectives.near_code(network, layer, hooks.features(network, photo, layer))
        for count in rounds:
            end = optimise(inversion.noise(1, 192), goal, count, steps.lbfgs(), projections.box, quiet=True).images
            shown.append(end)
            titles.append(f"{count} rounds, off by {(end - photo).square().mean().sqrt():.2f}")
    plots.images(torch.cat(shown), titles, columns=3, size=2.6, rows=layers, alt="A photo of a cat from its code at three "
                 "layers after 2, 10 and 30 rounds of descent: what looks lost after two rounds is there after thirty.")


def ascent_robust(names=("tench", "English springer", "church", "golf ball", "parachute", "school bus")):
    """Rows: from grey; from noise of low frequencies, with more steps; the same with moves; in Fourier with moves."""
    network = models.load("resnet_s_robust")
    goal = objectives.class_score(network, torch.tensor([models.category_index(network, name) for name in names]))
    grey, climb = torch.full((len(names), 3, 128, 128), 0.5), steps.normalised(1.8)
    soft = parameters.Fourier(len(names), 128, noise=0.5).images().detach()
    rows = {"grey, 32 steps": optimise(grey, goal, 32, climb, projections.box).images,
            "soft noise, 150": optimise(soft, goal, 150, climb, projections.box).images,
            "with moves": optimise(soft, goal, 150, climb, projections.box, DEEP_MOVES).images,
            "Fourier, moves": optimise(parameters.Fourier(len(names), 128), goal, 150, steps.adam(0.04),
                                       transform=DEEP_MOVES).images}
    plots.images(torch.cat(list(rows.values())), [*names, *[""] * 18], columns=6, size=2.0, rows=list(rows),
                 alt="What a robust network draws for six classes, by four recipes, one a row: from grey the outlines "
                     "of each thing, with more steps, moves or Fourier more of it.")


def style_pyramid(styles=("brush_strokes", "mosaic")):
    network, photo = style_nets.smoothed(models.load(style_nets.DESCRIBER)), datasets.photo("chelsea")
    shown = []
    for name in tqdm(styles):
        style = style_nets.style_picture(name)
        shown += [style_nets.pyramid(network, photo, style, (384,), (256,), (3,), quiet=True).images[0],
                  style_nets.pyramid(network, photo, style, quiet=True).images[0]]
    plots.images(shown, ["one scale", "three scales"] * 2, columns=2, size=4.6, rows=styles, alt="A cat painted with "
                 "brush strokes and as a mosaic; coarse to fine (right) the strokes and stones are larger and follow the "
                 "cat, at one scale (left) they are a texture on the photo.")


JUDGED = ("school bus", "English springer", "church", "parachute")   # known to the judges too
JUDGES = ("vgg_s", "alexnet_s")


def believed(images, names):
    """For each picture, one for each name, the mean probability that two networks that had no part give to its name."""
    shares = []
    for judge in map(models.load, JUDGES):
        wanted = [models.category_index(judge, name) for name in names]
        told = models.predict(judge, pixels.resize(images, judge.image_size).clamp(0, 1))
        shares.append(told[torch.arange(len(names)), wanted])
    return torch.stack(shares).mean(0).tolist()


def priors_imagenet(most=70):
    network, count = models.load(IMAGENET), len(JUDGED)
    goal = objectives.class_score(network, torch.tensor([models.category_index(network, name) for name in JUDGED]))
    begin, climb = inversion.noise(count, 224), steps.normalised(5.0)
    mild = projections.chain(projections.blur(0.8), projections.clip_small(0.1, 0.5), projections.box)
    rows = {"L2": optimise(begin, goal - 0.005 * objectives.alpha_norm(2), most, climb, projections.box).images,
            "L2, blur,\nclipping": optimise(begin, goal - 0.005 * objectives.alpha_norm(2), most,
                                            steps.normalised(5.0, still=0.3), mild).images,
            "Fourier,\nmoves": optimise(parameters.Fourier(count, 224), goal, most, steps.adam(0.04),
                                        transform=MOVES).images}
    titles = [f"{name}, judges {share:.2f}" for images in rows.values()
              for name, share in zip(JUDGED, believed(images, JUDGED))]
    plots.images(torch.cat(list(rows.values())), titles, columns=count, size=2.8, rows=list(rows),
                 alt="Four classes climbed on an ImageNet network by three recipes, a row each, and how much two other "
                     "networks believe them: with L2 coloured specks on grey, with blur and clipping fewer and softer ones, "
                     "by Fourier with moves things that can be named.")


def stages_imagenet(count=3, most=60):
    """Columns: stages, each with the units that fire most on four photos, but for those that are silent at the start."""
    network = models.load(IMAGENET)
    photos, shown = torch.cat([datasets.photo(name, 224) for name in ("chelsea", "coffee", "china", "flower")]), []
    awake = parameters.Fourier(count, 224, noise=0.1).images().detach()
    for layer in tqdm(STAGES):
        heard = embedding.features(network, awake, layer)[layer].amin(0) > 0
        strongest = (hooks.features(network, photos, layer).mean((0, 2, 3)) * heard).topk(count).indices

        def own(images, layer=layer, strongest=strongest):
            return hooks.forward_to(network, images, layer).mean((2, 3))[torch.arange(count), strongest]
        begin = parameters.Fourier(count, 224, noise=0.1)
        shown.append(optimise(begin, objectives.Objective(own, (network,)), most, steps.adam(0.05), transform=MOVES).images)
    plots.images(torch.stack(shown, 1).flatten(0, 1), [*STAGES, *[""] * (len(STAGES) * (count - 1))],
                 columns=len(STAGES), size=1.8,
                 alt="Three units of each of six stages of an ImageNet network, a column each: stains of colour at first, then "
                     "dots and stripes, in features.10 eyes in fur and something like red fruit, in features.12 eyes, knots and "
                     "folds of fur, at the end creatures that have no name.")


def dream_rounds(layer="features.10", rounds=(1, 5, 20), side=320, border=8):
    network, photo = models.load(IMAGENET), datasets.photo("chelsea", side)
    goal, picture, kept = objectives.energy(network, layer), photo, [photo]
    for number in tqdm(range(1, max(rounds) + 1)):
        picture = dreams.dream(picture, goal, octaves=(1.0,), steps=5, seed=number)
        if number in rounds:
            kept.append(picture)
        picture = pixels.resize(picture[..., border:-border, border:-border], side).clamp(0, 1)
    plots.images(torch.cat(kept), ["the photo", *(f"{n} round{'s' * (n > 1)}" for n in rounds)], columns=4, size=3.0,
                 alt="A photo of a cat and dreams fed back as the next photo, slightly enlarged each time, after 1, 5 and "
                     "20 rounds: first eyes open in the fur, at the end small furry faces stand where the cat was.")


def inversion_alexnet(layers=("conv1", "relu2", "relu3", "relu5", "relu6", "relu7", "fc8"), most=200):
    """Rows: three priors, then the picture among 200 others whose code is nearest; the error of the code above each."""
    network, test = models.load("alexnet_s"), datasets.tabletop("test").images[:200]
    photo, others, shown, titles = test[9:10], torch.cat([test[:9], test[10:]]), [], []
    for name, prior in inversion.PRIORS.items():
        back = [inversion.invert(network, layer, hooks.features(network, photo, layer), inversion.noise(1, 128), prior, most,
                                 0.03, quiet=True).images for layer in tqdm(layers)]
        shown += [photo, *back]
        titles += [name.replace(", ", "\n"), *(_error_title(network, layer, image, photo) for layer, image in zip(layers, back))]
    near = [_nearest(network, layer, photo, others) for layer in layers]
    plots.images(torch.cat([*shown, photo, *near]), [*titles, "nearest\nother", *(
        _error_title(network, layer, image, photo) for layer, image in zip(layers, near))], columns=8, size=1.7,
        alt="A stop sign got back from seven layers of a small AlexNet with no prior, with total variation of power 1 and of "
            "2, the error of the code above each; below, the other picture whose code is nearest. Up to relu3 the sign is "
            "there, from relu6 on the nearest other picture has a small error too.")


def _error_title(network, layer, image, photo):
    code = hooks.features(network, photo, layer)
    return f"{layer}\n{objectives.content_loss(hooks.features(network, image, layer), code).item():.2f}"


def _nearest(network, layer, photo, others):
    codes, code = hooks.features(network, others, layer), hooks.features(network, photo, layer)
    return others[objectives.content_loss(codes, code.expand_as(codes)).argmin()][None]


def everything_a_goldfish(names=("chelsea", "coffee", "china", "flower", "astronaut"), eps=1.5):
    network = models.load(IMAGENET)
    photos = torch.cat([datasets.photo(name, 224) for name in names])
    goldfish = torch.full((len(names),), models.category_index(network, "goldfish"))
    labels = models.predict(network, photos).argmax(1)
    moved = attacks.pgd(network, photos, labels, eps, "l2", 30, targets=goldfish)
    titles = [f"{network.categories[index]} {share:.2f}" for images in (photos, moved)
              for share, index in (told.max(0) for told in models.predict(network, images))]
    plots.images(torch.cat([photos, moved]), titles, columns=len(names), size=2.6, rows=["photo", "changed"],
                 alt="Five photos, a cat, a cup, a temple, a flower and an astronaut, and below the same photos, changed so "
                     "little that they look the same: now the network calls each of them a goldfish.")


def robust_and_standard(most=100):
    """What the gradient shows, what is drawn, what comes back from a code: for two networks, all else the same."""
    rows = {"standard": models.load("resnet_s"), "robust": models.load("resnet_s_robust")}
    data, names = datasets.tabletop("test")[[8, 9]], ("school bus", "stop sign")
    soft, shown = parameters.Fourier(2, 128, noise=0.5).images().detach(), [*data.images, *data.images, *data.images]
    for network in rows.values():
        wanted = torch.tensor([models.category_index(network, name) for name in names])
        slopes = gradients.gradient(network, data.images, wanted)
        ends = slopes.abs().flatten(1).quantile(0.995, 1).view(-1, 1, 1, 1)
        drawn = optimise(soft, objectives.class_score(network, wanted), most, steps.normalised(1.8), projections.box,
                         DEEP_MOVES).images
        back = inversion.invert(network, "layer3", hooks.features(network, data.images, "layer3"), inversion.noise(2, 128),
                                inversion.smooth(2, 1.0), most, 0.03, quiet=True).images
        shown += [*(0.5 + slopes / ends / 2).clamp(0, 1), *drawn, *back]
    titles = ["gradient", "", "drawn", "", "from layer3", ""] + [""] * 12
    plots.images(shown, titles, columns=6, size=2.1, rows=["picture", *rows],
                 alt="A bus and a stop sign, their gradients, what is drawn for their classes, and what comes back from their "
                     "codes: on the standard network noise, ripples and a veiled picture; on the robust one outlines, shapes "
                     "that can be named, and the picture.")


def corruption_severities(photo="chelsea"):
    image, names = datasets.photo(photo, 160), list(corruptions.CORRUPTIONS)
    shown = [corruptions.corrupt(image, name, severity)[0] for severity in corruptions.SEVERITIES for name in names]
    plots.images(shown, [name.replace(" ", "\n") for name in names] + [""] * (len(shown) - len(names)), columns=len(names),
                 size=1.5, rows=[f"severity {s}" for s in corruptions.SEVERITIES],
                 alt="A photo of a cat under nine corruptions in columns, noise, blurs, brightness, contrast, fog, "
                     "pixelation and JPEG, in five severities in rows: from row to row less of the cat is left.")


def certain_of_nothing(names=("school bus", "goldfish", "strawberry", "pirate", "king penguin"), generations=80):
    """Above by gradient from static, below bred as patterns: the five of a thousand classes that are surest."""
    network, count = models.load(IMAGENET), len(names)
    static = torch.rand(count, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    wanted = torch.tensor([models.category_index(network, name) for name in names])
    climbed = optimise(static, objectives.class_score(network, wanted), 40, steps.normalised(3.0), projections.box).images
    bred = fooling.evolve(network, fooling.CPPN(128), generations)
    best = bred.confidences.topk(count).indices
    sure = models.predict(network, climbed)[torch.arange(count), wanted]
    titles = [f"{name} {share:.3f}" for name, share in zip(names, sure)]
    titles += [f"{network.categories[k]} {bred.confidences[k]:.3f}" for k in best]
    plots.images([*climbed, *bred.images[best]], titles, columns=count, size=2.6, rows=["by gradient", "bred"],
                 alt="Ten pictures that show nothing to us, each with its class and the network's probability for it: above "
                     "static with faint patterns, made by gradient, below stripes and rings, bred without a gradient.")


def caricature_imagenet(layers=("features.4", "features.7", "features.10", "features.12"), most=24):
    network, photo = models.load(IMAGENET), datasets.photo("chelsea", 256)
    drawn = [optimise(photo, objectives.along(network, layer, hooks.features(network, photo, layer)), most,
                      steps.normalised(3.5), projections.box, quiet=True).images for layer in tqdm(layers)]
    plots.images(torch.cat([photo, *drawn]), ["the photo", *layers], columns=5, size=2.6, alt="A photo of a cat and "
                 "caricatures of it by four layers of an ImageNet network: each exaggerates what its layer sees in this "
                 "cat, stripes and whiskers at first, the eyes later.")


def style_512(styles=("brush_strokes", "impasto"), sides=(128, 256, 512), style_sides=(128, 256, 384)):
    network, cup = style_nets.smoothed(models.load(style_nets.DESCRIBER)), datasets.photo("coffee", sides[-1])
    pictures = [style_nets.style_picture(name) for name in styles]
    painted = [style_nets.pyramid(network, cup, style, sides, style_sides, quiet=True).images for style in tqdm(pictures)]
    shown = [image for pair in zip(pictures, painted) for image in (pixels.resize(pair[0], 512)[0], pair[1][0])]
    plots.images(shown, ["the style", "the cup in it"] * len(styles), columns=2, size=4.6, rows=styles, alt="Two style pictures, "
                 "blue strokes in whirls and thick strokes of dusk above hills, and beside each a cup of coffee painted in it.")


def style_grid(side=192, weights=(2.0, 20.0, 200.0)):
    network, cup = style_nets.smoothed(models.load(style_nets.DESCRIBER)), datasets.photo("coffee", side)
    grams = style_nets.describe(network, style_nets.style_picture("mosaic", 256))
    depth, shown, titles = {"to relu1_1": 2, "to relu3_1": 4, "to relu5_1": 6}, [], []
    code = hooks.features(network, cup, style_nets.CONTENT_LAYER)
    for count in tqdm(depth.values()):
        some = {name: grams[name] for name in style_nets.STYLE_LAYERS[:count]}
        many = cup.expand(len(weights), -1, -1, -1)
        goal = style_nets.goal(network, many, some, torch.tensor(weights))
        painted = optimise(many, goal, 1, steps.lbfgs(inner=24), projections.box, quiet=True).images
        seen = hooks.features(network, painted, style_nets.CONTENT_LAYER)
        lost = objectives.content_loss(seen, code.expand_as(seen))
        shown.append(painted)
        titles += [f"weight {weight:g}, content lost {loss:.2f}" for weight, loss in zip(weights, lost)]
    plots.images(torch.cat(shown), titles, columns=len(weights), size=3.2, rows=list(depth),
                 alt="A cup painted as a mosaic: Gram matrices up to a deeper layer in each row, a larger weight of the style "
                     "in each column. With early layers only colours change, with deeper ones stones appear, and to the right "
                     "they cover table, saucer and cup.")


def class_map(named=70):
    network = models.load(IMAGENET)
    points = embedding.tsne(embedding.pca(network.classifier[1].weight.flatten(1), 40)[0], 30)
    kind = torch.full((1000,), 4)
    for number, first, end in ((2, 0, 398), (0, 151, 269), (1, 7, 25), (1, 80, 101), (1, 127, 147), (3, 924, 970)):
        kind[first:end] = number   # as ImageNet numbers its classes
    plots.scatter({"": points}, kind, ["dogs", "birds", "other animals", "food", "things"], columns=1, size=11,
                  alt="The thousand classes of an ImageNet network on one map, by the weights that it reads them with: "
                  "dogs in one cluster, birds in another, other animals between them, food at the edge of the cloud of things.")
    axis, chosen = plt.gcf().axes[0], [0]
    while len(chosen) < named:   # each name as far as can be from those before it
        chosen.append(int(torch.cdist(points, points[chosen]).amin(1).argmax()))
    for i in chosen:
        axis.annotate(network.categories[i], points[i].tolist(), fontsize=8, xytext=(3, 3), textcoords="offset points")


def occlusion_imagenet(window=48, stride=4):
    network, photo = models.load(IMAGENET), datasets.photo("chelsea", 224)
    asked = models.category_index(network, "Egyptian cat")
    chances = attribution.sliding_scores(network, photo, asked, window, stride)
    falls = attribution.occlusion(network, photo, asked, window, stride)[0]
    shown = [photo[0], plots.overlay(pixels.resize(chances[None], 224)[0, 0], photo[0]), plots.overlay(falls, photo[0])]
    plots.images(shown, ["Egyptian cat", "its probability, by the square's place", "fall of the logit"], columns=3, size=4,
                 alt="A cat; the probability of Egyptian cat with a grey square at each place, dark where the square takes "
                 "it away; and the fall of the logit for each pixel, red where the network needs the picture.")


def saliency_rules(names=("chelsea", "coffee", "flower"), chosen=("gradient", "deconvnet", "guided")):
    network, photos = models.load(IMAGENET), torch.cat([datasets.photo(name, 224) for name in names])
    sure, first = models.predict(network, photos).max(1)
    shown = [photos]
    for rule in chosen:
        slopes = attribution.gradient(network, photos, first, rule=rule)
        ends = slopes.flatten(1).abs().quantile(0.998, 1).view(-1, 1, 1, 1)
        shown.append((0.5 + slopes / ends / 2).clamp(0, 1))
    rows = [f"{network.categories[k]}\n{p:.2f}" for k, p in zip(first, sure)]
    plots.images(torch.stack(shown, 1).flatten(0, 1), ["the photo", *chosen] + [""] * 8, columns=4, size=3, rows=rows,
                 alt="Three photos and what an ImageNet network passes back to their pixels by three rules; mid-grey is "
                 "zero: the gradient is noise, the deconvnet dots, guided backpropagation draws eyes, rim and petals.")


PICTURES = {"ascent-squeezenet": ascent_imagenet, "dream-squeezenet": dream_imagenet,
            "two-classes-panel-squeezenet": two_classes, "cat-to-guacamole": adversarial_pair,
            "inversion-squeezenet": inversion_imagenet, "inversion-rounds": inversion_rounds,
            "ascent-resnet_s_robust": ascent_robust, "style-pyramid": style_pyramid,
            "priors-squeezenet": priors_imagenet, "stages-squeezenet": stages_imagenet, "dream-rounds": dream_rounds,
            "inversion-alexnet_s": inversion_alexnet, "everything-a-goldfish": everything_a_goldfish,
            "robust-and-standard": robust_and_standard,
            "corruption-severities": corruption_severities,
            "certain-of-nothing": certain_of_nothing,
            "caricature-squeezenet": caricature_imagenet,
            "style-grid": style_grid, "style-512": style_512,
            "class-map-squeezenet": class_map, "occlusion-squeezenet": occlusion_imagenet,
            "saliency-rules-squeezenet": saliency_rules}


def draw(name):
    """Draw one picture, write it and its entry in the index; returns its path and the seconds."""
    plt.close("all")
    began = time.perf_counter()
    PICTURES[name]()
    seconds, drawn, figure = time.perf_counter() - began, io.BytesIO(), plt.gcf()
    settle(figure)
    figure.savefig(drawn, format="jpeg", bbox_inches="tight", pad_inches=0.08, pil_kwargs={"quality": 88})
    path = files.write(gallery.folder() / f"{name}.jpg", drawn.getvalue())
    entry = {"shows": figure.alt, "program": PICTURES[name].__name__, "seconds": round(seconds)}
    files.write(gallery.folder() / gallery.INDEX, json.dumps(gallery.index() | {name: entry}, indent=1) + "\n")
    return path, seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(PICTURES)}")
    names = parser.parse_args().names or [name for name in PICTURES if not (gallery.folder() / f"{name}.jpg").exists()]
    if unknown := set(names) - set(PICTURES):
        parser.error(f"NAME: got {', '.join(sorted(unknown))}. It takes some of: {', '.join(PICTURES)}.")
    for name in tqdm(names):
        path, seconds = draw(name)
        tqdm.write(f"{path.relative_to(files.root().parent)}: {seconds:.0f} s")
