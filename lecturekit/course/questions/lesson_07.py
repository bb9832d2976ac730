"""Lesson 7, inversion: the normalised error, the nearest pre-image of a linear code, codes matched to their owners."""

import torch

from lecturekit.course.questions import Kind, Mistake, Question
from lecturekit.course.questions.drawing import normal, telling

# 07.1 The normalised error


def _codes(shape, size=1.0, apart=0.3):
    """Draws codes found and wanted, both (N,C,H,W), the wanted ones of several sizes."""
    def draw(random):
        wanted = size * normal(random, *shape) * torch.arange(1.0, shape[0] + 1)[:, None, None, None]
        return wanted + apart * normal(random, *shape), wanted
    return draw


def _found_all(random):
    _, wanted = _codes((3, 2, 2, 3))(random)
    return wanted.clone(), wanted


def _found_nothing(random):
    _, wanted = _codes((2, 2, 3, 3))(random)
    return torch.zeros_like(wanted), wanted


def _squares(codes):
    return codes.flatten(1).square().sum(1)


def _errors(found, wanted):
    return _squares(found - wanted) / _squares(wanted)


ERRORS = Question(
    "07.1", "normalised_errors", points=5, minutes=10, reference=_errors,
    kinds=(Kind("ordinary", "three codes", _codes((3, 2, 4, 4))),
           Kind("edge", "large values", _codes((2, 3, 3, 5), size=4.0, apart=3.0)),
           Kind("edge", "one code", _codes((1, 2, 2, 2))),
           Kind("degenerate", "the codes are found", _found_all),
           Kind("degenerate", "nothing was found", _found_nothing),
           Kind("large", "many codes", _codes((20, 4, 6, 5)))),
    idea="How far is each code from its own, as a share of how long its own is? One number for each code, so sum over "
         "everything else.",
    formula="((found - wanted) ** 2).flatten(1).sum(1), divided by (wanted ** 2).flatten(1).sum(1).",
    mistakes=(
        Mistake("You divide by the size of the code found: divide by that of the wanted one.",
                lambda found, wanted: _squares(found - wanted) / _squares(found)),
        Mistake("You take lengths: both are squared.", lambda found, wanted: _errors(found, wanted).sqrt()),
        Mistake("You give one value for all codes: sum over each code on its own.",
                lambda found, wanted: (found - wanted).square().sum() / wanted.square().sum()),
        Mistake("You do not divide: the distance is to be a share of the wanted code's squared length.",
                lambda found, wanted: _squares(found - wanted)),
        Mistake("You compare the sizes of the codes: take the size of their difference.",
                lambda found, wanted: (_squares(found) - _squares(wanted)).abs() / _squares(wanted)),
        Mistake("You divide number by number: sum the numerator and the denominator first.",
                lambda found, wanted: ((found - wanted) / wanted).square().flatten(1).mean(1)),
        Mistake("You take absolute values: both are squared.",
                lambda found, wanted: (found - wanted).abs().flatten(1).sum(1) / wanted.abs().flatten(1).sum(1))),
    without="lecturekit's own losses of codes", forbidden=("content_loss", "near_code"))


# 07.2 The nearest pre-image


def _double(random, *shape):
    return normal(random, *shape).double()


def _linear_code(size, pixels):
    """Draws weights (M,D) of full row rank, a code (M,) and a start (D,)."""
    return lambda random: (_double(random, size, pixels), _double(random, size), _double(random, pixels))


def _there_already(random):
    weights, _, start = _linear_code(3, 6)(random)
    return weights, weights @ start, start


def _from_zero(random):
    weights, code, start = _linear_code(3, 7)(random)
    return weights, code, torch.zeros_like(start)


def _nearest(weights, code, start):
    return start + torch.linalg.pinv(weights) @ (code - weights @ start)


def _transposed(weights, code, start):
    return start + weights.T @ (code - weights @ start)


def _seen_part(weights, code, start):
    inverse = torch.linalg.pinv(weights)
    return inverse @ code + inverse @ (weights @ start)


def _one_step(weights, code, start):
    gradient = weights.T @ (weights @ start - code)
    return start - gradient / weights.norm() ** 2


