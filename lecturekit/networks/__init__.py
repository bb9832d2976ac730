"""What looks: architectures, trained weights, and ways to look inside while a network runs.

`models` loads the bundled networks and torchvision's by one call (`nets` holds the architectures); `hooks` records what
a layer gives, `derivative` how a score changes with the images; `running` runs any network, whoever wrote it, as all of
them need it, `layout` makes maps of what its layers give, `randomising` draws its weights anew. On top of them stand
`captioner`, `joint` (images and sentences in one space) and `decoders` (from a layer back to the picture). `small`
makes the tiny networks of exercises.
"""

__all__ = ["captioner", "decoders", "derivative", "hooks", "joint", "layout", "models", "nets", "randomising", "running",
           "small"]
