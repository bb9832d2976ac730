"""Lesson 7, inversion: the normalised error beside its null, a pre-image by descent, codes matched to their owners."""

import torch

from lecturekit.course import comparing, judging
from lecturekit.course.questions import Kind, Mistake, Network, Question, Verdict
from lecturekit.course.questions.drawing import normal, telling, uniform, whole
from lecturekit.networks import hooks

# 07.1 The error and its null


def _codes(shape, others=5, size=1.0, apart=0.3):
    """Draws codes found and wanted, both (N,C,H,W), the wanted ones of several sizes, and those of M other pictures, of
    which the nearest is another for each wanted code."""
    def draw(random):
        wanted = size * normal(random, *shape) * torch.arange(1.0, shape[0] + 1)[:, None, None, None]
        away = size * torch.linspace(0.4, 1.6, others)[:, None, None, None] * normal(random, others, *shape[1:])
        return wanted + apart * normal(random, *shape), wanted, wanted[torch.arange(others) % shape[0]] + away
    return draw


def _found_all(random):
    _, wanted, others = _codes((3, 2, 2, 3))(random)
    return wanted.clone(), wanted, others


def _found_nothing(random):
    _, wanted, others = _codes((2, 2, 3, 3))(random)
    return torch.zeros_like(wanted), wanted, others


def _among_the_others(random):
    found, wanted, others = _codes((3, 2, 3, 3), others=4)(random)
    return found, wanted, torch.cat([others, wanted[1:2]])


def _squares(codes):
    return codes.flatten(1).square().sum(1)


def _errors(found, wanted):
    return _squares(found - wanted) / _squares(wanted)


def _table(others, wanted):
    """The error of each other code to each wanted one: (N,M)."""
    return torch.stack([_errors(others, one.expand_as(others)) for one in wanted])


def _nearest(others, wanted):
    return _table(others, wanted).amin(1)


def _with_null(found, wanted, others, error=_errors, null=_nearest):
    return torch.stack([error(found, wanted), null(others, wanted)])


def _and(**parts):
    return lambda found, wanted, others: _with_null(found, wanted, others, **parts)


def _plain(distance):
    """Both rows by another distance of codes (N,...) to codes (N,...)."""
    return _and(error=distance, null=lambda others, wanted: torch.stack(
        [distance(others, one.expand_as(others)).amin() for one in wanted]))


ERRORS = Question(
    "07.1", "errors_and_null", points=5, minutes=10, reference=_with_null,
    kinds=(Kind("ordinary", "three codes among five others", _codes((3, 2, 4, 4))),
           Kind("ordinary", "codes further away than the nearest other", _codes((4, 2, 3, 3), others=6, apart=2.0)),
           Kind("edge", "one code, one other", _codes((1, 2, 2, 2), others=1)),
           Kind("edge", "as many others as codes", _codes((4, 3, 2, 5), others=4, size=3.0)),
           Kind("degenerate", "the codes are found", _found_all),
           Kind("degenerate", "nothing was found", _found_nothing),
           Kind("degenerate", "one of the others has a wanted code", _among_the_others),
           Kind("large", "many codes", _codes((20, 4, 6, 5), others=31))),
    idea="The first row compares each found code with its own. For the second, compare each wanted code with every other "
         "one, (N,M) numbers, and keep the smallest of each row. Both are shares of the wanted code's squared length.",
    formula="own = (wanted ** 2).flatten(1).sum(1); first row: ((found - wanted) ** 2).flatten(1).sum(1) / own; "
            "((wanted[:, None] - others[None]) ** 2).flatten(2).sum(2) is (N,M), its .amin(1) / own the second row; "
            "torch.stack them.",
    mistakes=(
        Mistake("You divide by the size of the code that is compared: divide by that of the wanted one.",
                _plain(lambda codes, wanted: _squares(codes - wanted) / _squares(codes))),
        Mistake("You take lengths: both are squared.", _plain(lambda codes, wanted: _errors(codes, wanted).sqrt())),
        Mistake("You do not divide: the distance is to be a share of the wanted code's squared length.",
                _plain(lambda codes, wanted: _squares(codes - wanted))),
        Mistake("You divide number by number: sum the numerator and the denominator first.",
                _plain(lambda codes, wanted: ((codes - wanted) / wanted).square().flatten(1).mean(1))),
        Mistake("You take absolute values: both are squared.",
                _plain(lambda codes, wanted: (codes - wanted).abs().flatten(1).sum(1) / wanted.abs().flatten(1).sum(1))),
        Mistake("Your null is the mean over the others: ask for the nearest of them.",
                _and(null=lambda others, wanted: _table(others, wanted).mean(1))),
        Mistake("Your null is one and the same for all: each wanted code has its own nearest other.",
                _and(null=lambda others, wanted: _nearest(others, wanted).amin().expand(len(wanted)))),
        Mistake("Your null is the error of the others' mean code: ask for the nearest of them.",
                _and(null=lambda others, wanted: _errors(others.mean(0).expand_as(wanted), wanted))),
        Mistake("Your null asks which other code is nearest to the one found: ask for the nearest to the one wanted.",
                lambda found, wanted, others: torch.stack([_errors(found, wanted), torch.stack(
                    [_squares(others - one).amin() for one in found]) / _squares(wanted)])),
        Mistake("Your rows are exchanged: the found codes' errors come first.",
                lambda found, wanted, others: _with_null(found, wanted, others).flip(0))),
    without="lecturekit's own losses of codes", forbidden=("content_loss", "near_code", "style_loss"))


