"""The defences of the lesson, each built on a small digit network: what it is trained with, what is put around it, and
what the attacker who knows it attacks."""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.pictures import transforms
from lecturekit.networks import models, running
from lecturekit.robustness.corruptions import jpeg
from lecturekit.robustness.defences import Before, Codewords, Defence, Ensemble, Randomised
from lecturekit.robustness.robust_training import adversarial, cross_entropy, digit_net, fit


# ---------------------------------------------------------------- units, moves, losses


class Steep(nn.Module):
    """A sigmoid so steep that it is flat almost everywhere (Nayebi and Ganguli 2017). With `soft` its gradient is that
    of a sigmoid with this slope, its value the same (BPDA)."""

    def __init__(self, slope=60.0, soft=None):
        super().__init__()
        self.slope, self.soft = slope, soft

    def forward(self, inputs):
        value = torch.sigmoid(self.slope * inputs)
        if self.soft is None:
            return value
        gentle = torch.sigmoid(self.soft * inputs)
        return gentle + (value - gentle).detach()


class Bell(nn.Module):
    """exp(-x^2): a radial unit, silent far from its centre (Goodfellow et al. 2015, section 7)."""

    def forward(self, inputs):
        return torch.exp(-inputs.square())


def noise(sigma):
    """A move that adds Gaussian noise, within [0,1]."""
    added = transforms.noise(sigma)
    return lambda images, generator: added(images, generator).clamp(0, 1)


def glimpse(share):
    """A move to a random square of `share` of the side, enlarged to the whole: one for each image."""
    def looked(images, generator):
        shift = (1 - share) * (2 * torch.rand(len(images), 2, generator=generator) - 1)
        matrix = torch.cat([share * torch.eye(2).expand(len(images), 2, 2), shift[:, :, None]], 2)
        grid = F.affine_grid(matrix.to(images), images.shape, align_corners=False)
        return F.grid_sample(images, grid, align_corners=False, padding_mode="border")
    return looked


def quantise(levels):
    """A change to so many levels of grey."""
    validate.positive("levels", levels - 1, whole=True)
    return lambda images: (images * (levels - 1)).round() / (levels - 1)


def noisy(move):
    """A loss: the cross-entropy at images that were moved at random."""
    return lambda network, images, labels, generator: cross_entropy(network, move(images, generator), labels)


def smoothed_labels(share=0.5, classes=10):
    """A loss: the cross-entropy of labels of which a share is spread over all classes (Szegedy et al. 2016)."""
    return lambda network, images, labels, generator: F.cross_entropy(
        network(images), labels, label_smoothing=share)


def warm(temperature, teacher=None):
    """Train at a temperature: the logits divided by it (defensive distillation, Papernot et al. 2016); with a
    `teacher`, on its probabilities at that temperature in place of the labels."""
    def loss(network, images, labels, generator):
        if teacher is not None:
            labels = (running.logits(teacher, images, len(images)) / temperature).softmax(1)
        return F.cross_entropy(network(images) / temperature, labels)
    return loss


def double_backpropagation(weight):
    """A loss: the cross-entropy plus `weight` times the squared length of its gradient by the image, for each image
    (Drucker and LeCun 1992)."""
    def loss(network, images, labels, generator):
        images = images.detach().requires_grad_()
        losses = F.cross_entropy(network(images), labels, reduction="none")
        slopes, = torch.autograd.grad(losses.sum(), images, create_graph=True)
        return losses.mean() + weight * slopes.flatten(1).square().sum(1).mean()
    return loss


def codewords(code, scale=3.0):
    """A loss for a network of bits: the logistic loss of each bit of the label's code word."""
    return lambda network, images, labels, generator: F.softplus(-scale * code[labels] * network(images)).mean()


def reconstruction(sigma):
    """A loss for an autoencoder: the mean squared error of the images drawn from noisy ones (Vincent et al. 2008)."""
    return lambda network, images, labels, generator: F.mse_loss(network(noise(sigma)(images, generator)), images)


# ---------------------------------------------------------------- one by one


