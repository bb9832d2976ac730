"""Lesson 10, adversarial training: a step of it, an attack through a quantiser, a certified radius."""

from functools import partial

import torch
from scipy.stats import beta, norm
from torch.nn import functional as F

from lecturekit.course import judging
from lecturekit.course.questions import Kind, Mistake, Network, Question
from lecturekit.course.questions.attacking import back, in_ball, uphill
from lecturekit.course.questions.drawing import grey, telling, uniform, whole

# 10.1 One step of adversarial training


def _lesson(architecture, count, eps=0.1, inner=3, rate=1.0, image=uniform, side=12):
    """Draws a network, images (N,3,side,side) and labels (N,); eps, the attack's steps and the rate are given."""
    def draw(random):
        images = image(random, count, 3, side, side)
        labels = torch.randint(5, (count,), generator=random)
        return Network(architecture, whole(random, 0, 1 << 20)), images, labels, eps, inner, rate
    return draw


def _near_the_border(random, *shape):
    return (1.8 * uniform(random, *shape) - 0.4).clamp(0, 1)


def _attacked(model, images, labels, eps, inner, step=torch.sign, back=back, once=False):
    """PGD from the images in L-inf, with one of its parts exchanged."""
    moved, first = images, uphill(model, images, labels)
    for _ in range(inner):
        gradient = first if once else uphill(model, moved, labels)
        moved = back(moved + eps / 2 * step(gradient), images, eps)
    return moved


