"""What is moved in place of the image: its pixels, its spectrum, or the code of a generator.

Each has `.parameters`, the tensors to move, and `.images()`, the pictures (N,C,H,W) that they stand for.
"""

import torch

from lecturekit import devices, validate
from lecturekit.networks import running

# How the colours of photos vary together, as a square root of their covariance (Olah et al. 2017).
COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])


class Pixels:
    """The pixels themselves, from images (N,C,H,W); these stay as they are."""

    @running.differentiable()
    def __init__(self, images):
        validate.images(images, in_range=False)
        self.parameters = [images.detach().clone().requires_grad_()]

    def images(self):
        return self.parameters[0]


class Fourier:
    """The spectrum of the picture, low frequencies first, in colours that vary independently (Olah et al. 2017).

    `count` pictures of `size` px, in (0,1) through a sigmoid, from noise of standard deviation `noise`. A frequency's
    amplitude is divided by frequency ** decay: the pictures of photos, where decay is about 1, come most easily. With
    other `channels` than three, each varies for itself.
    """

    @running.differentiable()
    def __init__(self, count=1, size=128, decay=1.0, noise=0.01, seed=0, device=None, channels=3):
        device = devices.chosen(device)
        validate.positive("count", count, whole=True)
        validate.positive("size", size, whole=True)
        self.size, self.colours = size, COLOURS if validate.positive("channels", channels, whole=True) == 3 else None
        rows, columns = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]
        frequency = (rows.square() + columns.square()).sqrt().clamp(min=1 / size)
        self.scale = (frequency ** -decay)[..., None].to(device)
        generator = torch.Generator().manual_seed(seed)
        shape = count, channels, size, size // 2 + 1, 2   # the last: real and imaginary part
        self.parameters = [(noise * torch.randn(shape, generator=generator)).to(device).requires_grad_()]

    def images(self):
        spectrum = torch.view_as_complex(self.parameters[0] * self.scale)
        waves = torch.fft.irfft2(spectrum, s=(self.size, self.size), norm="ortho")
        if self.colours is not None:
            colours = (self.colours / self.colours.norm(dim=0).max()).to(waves)
            waves = torch.einsum("rc,nchw->nrhw", colours, waves)
        return waves.sigmoid()


class Code:
    """The code (N,D) that a generator turns into pictures (Nguyen et al. 2016)."""

    @running.differentiable()
    def __init__(self, generator, code):
        self.generator, self.parameters = generator, [code.detach().clone().requires_grad_()]

    def images(self):
        with running.entered(self.generator):
            return self.generator(self.parameters[0])
