"""Randomised smoothing (Cohen, Rosenfeld, Kolter 2019): the answer that a classifier gives most often under Gaussian
noise, and a radius (L2) within which no change of the image can turn it."""

from dataclasses import dataclass

import torch
from scipy.special import betaincinv, ndtri

from lecturekit import validate
from lecturekit.networks import running

ABSTAIN = -1


@dataclass(frozen=True)
class Certified:
    """For each of N images the smoothed classifier's answer, long (N,), `ABSTAIN` where it is not sure, and the radius
    (N,) within which that answer holds, 0 where it abstains."""

    answers: torch.Tensor
    radii: torch.Tensor

    def accuracy(self, labels, radius=0.0):
        """The share of images with the right answer and a certificate for at least `radius`."""
        right = (self.answers == torch.as_tensor(labels)) & (self.radii >= radius)
        return right.float().mean().item()


@torch.no_grad()
def votes(model, images, sigma, samples, generator, batch=2048):
    """How often a network answers each class for images (N,C,H,W) with Gaussian noise of deviation sigma: counts
    (N,classes). The noise may leave [0,1]."""
    validate.images(images)
    validate.positive("sigma", sigma), validate.positive("samples", samples, whole=True)
    counts, most = 0, max(1, batch // max(1, len(images)))
    for start in range(0, samples, most):
        times = min(most, samples - start)
        noise = sigma * torch.randn(times, *images.shape, generator=generator).to(images)
        scores = running.logits(model, (images + noise).flatten(0, 1), batch)   # (times * N,classes)
        answers = torch.nn.functional.one_hot(scores.argmax(1), scores.shape[1])
        counts = counts + answers.view(times, len(images), -1).sum(0)
    return counts.cpu()


def predict(model, images, sigma, samples=100, alpha=0.001, seed=0):
    """The smoothed classifier's answers, long (N,): `ABSTAIN` where the first and second class might be equally
    frequent (binomial test at level alpha; algorithm PREDICT)."""
    from scipy.stats import binomtest   # seconds to import
    counts = votes(model, images, sigma, samples, torch.Generator().manual_seed(seed))
    first, second = counts.topk(2).values.T.tolist()
    sure = [binomtest(a, a + b, 0.5).pvalue <= alpha for a, b in zip(first, second)]
    return torch.where(torch.tensor(sure, dtype=torch.bool), counts.argmax(1), ABSTAIN)


def certify(model, images, sigma, samples=1000, alpha=0.001, seed=0, choosing=100):
    """The smoothed classifier's answers with their radii: `Certified`. `choosing` samples choose the class, `samples`
    others bound its probability; each certificate is wrong with probability alpha at most (algorithm CERTIFY)."""
    generator = torch.Generator().manual_seed(seed)
    chosen = votes(model, images, sigma, choosing, generator).argmax(1)
    counts = votes(model, images, sigma, samples, generator).gather(1, chosen[:, None])[:, 0]
    radii = torch.tensor([radius(lower_bound(count, samples, alpha), sigma) for count in counts.tolist()])
    return Certified(torch.where(radii > 0, chosen, ABSTAIN), radii)


def lower_bound(count, samples, alpha=0.001):
    """A probability that is below the true one with confidence 1 - alpha, from `count` hits in `samples` (Clopper and
    Pearson 1934)."""
    validate.positive("samples", samples, whole=True)
    if not 0 <= count <= samples or not 0 < alpha < 1:
        raise ValueError(f"count, alpha: got {count} of {samples} and {alpha}. It takes a count from 0 to samples, "
                         "and a number between 0 and 1.")
    return float(betaincinv(count, samples - count + 1, alpha)) if count else 0.0


def radius(probability, sigma):
    """sigma * Phi^-1(p): how far (L2) the image may move, if the answer has at least this probability under noise of
    deviation sigma (theorem 1, with 1 - p for the second class); 0 where p is not above a half."""
    return float(sigma * ndtri(probability)) if probability > 0.5 else 0.0
