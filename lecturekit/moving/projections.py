"""Where an image must stay, and what is done to it after each step of `optimise`: functions (images, step) -> images."""

import math
import numbers

import torch

from lecturekit import validate
from lecturekit.pictures.pixels import gaussian_blur
from lecturekit.moving.steps import keep_largest, lengths

NORMS = ("linf", "l2")


def chain(*projections):
    """One projection after the other."""
    def chained(images, step):
        for projection in projections:
            images = projection(images, step)
        return images
    return chained


def box(images, step=0):
    """Every value within [0,1]."""
    return images.clamp(0, 1)


def ball(centre, eps, norm="linf"):
    """No further than eps from the images `centre` (N,C,H,W), for each image, and within [0,1].

    "linf": no value moves by more than eps; "l2": the difference is at most eps long.
    """
    validate.one_of("norm", norm, NORMS)
    radius(eps)
    centre = validate.images(centre).detach()

    def near(images, step):
        moved = images - centre
        if norm == "linf":
            moved = moved.clamp(-eps, eps)
        else:
            moved = moved * (eps / lengths(moved).clamp(min=1e-12)).clamp(max=1)
        return (centre + moved).clamp(0, 1)   # nearer still: the centre lies within [0,1]
    return near


def radius(eps):
    """`eps` if it is a finite number from 0 on."""
    number = isinstance(eps, numbers.Real) and not isinstance(eps, bool)
    if not number or not 0 <= eps < math.inf:
        raise ValueError(f"eps: got {eps!r}. It takes a number from 0 on, in pixel units such as 8/255.")
    return eps


def scattered(centre, eps, norm="linf", seed=0):
    """A random point of the `ball` about each of the images `centre` (N,C,H,W), brought into [0,1]: in "linf" uniform,
    in "l2" in a uniform direction at a uniform distance up to eps."""
    draw = {"linf": torch.rand, "l2": torch.randn}[validate.one_of("norm", norm, NORMS)]
    generator = torch.Generator().manual_seed(seed)
    noise = draw(centre.shape, generator=generator)
    if norm == "linf":
        noise = 2 * noise - 1
    else:
        share = torch.rand(len(centre), 1, 1, 1, generator=generator)
        noise = noise / lengths(noise) * share
    return (centre + radius(eps) * noise.to(centre)).clamp(0, 1)


def decay(share):
    """Every value a share closer to zero: the L2 penalty as a shrinking (Yosinski et al. 2015)."""
    return lambda images, step: images * (1 - share)


def blur(sigma, every=4):
    """A Gaussian blur at every few steps, against high frequencies (Yosinski et al. 2015)."""
    size = 2 * round(2 * validate.positive("sigma", sigma)) + 1
    return lambda images, step: gaussian_blur(images, size, sigma) if step % every == every - 1 else images


def clip_small(share, value=0.0):
    """The share of an image's pixels that are nearest to `value` take it (Yosinski et al. 2015)."""
    return lambda images, step: keep_largest(images, (images - value).norm(dim=1), share, value)
