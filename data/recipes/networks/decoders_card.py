"""Measure the bundled decoders and write a card for each: data/weights/decoder_NAME.md.

    python data/recipes/networks/decoders_card.py --imagenette DIR [NAME ...]

On held-out pictures: the first 300 of tabletop test, and every twelfth Imagenette validation photo (shorter side
resized to 128 px, central square).
"""

import sys
from pathlib import Path

import torch

from lecturekit.pictures import datasets
from lecturekit.networks import decoders, hooks, models
from lecturekit.moving import objectives

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import publishing
from networks.decoders import DESCRIBED, DESCRIBER, RECIPES
from pictures.photos import imagenette_arrays, squares

EVERY = 12             # of Imagenette's photos
WITNESS = "resnet_s"   # never used in training


def held_out(root):
    """{set: pictures (N,3,128,128) in [0,1]}."""
    return {"tabletop": datasets.tabletop("test")[:300].images, "photos": photos(root, "val")}


def photos(root, split):
    return squares(imagenette_arrays(root, split, EVERY)[0], decoders.SIDE)


def mean_pictures(root):
    """{set: the mean of the training pictures (1,3,128,128)}."""
    return {"tabletop": datasets.tabletop("train").images.mean(0, keepdim=True),
            "photos": photos(root, "train").mean(0, keepdim=True)}


def reconstructed(decoder, network, images):
    return torch.cat([decoder(codes) for codes in hooks.features(network, images, decoder.layer).split(64)])


def errors(decoder, network, made, images):
    """Mean normalised errors, in pixels and in code, of pictures made for images, and the share that the witness puts
    in the same category as the image."""
    codes, again = (hooks.features(network, some, decoder.layer) for some in (images, made))
    witness = models.load(WITNESS)
    seen = [models.predict(witness, some).argmax(1) for some in (made, images)]
    return [objectives.content_loss(a, b).mean().item() for a, b in ((made, images), (again, codes))] + [
        (seen[0] == seen[1]).float().mean().item()]


def measure(decoder, network, images, mean_picture):
    """{what: errors}."""
    colour = images.mean((2, 3), keepdim=True)
    return {what: errors(decoder, network, made, images) for what, made in (
        ("reconstruction", reconstructed(decoder, network, images)),
        ("mean picture of the training pictures", mean_picture.expand_as(images)),
        ("its own mean colour", colour.expand_as(images)))}


def losses(recipe):
    if not recipe.features:
        return "the mean squared error in pixels"
    return (f"the mean squared error in pixels (weight {recipe.pixels * 10:g}), the normalised error in "
            f"{', '.join(DESCRIBED)} of {DESCRIBER} ({recipe.features:g}), and judges beside these features "
            f"({recipe.judges:g}), started from decoder_{recipe.start}")


MEANING = f"""Errors are normalised, |y - x|^2 / |x|^2 for pixels and for codes, and averaged over pictures: 300 of
tabletop test, {{photos}} Imagenette validation photos. "Same category": the share of pictures made that `{WITNESS}`,
which had no part in the training, puts where it puts the original."""
LIMITS = {False: "A mean over all pictures that have these features: blurred, the more so the deeper the layer.",
          True: "Sharper than the mean of relu6, and further from the picture pixel by pixel; what it makes of codes "
                "that no picture has is up to it."}


def notes(name, decoder):
    """{title: text}."""
    recipe, row = RECIPES[name], publishing.last_row(f"decoder_{name}")
    last = ", ".join(f"{loss} {row[loss]}" for loss in ("pixels", "features", "judges") if loss in row)
    return {
        "Input": f"{decoder.layer} of `{decoder.network_name}` at 128x128 px, {tuple(decoder.shape)}. **Output** RGB "
                 "128x128 in [0,1].",
        "Data": "crops and mirror images of Imagenette's training photos (9,469) and of tabletop's training pictures "
                f"(3,000); {recipe.photos:.0%} of each batch are photos.",
        "Recipe": f"`data/recipes/networks/decoders.py`, seed {recipe.seed}, {recipe.steps:,} steps of {recipe.batch} "
                  f"pictures; Adam, rate {recipe.rate}, bfloat16; {losses(recipe)}. Last mean losses: {last} "
                  f"(`decoder_{name}.log`).",
        "Limits": LIMITS[bool(recipe.features)]}


def write(name, pictures, means, network):
    """Measure a decoder and write its card."""
    decoder = decoders.load(name)
    found = {kind: measure(decoder, network, images, means[kind]) for kind, images in pictures.items()}
    rows = [[f"{kind}: {what}", f"{a:.3f}", f"{b:.3f}", f"{share:.1%}"]
            for kind, errors in found.items() for what, (a, b, share) in errors.items()]
    figures = publishing.table(["held-out pictures (weights as stored, float32 arithmetic)", "error in pixels",
                                "error in code", "same category"], rows)
    about = publishing.described(decoders.Decoder, "networks/decoders", decoder)
    meaning = MEANING.format(photos=len(pictures["photos"]))
    publishing.write_card(f"decoder_{name}", about, [figures, meaning], notes(name, decoder), __file__)


if __name__ == "__main__":
    parser = publishing.parser(__doc__, imagenette=True)
    parser.add_argument("names", nargs="*", help="default: every decoder that is published")
    arguments = parser.parse_args()
    pictures, means = held_out(arguments.imagenette), mean_pictures(arguments.imagenette)
    for name in arguments.names or decoders.names():
        write(name, pictures, means, models.load(decoders.NETWORK))
