"""Lesson 9, adversarial examples: the worst case of a linear score, one step of PGD, the nearest boundary."""

import torch

from lecturekit.course.questions import Mistake, Question


def _scores(seed):
    """Weights (H,W), a bias, an image (H,W), eps and a norm."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randn(3, 4, generator=generator), bias, torch.rand(3, 4, generator=generator), eps, norm)
            for bias, eps, norm in ((0.5, 0.1, "linf"), (-1.0, 0.7, "l2"), (0.2, 0.3, "linf"))]


def _reach(weights, norm):
    return weights.abs().sum() if norm == "linf" else weights.norm()


def _lowest(weights, bias, image, eps, norm):
    return (weights * image).sum() + bias - eps * _reach(weights, norm)


def _same_norm(weights, bias, image, eps, norm):
    return (weights * image).sum() + bias - eps * (weights.abs().max() if norm == "linf" else weights.norm())


def _highest(weights, bias, image, eps, norm):
    return (weights * image).sum() + bias + eps * _reach(weights, norm)


def _no_bias(weights, bias, image, eps, norm):
    return _lowest(weights, 0.0, image, eps, norm)


def _one_norm(weights, bias, image, eps, norm):
    return _lowest(weights, bias, image, eps, "linf")


def _signed_sum(weights, bias, image, eps, norm):
    return (weights * image).sum() + bias - eps * (weights.sum() if norm == "linf" else weights.norm())


def _clipped(weights, bias, image, eps, norm):
    way = weights.sign() if norm == "linf" else weights / weights.norm()
    return (weights * (image - eps * way).clamp(0, 1)).sum() + bias


LOWEST = Question(
    "09.1", "lowest_score", points=5, minutes=10, inputs=_scores, reference=_lowest,
    mistakes=(
        Mistake("In L-inf every number may move by eps: the sum of the absolute weights counts, not the largest.",
                _same_norm),
        Mistake("You raise the score: the lowest one is asked for, so eps times the norm is taken away.", _highest),
        Mistake("The bias is missing: it does not move, but it belongs to the score.", _no_bias),
        Mistake("You take the sum of absolute weights in both norms: in L2 it is the length of the weights.",
                _one_norm),
        Mistake("Negative weights count too: moving against them lowers the score. Take the absolute values.",
                _signed_sum),
        Mistake("You clip the moved image to [0,1]: here the limits 0 and 1 do not count.", _clipped)),
    hint="The change that lowers the score most is -eps * weights.sign() (L-inf) or -eps * weights / weights.norm() "
         "(L2): add it to the image and take the score.")


def _climbs(seed):
    """An image on its way, a gradient, the original, a rate and eps: within the ball, at its edge, at the box's."""
    generator = torch.Generator().manual_seed(seed)

    def draw():
        return torch.rand(2, 3, 4, generator=generator)

    cases = []
    for rate, eps, dark in ((0.01, 0.1, 0.0), (0.09, 0.06, 0.0), (0.06, 0.1, 0.3)):
        original = (draw() - dark).clamp(0, 1)
        image = (original + eps * (2 * draw() - 1)).clamp(0, 1)
        cases.append((image, draw() - 0.5, original, rate, eps))
    return cases


def _attack_step(image, gradient, original, rate, eps):
    moved = image + rate * gradient.sign()
    return (original + (moved - original).clamp(-eps, eps)).clamp(0, 1)


def _raw_gradient(image, gradient, original, rate, eps):
    return (original + (image + rate * gradient - original).clamp(-eps, eps)).clamp(0, 1)


def _no_box(image, gradient, original, rate, eps):
    return original + (image + rate * gradient.sign() - original).clamp(-eps, eps)


def _no_ball(image, gradient, original, rate, eps):
    return (image + rate * gradient.sign()).clamp(0, 1)


def _about_the_last(image, gradient, original, rate, eps):
    return (image + (rate * gradient.sign()).clamp(-eps, eps)).clamp(0, 1)


def _from_the_original(image, gradient, original, rate, eps):
    return (original + (rate * gradient.sign()).clamp(-eps, eps)).clamp(0, 1)


def _down(image, gradient, original, rate, eps):
    return _attack_step(image, -gradient, original, rate, eps)


STEP = Question(
    "09.2", "attack_step", points=5, minutes=15, inputs=_climbs, reference=_attack_step,
    mistakes=(
        Mistake("You step along the gradient itself: take its signs, gradient.sign().", _raw_gradient),
        Mistake("Your image may leave [0,1]: no file can hold such a picture. Clamp it last.", _no_box),
        Mistake("Nothing keeps your image within eps of the original: clamp the difference to -eps .. eps.", _no_ball),
        Mistake("You measure eps from the last image: step by step it wanders away. Measure from the original.",
                _about_the_last),
        Mistake("You step from the original: the step starts where the image is now.", _from_the_original),
        Mistake("You walk downhill: the loss shall rise, so add the signs.", _down)),
    hint="moved = image + rate * gradient.sign(); then original + (moved - original).clamp(-eps, eps); of that the "
         "clamp to 0 and 1.",
    forbidden=("ball", "optimise", "pgd", "fgsm"))


def _linear_models(seed):
    """Weights (C,D), biases (C,), an input (D,) and its label, the likeliest class; from three classes on the nearest
    boundary is not that of the second likeliest."""
    generator = torch.Generator().manual_seed(seed)
    return [_linear_model(classes, size, generator) for classes, size in ((2, 5), (4, 6), (7, 9))]


def _linear_model(classes, size, generator):
    while True:
        weights = torch.randn(classes, size, generator=generator) * (0.2 + torch.rand(classes, 1, generator=generator))
        case = weights, torch.randn(classes, generator=generator), torch.rand(size, generator=generator)
        case = *case, int((weights @ case[2] + case[1]).argmax())
        gaps, differences = _ways(*case)
        if classes == 2 or gaps.argmin() != (gaps / differences.norm(dim=1)).argmin():
            return case


def _ways(weights, biases, image, label):
    """How far the label's score lies above each other class's, (C-1,), and the differences of the weights (C-1,D)."""
    others = torch.arange(len(weights)) != label
    logits = weights @ image + biases
    return (logits[label] - logits)[others], (weights[label] - weights)[others]


def _distance(weights, biases, image, label):
    gaps, differences = _ways(weights, biases, image, label)
    return (gaps / differences.norm(dim=1)).min()


def _to_the_runner_up(weights, biases, image, label):
    gaps, differences = _ways(weights, biases, image, label)
    return gaps.min() / differences[gaps.argmin()].norm()


def _gap_alone(weights, biases, image, label):
    return _ways(weights, biases, image, label)[0].min()


def _own_weights(weights, biases, image, label):
    gaps, _ = _ways(weights, biases, image, label)
    return gaps.min() / weights[label].norm()


def _squared(weights, biases, image, label):
    gaps, differences = _ways(weights, biases, image, label)
    return (gaps / differences.square().sum(1)).min()


def _l1(weights, biases, image, label):
    gaps, differences = _ways(weights, biases, image, label)
    return (gaps / differences.abs().sum(1)).min()


def _without_biases(weights, biases, image, label):
    gaps, differences = _ways(weights, torch.zeros_like(biases), image, label)
    return (gaps / differences.norm(dim=1)).min()


DISTANCE = Question(
    "09.3", "boundary_distance", points=5, minutes=20, inputs=_linear_models, reference=_distance,
    mistakes=(
        Mistake("You measure to the class of the second highest score: its boundary need not be the nearest. Measure "
                "to every class and take the least.", _to_the_runner_up),
        Mistake("You give the gap of the scores: divide it by how fast the gap closes, |w_y - w_t|.", _gap_alone),
        Mistake("The gap closes at the rate |w_y - w_t|, not |w_y|: the other score moves too.", _own_weights),
        Mistake("You divide by the squared length: gap / |w|^2 is the step's factor, gap / |w| its length.", _squared),
        Mistake("You divide by the sum of absolute values: that is the distance in L-inf. In L2 take the length.", _l1),
        Mistake("The biases are missing from your scores.", _without_biases)),
    hint="logits = weights @ image + biases; for each other class t: (logits[label] - logits[t]) / "
         "(weights[label] - weights[t]).norm(); the least of these.")

QUESTIONS = [LOWEST, STEP, DISTANCE]
