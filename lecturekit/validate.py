"""Checks of arguments. Each error names the argument, what it got and what it takes; each check returns what it passed."""

import difflib
import numbers

import torch


def one_of(argument, got, allowed):
    """`got` if it is among `allowed`, else a ValueError that lists them, the nearest first."""
    allowed = list(allowed)
    if got in allowed:
        return got
    near = difflib.get_close_matches(str(got), map(str, allowed), 3, 0.5)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    shown = ", ".join(map(str, allowed[:40])) + (", ..." if len(allowed) > 40 else "")
    raise ValueError(f"{argument}: got {got!r}.{hint} It takes one of: {shown}.")


def positive(argument, got, whole=False):
    """`got` if it is a number above zero (a whole one if `whole`)."""
    number = isinstance(got, numbers.Integral if whole else numbers.Real) and not isinstance(got, bool)
    if not number or not got > 0:
        raise ValueError(f"{argument}: got {got!r}. It takes a {'whole ' if whole else ''}number above 0.")
    return got


IMAGES = "It takes a float tensor (N,C,H,W) in [0,1]."


def floats(got, argument="images", takes=IMAGES):
    """`got` if it is a float tensor."""
    if not isinstance(got, torch.Tensor):
        raise TypeError(f"{argument}: got {type(got).__name__}. {takes} pixels.to_tensor converts a picture.")
    if not got.is_floating_point():
        raise TypeError(f"{argument}: got dtype {got.dtype}. {takes} pixels.to_tensor converts uint8 values.")
    return got


def images(got, argument="images", in_range=True, takes=IMAGES):
    """`got` if it is a finite float tensor (N,C,H,W), within [0,1] unless `in_range` is false."""
    floats(got, argument, takes)
    if got.ndim != 4:
        hint = " images[None] adds the batch dimension." if got.ndim == 3 else ""
        raise ValueError(f"{argument}: got shape {tuple(got.shape)}. {takes}{hint}")
    if got.is_meta:
        raise ValueError(f"{argument}: got a tensor on the device 'meta', which has no values. {takes}")
    if not torch.isfinite(got).all():
        raise ValueError(f"{argument}: got NaN or infinite values. {takes}")
    if in_range and got.numel() and (got.min() < -1e-4 or got.max() > 1 + 1e-4):
        raise ValueError(f"{argument}: got values from {got.min():.3g} to {got.max():.3g}. {takes}")
    return got


def maps(got, shape=None, argument="maps"):
    """`got` if it is a finite float tensor (N,H,W) with at least one pixel, of a `shape` where one is given."""
    takes = "It takes a finite float tensor (N,H,W)" + (f", here of shape {tuple(shape)}." if shape is not None else ".")
    if not isinstance(got, torch.Tensor) or not got.is_floating_point():
        raise TypeError(f"{argument}: got {getattr(got, 'dtype', type(got).__name__)}. {takes}")
    wrong = got.ndim != 3 or not got.shape[1] * got.shape[2] or shape is not None and tuple(got.shape) != tuple(shape)
    if wrong:
        raise ValueError(f"{argument}: got shape {tuple(got.shape)}. {takes}")
    if not torch.isfinite(got).all():
        raise ValueError(f"{argument}: got NaN or infinite values. {takes}")
    return got


def targets(got, count, classes=None, argument="target"):
    """One class index for each of `count` images, from an int or a whole-number tensor: long (count,)."""
    upto = "" if classes is None else f" to {classes - 1}"
    takes = f"It takes a class index from 0{upto}, or a tensor of {count} of them."
    try:
        tensor = torch.as_tensor(got)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{argument}: got {got!r}. {takes}") from None
    tensor = ordinary(tensor)
    if tensor.is_floating_point() or tensor.dtype == torch.bool:
        raise TypeError(f"{argument}: got dtype {tensor.dtype}. {takes}")
    if tensor.ndim > 1 or (tensor.ndim == 1 and len(tensor) != count):
        raise ValueError(f"{argument}: got shape {tuple(tensor.shape)}. {takes}")
    if tensor.numel() and (tensor.min() < 0 or classes is not None and tensor.max() >= classes):
        raise ValueError(f"{argument}: got {tensor.tolist()}. {takes}")
    return tensor.long().expand(count)


def below(argument, got, limit):
    """`got`, a whole number or a tensor of them, if all are from 0 to limit - 1."""
    numbers = torch.as_tensor(got)
    if numbers.is_floating_point() or numbers.numel() and (numbers.min() < 0 or numbers.max() >= limit):
        raise ValueError(f"{argument}: got {numbers.tolist()}. It takes whole numbers from 0 to {limit - 1}.")
    return got


def layer(model, name, argument="layer"):
    """The module of `model` with the dotted name `name`."""
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model: got {type(model).__name__}. It takes a torch.nn.Module, whose layers have names.")
    modules = dict(model.named_modules())
    modules.pop("", None)
    return modules[one_of(argument, name, modules)]


def described(model, name, default=None):
    """What a network says of itself under this name (`categories`, `image_size`), also from within a wrapper such as
    DataParallel; the default, or without one a ValueError, where it says nothing."""
    found = getattr(model, name, getattr(getattr(model, "module", None), name, default))
    if found is None:
        raise ValueError(f"model: got {type(model).__name__} without .{name}. It takes a network that has it, as those of "
                         "models.load have.")
    return found


def ordinary(tensor):
    """The tensor, or a copy where it was made under inference_mode, whose tensors no gradient may pass."""
    return tensor.clone() if tensor.is_inference() else tensor
