"""Draw the pictures of the README that are not in the gallery: data/pictures/.

    python data/recipes/show/readme.py
"""

import io
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt   # noqa: E402
import torch   # noqa: E402
from PIL import Image   # noqa: E402

from lecturekit import attribution, files   # noqa: E402
from lecturekit.pictures import datasets, pixels
from lecturekit.networks import models
from lecturekit.show import plots
from lecturekit.moving import style_nets

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import publishing   # noqa: E402


def sliding(index=31, window=32, stride=16):
    """A square that wanders over a picture, what the network then says, and the map that grows: a moving picture."""
    data, model = datasets.tabletop("test")[index], models.load("resnet_s")
    image, name = data.images, data.categories[data.labels[0]]
    target = models.category_index(model, name)
    places = [(y, x) for y in attribution.spans(image.shape[2], window, stride)
              for x in attribution.spans(image.shape[3], window, stride)]
    hidden = torch.cat([covered(image, *place) for place in places])
    with torch.no_grad():
        whole, scores = model(image)[0, target], model(hidden)[:, target]
    total, count, frames = torch.zeros(image.shape[2:]), torch.zeros(image.shape[2:]), []
    scale = (whole - scores).abs().max()
    for (y, x), picture, score, chance in zip(places, hidden, scores, models.predict(model, hidden)[:, target]):
        total[slice(*y), slice(*x)] += whole - score
        count[slice(*y), slice(*x)] += 1
        frames.append(frame(picture, image[0], total / count, scale, f"{name}: {chance:.0%}"))
    frames[0].save(files.root() / "pictures/sliding.gif", save_all=True, append_images=frames[1:] + [frames[-1]] * 12,
                   duration=110, loop=0, optimize=True)


def covered(image, y, x):
    image = image.clone()
    image[..., slice(*y), slice(*x)] = 0.5
    return image


def frame(picture, image, grown, scale, title):
    """One frame: the covered picture with what the network says, and the map so far over the picture in grey."""
    figure, axes = plots.grid(2, 2, 2.6)
    axes[0].imshow(picture.permute(1, 2, 0))
    axes[0].set_title(title)
    axes[1].imshow(image.mean(0), cmap="gray", vmin=0, vmax=1)
    axes[1].imshow(grown, cmap=plots.DIVERGING, vmin=-scale, vmax=scale, alpha=0.65)
    axes[1].set_title("what it hangs on")
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=84)
    plt.close(figure)
    return Image.open(drawn).convert("RGB").quantize(64, dither=Image.Dither.NONE)


def style(side=200):
    """Two photos, each in the three styles of the bundled network."""
    photos = torch.cat([datasets.photo(name, side) for name in ("chelsea", "china")])
    painter = style_nets.load()
    shown = [photos, *(painter(photos, style) for style in style_nets.STYLES)]
    row = torch.cat([images[k] for k in (0, 1) for images in shown], 2)   # (3,side,8*side)
    pixels.to_pil(row[None]).save(files.root() / "pictures/style.jpg", quality=88)


if __name__ == "__main__":
    publishing.parser(__doc__).parse_args()
    torch.manual_seed(0)
    style()
    sliding()
