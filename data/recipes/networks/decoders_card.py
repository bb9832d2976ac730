"""Measure the bundled decoders and write a card for each: data/weights/decoder_NAME.md.

    python data/recipes/networks/decoders_card.py --imagenette DIR [NAME ...]

On held-out pictures: the first 300 of tabletop test, and every twelfth Imagenette validation photo (shorter side
resized to 128 px, central square). data/SHA256SUMS must be current.
"""

import argparse
import json
import sys
from pathlib import Path

import torch

from lecturekit import files
from lecturekit.pictures import datasets, pixels
from lecturekit.networks import decoders, hooks, models
from lecturekit.moving import objectives

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

from networks.decoders import DESCRIBED, DESCRIBER, RECIPES
from networks.train import ROOT, save_atomically
from pictures.photos import imagenette_arrays

WITNESS = "resnet_s"   # never used in training


def held_out(root):
    """{set: pictures (N,3,128,128) in [0,1]}."""
    return {"tabletop": datasets.tabletop("test")[:300].images, "photos": photos(root, "val")}


def photos(root, split):
    """Every twelfth Imagenette photo, (N,3,128,128) in [0,1]."""
    squares = [pixels.center_square(image[None].float() / 255) for image in imagenette_arrays(root, split)[0][::12]]
    return torch.cat([pixels.resize(square, decoders.SIDE) for square in squares]).clamp(0, 1)


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


LIMITS = {False: "A mean over all pictures that have these features: blurred, the more so the deeper the layer.",
          True: "Sharper than the mean of relu6, and further from the picture pixel by pixel; what it makes of codes "
                "that no picture has is up to it."}


def card(name, decoder, figures):
    """The card as Markdown: architecture, figures, data, recipe, limits, sha256."""
    path, recipe = ROOT / "data/weights" / f"decoder_{name}.safetensors", RECIPES[name]
    rows = "\n".join(f"| {kind}: {what} | {a:.3f} | {b:.3f} | {share:.1%} |"
                     for kind, table in figures.items() for what, (a, b, share) in table.items())
    count = sum(value.numel() for value in models.stored(decoder).values())
    last = json.loads(path.with_suffix(".log").read_text().splitlines()[-1])
    lowered = ", ".join(f"{key} {value}" for key, value in last.items() if key != "step")
    return f"""# decoder_{name}

{decoders.Decoder.__doc__.strip().replace("    ", "")} Definition: `lecturekit/networks/decoders.py`.
From {decoder.layer} of `{decoder.network_name}`, {tuple(decoder.shape)}; {count:,} stored numbers, half precision.

| held-out pictures (weights as stored, float32 arithmetic) | error in pixels | error in code | same category |
|---|---|---|---|
{rows}

Errors are normalised, |y - x|^2 / |x|^2 for pixels and for codes, and averaged over pictures: 300 of tabletop test,
{len(range(0, 3925, 12))} Imagenette validation photos. "Same category": the share of pictures made that `{WITNESS}`,
which had no part in the training, puts where it puts the original.

- **Input** {decoder.layer} of `{decoder.network_name}` at 128x128 px. **Output** RGB 128x128 in [0,1].
- **Data** crops and mirror images of Imagenette's training photos (9,469) and of tabletop's training pictures (3,000),
  three of the latter for each of the former.
- **Recipe** `data/recipes/networks/decoders.py`, seed {recipe.seed}, {recipe.steps:,} steps of {recipe.batch} pictures; Adam,
  rate {recipe.rate}, bfloat16; {losses(recipe)}.
  Last mean losses: {lowered} (`decoder_{name}.log`).
- **Limits** {LIMITS[bool(recipe.features)]}
- **sha256** `{files.sha256(path)}`

Written by `data/recipes/networks/decoders_card.py`.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="default: every decoder whose weights are there")
    parser.add_argument("--imagenette", type=Path, required=True, help="the folder that holds train/ and val/")
    arguments = parser.parse_args()
    there = [name for name in decoders.names() if (ROOT / "data/weights" / f"decoder_{name}.safetensors").exists()]
    pictures, means = held_out(arguments.imagenette), mean_pictures(arguments.imagenette)
    network = models.load(decoders.NETWORK)
    for name in arguments.names or there:
        decoder = decoders.load(name)
        figures = {kind: measure(decoder, network, images, means[kind]) for kind, images in pictures.items()}
        text = card(name, decoder, figures)
        save_atomically(lambda path: path.write_text(text), ROOT / "data/weights" / f"decoder_{name}.md")


if __name__ == "__main__":
    main()
