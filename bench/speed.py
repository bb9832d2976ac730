"""Speed beside the field's libraries: `make bench` writes bench/RESULTS.md.

Each row is the same work on the same network in one process: ours, each peer, and the floor, which are the raw batched
passes that the method needs. They take turns, one uncounted round first; the figures are medians. That the results are
equal is asserted (or, where a method draws random numbers, that ours is as good). Peak memory is what the process came
to hold above what it held before.
"""

import argparse
import copy
import datetime
import gc
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from lecturekit import attribution
from lecturekit.course import timing
from lecturekit.moving import objectives, optimise, parameters, projections, steps, style_nets
from lecturekit.networks import hooks, models
from lecturekit.pictures import datasets, pixels, transforms
from lecturekit.robustness import attacks

RESULTS = Path(__file__).with_name("RESULTS.md")
SIDE, LAYER, EPS, BATCH = 128, "network.layer4", 2 / 255, 32
HEAD = "| work | peer | ours, ms | peer, ms | floor, ms | ours, MB | peer, MB | peer / ours | to reach | ours / floor |"


@dataclass(frozen=True)
class Row:
    work: str
    ours: object
    peers: dict     # name: (function, what to reach)
    floor: object
    same: object    # (ours, theirs) -> bool


class Setting:
    """A network, the peers' copy of it, whose ReLUs work out of place, and 32 pictures with their targets."""

    def __init__(self):
        self.model = models.load("resnet18", "random")
        self.plain = copy.deepcopy(self.model)
        for module in self.plain.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False
        generator = torch.Generator().manual_seed(0)
        self.images = torch.rand(BATCH, 3, SIDE, SIDE, generator=generator)
        self.target = torch.randint(1000, (BATCH,), generator=generator)
        self.labels = self.model(self.images).argmax(1)

    def take(self, count):
        return self.model, self.images[:count], self.target[:count]


def close(ours, theirs):
    """Equal to a thousandth of the whole; the tests ask for more, in double precision, where rounding lets no ReLU fall
    on the other side of zero."""
    theirs = torch.as_tensor(theirs).detach()
    return ours.shape == theirs.shape and bool((ours - theirs).norm() < 1e-3 * theirs.norm())


@torch.no_grad()
def forward(model, images):
    """Images through a network, in batches, in the memory layout that is faster."""
    for chunk in images.split(BATCH):
        model(chunk.contiguous(memory_format=torch.channels_last))


def there_and_back(setting, count):
    """So many images through the network, and the gradient of a logit at their pixels."""
    for begin in range(0, count, BATCH):
        images = setting.images[:min(BATCH, count - begin)].contiguous(memory_format=torch.channels_last).requires_grad_()
        torch.autograd.grad(setting.model(images)[:, 0].sum(), images)


def occlusion(setting):
    return sliding("occlusion, 225 windows, float32, exact", *setting.take(1), "float32", 1.5, close)


def coarse(setting):
    model = models.load("resnet_s")   # a trained one: at random weights the ranking is that of rounding errors
    images, _, target = datasets.for_model(datasets.tabletop("test")[:1], model)
    return sliding("the same of resnet_s, bfloat16, ranking kept", model, images, target, "bfloat16", 2.5, ranked)


def sliding(work, model, images, target, precision, goal, same):
    from captum import attr

    def captum():
        return attr.Occlusion(model).attribute(images, (3, 16, 16), (3, 8, 8), target=target, baselines=0.5,
                                               perturbations_per_eval=BATCH)[:, 0]

    windows = images.expand(226, -1, -1, -1)
    return Row(work, lambda: attribution.occlusion(model, images, target, 16, 8, precision=precision),
               {"captum": (captum, goal)}, lambda: forward(model, windows), same)


def ranked(ours, theirs):
    """Whether the pixels come in the same order."""
    ranks = torch.stack([maps.detach().flatten().argsort().argsort().double() for maps in (ours, theirs)])
    return bool(torch.corrcoef(ranks)[0, 1] > 0.95)


def path(setting, steps=50):
    from captum import attr
    model, images, target = setting.take(1)

    def captum():
        return attr.IntegratedGradients(model).attribute(images, torch.zeros_like(images), target, n_steps=steps,
                                                         method="gausslegendre").sum(1)

    return Row(f"Integrated Gradients, {steps} nodes",
               lambda: attribution.integrated_gradients(model, images, target, 0.0, steps),
               {"captum": (captum, 1.2)}, lambda: there_and_back(setting, steps), close)


def guided(setting):
    from captum import attr
    model, images, target = setting.take(BATCH)

    def captum():
        return attr.GuidedBackprop(setting.plain).attribute(images.clone().requires_grad_(), target)

    return Row(f"guided backpropagation x{BATCH}", lambda: attribution.gradient(model, images, target, rule="guided"),
               {"captum": (captum, 1.1)}, lambda: there_and_back(setting, BATCH), close)


