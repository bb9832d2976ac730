"""What does a network compute, and what does it find similar? (Lessons 1 and 2.)

`filters` and `units` look at weights and activations, `receptive` at what a unit can see; `embedding`, `tsne` and
`matching` compare pictures and places by their features, `variance` tells which factor moves them; `training` fits a
linear or fine-tuned head on top.
"""

__all__ = ["embedding", "filters", "matching", "receptive", "training", "tsne", "units", "variance"]
