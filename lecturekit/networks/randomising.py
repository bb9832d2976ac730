"""The random twin of a network: the same architecture, knowing nothing. What a claim about learning is held against."""

import copy

import torch

from lecturekit import validate


@torch.inference_mode(False)
@torch.no_grad()
def randomised(model, seed=0, layers=None):
    """A copy of `model` with every weight drawn anew, as at the start of training.

    `layers`: only those in these layers, by dotted name (one or a list); a container stands for all that it holds, and a
    parameter may be named as well. A module draws its own weights (`reset_parameters`); what none draws, such as a class
    token, comes from a normal distribution with its mean and deviation. Constant weights know nothing and stay.
    """
    model = copy.deepcopy(model)
    modules, chosen = _chosen(model, [layers] if isinstance(layers, str) else layers)
    before = {parameter: parameter.clone() for parameter in chosen}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        drawn = {parameter for module in modules if _reset(module) for parameter in module.parameters(recurse=False)}
        for parameter in chosen:
            if not parameter.is_meta and torch.equal(parameter, before[parameter]):
                _redraw(parameter, parameter in drawn)
    return model


def _chosen(model, names):
    """The modules and the parameters of floating point that the names stand for, in the model's order."""
    known, parameters = dict(model.named_modules()), dict(model.named_parameters())
    for name in names or ():
        validate.one_of("layers", name, {**known, **parameters}.keys() - {""})
    whole = [""] if names is None else names
    modules = {module for name in whole if name in known for module in known[name].modules()}
    own = {parameters[name] for name in whole if name in parameters}
    own |= {parameter for module in modules for parameter in module.parameters(recurse=False)}
    return ([module for module in known.values() if module in modules],
            [parameter for parameter in parameters.values() if parameter in own and parameter.is_floating_point()])


def _reset(module):
    """Whether the module could draw its own weights."""
    reset = getattr(module, "reset_parameters", getattr(module, "_reset_parameters", None))
    if reset is not None:
        reset()
    return reset is not None


def _redraw(parameter, constant):
    """A parameter from a normal distribution of its mean and deviation; a single number, unless it is one by its module's
    own will (`constant`), from one as wide as it is large."""
    single = parameter.numel() == 1
    spread = parameter.float().abs().mean() * (not constant) if single else parameter.float().std(correction=0)
    if parameter.numel() and spread > 0:
        parameter.copy_(parameter.float().mean() + spread * torch.randn(parameter.shape).to(parameter.device))
