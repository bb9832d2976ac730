"""Lesson 4, saliency: the gradient of a probability, three ways back through ReLUs, integrated gradients."""

import torch
from torch import nn

from lecturekit import attribution
from lecturekit.attribution import rules
from lecturekit.course.questions import Kind, Mistake, Network, Question
from lecturekit.course.questions.drawing import normal, telling, uniform, whole

BACK, GRADIENT = rules.RULES, attribution.gradient

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
    "04.1", "probability_gradient", points=5, minutes=10, reference=_of_probability,
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


# 04.2 Three ways back through a network's ReLUs


def _network_of(architecture, rule, count=2, height=12, width=12):
    """Draws a network, images (N,3,H,W) and a class for each; the rule is given."""
    def draw(random):
        network = Network(architecture, whole(random, 0, 1 << 20))
        return network, uniform(random, count, 3, height, width), torch.randint(5, (count,), generator=random), rule
    return draw


def _bundled(random):
    return (Network("resnet_s"), uniform(random, 1, 3, 64, 64), torch.randint(20, (1,), generator=random), "guided")


def _through(model, images, classes, rule):
    return GRADIENT(model, images, classes, rule=rule)


def _with(**own):
    """The reference, but for the rules that `own` replaces: by another one, or by a function of (inputs, above)."""
    return lambda model, images, classes, rule: GRADIENT(model, images, classes, rule=own.get(rule, rule))


def _only_children(model, images, classes, rule):
    """The rule at the network's own children alone; a ReLU within a block passes back what it always does."""
    def hook(module, into, out):
        return (BACK[rule](into[0], out[0]),) if rule == "deconvnet" else (into[0].clamp(min=0),)
    for module in model.children() if rule != "gradient" else ():
        if isinstance(module, nn.ReLU):
            module.register_full_backward_hook(hook)
    return GRADIENT(model, images, classes)


def _at_the_end(model, images, classes, rule):
    slope = GRADIENT(model, images, classes)
    return slope if rule == "gradient" else slope.clamp(min=0)


def _left_hanging(model, images, classes, rule):
    found = GRADIENT(model, images, classes, rule=rule)
    next(module for module in model.modules() if isinstance(module, nn.ReLU)).register_full_backward_hook(lambda *of: None)
    return found


THROUGH = Question(
    "04.2", "through_relus", points=5, minutes=20, reference=_through, bundled=("resnet_s",),
    kinds=(Kind("ordinary", "guided backpropagation", _network_of("plain", "guided")),
           Kind("ordinary", "the deconvnet", _network_of("plain", "deconvnet")),
           Kind("edge", "backpropagation", _network_of("plain", "gradient", 3)),
           Kind("edge", "pictures that are not square, a hidden layer", _network_of("deep_head", "deconvnet", 2, 9, 14)),
           Kind("edge", "ReLUs within blocks", _network_of("residual", "guided", 2, 10, 9)),
           Kind("edge", "a network that must come back without a hook", _network_of("lent", "guided", 1)),
           Kind("large", "the course's own network", _bundled)),
    idea="A backward hook sees the signal above a module and the one that it passes down, and may put another one in its "
         "place. What a ReLU passes down is zero already where its input was not positive. So backpropagation needs no "
         "hook, guided backpropagation keeps what is positive of the signal below, and the deconvnet what is positive of "
         "the signal above. A hook stays until its handle takes it off.",
    formula="hook(module, below, above) returns (below[0].clamp(min=0),) for guided and (above[0].clamp(min=0),) for "
            "deconvnet; module.register_full_backward_hook(hook) for each torch.nn.ReLU in model.modules(); leaf = "
            "images.clone().requires_grad_(); score = model(leaf)[torch.arange(N), classes].sum(); "
            "torch.autograd.grad(score, leaf); then handle.remove() for each handle.",
    mistakes=(
        Mistake("Your deconvnet asks where the ReLU was open: it asks only whether the signal from above is positive.",
                _with(deconvnet="gradient")),
        Mistake("Your deconvnet is guided backpropagation: it keeps what is positive of the signal from above, also where "
                "the ReLU was shut.", _with(deconvnet="guided")),
        Mistake("Your guided rule looks at the signal from above only: it must also be zero where the ReLU's input was "
                "not positive.", _with(guided="deconvnet")),
        Mistake("Your guided rule looks at the input only: it must also be zero where the signal is negative.",
                _with(guided="gradient")),
        Mistake("You exchanged two rules: guided backpropagation asks both questions, the deconvnet one.",
                _with(guided="deconvnet", deconvnet="guided")),
        Mistake("You keep what is negative of the signal: both rules let through what is positive.",
                _with(guided=lambda inputs, above: above.clamp(max=0) * (inputs > 0),
                      deconvnet=lambda inputs, above: above.clamp(max=0))),
        Mistake("You rectify at the end, in the picture: the rule holds at every ReLU on the way.", _at_the_end),
        Mistake("Some ReLUs stand within blocks, where your hooks do not reach: go through all the network's modules.",
                _only_children),
        Mistake("You take the gradient of the probability: take that of the logit.",
                lambda model, images, classes, rule: GRADIENT(model, images, classes, "probability", rule=rule)),
        Mistake("All your images are asked for the first image's class.",
                lambda model, images, classes, rule: GRADIENT(model, images, classes[:1].expand(len(classes)), rule=rule)),
        Mistake("You take absolute values: here the signed gradient is asked for.",
                lambda *of: _through(*of).abs()),
        Mistake("Your hooks stay on the network, and change every later gradient: their handles take them off.",
                _left_hanging)),
    without="lecturekit's `rules` and `attribution`",
    forbidden=("relu_rule", "RULES", "class_gradient", "gradient", "saliency", "smooth_grad", "unit_gradient",
               "differentiate"))


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
    "04.3", "integrated", points=5, minutes=15, reference=_integrated,
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

QUESTIONS = [PROBABILITY, THROUGH, PATH]
