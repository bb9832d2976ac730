"""Back from a code to pictures that have it: the start, the objective and the step that make `optimise` an inversion.

Mahendran and Vedaldi 2015, "Understanding Deep Image Representations by Inverting Them".
"""

import torch

from lecturekit import validate
from lecturekit.moving import objectives, projections
from lecturekit.moving.objectives import Objective
from lecturekit.moving.optimise import optimise
from lecturekit.moving.steps import adam


def smooth(beta, weight):
    """weight * total variation per pixel: a prior to subtract."""
    variation = objectives.total_variation(beta)
    return Objective(lambda images: weight * variation(images) / images[0, 0].numel())


PRIORS = {"no prior": Objective(lambda images: images.new_zeros(len(images))),
          "TV, beta = 1": smooth(1, 2.0), "TV, beta = 2": smooth(2, 6.0)}


def one_each(priors):
    """One objective for images (N,C,H,W) from N of them, the first for the first image, and so on."""
    def scores(images):
        return torch.cat([prior(image) for prior, image in zip(priors, images.split(1), strict=True)])
    return Objective(scores)


def noise(count, side, seed=0, spread=0.05, channels=3):
    """Starts (count,channels,side,side): mid-grey with Gaussian noise of standard deviation `spread`, within [0,1]."""
    validate.positive("count", count, whole=True)
    validate.positive("side", side, whole=True)
    drawn = torch.randn(count, validate.positive("channels", channels, whole=True), side, side, generator=torch.Generator().manual_seed(seed))
    return (0.5 + spread * drawn).clamp(0, 1)


def invert(model, layer, code, start, prior=PRIORS["no prior"], steps=40, rate=0.05, **options):
    """Move images (N,3,H,W) until a layer gives a code, (1,...) or one for each: `Moved`.

    The objective is `near_code` minus the prior, the step Adam's, the pixels stay within [0,1]; `options` go to
    `optimise`. `start` is `noise`, or what a decoder made of the code.
    """
    goal = objectives.near_code(model, layer, code) - prior
    return optimise(start, goal, steps, adam(rate), projections.box, **options)
