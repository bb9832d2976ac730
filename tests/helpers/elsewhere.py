"""A second device for tests on machines that have none: tensors that say they lie on another device, compute on the CPU,
and refuse to meet tensors of the CPU, as a GPU's do."""

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")   # a name that torch knows everywhere
MEETS = ("index", "index_put", "_index_put_impl", "copy", "_to_copy")   # these take indices or sources from the CPU


class Elsewhere(torch.Tensor):
    """A tensor on the second device; `inner` holds its values."""

    is_meta = False

    @staticmethod
    def __new__(cls, inner):
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, inner.stride(), inner.storage_offset(), dtype=inner.dtype, device=DEVICE)
        made.inner = inner
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class SecondDevice(TorchDispatchMode):
    """While it is active, tensors can be made on the second device as well."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def _run(func, args, kwargs):
    tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
    there = [x for x in tensors if isinstance(x, Elsewhere)]
    name, wanted = func.overloadpacket.__name__.rstrip("_"), kwargs.get("device")
    strangers = [x for x in tensors if not isinstance(x, Elsewhere) and x.ndim]
    if there and strangers and name not in MEETS:
        raise RuntimeError(f"{name}: tensors on {DEVICE} and on the CPU meet")
    wrapped = {id(x.inner): x for x in there}
    args, kwargs = tree_map(lambda x: x.inner if isinstance(x, Elsewhere) else x, (args, kwargs))
    if wanted is not None:
        kwargs["device"] = torch.device("cpu")
    result = func(*args, **kwargs)
    on_it = wanted == DEVICE if wanted is not None else bool(there) and (name != "copy" or isinstance(tensors[0], Elsewhere))
    return tree_map(lambda x: wrapped.get(id(x)) or Elsewhere(x) if isinstance(x, torch.Tensor) else x, result) \
        if on_it else result


def moved(model):
    """The network, with its weights on the second device."""
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(Elsewhere(parameter.detach()), parameter.requires_grad)
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else Elsewhere(buffer)
    return model