def grad_cam(setting):
    from captum import attr
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    model, images, target = setting.take(BATCH)

    def captum():
        return attr.LayerGradCam(setting.plain, setting.plain.get_submodule(LAYER)).attribute(images, target)[:, 0]

    def library():   # enlarges, clips and scales its maps: ours are compared before that
        with GradCAM(setting.plain, [setting.plain.get_submodule(LAYER)]) as method:
            method(images.clone().requires_grad_(), [ClassifierOutputTarget(t) for t in target.tolist()])
            kept = method.activations_and_grads
            weights = kept.gradients[0].mean((2, 3), keepdim=True)
            return (weights * kept.activations[0]).sum(1)

    def floor():
        net = model.network
        with torch.no_grad():
            maps = model.normalize(images.contiguous(memory_format=torch.channels_last))
            for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
                maps = net.get_submodule(name)(maps)
        maps.requires_grad_()
        torch.autograd.grad(net.fc(net.avgpool(maps).flatten(1))[:, 0].sum(), maps)

    return Row(f"Grad-CAM x{BATCH}", lambda: attribution.grad_cam(model, images, target, LAYER),
               {"captum": (captum, 1.1), "grad-cam": (library, 2.5)}, floor, close)


def smooth(setting, samples=16, count=4, noise=0.15):
    from captum import attr
    model, images, target = setting.take(count)

    def captum():
        tunnel = attr.NoiseTunnel(attr.Saliency(model))
        return tunnel.attribute(images, "smoothgrad", nt_samples=samples, stdevs=noise, target=target, abs=False,
                                nt_samples_batch_size=BATCH // count).abs().amax(1)

    def alike(ours, theirs):   # other noise
        return torch.corrcoef(torch.stack([ours.flatten(), theirs.flatten()]))[0, 1] > 0.8

    return Row(f"SmoothGrad {samples} x {count}", lambda: attribution.smooth_grad(model, images, target, noise, samples),
               {"captum": (captum, 1.1)}, lambda: there_and_back(setting, samples * count), alike)


def descent(setting, steps=10):
    import foolbox
    import torchattacks
    model, images, labels = setting.model, setting.images, setting.labels

    def torchattacked():
        return torchattacks.PGD(model, eps=EPS, alpha=EPS / 4, steps=steps)(images, labels)

    def fooled():
        attack = foolbox.attacks.LinfPGD(abs_stepsize=EPS / 4, steps=steps)
        return attack(foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu"), images, labels, epsilons=EPS)[1]

    @torch.no_grad()
    def as_strong(ours, theirs):
        ours, theirs = (F.cross_entropy(model(found), labels) for found in (ours, theirs))
        return ours >= theirs - 1e-3 * theirs.abs()

    return Row(f"PGD-{steps} x{BATCH}", lambda: attacks.pgd(model, images, labels, EPS, "linf", steps),
               {"torchattacks": (torchattacked, 1.1), "foolbox": (fooled, 1.5)},
               lambda: there_and_back(setting, steps * BATCH), as_strong)


def visualised(setting, steps=128, channel=5):
    from lucent.optvis import objectives as asked, param, render, transform
    model = models.load("squeezenet1_1")
    layer, start = "features.10", 0.01
    goal = objectives.channel(model, layer, channel)
    moves = transforms.chain(transforms.jitter(8), transforms.scale(0.9, 1.1))

    def ours():
        return optimise(parameters.Fourier(1, SIDE, noise=start), goal, steps, transform=moves, quiet=True).images

    def lucent():
        found = render.render_vis(model, asked.channel(layer.replace(".", "_"), channel), lambda: param.image(SIDE, sd=start),
                                  transforms=[transform.jitter(8), transform.random_scale([0.9, 0.95, 1, 1.05, 1.1])],
                                  thresholds=(steps,), preprocess=False, progress=False, show_image=False,
                                  fixed_image_size=SIDE)
        return torch.from_numpy(found[0]).permute(0, 3, 1, 2)

    @torch.no_grad()
    def as_high(ours, theirs):
        return goal(ours) >= 0.95 * goal(theirs)

    return Row(f"feature visualisation, {steps} steps, SqueezeNet", ours, {"torch-lucent": (lucent, 1.5)},
               lambda: back_from(model, layer, steps), as_high)


def back_from(model, layer, count):
    """So many images, one at a time, through a network as far as a layer, and the gradient of a channel at the pixels."""
    images = torch.rand(1, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last).requires_grad_()
    with hooks.record(model, [layer]) as found:
        for _ in range(count):
            model(images)
            torch.autograd.grad(found[layer][:, 0].mean(), images)


def styled(setting, evaluations=50):
    model = style_nets.smoothed(models.load(style_nets.DESCRIBER))
    photo, style = (pixels.resize(picture, SIDE).clamp(0, 1)
                    for picture in (pixels.center_square(datasets.photo("chelsea")), style_nets.style_picture("mosaic")))
    grams = style_nets.describe(model, style)
    loss, asked = style_nets.goal(model, photo, grams), []
    counted = objectives.Objective(lambda images: asked.append(1) or loss.score(images), loss.models)

    def ours():
        asked.clear()
        step = steps.lbfgs(inner=evaluations * 9 // 10)   # its line search asks a little more often
        found = optimise(photo, counted, 1, step, projections.box, quiet=True).images
        assert abs(len(asked) - evaluations) < 5, f"{len(asked)} evaluations"
        return found

    @torch.no_grad()
    def as_low(ours, theirs):
        return loss(ours) >= 1.05 * loss(theirs)   # minus the losses

    return Row(f"style, {evaluations} evaluations, vgg_s", ours,
               {"the PyTorch tutorial's way": (lambda: tutorial(model, photo, style, evaluations), 1.2)},
               lambda: back_from(model, "relu5_1", evaluations), as_low)


class Kept(nn.Module):
    """The tutorial's layers of loss: what they see goes on unchanged, and how far it is from a target is kept."""

    def __init__(self, target, statistic=lambda features: features):
        super().__init__()
        self.target, self.statistic = statistic(target).detach(), statistic

    def forward(self, features):
        self.loss = F.mse_loss(self.statistic(features), self.target)
        return features


def tutorial(model, photo, style, evaluations, weight=1e6):
    """Neural transfer as pytorch.org's tutorial writes it: layers of loss within the network, L-BFGS without a line search."""
    def gram(features):
        _, channels, height, width = features.shape
        flat = features.view(channels, height * width)
        return flat @ flat.t() / features.numel()

    layers, kept = nn.Sequential(), {}
    for name, module in model.named_children():
        layers.append(module)
        with torch.no_grad():
            if name in style_nets.STYLE_LAYERS:
                kept[name] = Kept(layers(style), gram)
                layers.append(kept[name])
            if name == style_nets.CONTENT_LAYER:
                kept["content"] = Kept(layers(photo))
                layers.append(kept["content"])
        if name == style_nets.STYLE_LAYERS[-1]:
            break
    painted, count = photo.clone().requires_grad_(), 0
    optimiser = torch.optim.LBFGS([painted])

    def closure():
        nonlocal count
        with torch.no_grad():
            painted.clamp_(0, 1)
        optimiser.zero_grad()
        layers(painted)
        loss = sum((1 if name == "content" else weight) * layer.loss for name, layer in kept.items())
        loss.backward()
        count += 1
        return loss

    while count < evaluations:
        optimiser.step(closure)
    return painted.detach().clamp(0, 1)


ROWS = {"occlusion": occlusion, "bfloat16": coarse, "path": path, "guided": guided, "grad_cam": grad_cam,
        "smooth": smooth, "pgd": descent, "visualised": visualised, "styled": styled}


def measured(row, times):
    """{name: (milliseconds, megabytes)} of ours, the peers and the floor; AssertionError where results differ."""
    runs = {"ours": row.ours} | {name: function for name, (function, _) in row.peers.items()} | {"floor": row.floor}
    torch.manual_seed(0)
    first = {name: peak(run) for name, run in runs.items()}
    for name in row.peers:
        assert row.same(first["ours"][0], first[name][0]), f"{row.work}: ours and that of {name} differ"
    spent = {name: [] for name in runs}
    for _ in range(times):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            spent[name].append(1000 * (time.perf_counter() - begun))
    return {name: (statistics.median(spent[name]), first[name][1]) for name in runs}


def peak(run):
    """(result, megabytes by which the process grew at most while it ran; None where the system does not tell)."""
    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5")   # the high-water mark starts anew
    except OSError:
        return run(), None
    before, result = held("VmRSS"), run()
    return result, held("VmHWM") - before


def held(key):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


def lines(row, found):
    """The rows of the table, one for each peer."""
    ours, floor = found["ours"], found["floor"]
    for name, (_, goal) in row.peers.items():
        ratio = found[name][0] / ours[0]
        yield (f"| {row.work} | {name} | {ours[0]:.0f} | {found[name][0]:.0f} | {floor[0]:.0f} | {shown(ours[1])} | "
               f"{shown(found[name][1])} | {ratio:.2f} | {goal}{'' if ratio >= goal else ' (missed)'} | "
               f"{ours[0] / floor[0]:.2f} |")


def shown(megabytes):
    return "-" if megabytes is None else f"{megabytes:.0f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)}; default: all, which writes {RESULTS.name}")
    parser.add_argument("--times", type=int, default=7, help="rounds that are counted")
    options = parser.parse_args()
    table = ["# Speed beside the field's libraries", "", *__doc__.strip().splitlines()[2:], "",
             f"ResNet-18, {SIDE} px, random weights. {timing.machine()}, {datetime.date.today().isoformat()}; load of the "
             f"machine at the start {os.getloadavg()[0]:.1f}.", "", HEAD, "|---" * 10 + "|"]
    setting = Setting()
    for name in options.rows or ROWS:
        row = ROWS[name](setting)
        for line in lines(row, measured(row, options.times)):
            print(line, flush=True)
            table.append(line)
    if not options.rows:
        RESULTS.write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
