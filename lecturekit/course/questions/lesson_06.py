"""Lesson 6, gradient ascent: the climb with decay, total variation, a step and a projection."""

import torch

from lecturekit.course.questions import Mistake, Question


def _pictures(seed):
    """A grey image (H,W) with flat parts, and the power."""
    generator = torch.Generator().manual_seed(seed)
    flat = [(torch.rand(7, 9, generator=generator) * 3).floor() / 2 for _ in range(3)]
    return list(zip(flat, (1.0, 2.0, 1.5)))


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


VARIATION = Question(
    "06.2", "total_variation", points=5, minutes=15, inputs=_pictures, reference=_variation,
    mistakes=(
        Mistake("You add |dx|^beta and |dy|^beta: take the two together first, (dx^2 + dy^2)^(beta/2).", _anisotropic),
        Mistake("dx^2 + dy^2 is a square already: raise it to beta / 2.", _full_power),
        Mistake("Your differences go around the border: beyond the last row and column the difference is 0.", _around),
        Mistake("You left the last row or column out: there one difference is 0, but the other counts.", _inner_only),
        Mistake("You take the mean over the pixels: take the sum.", lambda image, beta: _variation(image, beta) / image.numel())),
    hint="dy = image[1:] - image[:-1] with a row of zeros below, dx alike with a column of zeros at the right; then the "
         "sum of (dx ** 2 + dy ** 2) ** (beta / 2).")


def _climbs(seed):
    """Weights (H,W), a start (H,W), the rate, the share that decays, the number of steps."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randn(3, 4, generator=generator), torch.rand(3, 4, generator=generator), rate, decay, steps)
            for rate, decay, steps in ((0.5, 0.1, 1), (0.2, 0.3, 5), (0.4, 0.05, 30))]


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


def _no_decay(weights, start, rate, decay, steps):
    return start + steps * rate * weights


def _step_decays(weights, start, rate, decay, steps):
    return start + steps * (1 - decay) * rate * weights


def _downhill(weights, start, rate, decay, steps):
    return _climb(-weights, start, rate, decay, steps)


CLIMB = Question(
    "06.1", "climb", points=5, minutes=10, inputs=_climbs, reference=_climb,
    mistakes=(
        Mistake("You shrink the image before the step: step first, then multiply all of it by 1 - decay.", _decay_first),
        Mistake("Nothing decays: after each step multiply the image by 1 - decay.", _no_decay),
        Mistake("Only your step decays: multiply the whole image by 1 - decay.", _step_decays),
        Mistake("You walk downhill: the gradient of (weights * image).sum() is weights, and you add it.", _downhill)),
    hint="The gradient of the linear score is `weights`, everywhere. Each step: image = (1 - decay) * (image + rate * weights).")


def _steps(seed):
    """An image, a gradient, a rate, the middle of the ball and its radius, all (C,H,W): within reach and beyond it."""
    generator = torch.Generator().manual_seed(seed)

    def draw():
        return torch.randn(2, 3, 4, generator=generator)

    centre = draw()
    near = centre + 0.02 * draw()
    return [(near, draw(), 0.1, centre, 1.0), (near, draw(), 2.0, centre, 0.5), (centre + draw(), draw(), 0.3, centre, 0.7)]


def _unit(gradient):
    return gradient / gradient.norm()


def _within(image, centre, eps):
    away = image - centre
    return centre + away * min(1.0, eps / away.norm().item())


def _step(image, gradient, rate, centre, eps):
    return _within(image + rate * _unit(gradient), centre, eps)


def _always_on_the_sphere(image, gradient, rate, centre, eps):
    away = image + rate * _unit(gradient) - centre
    return centre + eps * _unit(away)


def _clamped(image, gradient, rate, centre, eps):
    return centre + (image + rate * _unit(gradient) - centre).clamp(-eps, eps)


def _signs(image, gradient, rate, centre, eps):
    return _within(image + rate * gradient.sign(), centre, eps)


def _raw(image, gradient, rate, centre, eps):
    return _within(image + rate * gradient, centre, eps)


def _about_zero(image, gradient, rate, centre, eps):
    return _within(image + rate * _unit(gradient), torch.zeros_like(centre), eps)


STEP = Question(
    "06.3", "step_and_project", points=5, minutes=15, inputs=_steps, reference=_step,
    mistakes=(
        Mistake("You put every image on the sphere: one that lies within the ball stays where it is.",
                _always_on_the_sphere),
        Mistake("You clamp each value on its own, which is the L-inf ball: here the length of the whole difference counts.",
                _clamped),
        Mistake("You step by the signs of the gradient: take the gradient divided by its length.", _signs),
        Mistake("Your step is as long as the gradient: divide the gradient by its length first.", _raw),
        Mistake("Your ball lies about zero: measure the distance from `centre`.", _about_zero)),
    hint="moved = image + rate * gradient / gradient.norm(); away = moved - centre; where away.norm() > eps, return "
         "centre + away * eps / away.norm(), else moved.",
    forbidden=("ball", "optimise"))

QUESTIONS = [CLIMB, VARIATION, STEP]
