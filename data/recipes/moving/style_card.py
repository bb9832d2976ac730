"""Measure the feed-forward style network and write its card, data/weights/style_net.md.

    python data/recipes/moving/style_card.py --imagenette DIR

On the first Imagenette validation photo of each category (central square, 128 px), for each style: style and content
loss of the photo as it is, of the network's painting, and of the picture that L-BFGS finds from the photo for the same
sum of losses that the network was trained on (Gatys et al. 2016).
"""

import sys
from pathlib import Path

import torch

from lecturekit.networks import models
from lecturekit.moving import optimise, style_nets
from lecturekit.moving.objectives import Objective
from lecturekit.moving.steps import lbfgs
from lecturekit.moving.style_nets import CONTENT_LAYER, STYLE_LAYERS, STYLES

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import publishing
from moving.style import NAME, Critic, Recipe, objective
from pictures.photos import imagenette_arrays, squares

STEPS, INNER = 60, 20   # of L-BFGS
MEANING = f"""Means over ten Imagenette validation photos of 128 px, one of each category. *Optimised*: L-BFGS from the
photo, {STEPS} iterations on the sum of losses of the last phase. *Another photo*: how far a photo of another category
is."""
LIMITS = ("Even areas, such as a clear sky, get a regular pattern. Strokes and tiles have a fixed size in pixels: a "
          "larger picture gets more of them, not larger ones. Features of small faces are lost.")


def held_out(root, side=128):
    """One validation photo of each category, (10,3,side,side) in [0,1]."""
    images, labels = imagenette_arrays(root, "val")
    return squares([images[labels.index(label)] for label in range(len(models.IMAGENETTE))], side)


def optimised(losses, photo, style, weights):
    """The picture (1,3,H,W) that L-BFGS finds from `photo` for one style, an index tensor (1,)."""
    objective = Objective(lambda picture: -losses(picture, photo, style, weights)[0])
    return optimise(photo, objective, STEPS // INNER, lbfgs(inner=INNER), quiet=True).images.clamp(0, 1)


def measure(network, recipe, photos):
    """{style: {what: (sum of losses, style loss, content loss)}}, each (N,), one value for a photo."""
    losses, weights, figures = objective(recipe, Critic(recipe.style_pixels)), recipe.phases[-1].style_weights, {}
    for index, name in enumerate(STYLES):
        style = torch.tensor([index])
        pictures = {"photo": photos, "network": network(photos, name),
                    "optimised": torch.cat([optimised(losses, photo, style, weights) for photo in photos.split(1)]),
                    "another photo": photos.roll(1, 0)}
        with torch.no_grad():
            figures[name] = {what: losses(images, photos, style.expand(len(photos)), weights)
                             for what, images in pictures.items()}
    return figures


def notes(recipe):
    """{title: text}."""
    smallest, phases = style_nets.SMALLEST, "".join(f"\n  - `{phase}`" for phase in recipe.phases)
    return {
        "Input": f"RGB in [0,1], any size from {smallest}x{smallest} px, and a style, or shares of several: "
                 f"{', '.join(STYLES)}. **Output** the same size, in [0,1].",
        "Losses": f"as {style_nets.DESCRIBER} sees them, with average pooling and reflected borders "
                  f"(`style_nets.smoothed`). Style: the mean over {', '.join(STYLE_LAYERS)} of |G - A|^2 / |A|^2, G "
                  f"and A the Gram matrices of picture and style. Content: |F - P|^2 / |P|^2 at {CONTENT_LAYER}. The sum: "
                  f"style weight x style + content + {recipe.smoothness:g} x total variation (mean of squares).",
        "Data": f"random crops of Imagenette's training photos (9,469), {recipe.pixels} px; the style pictures of "
                f"`data/styles/` at {recipe.style_pixels} px, made by `data/recipes/pictures/style_pictures.py`.",
        "Recipe": f"`data/recipes/moving/style.py`, seed {recipe.seed}, Adam, bfloat16; each step one crop for each "
                  f"style (losses by step: `{NAME}.log`); phases of so many steps:{phases}",
        "Limits": LIMITS}


if __name__ == "__main__":
    arguments = publishing.parser(__doc__, imagenette=True).parse_args()
    network, recipe = style_nets.load(), Recipe()
    rows = [[name, what, f"{style.mean():.3f}", f"{content.mean():.2f}", f"{total.mean():.2f}"]
            for name, row in measure(network, recipe, held_out(arguments.imagenette)).items()
            for what, (total, style, content) in row.items()]
    figures = publishing.table(["style", "picture", "style loss", "content loss", "sum"], rows)
    about = publishing.described(style_nets.StyleNet, "moving/style_nets", network)
    publishing.write_card(NAME, about, [figures, MEANING], notes(recipe), __file__)
