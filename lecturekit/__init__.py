"""Understand and visualize convolutional networks: fix the weights, move the image."""

__version__ = "0.1.0"
