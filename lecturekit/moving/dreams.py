"""Dreams: a photo moved towards whatever a layer already sees in it, at several sizes (Mordvintsev et al. 2015)."""

import torch

from lecturekit import validate
from lecturekit.moving import projections, steps as moves
from lecturekit.moving.optimise import optimise
from lecturekit.pictures import pixels, transforms

OCTAVES = (0.4, 0.55, 0.75, 1.0)   # sizes as shares of the photo's, the largest last


def dream(photo, objective, octaves=OCTAVES, steps=12, rate=4.5, shift=16, seed=0):
    """Photos (N,3,H,W) after `steps` steps of length `rate` (L2) up an objective at each of the `octaves`, what was
    added at one size enlarged and carried over to the next; each step sees the picture shifted by up to `shift` px.

    The objective is usually `objectives.energy`, or `objectives.along` for a caricature.
    """
    validate.images(photo, "photo")
    validate.positive("steps", steps, whole=True)
    added = torch.zeros_like(photo)
    for octave in octaves:
        side = tuple(max(1, round(length * validate.positive("octaves", octave))) for length in photo.shape[-2:])
        base = pixels.resize(photo, side)
        begin = (base + pixels.resize(added, side)).clamp(0, 1)
        moved = optimise(begin, objective, steps, moves.normalised(rate), projections.box, transforms.jitter(shift), seed,
                         quiet=True).images
        added = moved - base
    return moved