@dataclass(frozen=True)
class Bench:
    """What the defences are built from: pictures (N,1,8,8) and labels (N,) to learn, the undefended network, the sizes
    of the layers of those that are trained anew, and for how many epochs."""

    images: torch.Tensor
    labels: torch.Tensor
    plain: nn.Module
    hidden: tuple = (256, 256)
    epochs: int = 8
    seed: int = 0

    def net(self, **options):
        """A network that is not yet trained; `options` as `digit_net` takes them."""
        return digit_net(self.hidden, **{"seed": self.seed, **options})

    def train(self, loss=None, network=None, **options):
        """`network`, by default `net()`, trained; `options` as `fit` takes them."""
        network = self.net() if network is None else network
        return fit(network, self.images, self.labels, loss, **{"epochs": self.epochs, "seed": self.seed, **options})

    def autoencoder(self, body, width):
        """`body` with a linear layer of pixels on its `width` units, trained to draw the images from noisy ones."""
        size = self.images[0].numel()
        network = nn.Sequential(*body, nn.Linear(width, size), nn.Sigmoid(), nn.Unflatten(1, self.images.shape[1:]))
        return self.train(reconstruction(0.2), models.randomised(network, self.seed))


def _trained(loss=None, decay=0.0, **options):
    """A defence that is nothing but another training, or another network: `options` as `digit_net` takes them."""
    return lambda bench: Defence(bench.train(loss, bench.net(**options), decay=decay))


def _randomised(move, draws=1, loss=None, many=12):
    def build(bench):
        network = bench.plain if loss is None else bench.train(loss)
        deployed = Randomised(network, move, draws)
        return Defence(deployed, deployed.many(many), how=f"EOT, {many} draws")
    return build


def _before(change):
    return lambda bench: Defence(Before(bench.plain, change), Before(bench.plain, change, True), how="BPDA")


def _ensemble(bench):
    return Defence(Ensemble([bench.plain, *(bench.train(network=bench.net(seed=bench.seed + i)) for i in (1, 2, 3))]))


def _autoencoder(bench):
    body = [nn.Flatten(), nn.Linear(bench.images[0].numel(), 32), nn.BatchNorm1d(32), nn.ReLU()]
    cleaner = bench.autoencoder(body, 32)
    return Defence(nn.Sequential(cleaner, bench.plain), how="through both")


def _distilled(bench, temperature=50):
    faster = {"epochs": 3 * bench.epochs, "rate": 1e-2}   # a warm loss moves slowly
    teacher = bench.train(warm(temperature), **faster)
    return Defence(bench.train(warm(temperature, teacher), **faster), how="margin")


def _codewords(bench):
    from scipy.linalg import hadamard   # seconds to import
    code = torch.tensor(hadamard(16)[1:11, 1:]).float()
    network = bench.train(codewords(code), bench.net(classes=15))
    return Defence(Codewords(network, code), Codewords(network, code, soft=True), how="before the tanh")


def _pretrained(bench):
    *body, head = bench.net()
    *learned, _, _, _ = bench.autoencoder(body, head.in_features)
    return Defence(bench.train(network=nn.Sequential(*learned, head)))


def _steep(bench):
    network = bench.train(network=bench.net(units=Steep))
    gentle = copy.deepcopy(network)
    for unit in gentle.modules():
        if isinstance(unit, Steep):
            unit.soft = 3.0
    return Defence(network, gentle, how="BPDA, gentler units")


CATALOGUE = {
    "none": lambda bench: Defence(bench.plain),
    "weight decay": _trained(decay=3.0),
    "dropout": _trained(dropout=0.5),
    "noise in training": _trained(noisy(noise(0.2))),
    "noise at test time": _randomised(noise(0.2)),
    "noise in both": _randomised(noise(0.2), loss=noisy(noise(0.2))),
    "glimpses": _randomised(glimpse(0.8), 6, noisy(glimpse(0.8))),
    "ensemble": _ensemble,
    "autoencoder": _autoencoder,
    "quantised": _before(quantise(8)),
    "JPEG": _before(lambda images: jpeg(images, 50)),
    "smoothed labels": _trained(smoothed_labels(0.7)),
    "distillation": _distilled,
    "code words": _codewords,
    "double backprop.": _trained(double_backpropagation(1.0)),
    "pretraining": _pretrained,
    "tanh": _trained(units=nn.Tanh),
    "radial units": _trained(units=Bell),
    "steep sigmoids": _steep,
    "adversarial training": _trained(adversarial(0.15))}


def build(name, bench):
    """The `Defence` of this name in `CATALOGUE`, trained on a `Bench`."""
    return CATALOGUE[validate.one_of("name", name, CATALOGUE)](bench)