# 07.2 A pre-image, by descent


def _wanted(architecture, layer, count=1, enough=0.01, picture=uniform, start=None, height=12, width=12):
    """Draws a network, the code (N,...) that pictures have at a layer, and a start (N,3,H,W), grey with some noise; how
    small the error is to be, and how many steps may be taken, are given."""
    def draw(random):
        network = Network(architecture, None if architecture == "resnet_s" else whole(random, 0, 1 << 20))
        pictures = picture(random, count, 3, height, width)
        code = hooks.features(judging.built([network])[0], pictures, layer)
        begin = (start or _greyish)(random, *pictures.shape)
        return network, layer, code, begin, enough, MOST
    return draw


MOST = 300


def _greyish(random, *shape):
    return (0.5 + 0.1 * normal(random, *shape)).clamp(0, 1)


def _black_and_white(random, *shape):
    return (uniform(random, *shape) > 0.5).float()


def _last_hard(random, *shape):
    """Pictures near the start, but for the last one."""
    return torch.cat([_greyish(random, *shape)[:-1], _black_and_white(random, *shape)[-1:]])


def _arrived(random):
    network, layer, code, start, enough, most = _wanted("curved", "conv2")(random)
    there = _descent(judging.built([network])[0], layer, code, start, enough / 4, most)
    return network, layer, code, there, enough, most


def _relative(found, code):
    return _squares(found - code) / _squares(code)


def _met(errors, enough):
    return bool((errors <= enough).all())


def _descent(model, layer, code, start, enough, most, error=_relative, met=_met, sign=1, least=0, box=True, boxed=False):
    """Adam on the code's error, with one part exchanged: which error, when it is met, from which step on that counts, and
    whether pictures are kept in [0,1] after each step, or only `boxed` at the end."""
    image = start.clone()
    adam = torch.optim.Adam([image.requires_grad_()], 0.05)
    for step in range(most):
        with torch.enable_grad():
            errors = error(hooks.forward_to(model, image, layer), code)
            image.grad, = torch.autograd.grad(sign * errors.sum(), image)
        if step >= least and met(errors, enough):
            break
        adam.step()
        if box:
            image.data.clamp_(0, 1)
    return image.detach().clamp(0, 1) if boxed else image.detach()


def _before(model, layer, code, start, enough, most):
    """The errors (N,) of the start's codes."""
    return _relative(hooks.features(model, start, layer), code)


def _has_the_code(arguments, answer, before):
    """Whether pictures lie in [0,1] and have their codes, and whether a start that has its code already was left alone."""
    model, layer, code, start, enough, _ = judging.built(arguments)
    found = comparing.array(answer)
    if found is None or found.shape != start.shape:
        return Verdict("shape", f"got {comparing.described(answer)}, expected pictures of shape {tuple(start.shape)}")
    found = torch.from_numpy(found).float()
    if not torch.isfinite(found).all():
        return Verdict("NaN", "the pictures hold NaN or infinite values")
    if found.min() < -1e-4 or found.max() > 1 + 1e-4:
        return Verdict("no picture", f"the values go from {found.min():.3g} to {found.max():.3g}: pictures lie in [0,1]")
    if _met(before, enough):
        return _left_alone(found, start)
    return _near_enough(_relative(hooks.features(model, found, layer), code), before, enough)


def _left_alone(found, start):
    far = (found - start).abs().max()
    return Verdict("moved", f"the start has the code already and is to come back as it is; it moved by {far:.3g}") \
        if far > 1e-4 else None


def _near_enough(errors, before, enough):
    told = f"the largest error of a code is {errors.max():.3g}, asked for is at most {enough:.3g} (at the start: {before.max():.3g})"
    if _met(errors, enough * 1.01 + 1e-6):
        return None
    if torch.allclose(errors, before, rtol=1e-4):
        return Verdict("stands still", told)
    if errors.mean() > before.mean():
        return Verdict("further away", told)
    if (errors <= enough * 1.01).any():
        return Verdict("one is left", f"{told}; other pictures have theirs")
    return Verdict("hardly nearer" if errors.mean() > before.mean() / 2 else "not there", told)


