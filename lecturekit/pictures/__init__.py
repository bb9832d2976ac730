"""What the networks look at: images in [0,1], where they come from, what is said of them and what is done to them.

`pixels` reads, resizes and writes pictures; `datasets` brings tabletop (rendered, every factor known), digits, photos
and Imagenette; `categories` names what they show, `captions` says it in a sentence; `transforms` moves, turns and
lights them.
"""

__all__ = ["captions", "categories", "datasets", "pixels", "transforms"]
