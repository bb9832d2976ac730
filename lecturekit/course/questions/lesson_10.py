"""Lesson 10, adversarial training: a linear model's worst loss, an attack through a quantiser, a certified radius."""

import torch
from scipy.stats import beta, norm
from torch.nn import functional as F

from lecturekit.course.questions import Mistake, Question


def _linear_models(seed):
    """Weights (D,), a bias, inputs (N,D), labels -1 or 1 (N,), and eps."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, -1.0])
    return [(draw(6), float(draw(1)), draw(5, 6), signs, eps) for eps in (0.1, 0.3, 0.0)]


def _scores(weights, bias, inputs, signs):
    return signs * (inputs @ weights + bias)


def _worst(weights, bias, inputs, signs, eps):
    return F.softplus(-_scores(weights, bias, inputs, signs) + eps * weights.abs().sum())


WORST = Question(
    "10.1", "worst_loss", points=5, minutes=10, inputs=_linear_models, reference=_worst,
    mistakes=(
        Mistake("Your change helps: the worst one lowers sign * score, so the loss's argument rises by eps |w|_1.",
                lambda w, b, x, s, eps: F.softplus(-_scores(w, b, x, s) - eps * w.abs().sum())),
        Mistake("You use the length of the weights: where every value may move by eps, the sum of their absolute "
                "values counts.",
                lambda w, b, x, s, eps: F.softplus(-_scores(w, b, x, s) + eps * w.norm())),
        Mistake("You add the penalty to the loss, as weight decay does: here it stands inside log(1 + exp(...)).",
                lambda w, b, x, s, eps: F.softplus(-_scores(w, b, x, s)) + eps * w.abs().sum()),
        Mistake("You left the labels out: it is sign * score that must fall.",
                lambda w, b, x, s, eps: F.softplus(-(x @ w + b) + eps * w.abs().sum())),
        Mistake("You sum the weights with their signs: each value moves against its own weight, so take absolute "
                "values.",
                lambda w, b, x, s, eps: F.softplus(-_scores(w, b, x, s) + eps * w.sum())),
        Mistake("You take the mean: give one loss for each row.", lambda *of: _worst(*of).mean())),
    hint="score = inputs @ weights + bias; the worst loss is softplus(-signs * score + eps * weights.abs().sum()).")


def _networks(seed):
    """An image (H,W), its label, the weights (H*W,12) and (12,4) of a small network, levels, eps, rate and steps."""
    generator = torch.Generator().manual_seed(seed)
    cases = []
    for label, case in enumerate(((4, 0.2, 0.05, 1), (8, 0.15, 0.05, 6), (5, 0.3, 0.1, 8))):
        image = torch.rand(5, 6, generator=generator).double()
        hidden, head = (torch.randn(*shape, generator=generator).double() for shape in ((30, 12), (12, 4)))
        cases.append((image, label, hidden / 2, head, *case))
    return cases


def _rounded(image, levels):
    return (image * (levels - 1)).round() / (levels - 1)


def _attack(image, label, hidden, head, levels, eps, rate, steps, seen=_rounded, step=torch.sign, low=0.0, ball=True):
    """The attack with one of its parts exchanged."""
    moved = image
    for _ in range(steps):
        at = seen(moved, levels).detach().requires_grad_()
        with torch.enable_grad():
            logits = torch.tanh(at.flatten() @ hidden) @ head
            gradient, = torch.autograd.grad(-logits.log_softmax(0)[label], at)
        moved = moved + rate * step(gradient)
        moved = image + (moved - image).clamp(-eps, eps) if ball else moved
        moved = moved.clamp(low, 1 - low)
    return moved


def _quantised_result(image, label, hidden, head, levels, *of):
    return _rounded(_attack(image, label, hidden, head, levels, *of), levels)


BREAK = Question(
    "10.2", "break_quantised", points=5, minutes=20, inputs=_networks, reference=_attack,
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
        Mistake("You left [0,1]: clamp after each step.", lambda *of: _attack(*of, low=-10.0)),
        Mistake("You give the quantised image back: the attack is the image before the rounding.",
                _quantised_result)),
    hint="Each step: round moved to `seen`, seen.requires_grad_(); the gradient of -logits.log_softmax(0)[label] by "
         "seen; moved = moved + rate * gradient.sign(); clamp moved - image to eps, then moved to [0,1].",
    forbidden=("pgd", "fgsm", "optimise"))


def _votes(seed):
    """Hits, samples, sigma and alpha."""
    generator = torch.Generator().manual_seed(seed)
    cases = []
    for samples, low, high in ((100, 0.75, 0.98), (1000, 0.6, 0.95), (200, 1.0, 1.0), (50, 0.2, 0.45)):
        share = low + (high - low) * torch.rand(1, generator=generator).item()
        sigma = 0.2 + torch.rand(1, generator=generator).item()
        cases.append((round(share * samples), samples, sigma, 0.001))
    return cases


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
    "10.3", "certified_radius", points=5, minutes=15, inputs=_votes, reference=_radius,
    mistakes=(
        Mistake("You use the share hits / samples: it may be lucky. Take the lower bound, "
                "beta.ppf(alpha, hits, samples - hits + 1).", _from_share),
        Mistake("Where p is not above one half there is no certificate: give 0.",
                lambda hits, samples, sigma, alpha: float(sigma * norm.ppf(_bound(hits, samples, alpha)))),
        Mistake("You left sigma out: the radius grows with the noise.",
                lambda hits, samples, sigma, alpha: _radius(hits, samples, 1.0, alpha)),
        Mistake("You take the upper bound, beta.ppf(1 - alpha, ...): a certificate needs the lower one.",
                _from_upper_bound),
        Mistake("You take alpha / 2: only one side is bounded.",
                lambda hits, samples, sigma, alpha: _radius(hits, samples, sigma, alpha / 2)),
        Mistake("beta.ppf takes hits and samples - hits + 1: you gave it samples - hits.", _one_too_few)),
    hint="p = beta.ppf(alpha, hits, samples - hits + 1); sigma * norm.ppf(p) where p > 0.5, else 0.0.")

QUESTIONS = [WORST, BREAK, RADIUS]
