"""White-box attacks: an objective, a step and a projection given to `optimise`.

Everywhere images are (N,C,H,W) in [0,1], labels one class index for each, and `model` gives logits, not
probabilities. eps is in pixel units, such as 8/255. With `targets`, one for each image, an attack goes for these
classes in place of any wrong one. What comes back lies in the ball and in [0,1], whether it fools the network or not.
"""

import torch

from lecturekit import validate
from lecturekit.networks import running
from lecturekit.networks.running import BATCH, logits
from lecturekit.moving import objectives, optimise, projections, steps as moves
from lecturekit.moving.objectives import Objective

LOSSES = {"cross_entropy": objectives.cross_entropy, "margin": objectives.margin, "dlr": objectives.dlr}
TARGETED = ("cross_entropy", "margin")   # the DLR loss is constant where the target comes third
STEPS = {"linf": moves.signed, "l2": moves.normalised}


def fgsm(model, images, labels, eps, norm="linf", targets=None, loss="cross_entropy"):
    """One step of length eps: by the signs of the gradient (Goodfellow et al. 2015), or in "l2" along it."""
    return pgd(model, images, labels, eps, norm, 1, start="image", targets=targets, loss=loss)


def pgd(model, images, labels, eps, norm="linf", steps=20, rate=None, start="random", restarts=1, targets=None,
        loss="cross_entropy", transform=None, seed=0, batch=BATCH):
    """Projected gradient descent (Madry et al. 2018): for each image, of those after a step, the one of highest loss.

    norm       "linf": steps by the signs of the gradient; "l2": steps along it
    rate       the length of every step; by default eps for the first, falling linearly to eps / steps for the last
    start      "random": at a point of the ball drawn from `seed`; "image": at the image (Kurakin et al. 2017)
    restarts   how many times in all the images that still stand are attacked
    loss       "cross_entropy", "margin" (Carlini and Wagner 2017) or "dlr" (Croce and Hein 2020)
    transform  (images, generator) -> images before the network, as in `optimise`
    """
    labels, targets = checked(model, images, labels, targets)
    validate.one_of("start", start, ("random", "image")), validate.positive("batch", batch, whole=True)
    validate.positive("restarts", restarts, whole=True)
    goal, move = _goal(model, labels, targets, loss), _move(eps, norm, steps, rate)
    found, standing = images.detach().clone(), torch.arange(len(images) if eps else 0)   # eps = 0: nowhere to go
    for turn in range(seed, seed + restarts):
        if turn > seed:
            standing = (~fooled(model, found, labels, targets, batch)).nonzero()[:, 0]
        begin = projections.scattered(images, eps, norm, turn) if start == "random" else images
        for rows in standing.split(batch) if len(standing) else ():
            points = begin[rows].contiguous(memory_format=torch.channels_last)   # the faster layout on a CPU
            ball = projections.ball(images[rows], eps, norm)
            found[rows] = optimise(points, goal(rows), steps, move, ball, transform, turn, quiet=True,
                                   keep="best").images
    return found


def _goal(model, labels, targets, loss):
    """rows -> the objective of these images."""
    validate.one_of("loss", loss, LOSSES if targets is None else TARGETED)
    if targets is None:
        return lambda rows: LOSSES[loss](model, labels[rows])
    return lambda rows: -LOSSES[loss](model, targets[rows])


def _move(eps, norm, steps, rate):
    """The step of `pgd`; None where eps is 0."""
    validate.one_of("norm", norm, STEPS), validate.positive("steps", steps, whole=True)
    if not projections.radius(eps):
        return None
    return moves.falling(STEPS[norm](eps), steps) if rate is None else STEPS[norm](rate)


def deepfool(model, images, labels, norm="l2", steps=20, candidates=5, overshoot=0.02, batch=BATCH):
    """Step by step to the nearest boundary, as if the network were linear (Moosavi-Dezfooli et al. 2016): images just
    beyond it, of small distance (`distance`). `candidates`: to how many classes, the likeliest, the way is measured.
    """
    labels, _ = checked(model, images, labels)
    validate.one_of("norm", norm, STEPS), validate.positive("candidates", candidates, whole=True)
    found = images.detach().clone()
    for rows in torch.arange(len(images)).split(batch) if len(images) else ():
        goal = Objective(lambda moved: _boundary(model, moved, labels[rows], norm, candidates), (model,))
        found[rows] = optimise(images[rows], goal, steps, moves.newton(1 + overshoot, norm), projections.box,
                               quiet=True).images
    return shortened(model, images, labels, found, batch=batch)


