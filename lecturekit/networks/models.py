"""The model zoo: the bundled networks and torchvision's classifiers, by one call.

Every model takes images (N,3,H,W) in [0,1], gives logits (N,classes), is frozen and in eval mode, and carries
`.name`, `.categories` (list of str) and `.image_size` (the side, in px, of the images that it was evaluated on).
"""

import importlib.util
import os
import warnings
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from lecturekit import devices, files, validate
from lecturekit.pictures.categories import IMAGENETTE, TABLETOP, category_index
from lecturekit.networks import running
from lecturekit.networks.nets import ARCHITECTURES, IMAGENET, Normalize
from lecturekit.networks.randomising import randomised

BUNDLED = "resnet_s"   # what the lessons look at, unless LECTUREKIT_MODEL names another network


def names():
    """Every name that `load` takes, the bundled networks first."""
    import torchvision   # slow to import: only where one of its networks is asked for
    return list(dict.fromkeys([*ARCHITECTURES, *torchvision.models.list_models(torchvision.models)]))


def _known(name):
    return name if name in ARCHITECTURES else validate.one_of("name", name, names())


def default(fits=lambda model: True):
    """The network that a lesson looks at: the one that LECTUREKIT_MODEL names, else the bundled `resnet_s`.

    `fits(model)` says whether a lesson can look at a network; where it cannot, a warning says so, and `resnet_s` takes
    its place.
    """
    name = os.environ.get("LECTUREKIT_MODEL") or BUNDLED
    model = load(name)
    if name == BUNDLED or fits(model):
        return model
    warnings.warn(f"This lesson cannot look at {name} (README.md says why): {BUNDLED} takes its place.", stacklevel=2)
    return load(BUNDLED)


def load(name, weights="trained", device=None, seed=0):
    """The network `name` (see `names()`), with its trained or, drawn from `seed`, random weights.

    It lies on `device`, by default on the one that LECTUREKIT_DEVICE names, else on the processor.
    A bundled name gives the bundled network, also where torchvision has one of that name (`squeezenet1_1`).

    Raises ValueError for an unknown name and for weights that are not the published ones, FileNotFoundError for
    weights that are missing, with what to do about it.
    """
    _known(name)
    validate.one_of("weights", weights, ("trained", "random"))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _bundled(name, weights) if name in ARCHITECTURES else _torchvision(name, weights)
    model.name = name
    return model.to(devices.chosen(device)).eval().requires_grad_(False)


def _bundled(name, weights):
    model = ARCHITECTURES[name]()
    if weights == "trained":
        path = files.verified(f"weights/{name}.safetensors")
        try:
            state = {key: value.float() for key, value in load_file(path).items()}
        except SafetensorError as error:
            raise ValueError(f"{path.name} cannot be read ({error}). `git checkout -- data` restores it.") from None
        missing = model.load_state_dict(state, strict=False)
        _require_complete(name, missing)
    model.categories, model.image_size = (_imagenet(), 224) if name in IMAGENET else ([*IMAGENETTE, *TABLETOP], 128)
    return model


def _imagenet():
    """The names of ImageNet's 1,000 categories, as torchvision spells them."""
    file = Path(importlib.util.find_spec("torchvision").origin).with_name("models") / "_meta.py"   # names, no imports
    spec = importlib.util.spec_from_file_location("imagenet_names", file)
    listed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(listed)
    return list(listed._IMAGENET_CATEGORIES)


def _require_complete(name, keys):
    lost = [key for key in keys.missing_keys if not key.endswith("num_batches_tracked")] + keys.unexpected_keys
    if lost:
        raise ValueError(f"The weights of {name} do not fit its architecture: {', '.join(lost[:5])}.")


def _torchvision(name, weights):
    import torchvision
    published = next(iter(torchvision.models.get_model_weights(name)))   # the first ones: IMAGENET1K_V1
    network = _published(name, published) if weights == "trained" else torchvision.models.get_model(name)
    model = nn.Sequential(OrderedDict(normalize=Normalize(), network=network))
    model.categories = list(published.meta["categories"])
    model.image_size = getattr(published.transforms(), "crop_size", [224])[0]
    return model