NEAREST = Question(
    "07.2", "nearest_pre_image", points=5, minutes=15, reference=_nearest,
    kinds=(Kind("ordinary", "fewer numbers than pixels", _linear_code(3, 8)),
           Kind("edge", "one number", _linear_code(1, 5)),
           Kind("edge", "as many numbers as pixels", _linear_code(4, 4)),
           Kind("edge", "a start of zeros", _from_zero),
           Kind("degenerate", "a start that has the code", _there_already),
           Kind("large", "many pixels", _linear_code(20, 60))),
    idea="The start has a code of its own. Correct only what it is short of, by the shortest change of the picture; "
         "what the code cannot see stays as it is.",
    formula="What the code is short of, code - weights @ start, goes back to a picture by torch.linalg.pinv(weights); "
            "add it to the start.",
    mistakes=(
        Mistake("You give the pre-image of least norm, the one nearest to zero: begin at `start`.",
                lambda weights, code, start: torch.linalg.pinv(weights) @ code),
        Mistake("You add a whole pre-image to the start, which has a code of its own: only the difference is missing.",
                lambda weights, code, start: start + torch.linalg.pinv(weights) @ code),
        Mistake("The transpose is no inverse here: the pseudo-inverse gives the shortest correction.", _transposed),
        Mistake("You walk away from the code: look at the sign of the correction.",
                lambda weights, code, start: 2 * start - _nearest(weights, code, start)),
        Mistake("You keep of the start what the code sees: keep what it does not see.", _seen_part),
        Mistake("You take one step of gradient descent: for a linear code the whole way is known.", _one_step),
        Mistake("You keep of the start what the code does not see, and forget the code.",
                lambda weights, code, start: _nearest(weights, 0 * code, start)),
        Mistake("You give the correction alone: it is added to the start.",
                lambda weights, code, start: _nearest(weights, code, start) - start)))


# 07.3 Back to the owner


def _matches(count, size, noise, shrink=1.0, lengths=False, middle=0.0):
    """Draws rows found and known, both (N,D): the found ones are noisy, and nearer to the middle of all."""
    def draw(random):
        known = normal(random, count, size)
        known = known * torch.linspace(0.3, 3, count)[:, None] if lengths else known + middle
        mean = known.mean(0)
        return mean + shrink * (known - mean) + noise * normal(random, count, size), known
    return draw


def _all_alike(random):
    known = normal(random, 8, 4)
    return known[3:4].expand(8, -1).clone(), known


def _distances(found, known):
    return (found[:, None] - known[None]).square().sum(2)


def _right(nearest):
    return (nearest == torch.arange(len(nearest))).float().mean().item()


def _matched(found, known):
    return _right(_distances(found, known).argmin(1))


def _by_cosine(found, known):
    return _right((torch.nn.functional.normalize(found) @ torch.nn.functional.normalize(known).T).argmax(1))


MATCH_MISTAKES = (
    Mistake("You look for the found row nearest to each known one: each found row looks among the known ones.",
            lambda found, known: _right(_distances(found, known).argmin(0))),
    Mistake("You take the furthest: the smallest distance wins.",
            lambda found, known: _right(_distances(found, known).argmax(1))),
    Mistake("You compare by the inner product, which prefers long rows: take the squared distance.",
            lambda found, known: _right((found @ known.T).argmax(1))),
    Mistake("You count the right ones: a share is asked for.",
            lambda found, known: _matched(found, known) * len(found)),
    Mistake("You give the share of the wrong ones.", lambda found, known: 1 - _matched(found, known)),
    Mistake("You compare by the cosine, which forgets how long a row is: take the squared distance.", _by_cosine),
    Mistake("You look among the found rows themselves: each is nearest to itself.",
            lambda found, known: _right(_distances(found, found).argmin(1))),
    Mistake("You give the mean distance to the owner: ask whether the owner is the nearest.",
            lambda found, known: _distances(found, known).diagonal().mean().item()))


def _telling(draw):
    return telling(draw, _matched, *(mistake.solution for mistake in MATCH_MISTAKES))


MATCHED = Question(
    "07.3", "share_matched", points=5, minutes=15, reference=_matched, mistakes=MATCH_MISTAKES,
    kinds=(Kind("ordinary", "noisy rows", _telling(_matches(19, 5, 0.9))),
           Kind("ordinary", "rows of different lengths", _telling(_matches(23, 5, 0.6, lengths=True))),
           Kind("edge", "rows that moved to the middle", _telling(_matches(17, 4, 0.3, shrink=0.4, middle=2.0))),
           Kind("degenerate", "found rows that are all alike", _all_alike),
           Kind("large", "many rows", _telling(_matches(101, 10, 1.2)))),
    idea="For each found row: which known row is nearest? Then count how often it is the one of the same number.",
    formula="distances = ((found[:, None] - known[None]) ** 2).sum(2); the share of rows i for which "
            "distances[i].argmin() is i.",
    without="`torch.cdist` and its like", forbidden=("cdist", "pairwise_distance"))

QUESTIONS = [ERRORS, NEAREST, MATCHED]
