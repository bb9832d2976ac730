"""How an answer differs from what is expected, in a sentence: what differs, where, and by how much.

Containers do not matter where the values do: a list is as good as a tuple, an array or a tensor, one stacked tensor as
good as a tuple of its rows, a tensor with one number as good as the number.
"""

import numpy as np
import torch

from lecturekit.course.grading.plain import NotPlain

SMALL = 120    # characters up to which an input is shown


def difference(answer, expected, tolerance):
    """What is wrong with `answer` (plain data), or None where it equals `expected` within the tolerance."""
    if foreign := not_plain(answer):
        return f"got {foreign}: give numbers, tensors, or tuples of them"
    try:
        return _difference(answer, expected, tolerance)
    except Exception as error:   # numbers too large for a float, parts that make no array
        return f"the answer cannot be compared ({type(error).__name__})"


def not_plain(value):
    """What in an answer was no plain data, or None."""
    if isinstance(value, NotPlain):
        return value.what
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return next(filter(None, map(not_plain, parts)), None)


def finite(value):
    """The value with odd numbers in the places of NaN and infinities, so that these can be compared."""
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    if isinstance(value, (float, np.ndarray, torch.Tensor)):
        return np.nan_to_num(array(value), nan=-12345.678, posinf=1.2345e30, neginf=-1.2345e30)
    return value


def _difference(answer, expected, tolerance):
    if isinstance(expected, (tuple, list)):
        return _parts(answer, expected, tolerance)
    if isinstance(expected, str):
        return None if isinstance(answer, str) and answer == expected else f"got {described(answer)}, expected {expected!r}"
    got, want = array(answer), array(expected)
    if got is None:
        return f"got {described(answer)}, expected {described(expected)}"
    return _numeric(got, want, tolerance)


def _parts(answer, expected, tolerance):
    if isinstance(answer, (torch.Tensor, np.ndarray)) and answer.ndim:
        answer = list(answer)   # stacked
    if not isinstance(answer, (tuple, list)):
        return f"got {described(answer)}, expected {len(expected)} values"
    for number, (got, want) in enumerate(zip(answer, expected), 1):
        if wrong := _difference(got, want, tolerance):
            return f"value {number} of {len(expected)}: {wrong}{_counted(answer, expected)}"
    return _counted(answer, expected).removeprefix("; ") or None


def _counted(answer, expected):
    return "" if len(answer) == len(expected) else f"; got {len(answer)} values, expected {len(expected)}"


def array(value):
    """The value as an array of floats; None where it is something else than numbers."""
    if value is None or isinstance(value, (str, dict)):
        return None
    try:
        if isinstance(value, torch.Tensor):
            return value.detach().cpu().double().numpy()
        if isinstance(value, (list, tuple)):
            return np.array([array(part) for part in value], dtype=np.float64)
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None


def _numeric(got, want, tolerance):
    if got.size == want.size == 1 and not want.ndim:
        got = got.reshape(())
    if got.shape != want.shape:
        return f"got {_shaped(got)}, expected {_shaped(want)}"
    if not np.isfinite(got).all():
        return f"got NaN or infinite values{_place(~np.isfinite(got))}"
    wrong = ~np.isclose(got, want, rtol=tolerance, atol=tolerance)
    if not wrong.any():
        return None
    if not want.ndim:
        return f"got {_number(got)}, expected {_number(want)}"
    apart = np.where(wrong, np.abs(got - want), 0)
    worst = np.unravel_index(apart.argmax(), want.shape)
    return (f"{wrong.sum()} of {want.size} values differ, by up to {apart.max():.3g}: at {_index(worst)} got "
            f"{_number(got[worst])}, expected {_number(want[worst])}{_pattern(got, want, tolerance)}")


def _pattern(got, want, tolerance):
    """Whether all values are wrong alike: by a factor, or by an amount."""
    if got.size < 2:
        return ""
    factor = (got * want).sum() / max((want * want).sum(), 1e-300)
    if abs(factor) > 1e-6 and np.allclose(got, factor * want, rtol=tolerance, atol=tolerance * abs(factor)):
        return f"; every value is {factor:.4g} times the expected one"
    amount = (got - want).mean()
    if np.allclose(got, want + amount, rtol=tolerance, atol=tolerance):
        return f"; every value is {abs(amount):.4g} too {'high' if amount > 0 else 'low'}"
    return ""


def _number(value):
    value = float(value)
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"


def _shaped(array):
    return f"shape {array.shape}" if array.ndim else "a number"


def _place(wrong):
    return f" at {_index(np.argwhere(wrong)[0])}" if wrong.ndim else ""


def _index(place):
    return str(tuple(map(int, place))) if len(place) > 1 else f"[{int(place[0])}]"


def described(value):
    """A value in a few words, for a message."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        kind = "a tensor" if isinstance(value, torch.Tensor) else "an array"
        return f"{kind} of shape {tuple(value.shape)}"
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    return "nothing (None)" if value is None else repr(value)[:60]


def shown(value):
    """An argument as code where it is small, else its shape."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        text = str(np.round(array(value), 4).tolist())
        return text if len(text) <= SMALL // 2 else f"<{tuple(value.shape)}>"
    text = repr(value)
    return text if len(text) <= SMALL else text[:SMALL] + "..."