def local(name):
    """Whether `load(name)` needs no network: a bundled network, or weights that torch.hub has in its cache."""
    if _known(name) in ARCHITECTURES:
        return True
    import torchvision
    return _hub_file(next(iter(torchvision.models.get_model_weights(name)))).is_file()


def _hub_file(weights):
    return Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[-1]


def _published(name, weights):
    """torchvision's network with its weights, downloaded with a progress bar and cached by torch.hub."""
    import torchvision
    target = _hub_file(weights)
    instead = f"or use a bundled network: {', '.join(ARCHITECTURES)}."
    digest = target.stem.rpartition("-")[2]   # of the published file, as its name has it
    if target.is_file() and not files.sha256(target).startswith(digest):
        raise ValueError(f"The weights of {name} at {target} are not the published ones: their sha256 does not begin with "
                         f"{digest}. Delete the file and load them again, {instead}")
    try:
        return torchvision.models.get_model(name, weights=weights)
    except OSError as error:
        raise FileNotFoundError(
            f"The weights of {name} could not be downloaded ({error}). With no network, download {weights.url} "
            f"elsewhere and put the file at {target}, {instead}") from None
    except Exception as error:
        raise ValueError(f"The weights of {name} at {target} cannot be read ({error}). Delete the file and load "
                         f"them again, {instead}") from None


def body(name, layer):
    """The first layers of a bundled network, up to `layer`, one of its children: an `nn.Sequential`, frozen."""
    layers = list(load(name, device="cpu").named_children())
    last = [child for child, _ in layers].index(layer)
    return nn.Sequential(OrderedDict(layers[:last + 1]))


def stored(module):
    """{name: tensor} of what is published of a network: all but a frozen `body` and batch norm's counters."""
    return {name: value for name, value in module.state_dict().items()
            if not name.startswith("body.") and not name.endswith("num_batches_tracked")}


def restored(build, name, device=None):
    """The network that `build()` makes with the published weights/NAME.safetensors, frozen and in eval mode.

    Raises ValueError for weights that are not the published ones, FileNotFoundError for missing ones.
    """
    with torch.random.fork_rng():
        module = build()
    state = load_file(files.verified(f"weights/{name}.safetensors"))
    if state.keys() != stored(module).keys():
        raise ValueError(f"The weights of {name} do not fit its architecture: {', '.join(state)}.")
    module.load_state_dict({key: value.float() for key, value in state.items()}, strict=False)
    return module.to(devices.chosen(device)).eval().requires_grad_(False)


def predict(model, images, batch=64):
    """Class probabilities (N,classes) of images (N,C,H,W) in [0,1], from a model that gives logits, in eval mode."""
    return running.probabilities(model, validate.images(images), batch)


def conv_layers(model):
    """The names of the convolutions, first to last."""
    return list(running.convolutions(model))


def landmarks(model, size=None):
    """Layer names to sample a network by depth: the last layer at each resolution, then each linear layer. `size` is the
    side of the image that is run, in px, by default the model's own."""
    shapes = _output_shapes(model, size)
    by_resolution = {}
    for name, shape in shapes.items():
        if len(shape) == 4 and not isinstance(model.get_submodule(name), Normalize):
            by_resolution[shape[-2:]] = name
    linear = [name for name, shape in shapes.items()
              if len(shape) == 2 and isinstance(model.get_submodule(name), nn.Linear)]
    return list(by_resolution.values()) + linear


@torch.no_grad()
def _output_shapes(model, size):
    """{layer: shape of its output}, in the order in which a forward pass completes the layers."""
    shapes = {}

    def keep(name):
        def hook(module, inputs, output):
            if isinstance(output, torch.Tensor):
                shapes[name] = tuple(output.shape)
        return hook

    with running.entered(model):
        for name, module in running.layers(model):
            if name not in ("", "network"):
                module.register_forward_hook(keep(name))
        running.plainly(model, running.blank(model, size))
    return shapes
