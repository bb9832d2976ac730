"""Lesson 10, adversarial training: a linear model's worst loss, an attack through a quantiser, a certified radius."""

import torch
from scipy.stats import beta, norm
from torch.nn import functional as F

from lecturekit.course.questions import Kind, Mistake, Question
from lecturekit.course.questions.drawing import normal, uniform, whole

# 10.1 The worst loss


def _linear_model(eps, size=6, count=5, signs=None):
    """Draws weights (D,), a bias, inputs (N,D) and labels -1 or 1 (N,); eps is given."""
    def draw(random):
        labels = torch.tensor([1.0, -1.0] * count)[torch.randperm(2 * count, generator=random)][:count]
        return (normal(random, size), float(normal(random)), normal(random, count, size),
                labels if signs is None else torch.full((count,), signs), eps)
    return draw


def _scores(weights, bias, inputs, signs):
    return signs * (inputs @ weights + bias)


def _worst(weights, bias, inputs, signs, eps):
    return F.softplus(-_scores(weights, bias, inputs, signs) + eps * weights.abs().sum())


WORST = Question(
    "10.1", "worst_loss", points=5, minutes=10, reference=_worst,
    kinds=(Kind("ordinary", "both labels", _linear_model(0.3)),
           Kind("edge", "a small change", _linear_model(0.05)),
           Kind("edge", "one label alone", _linear_model(0.2, signs=-1.0)),
           Kind("edge", "no change allowed", _linear_model(0.0)),
           Kind("edge", "one row", _linear_model(0.1, size=4, count=1)),
           Kind("large", "many inputs", _linear_model(0.02, size=100, count=80))),
    idea="For a linear score the worst change is known: every value moves by eps against its weight, and the score "
         "falls by a fixed amount. What is the loss of the score that is left?",
    formula="score = inputs @ weights + bias; the worst loss is softplus(-signs * score + eps * weights.abs().sum()).",
    mistakes=(
        Mistake("Your change helps: the worst one lowers sign * score, so that the loss rises.",
                lambda w, b, x, s, eps: F.softplus(-_scores(w, b, x, s) - eps * w.abs().sum())),
        Mistake("You use the length of the weights: where every value may move by eps, another norm of them counts.",
                lambda w, b, x, s, eps: F.softplus(-_scores(w, b, x, s) + eps * w.norm())),
        Mistake("You add the penalty to the loss, as weight decay does: here it stands inside log(1 + exp(...)).",
                lambda w, b, x, s, eps: F.softplus(-_scores(w, b, x, s)) + eps * w.abs().sum()),
        Mistake("You left the labels out: it is sign * score that must fall.",
                lambda w, b, x, s, eps: F.softplus(-(x @ w + b) + eps * w.abs().sum())),
        Mistake("You sum the weights with their signs: each value moves against its own weight.",
                lambda w, b, x, s, eps: F.softplus(-_scores(w, b, x, s) + eps * w.sum())),
        Mistake("You take the mean: give one loss for each row.", lambda *of: _worst(*of).mean()),
        Mistake("You take the largest weight: every value may move, so all weights count.",
                lambda w, b, x, s, eps: F.softplus(-_scores(w, b, x, s) + eps * w.abs().max())),
        Mistake("That is the loss without any change: the worst one is asked for.",
                lambda w, b, x, s, eps: F.softplus(-_scores(w, b, x, s)))))


# 10.2 Break it


def _network(levels, eps, rate, steps, dark=0.0, height=5, width=6):
    """Draws an image (H,W), its label and the weights (H*W,12) and (12,4) of a small network."""
    def draw(random):
        image = (uniform(random, height, width) * (1 + 2 * dark) - dark).clamp(0, 1).double()
        hidden, head = normal(random, height * width, 12).double(), normal(random, 12, 4).double()
        return image, whole(random, 0, 3), hidden / 2, head, levels, eps, rate, steps
    return draw


def _rounded(image, levels):
    return (image * (levels - 1)).round() / (levels - 1)


def _gradient(seen, label, hidden, head):
    at = seen.detach().requires_grad_()
    with torch.enable_grad():
        logits = torch.tanh(at.flatten() @ hidden) @ head
        return torch.autograd.grad(-logits.log_softmax(0)[label], at)[0]


def _attack(image, label, hidden, head, levels, eps, rate, steps, seen=_rounded, step=torch.sign, low=0.0, ball=True,
            once=False):
    """The attack with one of its parts exchanged."""
    moved, first = image, _gradient(seen(image, levels), label, hidden, head)
    for _ in range(steps):
        gradient = first if once else _gradient(seen(moved, levels), label, hidden, head)
        moved = moved + rate * step(gradient)
        moved = image + (moved - image).clamp(-eps, eps) if ball else moved
        moved = moved.clamp(low, 1 - low)
    return moved


BREAK = Question(
    "10.2", "break_quantised", points=5, minutes=20, reference=_attack,
    kinds=(Kind("ordinary", "six steps", _network(8, 0.15, 0.05, 6)),
           Kind("edge", "an image near black and white", _network(5, 0.3, 0.1, 8, dark=0.4)),
           Kind("edge", "one step", _network(4, 0.2, 0.05, 1)),
           Kind("edge", "black and white alone", _network(2, 0.4, 0.1, 6)),
           Kind("degenerate", "no step", _network(6, 0.2, 0.1, 0)),
           Kind("large", "a large image", _network(16, 0.1, 0.02, 10, height=16, width=12))),
    idea="The rounding hides the slope, but an image that is good for the attack before it is good behind it, too. So "
         "ask for the gradient where the network looks, and move the image as if no rounding were there.",
    formula="Each step: round moved to `seen`, seen.requires_grad_(); the gradient of -logits.log_softmax(0)[label] by "
            "seen; moved = moved + rate * gradient.sign(); clamp moved - image to eps, then moved to [0,1].",
    mistakes=(
        Mistake("Nothing moved: through the rounding the gradient is zero. Take it at the quantised image, as if it "
                "were the image's own.", lambda image, *of: image),
        Mistake("You take the gradient at the image itself: the network sees the quantised one.",
                lambda *of: _attack(*of, seen=lambda image, levels: image)),
        Mistake("You walk downhill: the loss of the true label must rise.",
                lambda *of: _attack(*of, step=lambda gradient: -gradient.sign())),
        Mistake("You step by the gradient itself: take its signs.",
                lambda *of: _attack(*of, step=lambda gradient: gradient)),
        Mistake("You left the ball: after each step bring every value back to within eps of the start.",
                lambda *of: _attack(*of, ball=False)),
        Mistake("You left [0,1], the range of pictures.", lambda *of: _attack(*of, low=-10.0)),
        Mistake("You give the quantised image back: the attack is the image before the rounding.",
                lambda image, label, hidden, head, levels, *of: _rounded(
                    _attack(image, label, hidden, head, levels, *of), levels)),
        Mistake("You take the gradient once: the network has another one after each step.",
                lambda *of: _attack(*of, once=True))),
    without="lecturekit's attacks", forbidden=("pgd", "fgsm", "optimise", "attacks"))


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
    "10.3", "certified_radius", points=5, minutes=15, reference=_radius,
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

QUESTIONS = [WORST, BREAK, RADIUS]
