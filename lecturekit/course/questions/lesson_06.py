"""Lesson 6, gradient ascent: the climb with decay, total variation, the climb with priors on a network."""

import torch

from lecturekit.course.questions import Kind, Mistake, Network, Question
from lecturekit.course.questions.drawing import grey, normal, uniform, whole

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
    "06.2", "total_variation", points=5, minutes=10, reference=_variation,
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


# 06.3 The climb with priors, on a network


def _climbed(architecture, count, rate=0.5, weight=0.02, image=uniform, height=12, width=12, classes=5, steps=5):
    """Draws a network, images (N,3,H,W), a class for each, and shifts (down, right), one for each step; the length of a
    step and the weight of the total variation are given."""
    def draw(random):
        network = Network(architecture, None if architecture == "resnet_s" else whole(random, 0, 1 << 20))
        shifts = tuple((whole(random, 1, 3), -whole(random, 1, 3)) for _ in range(steps))
        return network, image(random, count, 3, height, width), _different(random, count, classes), shifts, rate, weight
    return draw


def _different(random, count, classes):
    """Classes, no two of them alike, so that it matters whose is climbed."""
    return torch.randperm(classes, generator=random)[:count]


def _black_and_white(random, *shape):
    return (uniform(random, *shape) > 0.5).float()


def _logits(logits):
    return logits


def _squared(image):
    return sum(image.diff(dim=dim).square().sum() for dim in (2, 3))


def _direction(gradient):
    return gradient / gradient.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)


def _gradient(model, image, classes, shift, weight, scores=_logits, variation=_squared, moved=torch.roll):
    """Of the class's score at the shifted image, less the total variation, by the image."""
    at = image.detach().requires_grad_()
    with torch.enable_grad():
        own = scores(model(moved(at, shift, (2, 3))))[torch.arange(len(at)), classes].sum()
        return torch.autograd.grad(own - weight * variation(at), at)[0]


def _box(image):
    return image.clamp(0, 1)


def _ascent(model, start, classes, shifts, rate, weight, direction=_direction, project=_box, last=_logits, first=_logits,
            once=False, **parts):
    """The climb with one of its parts exchanged: `first` is what is done with the image before each step, `last` at the
    end; `parts` are those of the gradient."""
    image, known = start, None
    for shift in shifts:
        image = first(image)
        if known is None or not once:
            known = _gradient(model, image, classes, shift, weight, **parts)
        image = project(image + rate * direction(known))
    return last(image)


def _stays_shifted(model, start, classes, shifts, rate, weight):
    image = start
    for shift in shifts:
        image = _ascent(model, image.roll(shift, (2, 3)), classes, ((0, 0),), rate, weight)
    return image


def _shifted_gradient(model, start, classes, shifts, rate, weight):
    """The gradient by the shifted image, added where it stands."""
    image = start
    for shift in shifts:
        seen = image.roll(shift, (2, 3))
        variation = _gradient(model, image, classes, shift, weight) - _gradient(model, image, classes, shift, 0)
        image = _box(image + rate * _direction(_gradient(model, seen, classes, (0, 0), 0) + variation))
    return image


def _climbing_with(**parts):
    return lambda *of: _ascent(*of, **parts)