def _trained(model, images, labels, eps, inner, rate, attack=_attacked, sign=1, reduction="mean", seen=None):
    """The weights after one step at attacked images, with one of its parts exchanged."""
    moved, weights = attack(model, images, labels, eps, inner), list(model.parameters())
    moved = seen(images, moved) if seen else moved
    labels = labels.repeat(len(moved) // len(labels))
    model.requires_grad_(True)
    with torch.enable_grad():
        gradients = torch.autograd.grad(F.cross_entropy(model(moved), labels, reduction=reduction), weights)
    return [(weight - sign * rate * gradient).detach() for weight, gradient in zip(weights, gradients, strict=True)]


def _training_with(**parts):
    return lambda *of: _trained(*of, **parts)


def _attacking_with(**parts):
    return lambda *of: _trained(*of, attack=lambda *inner: _attacked(*inner, **parts))


def _put(model, weights):
    for weight, new in zip(model.parameters(), weights, strict=True):
        weight.data = new


def _after_each_step(model, images, labels, eps, inner, rate):
    """A step of the weights for each step of the attack."""
    moved = images
    for _ in range(inner):
        moved = back(moved + eps / 2 * uphill(model, moved, labels).sign(), images, eps)
        _put(model, _trained(model, moved, labels, eps, 0, rate))
    return [weight.detach() for weight in model.parameters()]


def _moved_back(model, images, labels, eps, inner, rate):
    """The gradient of the clean images at weights that a step at the moved ones has reached."""
    _put(model, _trained(model, images, labels, eps, inner, rate))
    return _trained(model, images, labels, eps, 0, rate)


TRAINED = Question(
    "10.1", "robust_step", points=5, minutes=15, reference=_trained, tolerance=1e-3,
    kinds=(Kind("ordinary", "three images", _lesson("deep_head", 3)),
           Kind("ordinary", "another network, two images", _lesson("curved", 2, eps=0.05, inner=4, rate=0.5)),
           Kind("edge", "images near black and white", _lesson("curved", 3, eps=0.2, image=_near_the_border)),
           Kind("edge", "one step of attack, a long one of training", _lesson("plain", 2, inner=1, rate=4.0)),
           Kind("edge", "no change allowed", _lesson("deep_head", 2, eps=0.0)),
           Kind("degenerate", "grey images, where every gradient is zero", _lesson("even", 2, image=grey)),
           Kind("large", "many images", _lesson("deep_head", 24, side=16))),
    idea="Two loops that never move the same thing: first the images go up the loss while the weights rest, then the "
         "weights go down, once, at the images that were found.",
    formula="moved = images; repeat: the gradient of F.cross_entropy(model(moved), labels) by moved; moved += eps / 2 * its "
            "signs, moved - images clamped to eps, then [0,1]. Then model.requires_grad_(True), the gradients of "
            "F.cross_entropy(model(moved.detach()), labels) by list(model.parameters()); each weight - rate * its gradient.",
    mistakes=(
        Mistake("That is a step of ordinary training: take the loss at the attacked images.",
                lambda *of: _trained(*of[:4], 0, of[-1])),
        Mistake("Your weights go up the loss: the images go up, the weights down.", _training_with(sign=-1)),
        Mistake("Your images go down the loss: the attack makes it as large as it can.",
                _attacking_with(step=lambda gradient: -gradient.sign())),
        Mistake("The attack takes one step alone: `inner` are asked for.", lambda *of: _trained(*of[:4], 1, of[-1])),
        Mistake("The attack uses one gradient for all its steps: it is another one at each image.",
                _attacking_with(once=True)),
        Mistake("The attack steps along the gradient itself: take its signs.", _attacking_with(step=lambda gradient: gradient)),
        Mistake("The attacked images leave the ball: no value may move by more than eps.",
                _attacking_with(back=lambda moved, images, eps: moved.clamp(0, 1))),
        Mistake("The attacked images leave [0,1], the range of pictures.", _attacking_with(back=in_ball)),
        Mistake("Your loss is the sum over the images: the weights go down its mean.", _training_with(reduction="sum")),
        Mistake("You train on clean and attacked images together: here the attacked ones alone count.",
                _training_with(seen=lambda images, moved: torch.cat([images, moved]))),
        Mistake("You move the weights after each step of the attack: they rest until it has ended.", _after_each_step),
        Mistake("You take a step at the clean images, too.", _moved_back),
        Mistake("You give the gradients: the weights after the step are asked for.",
                lambda *of: [(before - after) / of[-1] for before, after in
                             zip(_trained(*of[:-1], 0.0), _trained(*of), strict=True)])),
    without="lecturekit's attacks and `robust_training`",
    forbidden=("pgd", "fgsm", "attacks", "optimise", "robust_training", "adversarial", "fit"))


# 10.2 Break it


def _quantised(architecture, levels, eps, rate, steps, count=2, image=uniform, misread=0, side=10):
    """Draws a network, images (N,3,side,side) and the labels that it gives behind the quantiser, but for the first
    `misread` of them, whose labels come second."""
    def draw(random):
        network, images = Network(architecture, whole(random, 0, 1 << 20)), image(random, count, 3, side, side)
        answers = judging.built([network])[0](_rounded(images, levels)).topk(2).indices
        labels = torch.where(torch.arange(count) < misread, answers[:, 1], answers[:, 0])
        return network, images, labels, levels, eps, rate, steps
    return draw


def _rounded(images, levels):
    return (images * (levels - 1)).round() / (levels - 1)


def _reads(model, images, labels, levels):
    return model(_rounded(images, levels)).argmax(1) == labels


def _through(model, images, labels, levels, eps, rate, steps, seen=_rounded, step=torch.sign, back=back, once=False,
             last=lambda images, levels: images, reads=_reads, whole_way=True):
    """The attack, and which images still stand, with one of its parts exchanged."""
    moved, first = images, uphill(model, seen(images, levels), labels)
    stands = reads(model, images, labels, levels)
    for _ in range(steps):
        gradient = first if once else uphill(model, seen(moved, levels), labels)
        moved = back(moved + rate * step(gradient), images, eps)
        now = reads(model, moved, labels, levels)
        stands = stands & now if whole_way else now
    return last(moved, levels), stands


def _through_with(**parts):
    return lambda *of: _through(*of, **parts)


BREAK_MISTAKES = (
    Mistake("Nothing moved: through the rounding the gradient is zero. Take it at the quantised image, as if it were the "
            "image's own.", lambda model, images, labels, levels, *of: (images, _reads(model, images, labels, levels))),
    Mistake("You take the gradient at the images themselves: the network sees the quantised ones.",
            _through_with(seen=lambda images, levels: images)),
    Mistake("You walk downhill: the loss of the true label must rise.",
            _through_with(step=lambda gradient: -gradient.sign())),
    Mistake("You step by the gradient itself: take its signs.", _through_with(step=lambda gradient: gradient)),
    Mistake("You left the ball: after each step bring every value back to within eps of the start.",
            _through_with(back=lambda moved, images, eps: moved.clamp(0, 1))),
    Mistake("You left [0,1], the range of pictures.", _through_with(back=in_ball)),
    Mistake("You give the quantised images back: the attack is the image before the rounding.",
            _through_with(last=_rounded)),
    Mistake("You take the gradient once: the network has another one after each step.", _through_with(once=True)),
    Mistake("Your images are right, but not who stands: an image falls if it is misread at any step, or from the start, "
            "not at the end alone.", _through_with(whole_way=False)),
    Mistake("Your images are right, but not who stands: the network in use rounds what it reads.",
            _through_with(reads=lambda model, images, labels, levels: model(images).argmax(1) == labels)),
    Mistake("You say which images have fallen: say which ones stand.", lambda *of: (_through(*of)[0], ~_through(*of)[1])))


def _telling(*numbers, mixed=False):
    """Draws until these mistakes show, and, where `mixed`, until some of the images stand and others fall."""
    said = [_through_with(reads=partial(_always, value)) for value in (True, False) if mixed]
    return lambda draw: telling(draw, _through, *(BREAK_MISTAKES[number].solution for number in numbers), *said)


def _always(value, model, images, labels, levels):
    return torch.full((len(images),), value)


BREAK = Question(
    "10.2", "break_quantised", points=5, minutes=20, reference=_through, mistakes=BREAK_MISTAKES,
    kinds=(Kind("ordinary", "four images", _telling(9, mixed=True)(_quantised("unsure", 3, 0.03, 0.01, 4, count=4))),
           Kind("ordinary", "long steps, after which an image may be read rightly again",
                _telling(8)(_quantised("even", 3, 0.3, 0.6, 5, count=6))),
           Kind("edge", "another network, more levels",
                _telling(mixed=True)(_quantised("curved", 8, 0.02, 0.006, 5, count=4))),
           Kind("edge", "near black and white",
                _telling(5)(_quantised("deep_head", 5, 0.3, 0.07, 8, image=_near_the_border))),
           Kind("edge", "black and white alone", _quantised("curved", 2, 0.4, 0.11, 6)),
           Kind("edge", "an image that is misread before any step",
                _quantised("curved", 6, 0.1, 0.03, 4, count=3, misread=1)),
           Kind("degenerate", "no step", _quantised("deep_head", 6, 0.2, 0.1, 0, count=3, misread=1)),
           Kind("large", "many images", _quantised("curved", 16, 0.1, 0.023, 8, count=16, side=16))),
    idea="The rounding hides the slope, but an image that is good for the attack before it is good behind it, too. So "
         "ask for the gradient where the network looks, and move the image as if no rounding were there. Who stands is "
         "asked of the network in use, with its rounding, again and again.",
    formula="Each step: round moved to `seen`, seen.requires_grad_(); the gradient of F.cross_entropy(model(seen), labels) "
            "by seen; moved = moved + rate * gradient.sign(); clamp moved - images to eps, then moved to [0,1]; stands &= "
            "model(rounded moved).argmax(1) == labels, which it begins with at the images.",
    without="lecturekit's attacks and defences", forbidden=("pgd", "fgsm", "optimise", "attacks", "defences", "defence_zoo"))


# 10.3 The certified radius


def _votes(samples, low, high, alpha=0.001):
    """Draws hits, a share of the samples from `low` to `high`, and sigma."""
    def draw(random):
        share = low + (high - low) * uniform(random, 1).item()
        return round(share * samples), samples, 0.2 + uniform(random, 1).item(), alpha
    return draw


def _bound(hits, samples, alpha):
    return float(beta.ppf(alpha, hits, samples - hits + 1))


def _radius(hits, samples, sigma, alpha):
    p = _bound(hits, samples, alpha)
    return float(sigma * norm.ppf(p)) if p > 0.5 else 0.0


def _from_share(hits, samples, sigma, alpha):
    share = min(hits / samples, 1 - 1e-12)
    return float(sigma * norm.ppf(share)) if share > 0.5 else 0.0


def _from_upper_bound(hits, samples, sigma, alpha):
    p = float(beta.ppf(1 - alpha, hits, samples - hits + 1))
    return float(sigma * norm.ppf(p)) if p > 0.5 else 0.0


def _one_too_few(hits, samples, sigma, alpha):
    return _radius(hits, samples - 1, sigma, alpha) if hits < samples else 0.0


RADIUS = Question(
    "10.3", "certified_radius", points=5, minutes=10, reference=_radius,
    kinds=(Kind("ordinary", "a clear majority", _votes(100, 0.75, 0.98)),
           Kind("edge", "another alpha", _votes(200, 0.7, 0.9, alpha=0.05)),
           Kind("edge", "all of the samples", _votes(200, 1.0, 1.0)),
           Kind("degenerate", "a majority that is barely there", _votes(100, 0.52, 0.6)),
           Kind("degenerate", "a minority", _votes(50, 0.1, 0.45)),
           Kind("degenerate", "no hit at all", _votes(40, 0.0, 0.0)),
           Kind("large", "many samples", _votes(10_000, 0.55, 0.95))),
    idea="The share that you counted may be lucky. Which share is so low that counting as many hits would be a rare "
         "event? From that one comes the radius, if it is still a majority.",
    formula="p = beta.ppf(alpha, hits, samples - hits + 1); sigma * norm.ppf(p) where p > 0.5, else 0.0.",
    mistakes=(
        Mistake("You use the share that was counted: it may be lucky. Take its lower bound.", _from_share),
        Mistake("Where p is not above one half there is no certificate: give 0.",
                lambda hits, samples, sigma, alpha: float(sigma * norm.ppf(_bound(hits, samples, alpha)))),
        Mistake("You left sigma out: the radius grows with the noise.",
                lambda hits, samples, sigma, alpha: _radius(hits, samples, 1.0, alpha)),
        Mistake("You take the upper bound: a certificate needs the lower one.", _from_upper_bound),
        Mistake("You take alpha / 2: only one side is bounded.",
                lambda hits, samples, sigma, alpha: _radius(hits, samples, sigma, alpha / 2)),
        Mistake("Your bound counts one miss too few: look at the last argument of the beta distribution.", _one_too_few),
        Mistake("Your radius is twice as large: the distance to the second class is counted once.",
                lambda *of: 2 * _radius(*of)),
        Mistake("You give the bound on the share: the radius is how far the noise can be moved until it is one half.",
                lambda hits, samples, sigma, alpha: _bound(hits, samples, alpha))),
    without="lecturekit's `smoothing`", forbidden=("smoothing", "lower_bound", "certify", "radius"))

QUESTIONS = [TRAINED, BREAK, RADIUS]
