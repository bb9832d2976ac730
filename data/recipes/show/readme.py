"""Draw the pictures of the README: data/pictures/.

    python data/recipes/show/readme.py
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt   # noqa: E402
import torch   # noqa: E402

from lecturekit import attribution, files   # noqa: E402
from lecturekit.pictures import datasets, pixels
from lecturekit.networks import models
from lecturekit.show import plots
from lecturekit.attribution import localisation
from lecturekit.moving import style_nets

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import publishing   # noqa: E402


def save(name):
    folder = files.root() / "pictures"
    folder.mkdir(exist_ok=True)
    plt.gcf().savefig(folder / name, dpi=84)
    plt.close("all")


def occlusion(count=8):
    """Test pictures, where hiding a square lowers the score, and the same on random weights."""
    data, model = datasets.tabletop("test")[30:30 + count], models.load("resnet_s")
    target = data.labels + len(models.IMAGENETTE)
    rows = [attribution.occlusion(network, data.images, target, 20, 10)
            for network in (model, models.randomised(model))]
    shares = [localisation.energy_inside(maps, data.masks).mean() for maps in rows]
    figure, axes = plots.grid(3 * count, count, 1.5)
    for i in range(count):
        axes[i].imshow(data.images[i].permute(1, 2, 0))
        axes[i].set_title(data.categories[data.labels[i]].replace(" ", "\n"))
        for row, maps in enumerate(rows, 1):
            ax, highest = axes[row * count + i], maps[i].abs().max()
            ax.imshow(data.images[i].mean(0), cmap="gray", vmin=0, vmax=1)
            ax.imshow(maps[i], cmap=plots.DIVERGING, vmin=-highest, vmax=highest, alpha=0.65)
    for row, (name, share) in enumerate(zip(("trained", "random weights"), shares), 1):
        axes[row * count].set_ylabel(f"{name}\n{share:.0%} inside")
    save("occlusion.png")


def two_objects(scene=0):
    """Asked for either object of a scene: the maps of three methods, and the share of each method's maps on the object
    that was asked for, over all scenes."""
    data, model = datasets.tabletop("two_objects"), models.load("resnet_s")
    images, masks, target = datasets.for_model(data, model)
    methods = {
        "saliency": attribution.saliency,
        "guided\nbackpropagation": lambda *of: attribution.saliency(*of, rule="guided"),
        "Grad-CAM": lambda *of: attribution.enlarge(attribution.grad_cam(*of, "layer3"), images).clamp(min=0)}
    figure, axes = plots.grid(8, 4, 2.0)
    for k, name in enumerate(model.categories[index] for index in target[scene]):
        axes[4 * k].imshow(images[scene].permute(1, 2, 0))
        axes[4 * k].set_ylabel(f"why a {name}?")
    for column, (name, method) in enumerate(methods.items(), 1):
        maps = [method(model, images, target[:, k]) for k in (0, 1)]
        shares = [localisation.discrimination(maps[k], masks[:, k], masks[:, 1 - k]) for k in (0, 1)]
        axes[column].set_title(f"{name}\n{torch.cat(shares).mean():.0%} on its own object")
        for k in (0, 1):
            axes[4 * k + column].imshow(maps[k][scene], vmax=maps[k][scene].quantile(0.995))
    save("two_objects.png")


def filters():
    """The 64 first-layer filters of the AlexNet-like network."""
    plots.filters(models.load("alexnet_s").conv1.weight, columns=32, size=0.4)
    save("filters_alexnet_s.png")


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
    occlusion()
    two_objects()
    filters()
    style()
