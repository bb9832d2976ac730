"""Look inside a network while it runs. Everything here is a context manager or undoes itself, also on an exception.

One rule for a layer that runs more than once, such as a ReLU that a block reuses: its last output counts, here and
wherever a layer is named in this package. A layer's output is one tensor; where maps (N,C,h,w) are needed, `reshape`
makes them of what other networks give (`layout`).
"""

from collections import Counter
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from torch import nn

from lecturekit import validate
from lecturekit.networks import running
from lecturekit.networks.running import entered, preserved

__all__ = ["entered", "features", "forward_to", "preserved", "reached", "record", "unreached"]
_CALLS = WeakKeyDictionary()   # network -> {(layers, shape of an image): how often a pass calls each of them}


@contextmanager
def record(model, names, cut=False):
    """Collect the outputs of layers during forward passes, in whatever mode the network is.

        with record(model, ["layer1", "layer4"]) as activations:
            model(images)
        activations["layer4"]   # (N,C,H,W), still connected to the graph

    A name may be a string or a list; a layer that runs more than once keeps its last output. The network goes on with
    a clone, so that an in-place layer cannot overwrite what was recorded, and gradients can be taken there. With `cut` the
    outputs are where the graph begins.
    """
    activations = {}
    with _watching(model, [names] if isinstance(names, str) else list(names), activations, cut=cut):
        yield activations


@contextmanager
def _watching(model, names, activations, ended=lambda name: False, cut=False):
    """Put each layer's output into `activations`; the pass ends at a layer for which `ended` (its name) is true."""
    if isinstance(model, nn.DataParallel) and names and len(model.device_ids) > 1:
        raise ValueError(f"model: got DataParallel over {len(model.device_ids)} devices. It takes its .module where "
                         "layers are looked at.")

    def keep(name):
        def hook(module, inputs, output):
            if not isinstance(output, torch.Tensor):
                raise ValueError(f"layer: got {name!r}, which gives a {type(output).__name__}. It takes a layer that "
                                 "gives one tensor.")
            activations[name] = output = output.detach().requires_grad_() if cut else output
            if ended(name):
                raise _Stop
            return output.clone()
        return hook

    handles, shortcut = [], torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)   # past the layers inside of a transformer's
        for name in names:
            handles.append(running.watchable(validate.layer(model, name)).register_forward_hook(keep(name)))
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(shortcut)
        for handle in handles:
            handle.remove()


class _Stop(Exception):
    """Ends a forward pass at a layer."""


def _as_it_is(output, name):
    return output


def reached(model, images, names, form=_as_it_is):
    """{name: last output} of layers for images (N,C,H,W), connected to the graph, the network in its present mode. What
    comes after the last of them is not computed once a pass has told how often each of them runs. `form`: as in
    `features`."""
    found = running.laid_out(model, images, lambda shown: _run_to(model, shown, names))
    return {name: form(found[name][:len(images)], name) for name in names}


def _run_to(model, images, names):
    known = _CALLS.setdefault(model, {})
    key, calls, found = (*names, images.shape[1:], model.training), Counter(), {}

    def ended(name):
        calls[name] += 1
        return calls == known.get(key)

    try:
        with _watching(model, names, found, ended):
            model(images)
        known[key] = calls
    except _Stop:
        pass
    except Exception:
        if set(found) < set(names) or not images.is_contiguous():
            raise   # else it came behind these layers: images of another size, say
    if set(found) < set(names):
        raise unreached(sorted(set(names) - set(found)))
    return found


def unreached(names):
    """The error for layers that gave no output."""
    return ValueError(f"layer: got {', '.join(map(repr, names))}, which the forward pass never reaches.")


def forward_to(model, images, name):
    """The output of the layer `name` for images (N,C,H,W), in eval mode, connected to the graph; the layers behind it
    are not computed. A layer that runs more than once counts with its last output."""
    with entered(model):
        return reached(model, images, [name])[name]


@torch.no_grad()
def features(model, images, layers, reduce=lambda output: output, batch=64, form=_as_it_is):
    """The output of a layer for images (N,C,H,W) in eval mode, computed in batches, without gradients.

    `layers` is a name, or a list of names: then {name: output} from one pass. `reduce` is applied to the outputs of
    each batch, so that what is not needed is never held; `form` (output, name of the layer) checks and reshapes them first
    (`layout.maps`). A layer that runs more than once counts with its last output.
    """
    names = [layers] if isinstance(layers, str) else list(layers)
    with entered(model):
        parts = [{name: reduce(output) for name, output in reached(model, chunk, names, form).items()}
                 for chunk in running.chunks(images, batch)]
    found = {name: torch.cat([part[name] for part in parts]) for name in names}
    return found[layers] if isinstance(layers, str) else found
