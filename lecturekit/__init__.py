"""Understand and visualize convolutional networks: fix the weights, move the image."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")   # before torch loads: threads that wait must not keep a core busy

__version__ = "1.0.0"
