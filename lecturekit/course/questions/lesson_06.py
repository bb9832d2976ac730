"""Lesson 6, gradient ascent: the climb with decay, total variation, a step and a projection."""

import torch

from lecturekit.course.questions import Kind, Mistake, Question
from lecturekit.course.questions.drawing import normal, uniform

# 06.1 The climb


def _climbing(rate, decay, steps, height=3, width=4):
    """Draws weights (H,W) and a start (H,W); the rate, the share that decays and the number of steps are given."""
    return lambda random: (normal(random, height, width), uniform(random, height, width), rate, decay, steps)


def _climb(weights, start, rate, decay, steps):
    image = start
    for _ in range(steps):
        image = (1 - decay) * (image + rate * weights)
    return image


def _decay_first(weights, start, rate, decay, steps):
    image = start
    for _ in range(steps):
        image = (1 - decay) * image + rate * weights
    return image


def _step_decays(weights, start, rate, decay, steps):
    return start + steps * (1 - decay) * rate * weights


def _downhill(weights, start, rate, decay, steps):
    return _climb(-weights, start, rate, decay, steps)


def _decays_once(weights, start, rate, decay, steps):
    return (1 - decay) * (start + steps * rate * weights) if steps else start


def _unit_steps(weights, start, rate, decay, steps):
    return _climb(weights / weights.norm(), start, rate, decay, steps)


CLIMB = Question(
    "06.1", "climb", points=5, minutes=10, reference=_climb,
    kinds=(Kind("ordinary", "five steps", _climbing(0.2, 0.3, 5)),
           Kind("edge", "one step", _climbing(0.5, 0.1, 1)),
           Kind("edge", "no decay", _climbing(0.1, 0.0, 4)),
           Kind("degenerate", "no step", _climbing(0.5, 0.2, 0)),
           Kind("large", "many steps, a large image", _climbing(0.4, 0.05, 60, 20, 15))),
    idea="How does a linear score change when the image does? The same everywhere. Then repeat: go up, and shrink all "
         "that stands.",
    formula="The gradient of the linear score is `weights`, everywhere. Each step: image = (1 - decay) * (image + rate "
            "* weights).",
    mistakes=(
        Mistake("You shrink the image before the step: step first, then shrink all of it.", _decay_first),
        Mistake("Nothing decays: the whole image shrinks after each step.",
                lambda weights, start, rate, decay, steps: start + steps * rate * weights),
        Mistake("Only your step decays: the whole image shrinks.", _step_decays),
        Mistake("You walk downhill: a step along the gradient is added.", _downhill),
        Mistake("You shrink the image once, at the end: it shrinks after each step.", _decays_once),
        Mistake("You take one step: there are `steps` of them.",
                lambda weights, start, rate, decay, steps: _climb(weights, start, rate, decay, min(steps, 1))),
        Mistake("Your steps all have the length of the rate: here the gradient is taken as it is.", _unit_steps),
        Mistake("Your image shrinks to the share `decay`: that is the share which goes.",
                lambda weights, start, rate, decay, steps: _climb(weights, start, rate, 1 - decay, steps))),
    without="lecturekit's `optimise`", forbidden=("optimise",))


# 06.2 Total variation


def _levels(beta, height=7, width=9):
    """Draws a grey image (H,W) with flat parts; the power is given."""
    return lambda random: ((uniform(random, height, width) * 3).floor() / 2, beta)


def _flat(random):
    return uniform(random, 1).expand(5, 6).clone(), 1.0


def _differences(image):
    return image.diff(dim=0, append=image[-1:]), image.diff(dim=1, append=image[:, -1:])


def _variation(image, beta):
    down, right = _differences(image)
    return (down.square() + right.square()).pow(beta / 2).sum()


def _anisotropic(image, beta):
    return sum(difference.abs().pow(beta).sum() for difference in _differences(image))


def _full_power(image, beta):
    down, right = _differences(image)
    return (down.square() + right.square()).pow(beta).sum()


def _around(image, beta):
    down, right = image.roll(-1, 0) - image, image.roll(-1, 1) - image
    return (down.square() + right.square()).pow(beta / 2).sum()


def _inner_only(image, beta):
    down, right = image.diff(dim=0)[:, :-1], image.diff(dim=1)[:-1]
    return (down.square() + right.square()).pow(beta / 2).sum()


def _black_border(image, beta):
    down = image.diff(dim=0, append=torch.zeros_like(image[-1:]))
    right = image.diff(dim=1, append=torch.zeros_like(image[:, -1:]))
    return (down.square() + right.square()).pow(beta / 2).sum()


def _sum_then_power(image, beta):
    down, right = _differences(image)
    return (down.square() + right.square()).sum().pow(beta / 2)


def _absolute(image, beta):
    down, right = _differences(image)
    return (down.abs() + right.abs()).pow(beta).sum()


