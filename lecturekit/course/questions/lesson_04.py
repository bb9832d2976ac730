"""Lesson 4, saliency: the gradient of a probability, what a ReLU passes back, integrated gradients."""

import torch

from lecturekit.attribution import rules
from lecturekit.course.questions import Kind, Mistake, Question
from lecturekit.course.questions.drawing import normal, telling, uniform, whole

BACK = rules.RULES

# 04.1 The gradient of a probability


def _logits(classes, shape, lead=0.0, target=None):
    """Draws the gradients of all logits at the pixels (classes,C,H,W), the logits (classes,) and a class, which leads."""
    def draw(random):
        chosen = whole(random, 0, classes - 1) if target is None else target
        logits = 1.5 * normal(random, classes)
        logits[chosen] += lead
        return normal(random, classes, *shape), logits, chosen
    return draw


def _share(gradients, logits, target):
    return logits.softmax(0)[target]


def _mean_gradient(gradients, logits):
    return torch.einsum("k,kchw->chw", logits.softmax(0), gradients)


def _of_log(gradients, logits, target):
    return gradients[target] - _mean_gradient(gradients, logits)


def _of_probability(gradients, logits, target):
    return _share(gradients, logits, target) * _of_log(gradients, logits, target)


def _likeliest(gradients, logits, target):
    return _of_probability(gradients, logits, int(logits.argmax()))


PROBABILITY = Question(
    "04.1", "probability_gradient", points=5, minutes=15, reference=_of_probability,
    kinds=(Kind("ordinary", "four classes", telling(_logits(4, (3, 5, 5)), _of_probability, _likeliest)),
           Kind("edge", "two classes", _logits(2, (1, 3, 3))),
           Kind("edge", "ten classes, the last one asked for", _logits(10, (3, 4, 6), target=9)),
           Kind("edge", "a picture that is not square", _logits(3, (2, 6, 3))),
           Kind("degenerate", "a network that is certain", _logits(4, (3, 4, 4), lead=60.0)),
           Kind("large", "many classes", _logits(50, (3, 8, 8)))),
    idea="The probability hangs on every logit: it rises with its own and falls when another one rises. Weigh each "
         "logit's gradient with how the probability changes with that logit.",
    formula="With p the softmax of the logits: p[target] * (gradients[target] - sum over k of p[k] * gradients[k]).",
    mistakes=(
        Mistake("That is the logit's own gradient: the probability depends on every logit.", lambda g, z, t: g[t]),
        Mistake("You left the other classes out: when their logits rise, this probability falls.",
                lambda g, z, t: _share(g, z, t) * g[t]),
        Mistake("That is the gradient of the log-probability, not yet that of the probability.", _of_log),
        Mistake("You kept the part of the own logit only: each other class k brings in -p p_k times its own.",
                lambda g, z, t: _share(g, z, t) * (1 - _share(g, z, t)) * g[t]),
        Mistake("The other classes have the wrong sign: when their logits rise, this probability falls.",
                lambda g, z, t: _share(g, z, t) * (g[t] + _mean_gradient(g, z))),
        Mistake("You subtract the plain mean of the gradients: a class counts by its probability.",
                lambda g, z, t: _share(g, z, t) * (g[t] - g.mean(0))),
        Mistake("You took the likeliest class: `target` says which one is asked for.", _likeliest),
        Mistake("That is the mean gradient of all classes alone: the target's own is missing.",
                lambda g, z, t: -_share(g, z, t) * _mean_gradient(g, z))))


# 04.2 What a ReLU passes back


def _relu(rule, height=4, width=5):
    """Draws the input of a ReLU and the signal from above (H,W)."""
    return lambda random: (normal(random, height, width), normal(random, height, width), rule)


def _lecture(rule):
    """The example of the lecture (Springenberg et al. 2015, figure 1)."""
    inputs = torch.tensor([[1.0, -1, 5], [2, -5, -7], [-3, 2, 4]])
    return lambda random: (inputs, torch.tensor([[-2.0, 3, -1], [6, -3, 1], [2, -1, 3]]), rule)


def _with_zeros(random):
    return normal(random, 4, 5) * (uniform(random, 4, 5) > 0.4), 1 + uniform(random, 4, 5), "gradient"


def _back(inputs, above, rule):
    return BACK[rule](inputs, above)


def _with(**own):
    """The reference, but for the rules that `own` replaces."""
    return lambda inputs, above, rule: own.get(rule, BACK[rule])(inputs, above)


