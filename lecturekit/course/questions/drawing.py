"""How the kinds of a question draw their cases."""

import torch

from lecturekit.course import judging
from lecturekit.course.questions import Case


def normal(random, *shape):
    """Standard normal numbers (float32)."""
    return torch.randn(shape, generator=random)


def uniform(random, *shape):
    """Numbers from 0 to 1 (float32)."""
    return torch.rand(shape, generator=random)


def grey(random, *shape):
    """Mid-grey images: nothing is drawn."""
    return torch.full(shape, 0.5)


def whole(random, low, high):
    """A whole number from `low` to `high`, both included."""
    return int(torch.randint(low, high + 1, (), generator=random))


def telling(draw, reference, *wrong, tries=1000):
    """`draw`, again and again until each of the functions `wrong` gives something else than the reference does, so that
    no luck of the numbers hides what a kind of case is for."""
    def drawn(random):
        for _ in range(tries):
            arguments = draw(random)
            right = judging.called(reference, arguments)
            if all(judging.differ(judging.called(other, arguments), right) for other in wrong):
                return arguments
        raise RuntimeError(f"{draw.__name__} has drawn no case that tells {len(wrong)} wrong answers from the right one")
    return drawn