ASCENT = Question(
    "06.3", "climb_with_priors", points=5, minutes=20, reference=_ascent, tolerance=1e-3, bundled=("resnet_s",),
    kinds=(Kind("ordinary", "two images", _climbed("curved", 2)),
           Kind("ordinary", "another network, three images", _climbed("deep_head", 3, weight=0.05)),
           Kind("edge", "images that are not square", _climbed("deep_head", 2, height=9, width=14)),
           Kind("edge", "black and white images, long steps", _climbed("curved", 2, rate=2.0, image=_black_and_white)),
           Kind("edge", "no weight for the variation", _climbed("deep_head", 2, weight=0.0)),
           Kind("degenerate", "flat grey images, where every gradient is zero", _climbed("even", 2, image=grey)),
           Kind("large", "the course's own network", _climbed("resnet_s", 2, 1.0, 0.01, height=48, width=40, classes=20,
                                                              steps=3))),
    idea="One step at a time: what is the score of the image as the network sees it, shifted, and what does the image's "
         "own roughness cost? The slope of the difference, by the image that is not shifted, says where to go; it gives "
         "the direction, the rate the length.",
    formula="For each shift: image.requires_grad_(); logits = model(image.roll(shift, (2, 3))); score = the sum of each "
            "image's own logit - weight * (image.diff(dim=2) ** 2 and image.diff(dim=3) ** 2, summed); gradient by "
            "image; divide it by its norm over all but the first dimension, at least 1e-12; image = (image + rate * "
            "gradient).clamp(0, 1), detached.",
    mistakes=(
        Mistake("You walk downhill: the score is to rise.", _climbing_with(direction=lambda g: -_direction(g))),
        Mistake("Your variation rises: its weight is taken off the score.",
                lambda *of: _ascent(*of[:-1], -of[-1])),
        Mistake("The variation has no part in your climb.", lambda *of: _ascent(*of[:-1], 0.0)),
        Mistake("Your network never sees the image shifted.", _climbing_with(moved=lambda image, *_: image)),
        Mistake("Your image stays shifted: only what the network sees is moved.", _stays_shifted),
        Mistake("You take the gradient by the shifted image, and add it where the other one stands: take it by the image "
                "before the shift.", _shifted_gradient),
        Mistake("You shift against the sign of the numbers: (1, 2) goes one down and two to the right.",
                _climbing_with(moved=lambda image, shift, dims: image.roll((-shift[0], -shift[1]), dims))),
        Mistake("You have the two parts of a shift the wrong way round: the first goes down, the second to the right.",
                _climbing_with(moved=lambda image, shift, dims: image.roll(shift[::-1], dims))),
        Mistake("Your steps are as long as the gradient: each image's step has the length `rate`.",
                _climbing_with(direction=_logits)),
        Mistake("You divide by the length of the whole batch's gradient: each image's step has a length of its own.",
                _climbing_with(direction=lambda g: g / g.norm().clamp(min=1e-12))),
        Mistake("You step by the signs of the gradient: take its direction.", _climbing_with(direction=torch.sign)),
        Mistake("Where the gradient is zero you divide by zero: let the length be a tiny number at least.",
                _climbing_with(direction=lambda g: g / g.flatten(1).norm(dim=1).view(-1, 1, 1, 1))),
        Mistake("Your images leave [0,1].", _climbing_with(project=_logits)),
        Mistake("You bring the image back to [0,1] at the end only: do so after each step.",
                _climbing_with(project=_logits, last=_box)),
        Mistake("You climb the probability: climb the logit.", _climbing_with(scores=lambda logits: logits.softmax(1))),
        Mistake("You climb all logits together: each image climbs the one of its own class.",
                _climbing_with(scores=lambda logits: logits.sum(1, keepdim=True).expand_as(logits))),
        Mistake("All your images climb the first one's class.",
                lambda model, start, classes, *rest: _ascent(model, start, classes[:1].expand_as(classes), *rest)),
        Mistake("You take the gradient once: after each step it is another one.", _climbing_with(once=True)),
        Mistake("You add absolute differences: beta is 2 here, so take their squares.",
                _climbing_with(variation=lambda image: sum(image.diff(dim=dim).abs().sum() for dim in (2, 3)))),
        Mistake("You take the mean of the squared differences: take their sum.",
                _climbing_with(variation=lambda image: _squared(image) / image.numel()))),
    without="lecturekit's `optimise`, `objectives` and `transforms`",
    forbidden=("optimise", "objectives", "transforms", "total_variation"))

QUESTIONS = [CLIMB, VARIATION, ASCENT]