RELUS = Question(
    "04.2", "passed_back", points=5, minutes=10, reference=_back,
    kinds=(Kind("ordinary", "backpropagation", _relu("gradient")),
           Kind("edge", "the deconvnet", _relu("deconvnet")),
           Kind("edge", "guided backpropagation", _relu("guided")),
           Kind("edge", "the example of the lecture, guided", _lecture("guided")),
           Kind("degenerate", "inputs of exactly zero", _with_zeros),
           Kind("large", "a large map, guided", _relu("guided", 30, 40))),
    idea="A ReLU was open where its input was positive. Backpropagation asks where it was open, the deconvnet asks "
         "whether the signal itself is positive, and guided backpropagation asks both.",
    formula="gradient: above where inputs > 0, else 0. deconvnet: above where above > 0, else 0. guided: above where "
            "both are positive, else 0.",
    mistakes=(
        Mistake("You exchanged two rules: backpropagation looks at the input of the ReLU, the deconvnet at the signal "
                "from above.", _with(gradient=BACK["deconvnet"], deconvnet=BACK["gradient"])),
        Mistake("Your guided rule looks at the signal from above only: it must also be zero where the input was.",
                _with(guided=BACK["deconvnet"])),
        Mistake("Your guided rule looks at the input only: it must also be zero where the signal is negative.",
                _with(guided=BACK["gradient"])),
        Mistake("You multiply by the input: a ReLU's slope is 1 where its input is positive, however large it is.",
                _with(gradient=lambda x, a: a * x.clamp(min=0), guided=lambda x, a: a.clamp(min=0) * x.clamp(min=0))),
        Mistake("Your guided rule lets through what one of the two conditions allows: it takes both.",
                _with(guided=lambda x, a: a * ((x > 0) | (a > 0)))),
        Mistake("Your deconvnet gives the ReLU of the input: it is the signal from above that it rectifies.",
                _with(deconvnet=lambda x, a: x.clamp(min=0))),
        Mistake("At an input of exactly 0 the ReLU is shut: only what is greater than 0 lets the signal through.",
                _with(gradient=lambda x, a: a * (x >= 0))),
        Mistake("You give 1 where the signal passes: what passes is the signal itself.",
                lambda x, a, rule: (BACK[rule](x, a) != 0).float())),
    without="lecturekit's `rules`", forbidden=("relu_rule", "RULES"))


# 04.3 Integrated Gradients


def _network(pixels, hidden, steps, baseline=1.0):
    """Draws an image and a baseline (P,), the weights (H,P) and (H,) of a small network; the number of steps."""
    return lambda random: (uniform(random, pixels), baseline * uniform(random, pixels), normal(random, hidden, pixels),
                           normal(random, hidden), steps)


def _no_way(random):
    image, _, first, second, steps = _network(5, 4, 6)(random)
    return image, image.clone(), first, second, steps


def _slope(x, first, second):
    return first.T @ (second * (1 - torch.tanh(first @ x) ** 2))


def _mean_slope(image, baseline, first, second, shares):
    return torch.stack([_slope(baseline + share * (image - baseline), first, second) for share in shares]).mean(0)


def _integrated_at(shares, times=lambda image, baseline: image - baseline):
    """Integrated Gradients with the gradients taken at other shares of the way, a function of the steps."""
    return lambda image, baseline, first, second, steps: times(image, baseline) * _mean_slope(
        image, baseline, first, second, shares(steps))


def _middles(steps):
    return (torch.arange(steps) + 0.5) / steps


_integrated = _integrated_at(_middles)

PATH = Question(
    "04.3", "integrated", points=5, minutes=20, reference=_integrated,
    kinds=(Kind("ordinary", "a few steps", _network(6, 4, 8)),
           Kind("edge", "one step", _network(6, 4, 1)),
           Kind("edge", "a black baseline", _network(7, 5, 4, baseline=0.0)),
           Kind("degenerate", "a baseline that is the image", _no_way),
           Kind("large", "many pixels and steps", _network(60, 8, 40))),
    idea="Walk in a straight line from the baseline to the image, take the gradient in the middle of each part of the "
         "way, and ask how far each pixel went.",
    formula="For k = 0 ... steps - 1: the gradient at baseline + (k + 0.5) / steps * (image - baseline). Their mean, "
            "times (image - baseline).",
    mistakes=(
        Mistake("You give the mean gradient: how far each pixel went is still missing.",
                _integrated_at(_middles, lambda image, baseline: 1.0)),
        Mistake("You multiply by the image: the way begins at the baseline.",
                _integrated_at(_middles, lambda image, baseline: image)),
        Mistake("You took the gradient at the image only: take it along the way, and the mean.",
                _integrated_at(lambda steps: torch.ones(1))),
        Mistake("You took the right end of each part of the way: take its middle.",
                _integrated_at(lambda steps: (torch.arange(steps) + 1) / steps)),
        Mistake("You took the left end of each part of the way: take its middle.",
                _integrated_at(lambda steps: torch.arange(steps) / steps)),
        Mistake("You added the gradients up: take their mean.",
                lambda image, baseline, first, second, steps: steps * _integrated(image, baseline, first, second, steps)),
        Mistake("Your points lie evenly from the baseline to the image, both ends included: take the middle of each of "
                "the equal parts.", _integrated_at(lambda steps: torch.linspace(0, 1, steps))),
        Mistake("The way goes from the baseline to the image: you walked from zero.",
                lambda image, baseline, first, second, steps: (image - baseline) * _mean_slope(
                    image, 0 * image, first, second, _middles(steps)))),
    without="lecturekit's `attribution.integrated_gradients`", forbidden=("integrated_gradients",))

QUESTIONS = [PROBABILITY, RELUS, PATH]
