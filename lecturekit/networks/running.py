"""Run a network as every function of this package does, whoever wrote it: in eval mode, as it is written (not compiled),
in the memory layout that is faster, its outputs checked, and everything put back, also on an exception."""

from contextlib import ExitStack, contextmanager, suppress
from weakref import WeakSet

import torch
from torch import nn

from lecturekit import validate

BATCH = 32                # images in one pass
LOGITS = "It takes a model that gives logits (N,classes)"
_CONTIGUOUS = WeakSet()   # networks that refuse images in channels-last memory, such as by .view on their maps


@contextmanager
def entered(*models, gradients=False):
    """Within the block the networks are in eval mode and run as they are written, also where they were compiled; behind
    it all that `preserved` names is as it was. Functions are left alone.

    With `gradients`, the images' can be taken, also where the caller stands under no_grad or inference_mode, and none
    for the weights.
    """
    networks = [model for model in dict.fromkeys(models) if isinstance(_checked(model, gradients), nn.Module)]
    with ExitStack() as stack:
        if gradients:
            stack.enter_context(differentiable())
        for network in networks:
            stack.enter_context(preserved(network, gradients))
            for module in network.modules():
                _switch(module, False)
            for parameter in network.parameters() if gradients else ():
                parameter.requires_grad_(False)
        if any(map(_compiled, networks)):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


def _checked(model, gradients):
    if not callable(model):
        raise TypeError(f"model: got {type(model).__name__}. It takes a torch.nn.Module, such as models.load gives.")
    if gradients and isinstance(model, nn.Module) and any(parameter.is_inference() for parameter in model.parameters()):
        raise ValueError("model: got weights that were made under torch.inference_mode, which forbids gradients. It takes "
                         "a model that was made outside of it.")
    return model


def _compiled(network):
    return any("_orig_mod" in module._modules or getattr(module, "_compiled_call_impl", None) is not None
               for module in network.modules())


@contextmanager
def preserved(model, weights=True):
    """Restore every module's mode and hooks and, with `weights`, every parameter's `requires_grad` and `.grad`, when the
    block ends."""
    modes = {module: module.training for module in model.modules()}
    hooks = {id(table): set(table) for module in modes for table in _hook_tables(module) if table}
    parameters = {p: (p.requires_grad, p.grad) for p in (model.parameters() if weights else ())}
    try:
        for parameter in parameters:
            parameter.grad = None   # what a backward pass adds must not be added to the gradient that was there
        yield model
    finally:
        for module, mode in modes.items():
            _switch(module, mode)
            for table in filter(None, _hook_tables(module)):
                for key in set(table) - hooks.get(id(table), set()):
                    del table[key]
        for parameter, (required, gradient) in parameters.items():
            parameter.requires_grad_(required)
            parameter.grad = gradient


def _switch(module, training):
    if module.training != training:
        module.training = training


def _hook_tables(module):
    return module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks


@contextmanager
def differentiable():
    """Within the block gradients can be taken, also where the caller stands under no_grad or inference_mode."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def chunks(images, batch):
    """Images (N,C,H,W) in batches, one of them where there are none, in the memory layout that is faster on a CPU."""
    validate.positive("batch", batch, whole=True), validate.floats(images)
    faster = {"memory_format": torch.channels_last} if images.ndim == 4 else {}
    return [chunk.contiguous(**faster) for chunk in (images.split(batch) if len(images) else [images])]


def laid_out(model, images, run):
    """run(images) as they lie in memory; where that fails, as .view on channels-last maps does, contiguous. No image at
    all is run as a blank one."""
    shown = validate.floats(images) if len(images) else torch.cat([images, images.new_zeros(1, *images.shape[1:])])
    fast = not shown.is_contiguous() and model not in _CONTIGUOUS
    if fast:
        with suppress(Exception):
            return run(shown)
    found = plainly(model, shown.contiguous(), run)
    if fast:
        _CONTIGUOUS.add(model)
    return found


def plainly(model, images, run=None):
    """The network, or `run`, on the images as they lie in memory; where it fails, with the reason if it can be told."""
    try:
        return (model if run is None else run)(images)   # a container may be false
    except RuntimeError as error:
        reason = _misfit(model, images, str(error))
        if reason is None:
            raise
        raise ValueError(reason) from error


def _misfit(model, images, message):
    """Why the network does not take the images, where that can be told, else None."""
    weights = [p for p in model.parameters() if p.is_floating_point()] if isinstance(model, nn.Module) else []
    if not weights:
        return None
    if weights[0].is_meta:
        return ("model: got weights on the device 'meta', which have shapes but no values. It takes a model with "
                "weights, such as models.load gives.")
    wanted, got = ({(tensor.dtype, tensor.device) for tensor in tensors} for tensors in (weights, [images]))
    if len(wanted) == 1 and wanted != got:
        (dtype, device), = wanted
        return (f"images: got {images.dtype} on {images.device}, and the model's weights are {dtype} on {device}. "
                f"It takes images.to({str(device)!r}, {dtype}).")
    channels = input_channels(model)
    if channels not in (None, images.shape[1]) and "channels" in message:
        return f"images: got {images.shape[1]} channels. The model's first convolution takes {channels}."
    return None


def layers(model):
    """[(name, module)] of all layers of a network, the network itself first, to be watched while it runs."""
    return [(name, watchable(module)) for name, module in model.named_modules()]


def watchable(module):
    """The module; ValueError for a part of a scripted or traced network."""
    if isinstance(module, torch.jit.ScriptModule):
        raise ValueError("model: got a scripted or traced network, whose layers cannot be seen while it runs. It takes "
                         "the torch.nn.Module that it was made from.")
    return module


def convolutions(model):
    """{name: convolution} of a network, first to last."""
    return {name: module for name, module in model.named_modules()
            if isinstance(module, nn.Conv2d) or getattr(module, "original_name", "") == "Conv2d"}


def input_channels(model):
    """How many channels the first convolution of a network takes; None where there is none."""
    return next((module.weight.shape[1] * module.groups for module in convolutions(model).values()), None)


def outputs(model, images):
    """What a network gives for images (N,C,H,W), in one pass, still connected to the graph. The caller has `entered`."""
    found = laid_out(model, images, model)
    return found[:len(images)] if isinstance(found, torch.Tensor) else found


def scores(model, images):
    """The logits (N,classes) of images in one pass, connected to the graph, at least in single precision. The caller has
    `entered`. Raises ValueError for any other output: a tuple, a dict, (N,), maps, probabilities."""
    found = outputs(model, images)
    if not isinstance(found, torch.Tensor):
        raise ValueError(f"model: got outputs that are a {type(found).__name__}. {LOGITS}; a module around it whose "
                         "forward returns them alone is one.")
    if found.ndim != 2 or len(found) != len(images) or not found.is_floating_point():
        raise ValueError(f"model: got outputs of {found.dtype}, shape {tuple(found.shape)}, for {len(images)} images. "
                         f"{LOGITS}.")
    if _probabilities(found):
        if _probabilities(outputs(model, _noise(images))):
            raise ValueError("model: got outputs that are probabilities (none negative, their sum 1). "
                             f"{LOGITS}: leave its last softmax out, or give the logarithm of what it gives.")
        found = outputs(model, images)   # what hooks recorded was the noise
    return found.float() if found.dtype in (torch.float16, torch.bfloat16) else found


@torch.no_grad()
def _probabilities(outputs):
    """Whether rows look like probabilities. Logits may do so once by chance."""
    if outputs.shape[1] < 2 or not len(outputs) or outputs.is_meta:
        return False
    near = max(1e-4, 8 * torch.finfo(outputs.dtype).eps)
    return bool(outputs.min() >= 0) and bool((outputs.sum(1) - 1).abs().max() < near)


def _noise(images):
    return torch.rand(4, *images.shape[1:], generator=torch.Generator().manual_seed(0)).to(images)


@torch.no_grad()
def logits(model, images, batch=BATCH):
    """The logits (N,classes) of images (N,C,H,W) in eval mode, in batches, without gradients."""
    with entered(model):
        return torch.cat([scores(model, chunk) for chunk in chunks(images, batch)])


def probabilities(model, images, batch=BATCH):
    """The class probabilities (N,classes) of images (N,C,H,W), from a model that gives logits of two classes or more."""
    found = logits(model, images, batch)
    if found.shape[1] < 2:
        raise ValueError(f"model: got logits of {found.shape[1]} class. It takes a model of two classes or more.")
    return found.softmax(1)


def blank(model, size=None):
    """A black image (1,C,size,size) as the network takes it: of its channels, dtype and device; by default of its own
    `image_size`, or 224 px. Raises ValueError for a network without a convolution, which has no channels."""
    channels = input_channels(model)
    if channels is None:
        raise ValueError(f"model: got {type(model).__name__} without a Conv2d. It takes a convolutional network.")
    side = validate.described(model, "image_size", 224) if size is None else validate.positive("size", size, whole=True)
    return like(model, torch.zeros(1, channels, side, side))


def like(model, images):
    """Images of the dtype and on the device of the network's weights."""
    weight = next((weight for weight in model.parameters() if weight.is_floating_point()), images)
    return images.to(weight)