def _boundary(model, images, labels, norm, candidates):
    """-log of how far the label's logit lies above that of the class whose boundary is nearest; 0 beyond it."""
    scores, own = running.scores(model, images), validate.ordinary(labels)[:, None].to(images.device)
    others = scores.scatter(1, own, -torch.inf).topk(min(candidates, scores.shape[1] - 1))
    margins = others.values - scores.gather(1, own)   # (N,candidates)
    slopes = [torch.autograd.grad(margin.sum(), images, retain_graph=True)[0] for margin in margins.T]
    sizes = torch.stack([slope.flatten(1).norm(1 if norm == "linf" else 2, dim=1) for slope in slopes], 1)
    nearest = (margins.detach().abs() / sizes.clamp(min=1e-12)).argmin(1)
    margin = margins.gather(1, nearest[:, None])[:, 0]
    return torch.where(margins.amax(1) < 0, -margin.clamp(max=-1e-9).neg().log(), 0 * margin)


def lbfgs(model, images, labels, targets, rounds=6, steps=2):
    """The first attack (Szegedy et al. 2014): the smallest |r|_2 at which image + r is taken for the target, sought by
    L-BFGS on c |r|^2 + cross-entropy, with c by bisection; an image for which none was found stays as it is."""
    labels, targets = checked(model, images, labels, targets)
    found = images.detach().clone()
    for i in range(len(images)):   # the line search is each image's own
        image, target, low, high = images[i:i + 1], targets[i:i + 1], 1e-4, 1e4
        for _ in range(validate.positive("rounds", rounds, whole=True)):
            c = (low * high) ** 0.5
            near = Objective(lambda moved: c * (moved - image).square().flatten(1).sum(1))
            tried = optimise(image, -objectives.cross_entropy(model, target) - near, steps, moves.lbfgs(inner=10),
                             projections.box, quiet=True).images
            if fooled(model, tried, labels[i:i + 1], target):
                low, found[i:i + 1] = c, tried
            else:
                high = c
    return found


def shortened(model, images, labels, adversarial, targets=None, rounds=10, batch=BATCH):
    """Adversarial images moved back towards `images` as far as they still fool the network (bisection of the way);
    those that do not fool it stay."""
    return on_the_way(images, adversarial, lambda moved: fooled(model, moved, labels, targets, batch), rounds)


def on_the_way(images, others, holds, rounds):
    """The points on the way from `images` to `others` that are nearest to `images` and for which `holds` (images ->
    bool (N,)) is still true, by bisection; the others themselves where it never is."""
    low, high = torch.zeros(2, len(images), 1, 1, 1).to(images)
    high += 1
    for _ in range(rounds):
        middle = (low + high) / 2
        true = holds(images + middle * (others - images)).view(-1, 1, 1, 1).to(images.device)
        low, high = torch.where(true, low, middle), torch.where(true, middle, high)
    return images + high * (others - images)


def fooled(model, images, labels, targets=None, batch=BATCH):
    """For each image whether the network gives another class than its label, or, with `targets`, its target: bool
    (N,)."""
    predicted = logits(model, images, batch).argmax(1).cpu()
    return predicted != torch.as_tensor(labels).cpu() if targets is None else predicted == torch.as_tensor(targets).cpu()


def distance(images, others, norm="l2"):
    """How far each of the images lies from its partner, (N,), in "l2" or "linf"."""
    order = {"l2": 2, "linf": torch.inf}[validate.one_of("norm", norm, STEPS)]
    return (images - others).flatten(1).norm(order, dim=1)


def quantised(images):
    """The images as 8-bit files keep them: every value a multiple of 1/255. An attack may not survive it."""
    return (validate.images(images) * 255).round() / 255


def checked(model, images, labels, targets=None):
    """labels and targets (or None) as long tensors (N,). Raises ValueError for images outside [0,1], a class that the
    model does not have, a target that is the image's label, and a model that gives probabilities."""
    scores = logits(model, validate.images(images)[:4])
    if scores.shape[1] < 2:
        raise ValueError(f"model: got logits of {scores.shape[1]} class. It takes a model of two classes or more.")
    labels = validate.targets(labels, len(images), scores.shape[1], "labels").cpu()
    if targets is None:
        return labels, None
    targets = validate.targets(targets, len(images), scores.shape[1], "targets").cpu()
    if (targets == labels).any():
        raise ValueError(f"targets: got {targets[targets == labels][0].item()}, the label of that image. It takes "
                         "classes that differ from the labels.")
    return labels, targets
