"""Vowels have their resonances; levels in decibels; WAV files that others read; a soft targeted attack."""

import io

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from lecturekit.representation import training
from lecturekit.moving import projections
from lecturekit.robustness import attacks, robust_training, sound


@pytest.fixture(scope="module")
def trained():
    return robust_training.fit(sound.network(), *sound.vowels(), epochs=15, rate=2e-3)


def test_waves_are_images_reproducible_from_their_seed():
    waves, labels = sound.vowels(3, seed=4)
    assert waves.shape == (15, 1, 1, sound.LENGTH) and labels.bincount().tolist() == [3] * 5
    assert waves.min() >= 0 and waves.max() <= 1 and waves.std(dim=3).mean().item() == pytest.approx(0.075, rel=0.05)
    assert torch.equal(waves, sound.vowels(3, seed=4)[0]) and not torch.equal(waves, sound.vowels(3, seed=5)[0])


def test_a_resonator_rings_at_its_frequency():
    ringing = sound._resonator(np.eye(1, 4096)[0], 1000, 80)
    power = np.abs(np.fft.rfft(ringing)) ** 2
    loudest = power.argmax() * sound.RATE / 4096
    above_half = (power > power.max() / 2).sum() * sound.RATE / 4096
    assert loudest == pytest.approx(1000, abs=10) and above_half == pytest.approx(80, rel=0.1)
    assert power[0] == pytest.approx(1)   # no change at 0 Hz


def test_the_spectrogram_finds_a_tone():
    tone = 0.5 + 0.25 * torch.sin(2 * torch.pi * 1000 * torch.arange(sound.LENGTH) / sound.RATE)
    seen = sound.Spectrogram()(tone.expand(2, 1, 1, -1))
    assert seen.shape == (2, 129, 31) and (seen.argmax(1) == 32).all()   # 1000 Hz of 4000, 128 steps


def test_levels():
    waves = sound.vowels(2)[0]
    louder = 0.5 + 1.1 * (waves - 0.5)
    torch.testing.assert_close(sound.level(waves, louder), torch.full((10,), -20.0))
    eps = sound.radius(waves, -30)
    moved = projections.ball(waves, eps, "l2")(torch.rand_like(waves), 0)
    assert sound.level(waves, moved).max().item() == pytest.approx(-30, abs=0.1)


def test_wav_files_hold_the_wave():
    waves = sound.vowels(1)[0][:1]
    rate, samples = wavfile.read(io.BytesIO(sound.wav(waves)))
    assert rate == sound.RATE and samples.dtype == np.int16
    torch.testing.assert_close(torch.from_numpy(samples / 32767).float(), 2 * waves.flatten() - 1, atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match=r"sound: got shape \(2, 1, 1, 9\)"):
        sound.wav(torch.rand(2, 1, 1, 9))


def test_a_targeted_attack_is_far_softer_than_the_voice(trained):
    waves, labels = sound.vowels(4, seed=1)
    assert training.accuracy(trained, waves, labels) >= 0.9
    waves, labels = waves[:5].repeat_interleave(4, 0), labels[:5].repeat_interleave(4)
    targets = torch.tensor([t for own in range(5) for t in range(5) if t != own])
    eps = sound.radius(waves, -30)
    moved = attacks.pgd(trained, waves, labels, eps, "l2", steps=60, targets=targets)
    assert (trained(moved).argmax(1) == targets).float().mean() > 0.85 and sound.level(waves, moved).max() < -29.9
    noise = torch.randn(waves.shape, generator=torch.Generator().manual_seed(0))
    noise *= eps / noise.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    assert (trained((waves + noise).clamp(0, 1)).argmax(1) == labels).float().mean() > 0.75
