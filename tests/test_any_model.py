"""Any network: each public function that takes one, on each row of the table of foreign networks (`foreign.MODELS`).

It gives what it gives for the same network written plainly and in eval mode, or one clear error; and the network is left
as it was. A new function is a row of `calls.CALLS`, a new kind of network one of `foreign.MODELS`.
"""

import dataclasses
import functools
import importlib
import inspect
import pkgutil

import pytest
import torch
from torch import nn

import lecturekit
from calls import CALLS, NETWORKS, OUTSIDE, Case
from foreign import MODELS, SIDE

WINGS = ("networks", "pictures", "representation", "attribution", "moving", "robustness")
TOLERANCE = {torch.float32: {"rtol": 1e-3, "atol": 1e-5}, torch.float64: {"rtol": 1e-6, "atol": 1e-8},
             torch.bfloat16: {"rtol": 2e-2, "atol": 1e-2}}


def pictures(channels, dtype):
    images = torch.rand(2, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    images[1] = images[1].round()   # not much like the first
    return images.to(dtype)


def flat(result):
    """The tensors in a result, whatever holds them."""
    if dataclasses.is_dataclass(result):
        result = vars(result)
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, (list, tuple)):
        return [tensor for part in result for tensor in flat(part)]
    if result is None or isinstance(result, str):
        return []
    return [torch.as_tensor(result).detach().double()]


@functools.lru_cache(maxsize=None)
def plainly(name, make, layer, reshape, channels, dtype):
    """What a call gives for a network written plainly: many rows have the same one."""
    return flat(CALLS[name][0](Case(make().eval().to(dtype), pictures(channels, dtype), layer, reshape)))


def state(model):
    """All that a call must leave alone: modes, hooks, weights and statistics, gradients."""
    return ([module.training for module in model.modules()], [len(module._forward_hooks) for module in model.modules()],
            [len(module._forward_pre_hooks) for module in model.modules()],
            [(parameter.requires_grad, None if parameter.grad is None else parameter.grad.double().sum().item())
             for parameter in model.parameters()],
            [value.double().sum().item() for value in model.state_dict().values() if not value.is_meta])


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", MODELS)
def test_every_function_on_every_network(kind, name):
    row, (call, needs) = MODELS[kind], CALLS[name]
    model = row.make()
    before, errors = state(model), [row.refuses[need] for need in needs if need in row.refuses]
    with row.within():
        given = Case(model, pictures(row.channels, row.dtype), row.layer, row.reshape)
        if errors:
            with pytest.raises((ValueError, TypeError), match="|".join(errors)):
                call(given)
        else:
            found, expected = flat(call(given)), plainly(name, row.plain, row.plain_layer, row.reshape, row.channels, row.dtype)
            assert len(found) == len(expected)
            for one, other in zip(found, expected) if not set(needs) & set(row.differs) else ():
                torch.testing.assert_close(one, other, **TOLERANCE[row.dtype])
    assert state(model) == before


def public():
    """{dotted name: parameters} of the public functions and classes of the wings, below lecturekit."""
    found = {}
    for wing in WINGS:
        for info in pkgutil.iter_modules(importlib.import_module(f"lecturekit.{wing}").__path__):
            module = importlib.import_module(f"lecturekit.{wing}.{info.name}")
            for name, value in vars(module).items():
                if callable(value) and not name.startswith("_") and getattr(value, "__module__", "") == module.__name__:
                    found[f"{wing}.{info.name}.{name}"] = set(inspect.signature(value).parameters)
    return found


def test_every_public_function_that_takes_a_network_is_in_the_table():
    takes = {name for name, parameters in public().items() if parameters & NETWORKS}
    table = {name.partition(",")[0] for name in CALLS}
    assert takes - table - set(OUTSIDE) == set()
    assert (table | set(OUTSIDE)) - set(public()) == set()
