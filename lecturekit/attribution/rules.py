"""What a ReLU passes back: the rule that turns the gradient above it into the signal below it.

A rule takes the ReLU's input and the signal from above, two tensors of one shape, and gives the signal to pass on
(Springenberg et al. 2015, figure 1).
"""

from contextlib import contextmanager, nullcontext

import torch
from torch.overrides import TorchFunctionMode

from lecturekit import validate
from lecturekit.networks import running


def _where_positive(inputs, above):
    return torch.ops.aten.threshold_backward(above, inputs, 0)   # above * (inputs > 0), in one pass


RULES = {
    "gradient": _where_positive,                                                          # backpropagation
    "deconvnet": lambda inputs, above: above.clamp(min=0),                                # Zeiler and Fergus 2014
    "guided": lambda inputs, above: _where_positive(inputs, above.clamp(min=0)),          # Springenberg et al. 2015
}
# Operations by name, without the underscore that marks those in place
CLAMPS = ("clamp", "clip", "clamp_min")
OTHERS = ("hardtanh", "relu6", "gelu", "silu", "leaky_relu", "elu", "selu", "celu", "hardswish", "mish", "prelu", "rrelu",
          "softplus", "threshold")
DISGUISES = ("clamp", "clip", "maximum", "fmax", "max", "where", "masked_fill", "setitem", "mul", "multiply")


def relu_rule(rule):
    """Within this context every ReLU of a forward pass will pass back what `rule` says: a name of RULES or a function.

    It acts on the operation, not on modules: functional, reused and in-place ReLUs obey as well, and no hook is set.
    Raises ValueError for a network with another rectifier (GELU, SiLU, ...), also for one that is written as a maximum
    with 0, a `where`, a product with a mask of what is positive, or a clamp at 0 and above; and for one with none.
    """
    if rule == "gradient":
        return nullcontext()
    return _obeying(rule if callable(rule) else RULES[validate.one_of("rule", rule, RULES)])


@torch.no_grad()
def obeyed(model):
    """Whether the rules apply to a network: it has ReLUs and no other rectifier."""
    images = validate.images(running.blank(model) + 0.5)
    try:
        with running.entered(model), relu_rule("guided"):
            running.outputs(model, images)
    except ValueError:
        return False
    return True


@contextmanager
def _obeying(rule):
    with _ReluMode(rule) as mode:
        yield
    if not mode.met:
        raise ValueError("rule: the network has no ReLU on the way that was asked for, so the rule changes nothing. "
                         "It takes 'gradient' there.")


class _ReluMode(TorchFunctionMode):
    def __init__(self, rule):
        super().__init__()
        self.rule, self.met = rule, 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        kind = name.strip("_")
        if kind in OTHERS:
            raise _other(kind)
        if not _rectifies(kind, *args[1:], **kwargs):
            return _undisguised(kind, func, args, kwargs) if kind in DISGUISES else func(*args, **kwargs)
        self.met += 1
        inputs = args[0] if args else kwargs["input"]
        if name != kind + "_" and not _in_place(*args[1:], **kwargs):
            return _Rectify.apply(inputs, self.rule)
        if inputs._is_view():   # which a custom operation may not change
            return inputs.copy_(_Rectify.apply(inputs.clone(), self.rule))
        return _RectifyInPlace.apply(inputs, self.rule)


def _other(kind):
    return ValueError(f"rule: the network uses {kind}. It takes a network whose only rectifier is ReLU, written as one.")


def _undisguised(kind, func, args, kwargs):
    """The operation's result; an error where it has set what is negative to 0 and kept the rest, up to its maximum."""
    inputs = [x.detach().clone() for x in (*args, *kwargs.values()) if torch.is_tensor(x) and x.is_floating_point()]
    result = func(*args, **kwargs)
    found = args[0] if kind == "setitem" else result
    for given in inputs if torch.is_tensor(found) and found.numel() else ():
        if given.shape == found.shape and (given < 0).any() and found.max() > 0 and torch.equal(
                found, given.clamp(0, found.max().item())):
            raise _other(kind)
    return result


def _rectifies(kind, *args, **kwargs):
    """Whether the operation is max(0, x): a ReLU, or a clamp at zero from below only."""
    limits = [limit for limit in (*args, *kwargs.values()) if limit is not None]
    lower_only = kind == "clamp_min" or len(args) < 2 and kwargs.get("max") is None
    return kind == "relu" or kind in CLAMPS and lower_only and limits[:1] == [0] and not torch.is_tensor(limits[0])


def _in_place(inplace=False, **_):
    return inplace is True


class _Rectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx, inputs, rule):
        ctx.save_for_backward(inputs)
        ctx.rule = rule
        return inputs.clamp(min=0)

    @staticmethod
    def backward(ctx, above):
        return ctx.rule(*ctx.saved_tensors, above), None


class _RectifyInPlace(_Rectify):
    @staticmethod
    def forward(ctx, inputs, rule):
        before = None if rule in RULES.values() else inputs.clone()   # those ask only where it was positive
        ctx.mark_dirty(inputs)
        after = inputs.clamp_(min=0)
        ctx.save_for_backward(after if before is None else before)
        ctx.rule = rule
        return after
