"""Lesson 9, adversarial examples: the worst case of a linear score, PGD on networks, the nearest boundary."""

import torch
from torch.nn import functional as F

from lecturekit.course import comparing, judging
from lecturekit.course.questions import Kind, Mistake, Network, Question, Verdict
from lecturekit.course.questions.attacking import back, in_ball, lengths, uphill
from lecturekit.course.questions.drawing import grey, normal, telling, uniform, whole

# 09.1 The worst that can happen


def _score(norm, eps, height=3, width=4):
    """Draws weights (H,W), a bias and an image (H,W); eps and the norm are given."""
    return lambda random: (normal(random, height, width), 2 * float(normal(random)), uniform(random, height, width), eps,
                           norm)


def _no_weights(random):
    weights, *rest = _score("linf", 0.2)(random)
    return torch.zeros_like(weights), *rest


def _reach(weights, norm):
    return weights.abs().sum() if norm == "linf" else weights.norm()


def _lowest(weights, bias, image, eps, norm, reach=_reach):
    return (weights * image).sum() + bias - eps * reach(weights, norm)


def _with_reach(linf=None, l2=None):
    """The lowest score, but for what is taken off in one of the norms."""
    def reach(weights, norm):
        own = linf if norm == "linf" else l2
        return own(weights) if own else _reach(weights, norm)
    return lambda *of: _lowest(*of, reach=reach)


def _clipped(weights, bias, image, eps, norm):
    way = weights.sign() if norm == "linf" else weights / weights.norm().clamp(min=1e-12)
    return (weights * (image - eps * way).clamp(0, 1)).sum() + bias


LOWEST = Question(
    "09.1", "lowest_score", points=5, minutes=10, reference=_lowest,
    kinds=(Kind("ordinary", "L-inf", _score("linf", 0.3)),
           Kind("ordinary", "L2", _score("l2", 0.7)),
           Kind("edge", "a small budget", _score("l2", 0.05, 2, 5)),
           Kind("edge", "no budget", _score("linf", 0.0)),
           Kind("degenerate", "weights of zero", _no_weights),
           Kind("large", "many weights", _score("linf", 0.01, 30, 20))),
    idea="Which change of the allowed size lowers the score most? It goes against the weights: in L2 straight along them, "
         "in L-inf by the full eps for each of them. How far does the score fall?",
    formula="The change that lowers the score most is -eps * weights.sign() (L-inf) or -eps * weights / weights.norm() "
            "(L2): add it to the image and take the score.",
    mistakes=(
        Mistake("In L-inf every number may move by eps: all the weights count, not the largest alone.",
                _with_reach(linf=lambda weights: weights.abs().max())),
        Mistake("You raise the score: the lowest one is asked for.",
                lambda weights, bias, image, eps, norm: _lowest(weights, bias, image, -eps, norm)),
        Mistake("The bias is missing: it does not move, but it belongs to the score.",
                lambda weights, bias, *of: _lowest(weights, 0.0, *of)),
        Mistake("You take the sum of absolute weights in both norms: in L2 it is their length.",
                lambda *of: _lowest(*of[:-1], "linf")),
        Mistake("You take the length of the weights in both norms: in L-inf each of them moves by the full eps.",
                lambda *of: _lowest(*of[:-1], "l2")),
        Mistake("Negative weights count too: moving against them lowers the score.",
                _with_reach(linf=lambda weights: weights.sum())),
        Mistake("You clip the moved image to [0,1]: here the limits 0 and 1 do not count.", _clipped),
        Mistake("Your step in L2 is not normalised: along the weights it must be eps long, however long these are.",
                _with_reach(l2=lambda weights: weights.square().sum()))))


# 09.2 PGD, in both norms, with a random start

ENOUGH, LEAST = 0.9, 0.4     # of what the weakest of the reference's runs adds to the loss: on average, for each image
RUNS = 5


def _attacked(architecture, count, norm, image=uniform, labels=None, steps=8, side=12, eps=None):
    """Draws a network and images (N,3,side,side) with their labels, by default the classes that it gives them."""
    def draw(random):
        network = Network(architecture, None if architecture == "resnet_s" else whole(random, 0, 1 << 20))
        images = image(random, count, 3, side, side)
        scores = judging.built([network])[0](images)
        size = eps or {"linf": 0.1, "l2": 1.0}[norm]
        return network, images, scores.argmax(1) if labels is None else labels(scores), size, norm, steps, size / 4, \
            whole(random, 0, 999)
    return draw


