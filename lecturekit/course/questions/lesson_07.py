"""Lesson 7, inversion: the normalised error, the nearest pre-image of a linear code, codes matched to their owners."""

import torch

from lecturekit.course.questions import Mistake, Question


def _codes(seed):
    """Codes found and wanted, both (N,C,H,W), of different sizes and numbers."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    first, second, third = draw(3, 2, 4, 4), 4 * draw(2, 3, 3, 5), draw(1, 2, 2, 2)
    return [(first + 0.3 * draw(3, 2, 4, 4), first), (draw(2, 3, 3, 5), second), (2 * third, third)]


def _errors(found, wanted):
    return (found - wanted).flatten(1).square().sum(1) / wanted.flatten(1).square().sum(1)


def _by_the_found(found, wanted):
    return (found - wanted).flatten(1).square().sum(1) / found.flatten(1).square().sum(1)


def _lengths(found, wanted):
    return _errors(found, wanted).sqrt()


def _all_together(found, wanted):
    return (found - wanted).square().sum() / wanted.square().sum()


def _not_divided(found, wanted):
    return (found - wanted).flatten(1).square().sum(1)


def _sizes(found, wanted):
    own = wanted.flatten(1).square().sum(1)
    return (found.flatten(1).square().sum(1) - own).abs() / own


ERRORS = Question(
    "07.1", "normalised_errors", points=5, minutes=10, inputs=_codes, reference=_errors,
    mistakes=(
        Mistake("You divide by the size of the code found: divide by that of the wanted one.", _by_the_found),
        Mistake("You take lengths: both are squared, |found - wanted|^2 / |wanted|^2.", _lengths),
        Mistake("You give one value for all codes: sum over each code on its own.", _all_together),
        Mistake("You do not divide: each distance by the squared length of its own wanted code.", _not_divided),
        Mistake("You compare the sizes of the codes: take the size of their difference.", _sizes)),
    hint="((found - wanted) ** 2).flatten(1).sum(1), divided by (wanted ** 2).flatten(1).sum(1).",
    forbidden=("content_loss", "near_code"))


def _linear_codes(seed):
    """Weights (M,D) of full row rank, a code (M,) and a start (D,)."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    few, more = draw(3, 8), draw(5, 6)
    return [(few, draw(3), draw(8)), (more, more @ draw(6), draw(6)), (draw(2, 7), draw(2), draw(7))]


def _nearest(weights, code, start):
    return start + torch.linalg.pinv(weights) @ (code - weights @ start)


def _least_norm(weights, code, start):
    return torch.linalg.pinv(weights) @ code


def _added(weights, code, start):
    return start + torch.linalg.pinv(weights) @ code


def _transposed(weights, code, start):
    return start + weights.T @ (code - weights @ start)


def _away(weights, code, start):
    return start - torch.linalg.pinv(weights) @ (code - weights @ start)


def _seen_part(weights, code, start):
    inverse = torch.linalg.pinv(weights)
    return inverse @ code + inverse @ (weights @ start)


NEAREST = Question(
    "07.2", "nearest_pre_image", points=5, minutes=15, inputs=_linear_codes, reference=_nearest,
    mistakes=(
        Mistake("You give the pre-image of least norm, the one nearest to zero: begin at `start`.", _least_norm),
        Mistake("You add W^+ code to the whole start, which has a code of its own: add W^+ (code - W start).", _added),
        Mistake("The transpose is no inverse here: torch.linalg.pinv(weights) gives the shortest correction.",
                _transposed),
        Mistake("You walk away from the code: the correction is W^+ (code - W start), and it is added.", _away),
        Mistake("You keep of the start what the code sees: keep what it does not see, start - W^+ W start.",
                _seen_part)),
    hint="What the code is short of, code - weights @ start, goes back to a picture by torch.linalg.pinv(weights); add "
         "it to the start.")


def _matches(seed):
    """Rows found and known, both (N,D): near their own, far from it, and of very different lengths."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    known, long = draw(12, 5), draw(12, 5) * torch.linspace(0.2, 4, 12)[:, None]
    crowded = torch.cat([draw(6, 4), draw(6, 4) + 3])
    middle = crowded.mean(0) + 0.4 * (crowded - crowded.mean(0)) + 0.3 * draw(12, 4)
    return [(known + 0.9 * draw(12, 5), known), (0.4 * long + 0.3 * draw(12, 5), long), (middle, crowded)]


def _distances(found, known):
    return (found[:, None] - known[None]).square().sum(2)


def _right(nearest):
    return (nearest == torch.arange(len(nearest))).float().mean().item()


def _matched(found, known):
    return _right(_distances(found, known).argmin(1))


def _from_the_known(found, known):
    return _right(_distances(found, known).argmin(0))


def _furthest(found, known):
    return _right(_distances(found, known).argmax(1))


def _by_product(found, known):
    return _right((found @ known.T).argmax(1))


def _count(found, known):
    return _matched(found, known) * len(found)


def _wrong(found, known):
    return 1 - _matched(found, known)


MATCHED = Question(
    "07.3", "share_matched", points=5, minutes=15, inputs=_matches, reference=_matched,
    mistakes=(
        Mistake("You look for the found row nearest to each known one: each found row looks among the known ones.",
                _from_the_known),
        Mistake("You take the furthest: the smallest distance wins (argmin).", _furthest),
        Mistake("You compare by the inner product, which prefers long rows: take the squared distance.", _by_product),
        Mistake("You count the right ones: divide by their number.", _count),
        Mistake("You give the share of the wrong ones.", _wrong)),
    hint="distances = ((found[:, None] - known[None]) ** 2).sum(2); the share of rows i for which "
         "distances[i].argmin() is i.",
    forbidden=("cdist", "matched"))

QUESTIONS = [ERRORS, NEAREST, MATCHED]
