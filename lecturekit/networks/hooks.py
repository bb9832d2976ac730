"""Look inside a network while it runs. Everything here is a context manager or undoes itself, also on an exception."""

from contextlib import contextmanager

import torch

from lecturekit import validate


@contextmanager
def record(model, names):
    """Collect the outputs of layers during forward passes.

        with record(model, ["layer1", "layer4"]) as activations:
            model(images)
        activations["layer4"]   # (N,C,H,W), still connected to the graph

    A name may be a string or a list; a layer that runs twice keeps its last output. The network goes on with a clone,
    so that an in-place layer cannot overwrite what was recorded, and gradients can be taken there.
    """
    names = [names] if isinstance(names, str) else list(names)
    activations, handles = {}, []

    def keep(name):
        def hook(module, inputs, output):
            if not isinstance(output, torch.Tensor):
                raise ValueError(f"layer: got {name!r}, which gives a {type(output).__name__}. It takes a layer that "
                                 "gives one tensor.")
            activations[name] = output
            return output.clone()
        return hook

    try:
        for name in names:
            handles.append(validate.layer(model, name).register_forward_hook(keep(name)))
        yield activations
    finally:
        for handle in handles:
            handle.remove()


class _Stop(Exception):
    """Ends a forward pass at a layer; carries the layer's output."""


def forward_to(model, images, name):
    """The output of the layer `name` for images (N,C,H,W); the layers behind it are not computed."""
    def stop(module, inputs, output):
        raise _Stop(output)

    handle = validate.layer(model, name).register_forward_hook(stop)
    try:
        model(images)
    except _Stop as reached:
        return reached.args[0]
    finally:
        handle.remove()
    raise ValueError(f"layer: got {name!r}, which the forward pass never reaches.")


@torch.no_grad()
def features(model, images, layers, reduce=lambda output: output, batch=64):
    """The output of a layer for images (N,C,H,W), computed in batches, without gradients.

    `layers` is a name, or a list of names: then {name: output} from one pass. `reduce` is applied to the outputs of
    each batch, so that what is not needed is never held.
    """
    validate.positive("batch", batch, whole=True)
    chunks = images.split(batch) if len(images) else [images]
    if isinstance(layers, str):
        return torch.cat([reduce(forward_to(model, chunk, layers)) for chunk in chunks])
    parts = [_outputs(model, chunk, layers, reduce) for chunk in chunks]
    return {name: torch.cat([part[name] for part in parts]) for name in layers}


def _outputs(model, images, layers, reduce):
    with record(model, layers) as outputs:
        model(images.to(memory_format=torch.channels_last))   # the faster layout on a CPU
    return {name: reduce(outputs[name]) for name in layers}


@contextmanager
def preserved(model):
    """Restore every module's mode and hooks, every parameter's `requires_grad` and `.grad`, when the block ends."""
    modes = {module: module.training for module in model.modules()}
    hooks = {module: [dict(table) for table in _hook_tables(module)] for module in modes}
    parameters = {p: (p.requires_grad, None if p.grad is None else p.grad.clone()) for p in model.parameters()}
    try:
        yield model
    finally:
        for module, mode in modes.items():
            module.training = mode
            for table, before in zip(_hook_tables(module), hooks[module]):
                for key in set(table) - set(before):
                    del table[key]
        for parameter, (required, gradient) in parameters.items():
            parameter.requires_grad_(required)
            parameter.grad = gradient


def _hook_tables(module):
    return module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks
