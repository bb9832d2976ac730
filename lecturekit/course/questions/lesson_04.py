"""Lesson 4, saliency: the gradient of a probability, what a ReLU passes back, integrated gradients."""

import torch

from lecturekit.attribution import rules
from lecturekit.course.questions import Mistake, Question

BACK = rules.RULES


def _logits(seed):
    """The gradients of all logits at the pixels (classes,C,H,W), the logits (classes,), a class; three times."""
    generator = torch.Generator().manual_seed(seed)

    def draw(classes, shape):
        target = int(torch.randint(classes, (), generator=generator))
        return torch.randn(classes, *shape, generator=generator), 2 * torch.randn(classes, generator=generator), target

    return [draw(4, (3, 5, 5)), draw(10, (3, 4, 6)), draw(2, (1, 3, 3))]


def _share(gradients, logits, target):
    return logits.softmax(0)[target]


def _of_log(gradients, logits, target):
    return gradients[target] - torch.einsum("k,kchw->chw", logits.softmax(0), gradients)


def _of_probability(gradients, logits, target):
    return _share(gradients, logits, target) * _of_log(gradients, logits, target)


PROBABILITY = Question(
    "04.1", "probability_gradient", points=5, minutes=15, inputs=_logits, reference=_of_probability,
    mistakes=(
        Mistake("That is the logit's own gradient: the probability depends on every logit.", lambda g, z, t: g[t]),
        Mistake("You left the other classes out: when their logits rise, this probability falls.",
                lambda g, z, t: _share(g, z, t) * g[t]),
        Mistake("That is the gradient of the log-probability: multiply by the probability.", _of_log),
        Mistake("You kept only p (1 - p) times the own gradient: each other class k brings in -p p_k times its own.",
                lambda g, z, t: _share(g, z, t) * (1 - _share(g, z, t)) * g[t])),
    hint="With p the softmax of the logits: p[target] * (gradients[target] - sum over k of p[k] * gradients[k]).")


def _relus(seed):
    """The input of a ReLU and the signal from above (H,W), for each rule."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randn(4, 5, generator=generator), torch.randn(4, 5, generator=generator), rule)
            for rule in ("gradient", "deconvnet", "guided")]


def _back(inputs, above, rule):
    return BACK[rule](inputs, above)


def _with(**own):
    """The reference, but for the rules that `own` replaces."""
    return lambda inputs, above, rule: own.get(rule, BACK[rule])(inputs, above)


RELUS = Question(
    "04.2", "passed_back", points=5, minutes=10, inputs=_relus, reference=_back,
    mistakes=(
        Mistake("You exchanged two rules: backpropagation looks at the input of the ReLU, the deconvnet at the signal "
                "from above.", _with(gradient=BACK["deconvnet"], deconvnet=BACK["gradient"])),
        Mistake("Your guided rule looks at the signal from above only: it must also be zero where the input was.",
                _with(guided=BACK["deconvnet"])),
        Mistake("Your guided rule looks at the input only: it must also be zero where the signal is negative.",
                _with(guided=BACK["gradient"])),
        Mistake("You multiply by the input: a ReLU's slope is 1 where its input is positive, however large it is.",
                _with(gradient=lambda x, a: a * x.clamp(min=0), guided=lambda x, a: a.clamp(min=0) * x.clamp(min=0)))),
    hint="gradient: above where inputs > 0, else 0. deconvnet: above where above > 0, else 0. guided: above where both "
         "are positive, else 0.",
    forbidden=("relu_rule", "RULES"))


def _networks(seed):
    """An image and a baseline (P,), the weights (H,P) and (H,) of a small network, the number of steps; twice."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.rand(p, generator=generator), baseline * torch.rand(p, generator=generator),
             torch.randn(h, p, generator=generator), torch.randn(h, generator=generator), steps)
            for p, h, steps, baseline in ((6, 4, 8, 1.0), (9, 5, 20, 0.5))]


def _slope(x, first, second):
    return first.T @ (second * (1 - torch.tanh(first @ x) ** 2))


def _mean_slope(image, baseline, first, second, shares):
    return torch.stack([_slope(baseline + share * (image - baseline), first, second) for share in shares]).mean(0)


def _midpoints(steps):
    return (torch.arange(steps) + 0.5) / steps


def _integrated(image, baseline, first, second, steps):
    return (image - baseline) * _mean_slope(image, baseline, first, second, _midpoints(steps))


def _no_difference(image, baseline, first, second, steps):
    return _mean_slope(image, baseline, first, second, _midpoints(steps))


def _times_image(image, baseline, first, second, steps):
    return image * _mean_slope(image, baseline, first, second, _midpoints(steps))


def _at_image_only(image, baseline, first, second, steps):
    return (image - baseline) * _slope(image, first, second)


def _right_ends(image, baseline, first, second, steps):
    return (image - baseline) * _mean_slope(image, baseline, first, second, (torch.arange(steps) + 1) / steps)


def _left_ends(image, baseline, first, second, steps):
    return (image - baseline) * _mean_slope(image, baseline, first, second, torch.arange(steps) / steps)


def _sum_of_steps(image, baseline, first, second, steps):
    return steps * _integrated(image, baseline, first, second, steps)


PATH = Question(
    "04.3", "integrated", points=5, minutes=20, inputs=_networks, reference=_integrated,
    mistakes=(
        Mistake("You give the mean gradient: multiply it by the way, image - baseline.", _no_difference),
        Mistake("You multiply by the image: the way begins at the baseline, so multiply by image - baseline.", _times_image),
        Mistake("You took the gradient at the image only: take it along the way, and the mean.", _at_image_only),
        Mistake("You took the right end of each part of the way: take its middle.", _right_ends),
        Mistake("You took the left end of each part of the way: take its middle.", _left_ends),
        Mistake("You added the gradients up: divide by the number of steps.", _sum_of_steps)),
    hint="For k = 0 ... steps - 1: the gradient at baseline + (k + 0.5) / steps * (image - baseline). Their mean, times "
         "(image - baseline).")

QUESTIONS = [PROBABILITY, RELUS, PATH]