def _near_the_border(random, *shape):
    return (uniform(random, *shape) > 0.5).float() * 0.98 + 0.01 * uniform(random, *shape)


def _half_wrong(scores):
    """The likeliest class of the first images, the second likeliest of the others."""
    first, second = scores.topk(2).indices.T
    return torch.where(torch.arange(len(scores)) < len(scores) // 2, first, second)


def _uneven(random):
    """Images whose gradients are of very different lengths."""
    while True:
        arguments = _attacked("sure", 4, "l2", labels=_half_wrong)(random)
        sizes = uphill(judging.built(arguments)[0], *arguments[1:3]).flatten(1).norm(dim=1)
        if 0 < sizes.min() < sizes.max() / 100:
            return arguments


def _direction(gradient, norm):
    return gradient.sign() if norm == "linf" else gradient / lengths(gradient)


def _started(images, eps, norm, seed):
    random = torch.Generator().manual_seed(seed)
    if norm == "linf":
        return images + eps * (2 * uniform(random, *images.shape) - 1)
    noise = normal(random, *images.shape)
    return images + eps * noise / lengths(noise) * uniform(random, len(images), 1, 1, 1)


def _pgd(model, images, labels, eps, norm, steps, rate, seed, start=_started, direction=_direction, back=back,
         once=False, sign=1, classes=lambda model, images, labels: labels):
    """PGD (Madry et al. 2018) with one of its parts exchanged."""
    moved, labels, first = start(images, eps, norm, seed).clamp(0, 1), classes(model, images, labels), None
    for _ in range(steps):
        gradient = uphill(model, moved, labels) if first is None or not once else first
        first = gradient if first is None else first
        moved = back(moved + sign * rate * direction(gradient, norm), images, eps, norm)
    return moved


def _strength(model, images, labels, eps, norm, steps, rate, seed):
    """The loss (N,) of each image, before the attack and after the weakest of some runs of PGD."""
    runs = [_pgd(model, images, labels, eps, norm, steps, rate, seed + 1000 * run) for run in range(RUNS)]
    return _losses(model, images, labels), torch.stack([_losses(model, run, labels) for run in runs]).amin(0)


def _losses(model, images, labels):
    with torch.no_grad():
        return F.cross_entropy(model(images), labels, reduction="none")


def _as_strong(arguments, answer, expected):
    """Whether attacked images are pictures, lie in the ball, and raise the loss as far as the reference does."""
    model, images, labels, eps, norm, *_ = judging.built(arguments)
    found = comparing.array(answer)
    if found is None or found.shape != images.shape:
        return Verdict("shape", f"got {comparing.described(answer)}, expected images of shape {tuple(images.shape)}")
    found = torch.from_numpy(found).float()
    return _allowed(found, images, eps, norm) or _strong(model, found, labels, *expected)


def _allowed(answer, images, eps, norm):
    if not torch.isfinite(answer).all():
        return Verdict("NaN", "the images hold NaN or infinite values")
    if answer.min() < -1e-4 or answer.max() > 1 + 1e-4:
        return Verdict("no picture", f"the values go from {answer.min():.3g} to {answer.max():.3g}: pictures lie in [0,1]")
    away = (answer - images).flatten(1)
    far = away.abs().amax(1).max() if norm == "linf" else away.norm(dim=1).max()
    if far > eps * 1.002 + 1e-4:
        return Verdict("outside the ball", f"an image lies {far:.3g} from its original ({norm}), eps is {eps:.3g}")
    if away.abs().max() < 1e-6:
        return Verdict("stands still", "nothing moved: at these images every gradient is zero, and a step along it is none")
    return None


def _strong(model, answer, labels, before, weakest):
    found = _losses(model, answer, labels)
    shares = (found - before) / (weakest - before).clamp(min=1e-6)
    told = (f"the loss rises from {before.mean():.3g} to {found.mean():.3g}, where the reference's weakest of {RUNS} runs "
            f"reaches {weakest.mean():.3g} in as many steps")
    if shares.mean() < 0:
        return Verdict("falls", told.replace("rises", "falls"))
    if shares.min() < -0.05:
        return Verdict("an image falls", f"{told}; for one image the loss falls")
    if shares.min() < LEAST:
        return Verdict("an image is left", f"{told}; for one image it rises by {max(0, shares.min()):.0%} of that")
    return Verdict("weak", told) if shares.mean() < ENOUGH else None


ATTACK = Question(
    "09.2", "pgd_attack", points=5, minutes=20, reference=_strength, judge=_as_strong, bundled=("resnet_s",),
    kinds=(Kind("ordinary", "L-inf, three images", _attacked("curved", 3, "linf")),
           Kind("ordinary", "L2, one image", _attacked("curved", 1, "l2")),
           Kind("edge", "L-inf, images near black and white", _attacked("curved", 2, "linf", _near_the_border)),
           Kind("edge", "L2, a network that is not sure of anything", _attacked("unsure", 1, "l2")),
           Kind("edge", "L2, gradients of very different lengths", _uneven),
           Kind("degenerate", "grey images, where every gradient is zero", _attacked("even", 2, "linf", grey)),
           Kind("large", "L-inf, the course's own network", _attacked("resnet_s", 2, "linf", steps=4, side=32, eps=0.03))),
    idea="Begin at a random point of the ball, not at the image. Then again and again: the gradient where the images are "
         "now, a step (signs in L-inf; in L2 a step of one length for each image on its own), and back into the ball "
         "around the originals and into [0,1].",
    formula="moved = images + noise within the ball; repeat: moved.requires_grad_(); gradient of F.cross_entropy(model("
            "moved), labels, reduction='sum') by moved; moved = moved + rate * gradient.sign(), or in L2 + rate * "
            "gradient / its norm over all but the first dimension; difference to images clamped to eps, or in L2 "
            "multiplied by (eps / its norm).clamp(max=1); images + difference, clamped to [0,1].",
    mistakes=(
        Mistake("You walk downhill: an attack raises the loss of the label.", lambda *of: _pgd(*of, sign=-1)),
        Mistake("Without a random start an attack stands still where the gradient happens to be zero.",
                lambda *of: _pgd(*of, start=lambda images, *_: images)),
        Mistake("In L-inf you step along the gradient itself, however small it is: take its signs.",
                lambda *of: _pgd(*of, direction=lambda gradient, norm: gradient if norm == "linf" else
                                 gradient / lengths(gradient))),
        Mistake("In L2 you step along the gradient itself, however small it is: each image's step has one length.",
                lambda *of: _pgd(*of, direction=lambda gradient, norm: gradient.sign() if norm == "linf" else gradient)),
        Mistake("In L2 you divide by the length of the whole batch's gradient: each image has one of its own.",
                lambda *of: _pgd(*of, direction=lambda gradient, norm: gradient.sign() if norm == "linf" else
                                 gradient / gradient.norm().clamp(min=1e-12))),
        Mistake("In L2 you clamp each value: the length of the whole difference must not exceed eps.",
                lambda *of: _pgd(*of, back=lambda moved, images, eps, norm: back(moved, images, eps, "linf"))),
        Mistake("Nothing keeps your images near the originals: after each step bring them back into the ball.",
                lambda *of: _pgd(*of, back=lambda moved, images, eps, norm: moved.clamp(0, 1))),
        Mistake("Your images leave [0,1]: no file can hold such a picture.", lambda *of: _pgd(*of, back=in_ball)),
        Mistake("You take the gradient once: after each step the network has another one.",
                lambda *of: _pgd(*of, once=True)),
        Mistake("You attack the class that the network gives: the loss is that of the label.",
                lambda *of: _pgd(*of, classes=lambda model, images, labels: model(images).argmax(1)))),
    without="lecturekit's attacks and `optimise`",
    forbidden=("attacks", "pgd", "fgsm", "optimise", "ball", "scattered", "projections", "torchattacks", "foolbox"))



# 09.3 The nearest boundary


def _linear_model(classes, size, label="likeliest", faint=False):
    """Draws weights (C,D), biases (C,), an input (D,) and a label."""
    def draw(random):
        weights = normal(random, classes, size) * (0.2 + uniform(random, classes, 1)) * (0.05 if faint else 1)
        biases, image = normal(random, classes), uniform(random, size)
        scores = weights @ image + biases
        return weights, biases, image, int(scores.argmax() if label == "likeliest" else scores.topk(2).indices[1])
    return draw


def _ways(weights, biases, image, label):
    """How far the label's score lies above each other class's, (C-1,), and the differences of the weights (C-1,D)."""
    others = torch.arange(len(weights)) != label
    logits = weights @ image + biases
    return (logits[label] - logits)[others], (weights[label] - weights)[others]


def _distance(weights, biases, image, label):
    gaps, differences = _ways(weights, biases, image, label)
    return (gaps / differences.norm(dim=1)).min().clamp(min=0)


def _nearest_by(measure):
    """The distance with another measure of (gaps, differences, the label's weights)."""
    def distance(weights, biases, image, label):
        return measure(*_ways(weights, biases, image, label), weights[label]).clamp(min=0)
    return distance


def _own_included(weights, biases, image, label):
    logits = weights @ image + biases
    return ((logits[label] - logits) / (weights[label] - weights).norm(dim=1)).min()


def _below_zero(weights, biases, image, label):
    gaps, differences = _ways(weights, biases, image, label)
    return (gaps / differences.norm(dim=1)).min()


def _of_the_likeliest(weights, biases, image, label):
    return _distance(weights, biases, image, int((weights @ image + biases).argmax()))


def _without_biases(weights, biases, image, label):
    return _distance(weights, torch.zeros_like(biases), image, label)


DISTANCE_MISTAKES = (
    Mistake("You measure to the class of the second highest score: its boundary need not be the nearest. Measure to "
            "every class.", _nearest_by(lambda gaps, ways, own: gaps.min() / ways[gaps.argmin()].norm())),
    Mistake("You give the gap of the scores: how fast does it close when the image moves?",
            _nearest_by(lambda gaps, ways, own: gaps.min())),
    Mistake("The gap does not close at the rate of the label's weights alone: the other score moves too.",
            _nearest_by(lambda gaps, ways, own: gaps.min() / own.norm())),
    Mistake("You divide by the squared length: that gives the step's factor, not its length.",
            _nearest_by(lambda gaps, ways, own: (gaps / ways.square().sum(1)).min())),
    Mistake("You divide by the sum of absolute values: that is the distance in L-inf. In L2 take the length.",
            _nearest_by(lambda gaps, ways, own: (gaps / ways.abs().sum(1)).min())),
    Mistake("You take the farthest boundary: the nearest one counts.",
            _nearest_by(lambda gaps, ways, own: (gaps / ways.norm(dim=1)).max())),
    Mistake("The biases are missing from your scores.", _without_biases),
    Mistake("Your own class is among the others: its gap and its way are both zero, and 0 / 0 is no number.",
            _own_included),
    Mistake("Another class has a higher score already: then no change is needed, and the distance is 0.", _below_zero),
    Mistake("You measure from the likeliest class: `label` says whose boundary is asked for.", _of_the_likeliest))


def _telling(draw):
    return telling(draw, _distance, *(mistake.solution for mistake in DISTANCE_MISTAKES[:7]))


DISTANCE = Question(
    "09.3", "boundary_distance", points=5, minutes=15, reference=_distance, mistakes=DISTANCE_MISTAKES,
    kinds=(Kind("ordinary", "four classes", _telling(_linear_model(4, 6))),
           Kind("edge", "two classes", _linear_model(2, 5)),
           Kind("edge", "small weights", _telling(_linear_model(5, 7, faint=True))),
           Kind("degenerate", "a label that is not the likeliest", _linear_model(4, 6, label="second")),
           Kind("large", "many classes", _telling(_linear_model(30, 40)))),
    idea="The difference of two scores is a linear score itself: its value, over the length of its weights, is the way "
         "to where it is zero. One such way for each other class.",
    formula="logits = weights @ image + biases; for each other class t: (logits[label] - logits[t]) / (weights[label] - "
            "weights[t]).norm(); the least of these, and 0 where that is negative.",
    without="lecturekit's attacks", forbidden=("deepfool", "attacks"))

QUESTIONS = [LOWEST, ATTACK, DISTANCE]