def _with_error(error, **parts):
    return lambda *of: _descent(*of, error=error, **parts)


def _of_the_answer(model, layer, code, start, enough, most):
    """The descent on the network's last output in place of the layer's."""
    flat = code.flatten(1)
    def error(found, _):
        width = min(found.shape[1], flat.shape[1])
        return _relative(found[:, :width], flat[:, :width])
    return _descent(model, list(model.named_children())[-1][0], code, start, enough, most, error)


PRE_IMAGE = Question(
    "07.2", "pre_image", points=5, minutes=20, reference=_before, judge=_has_the_code, bundled=("resnet_s",),
    kinds=(Kind("ordinary", "one picture, an early layer", _wanted("plain", "relu1")),
           Kind("ordinary", "one picture, a deeper layer", _wanted("curved", "tanh2", enough=0.02)),
           Kind("edge", "three pictures, of which the last is hard", _wanted("curved", "conv2", 3, picture=_last_hard)),
           Kind("edge", "black and white pictures that are not square",
                _wanted("plain", "relu1", enough=0.005, picture=_black_and_white, height=9, width=14)),
           Kind("edge", "a code of small numbers", _wanted("unsure", "scale")),
           Kind("degenerate", "a start that has the code", _arrived),
           Kind("large", "the course's own network", _wanted("resnet_s", "layer1", 1, 0.05, height=32, width=32))),
    idea="The loop of lesson 6 once more: the picture moves, the weights stay. What goes down is the error of the code, for "
         "each picture on its own. Ask for it before each step: when no picture is above the limit, you are there.",
    formula="image = start.clone().requires_grad_(); at most `most` times: found = hooks.forward_to(model, image, layer); "
            "errors = ((found - code) ** 2).flatten(1).sum(1) / (code ** 2).flatten(1).sum(1); stop where (errors <= "
            "enough).all(); else the gradient of errors.sum() by image, one step of torch.optim.Adam([image], 0.05), and "
            "image.data.clamp_(0, 1).",
    mistakes=(
        Mistake("Your pictures leave [0,1]: bring them back after each step.", _with_error(_relative, box=False)),
        Mistake("You bring the pictures back to [0,1] at the end only: that spoils their codes. Do so after each step.",
                _with_error(_relative, box=False, boxed=True)),
        Mistake("The error rises: walk against its gradient.", _with_error(_relative, sign=-1)),
        Mistake("You give the start back.", lambda model, layer, code, start, *of: start),
        Mistake("You take one step: go on until the error is met.", lambda *of: _descent(*of[:-1], 1)),
        Mistake("You always take a step before you ask: a start that has the code comes back as it is.",
                _with_error(_relative, least=1)),
        Mistake("You stop when the mean error is small enough: each picture must have its own code.",
                _with_error(_relative, met=lambda errors, enough: bool(errors.mean() <= enough))),
        Mistake("Your error is not divided by the code's own squared length: where the numbers of a code are small you stop "
                "too early.", _with_error(lambda found, code: _squares(found - code))),
        Mistake("You take the mean of the squared differences: divide their sum by the code's own squared length.",
                _with_error(lambda found, code: (found - code).square().flatten(1).mean(1))),
        Mistake("You compare the network's last output with the code: look at the layer that is asked for.",
                _of_the_answer)),
    without="lecturekit's `inversion`, `objectives` and `optimise`", forbidden=("inversion", "objectives", "optimise", "invert"))


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
    "07.3", "share_matched", points=5, minutes=10, reference=_matched, mistakes=MATCH_MISTAKES,
    kinds=(Kind("ordinary", "noisy rows", _telling(_matches(19, 5, 0.9))),
           Kind("ordinary", "rows of different lengths", _telling(_matches(23, 5, 0.6, lengths=True))),
           Kind("edge", "rows that moved to the middle", _telling(_matches(17, 4, 0.3, shrink=0.4, middle=2.0))),
           Kind("degenerate", "found rows that are all alike", _all_alike),
           Kind("large", "many rows", _telling(_matches(101, 10, 1.2)))),
    idea="For each found row: which known row is nearest? Then count how often it is the one of the same number.",
    formula="distances = ((found[:, None] - known[None]) ** 2).sum(2); the share of rows i for which "
            "distances[i].argmin() is i.",
    without="`torch.cdist` and its like", forbidden=("cdist", "pairwise_distance"))

QUESTIONS = [ERRORS, PRE_IMAGE, MATCHED]
