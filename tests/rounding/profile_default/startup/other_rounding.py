"""Run in a kernel before its cells: the weights change in their seventh digit, as results do from processor to processor."""

import safetensors.torch
import torch

EXACT = safetensors.torch.load_file


def load_file(*arguments, **options):
    generator = torch.Generator().manual_seed(1)
    return {name: value.float() * (1 + 1e-6 * torch.randn(value.shape, generator=generator))
            if value.is_floating_point() else value for name, value in EXACT(*arguments, **options).items()}


safetensors.torch.load_file = load_file
