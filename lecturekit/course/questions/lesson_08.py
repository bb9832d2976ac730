"""Lesson 8, style: the Gram matrix, a style given by means and deviations, the temporal loss of a video."""

import torch

from lecturekit.course.questions import Mistake, Question


def _features(seed):
    """Features (N,C,H,W) of different sizes, positive and negative."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randn(shape, generator=generator) + 0.5,) for shape in ((1, 3, 4, 4), (2, 5, 3, 6), (3, 2, 7, 5))]


def _flat_gram(flat, size):
    return flat @ flat.transpose(1, 2) / size


def _gram(features):
    n, channels, height, width = features.shape
    return _flat_gram(features.flatten(2), channels * height * width)


def _without_division(features):
    return _flat_gram(features.flatten(2), 1)


def _over_positions_only(features):
    return _flat_gram(features.flatten(2), features[0, 0].numel())


def _of_positions(features):
    return _flat_gram(features.flatten(2).transpose(1, 2), features[0].numel())


def _centred(features):
    return _gram(features - features.mean((2, 3), keepdim=True))


def _whole_batch(features):
    flat = features.transpose(0, 1).flatten(1)
    return flat @ flat.T / features.numel()


GRAM = Question(
    "08.1", "gram_matrix", points=5, minutes=10, inputs=_features, reference=_gram,
    mistakes=(
        Mistake("Divide by C * H * W.", _without_division),
        Mistake("You divide by H * W alone: divide by the number of channels too.", _over_positions_only),
        Mistake("Your matrix compares positions, (N,HW,HW): the sum runs over positions, so that (N,C,C) is left.",
                _of_positions),
        Mistake("You subtract the mean first, which gives a covariance: the Gram matrix keeps the mean.", _centred),
        Mistake("You mix the images of the batch: each of the N images has a matrix of its own.", _whole_batch)),
    hint="flat = features.flatten(2) is (N,C,HW); flat @ flat.transpose(1, 2) is (N,C,C); divide by C * H * W.",
    forbidden=("gram",))


def _pairs(seed):
    """Features of a photo and of a style, (N,C,H,W): sizes, means and deviations differ."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        spread = torch.rand(1, shape[1], 1, 1, generator=generator) + 0.5
        return torch.randn(shape, generator=generator) * spread + torch.randn(1, shape[1], 1, 1, generator=generator)
    sizes = ((1, 3, 6, 6), (1, 3, 5, 7)), ((2, 4, 5, 6), (2, 4, 8, 4)), ((3, 2, 4, 9), (3, 2, 6, 6))
    return [(draw(*content), draw(*style)) for content, style in sizes]


def _mean(features):
    return features.mean((2, 3), keepdim=True)


def _deviation(features):
    return (features - _mean(features)).square().mean((2, 3), keepdim=True).sqrt()


def _restyle(content, style):
    return (content - _mean(content)) / _deviation(content) * _deviation(style) + _mean(style)


def _swapped(content, style):
    return _restyle(style, content)


def _mean_only(content, style):
    return content - _mean(content) + _mean(style)


def _own_mean_stays(content, style):
    return content / _deviation(content) * _deviation(style) + _mean(style)


def _variances(content, style):
    return (content - _mean(content)) / _deviation(content).square() * _deviation(style).square() + _mean(style)


def _one_for_all_channels(content, style):
    (m, s), (n, t) = ((x.mean((1, 2, 3), keepdim=True), x.std((1, 2, 3), correction=0, keepdim=True))
                      for x in (content, style))
    return (content - m) / s * t + n


RESTYLE = Question(
    "08.2", "restyle", points=5, minutes=15, inputs=_pairs, reference=_restyle,
    mistakes=(
        Mistake("You have the two the wrong way round: the content keeps its places and takes the style's statistics.",
                _swapped),
        Mistake("Only the mean is the style's: the deviation of each channel must be too.", _mean_only),
        Mistake("Subtract the content's own mean before you divide by its deviation.", _own_mean_stays),
        Mistake("You scale by variances: take deviations, their square roots.", _variances),
        Mistake("You take one mean and one deviation for all channels: each channel has its own, over positions alone.",
                _one_for_all_channels)),
    hint="For each image and channel: (content - its mean) / its deviation * the style's deviation + the style's mean; "
         "means over dimensions 2 and 3 with keepdim=True, deviations with correction=0.")


def _frames(seed):
    """A frame and the one before (3,H,W), a flow of whole px (2,H,W), x first, whose sources lie inside the frame, and
    a mask (H,W) that is true somewhere."""
    generator = torch.Generator().manual_seed(seed)
    cases = []
    for height, width in ((5, 6), (7, 4), (8, 9)):
        sources = [torch.randint(side, (height, width), generator=generator) for side in (width, height)]
        x, y = torch.arange(width).expand(height, width), torch.arange(height)[:, None].expand(height, width)
        mask = torch.rand(height, width, generator=generator) > 0.3
        mask[0, 0] = True
        frame, before = torch.rand(2, 3, height, width, generator=generator)
        cases.append((frame, before, torch.stack([sources[0] - x, sources[1] - y]), mask))
    return cases


def _moved(before, flow, sign=1):
    height, width = before.shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return before[:, (y + sign * flow[1]).clamp(0, height - 1), (x + sign * flow[0]).clamp(0, width - 1)]


def _change(frame, before, flow, mask):
    return (frame - _moved(before, flow)).square()[:, mask].mean()


def _no_motion(frame, before, flow, mask):
    return (frame - before).square()[:, mask].mean()


def _no_mask(frame, before, flow, mask):
    return (frame - _moved(before, flow)).square().mean()


def _over_all(frame, before, flow, mask):
    return ((frame - _moved(before, flow)).square() * mask).mean()


def _backwards(frame, before, flow, mask):
    return (frame - _moved(before, flow, -1)).square()[:, mask].mean()


def _rows_first(frame, before, flow, mask):
    return (frame - _moved(before, flow.flip(0))).square()[:, mask].mean()


def _hidden_only(frame, before, flow, mask):
    return _change(frame, before, flow, ~mask)


TEMPORAL = Question(
    "08.3", "change", points=5, minutes=20, inputs=_frames, reference=_change,
    mistakes=(
        Mistake("You compare the same places of both frames: look in the frame before at (y + flow[1], x + flow[0]).",
                _no_motion),
        Mistake("You count all pixels: those outside the mask were not visible before, leave them out.", _no_mask),
        Mistake("You divide by all pixels: take the mean over those in the mask alone.", _over_all),
        Mistake("You follow the flow the wrong way: it points from the frame to the one before, so add it.",
                _backwards),
        Mistake("You have x and y the wrong way round: flow[0] goes along the columns, flow[1] along the rows.",
                _rows_first),
        Mistake("You keep what the mask hides: it is true where the pixel was visible.", _hidden_only)),
    hint="y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing='ij'); before[:, y + flow[1], x + flow[0]] "
         "is the frame before, moved; then the mean of the squared differences over [:, mask].",
    forbidden=("warp", "temporal_loss"))

QUESTIONS = [GRAM, RESTYLE, TEMPORAL]