VARIATION = Question(
    "06.2", "total_variation", points=5, minutes=15, reference=_variation,
    kinds=(Kind("ordinary", "the power 1", _levels(1.0)),
           Kind("edge", "the power 2", _levels(2.0)),
           Kind("edge", "a power between", _levels(1.5, 5, 4)),
           Kind("edge", "one row", _levels(1.0, 1, 9)),
           Kind("degenerate", "a flat image", _flat),
           Kind("large", "a large image", _levels(1.2, 40, 30))),
    idea="For each pixel one number: the length of the step to its two neighbours together, raised to the power. At "
         "the border a missing neighbour makes no step.",
    formula="dy = image[1:] - image[:-1] with a row of zeros below, dx alike with a column of zeros at the right; then "
            "the sum of (dx ** 2 + dy ** 2) ** (beta / 2).",
    mistakes=(
        Mistake("You add |dx|^beta and |dy|^beta: take the two differences of a pixel together first.", _anisotropic),
        Mistake("dx^2 + dy^2 is a square already: the power is then too high by a factor of two.", _full_power),
        Mistake("Your differences go around the border: beyond the last row and column the difference is 0.", _around),
        Mistake("You left the last row or column out: there one difference is 0, but the other counts.", _inner_only),
        Mistake("You take the mean over the pixels: take the sum.",
                lambda image, beta: _variation(image, beta) / image.numel()),
        Mistake("Beyond the border you put pixels that are black: it is the difference that is 0 there.", _black_border),
        Mistake("You raise the whole sum to the power: each pixel first, then the sum.", _sum_then_power),
        Mistake("You add the two differences as they are: take the length of the step, by Pythagoras.", _absolute)),
    without="lecturekit's `total_variation`", forbidden=("total_variation", "tv"))


# 06.3 A step and a projection


def _stepping(rate, eps, near=0.02, shape=(2, 3, 4)):
    """Draws an image at a distance of about `near` per number, a gradient and the middle of the ball, all (C,H,W)."""
    def draw(random):
        centre = normal(random, *shape)
        return centre + near * normal(random, *shape), 3 * normal(random, *shape), rate, centre, eps
    return draw


def _unit(gradient):
    return gradient / gradient.norm()


def _within(image, centre, eps):
    away = image - centre
    return centre + away * min(1.0, eps / away.norm().item())


def _step(image, gradient, rate, centre, eps):
    return _within(image + rate * _unit(gradient), centre, eps)


def _always_on_the_sphere(image, gradient, rate, centre, eps):
    return centre + eps * _unit(image + rate * _unit(gradient) - centre)


def _clamped(image, gradient, rate, centre, eps):
    return centre + (image + rate * _unit(gradient) - centre).clamp(-eps, eps)


def _about_zero(image, gradient, rate, centre, eps):
    return _within(image + rate * _unit(gradient), torch.zeros_like(centre), eps)


def _from_the_image(image, gradient, rate, centre, eps):
    return _within(image + rate * _unit(gradient), image, eps)


STEP = Question(
    "06.3", "step_and_project", points=5, minutes=15, reference=_step,
    kinds=(Kind("ordinary", "a step that stays within the ball", _stepping(0.1, 1.0)),
           Kind("ordinary", "a step out of the ball", _stepping(2.0, 0.5)),
           Kind("edge", "an image that lies far outside", _stepping(0.3, 0.7, near=1.0)),
           Kind("edge", "a large ball", _stepping(1.5, 1.2)),
           Kind("degenerate", "a ball of radius 0", _stepping(0.5, 0.0)),
           Kind("large", "a large image", _stepping(1.0, 0.8, shape=(3, 20, 15)))),
    idea="A step of a given length needs only the gradient's direction. Then look how far the image is from the centre: "
         "if it is too far, walk straight back until the distance is eps.",
    formula="moved = image + rate * gradient / gradient.norm(); away = moved - centre; where away.norm() > eps, return "
            "centre + away * eps / away.norm(), else moved.",
    mistakes=(
        Mistake("You put every image on the sphere: one that lies within the ball stays where it is.",
                _always_on_the_sphere),
        Mistake("You clamp each value on its own, which is the L-inf ball: here the length of the whole difference counts.",
                _clamped),
        Mistake("You step by the signs of the gradient: take its direction.",
                lambda image, gradient, rate, centre, eps: _within(image + rate * gradient.sign(), centre, eps)),
        Mistake("Your step is as long as the gradient: only its direction counts.",
                lambda image, gradient, rate, centre, eps: _within(image + rate * gradient, centre, eps)),
        Mistake("Your ball lies about zero: measure the distance from `centre`.", _about_zero),
        Mistake("You project before you step: the image may then end outside of the ball.",
                lambda image, gradient, rate, centre, eps: _within(image, centre, eps) + rate * _unit(gradient)),
        Mistake("You measure how far the step went: measure how far the image is from `centre`.", _from_the_image),
        Mistake("You walk against the gradient: the step goes along it.",
                lambda image, gradient, rate, centre, eps: _within(image - rate * _unit(gradient), centre, eps))),
    without="lecturekit's `projections` and `optimise`", forbidden=("ball", "optimise", "projections"))

QUESTIONS = [CLIMB, VARIATION, STEP]
