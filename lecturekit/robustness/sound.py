"""Spoken vowels, made in the lesson, and a small network that hears them; waves are images of one row.

A wave is (N,1,1,T) in [0,1], 0.5 the loudspeaker at rest, so that `optimise` and every projection take it as it is.
"""

import io
import math
import wave

import numpy as np
import torch
from torch import nn

from lecturekit import validate

RATE, LENGTH = 8000, 4096   # samples a second; samples: about half a second
VOWELS = ("ah", "eh", "aw", "oo", "er")   # as in father, bed, law, good, bird
# The first three resonances of a man's throat and mouth, Hz (Peterson and Barney 1952, table II)
FORMANTS = ((730, 1090, 2440), (530, 1840, 2480), (570, 840, 2410), (440, 1020, 2240), (490, 1350, 1690))
BANDWIDTHS = (80, 100, 150)
LOUDNESS, NOISE = 0.15, 0.006   # root mean squares, of 1 at most


def vowels(each=100, seed=0):
    """`each` of five vowels, every one by a speaker of its own pitch and size: waves (5*each,1,1,LENGTH), labels."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(len(VOWELS)), validate.positive("each", each, whole=True))
    waves = np.stack([_spoken(FORMANTS[label], rng) + NOISE * rng.normal(size=LENGTH) for label in labels])
    return torch.from_numpy(0.5 + 0.5 * waves.clip(-1, 1)).float()[:, None, None], torch.from_numpy(labels)


def _spoken(formants, rng):
    """Pulses of a gliding pitch through one resonator after another, swelling and fading."""
    seconds = np.arange(LENGTH) / RATE
    pitch = rng.uniform(90, 230) * (1 + 0.06 * np.sin(2 * np.pi * (rng.uniform(1, 5) * seconds + rng.random())))
    turns = np.cumsum(pitch) / RATE
    sound = np.diff(np.floor(turns), prepend=0) + 0.02 * rng.normal(size=LENGTH)   # a pulse at each turn, and breath
    size = rng.uniform(0.9, 1.12)
    for middle, width in zip(formants, BANDWIDTHS):
        sound = _resonator(sound, size * middle * rng.uniform(0.95, 1.05), width)
    swell = np.minimum(1, np.minimum(seconds, seconds[::-1]) / 0.05)
    sound = _filtered([1, -1], [1, -0.98], _filtered([1], [1, -0.98], sound)) * swell   # dull, as the throat's pulses are
    return LOUDNESS * sound / np.sqrt(np.mean(sound ** 2))


def _resonator(sound, middle, width):
    """Klatt's second-order resonance (1980), Hz."""
    radius = math.exp(-math.pi * width / RATE)
    feedback = 2 * radius * math.cos(2 * math.pi * middle / RATE)
    return _filtered([1 - feedback + radius ** 2], [1, -feedback, radius ** 2], sound)


def _filtered(numerator, denominator, sound):
    from scipy.signal import lfilter   # seconds to import
    return lfilter(numerator, denominator, sound)


class Spectrogram(nn.Module):
    """Waves (N,1,1,T) to the logarithm of their power, (N,frequencies,frames), differentiable."""

    def __init__(self, window=256, hop=128, floor=1e-4):
        super().__init__()
        self.window, self.hop, self.floor = window, hop, floor
        self.register_buffer("shape", torch.hann_window(window), persistent=False)

    def forward(self, waves):
        frames = (2 * waves.flatten(1) - 1).unfold(1, self.window, self.hop) * self.shape   # (N,frames,window)
        return (torch.fft.rfft(frames).abs().square() + self.floor).log().transpose(1, 2)


def network(seed=0):
    """Two convolutions along the frames of the spectrogram: logits over `VOWELS`; its weights are random."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            Spectrogram(), nn.BatchNorm1d(129), nn.Conv1d(129, 32, 5), nn.ReLU(), nn.Conv1d(32, 32, 5, 2), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 12, len(VOWELS)))
    net.categories = list(VOWELS)
    return net


def level(waves, others):
    """Loudness of the change of waves (N,1,1,T) beside their own, dB (N,): 20 log10 of the root mean squares' ratio."""
    loud, soft = (x.flatten(1).square().mean(1).sqrt() for x in (2 * waves - 1, 2 * (others - waves)))
    return 20 * (soft / loud).log10()


def radius(waves, decibels):
    """The L2 radius, for `projections.ball`, of changes that are so many dB loud beside the softest of the waves."""
    return (waves - 0.5).flatten(1).norm(dim=1).min().item() * 10 ** (decibels / 20)


def wav(sound):
    """The bytes of a 16-bit WAV file of one wave (1,1,1,T)."""
    if sound.shape[:-1] != (1, 1, 1):
        raise ValueError(f"sound: got shape {tuple(sound.shape)}. It takes one wave (1,1,1,T).")
    samples = ((2 * validate.images(sound, "sound").flatten() - 1).clamp(-1, 1) * 32767).round().to(torch.int16)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1), out.setsampwidth(2), out.setframerate(RATE)
        out.writeframes(samples.numpy().astype("<i2").tobytes())
    return file.getvalue()
