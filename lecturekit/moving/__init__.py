"""Fix the weights, move the image: one loop, many objectives. (Lessons 6 to 8.)

`optimise` runs the loop: an objective (`objectives`, which add and scale) of an image (`parameters`), moved by `steps`,
kept where it may be by `projections`. `dreams` asks for more of what a layer sees, `inversion` for a layer's code,
`style_nets` for another picture's style, `video` for frames that hold still.
"""

from lecturekit.moving.optimise import optimise

__all__ = ["dreams", "inversion", "objectives", "optimise", "parameters", "projections", "steps", "style_nets", "video"]
