"""Lesson 8, style: the Gram matrix, a style given by means and deviations, the temporal loss of a video."""

import torch

from lecturekit.course.questions import Kind, Mistake, Question
from lecturekit.course.questions.drawing import normal, uniform

# 08.1 The Gram matrix


def _features(*shape):
    """Draws features (N,C,H,W), positive and negative, whose channels have means of their own."""
    return lambda random: (normal(random, *shape) + normal(random, 1, shape[1], 1, 1),)


def _flat_gram(flat, size):
    return flat @ flat.transpose(1, 2) / size


def _gram(features):
    return _flat_gram(features.flatten(2), features[0].numel())


def _whole_batch(features):
    flat = features.transpose(0, 1).flatten(1)
    return flat @ flat.T / features.numel()


def _tutorial(features):
    flat = features.flatten(0, 1).flatten(1)
    return flat @ flat.T / features.numel()


GRAM = Question(
    "08.1", "gram_matrix", points=5, minutes=10, reference=_gram,
    kinds=(Kind("ordinary", "two images", _features(2, 5, 3, 6)),
           Kind("edge", "one image", _features(1, 3, 4, 4)),
           Kind("edge", "more channels than places", _features(3, 6, 2, 2)),
           Kind("edge", "one channel", _features(2, 1, 3, 5)),
           Kind("edge", "one place", _features(2, 4, 1, 1)),
           Kind("large", "large features", _features(2, 24, 12, 15))),
    idea="How much do two channels respond at the same places? Multiply them place by place and add up; do that for "
         "all pairs of channels at once, for each image on its own.",
    formula="flat = features.flatten(2) is (N,C,HW); flat @ flat.transpose(1, 2) is (N,C,C); divide by C * H * W.",
    mistakes=(
        Mistake("You do not divide: large maps would then have large matrices.",
                lambda features: _flat_gram(features.flatten(2), 1)),
        Mistake("You divide by the number of places alone: divide by the number of channels too.",
                lambda features: _flat_gram(features.flatten(2), features[0, 0].numel())),
        Mistake("You divide by the number of images as well: each image has a matrix of its own.",
                lambda features: _flat_gram(features.flatten(2), features.numel())),
        Mistake("Your matrix compares positions, (N,HW,HW): the sum runs over positions, so that (N,C,C) is left.",
                lambda features: _flat_gram(features.flatten(2).transpose(1, 2), features[0].numel())),
        Mistake("You subtract the mean first, which gives a covariance: the Gram matrix keeps the mean.",
                lambda features: _gram(features - features.mean((2, 3), keepdim=True))),
        Mistake("You mix the images of the batch: each of the N images has a matrix of its own.", _whole_batch),
        Mistake("Images and channels became one dimension, as in PyTorch's tutorial, which has one image: channels are "
                "compared within an image.", _tutorial),
        Mistake("Your channels have length 1: the Gram matrix keeps how strong they are.",
                lambda features: _gram(torch.nn.functional.normalize(features.flatten(2), dim=2).view_as(features)))),
    without="lecturekit's `objectives.gram`", forbidden=("gram",))


# 08.2 A style in two numbers a channel


def _pair(content, style):
    """Draws features of a photo and of a style, (N,C,H,W): means and deviations differ, also from channel to channel."""
    def draw(random):
        return tuple(normal(random, *shape) * (uniform(random, 1, shape[1], 1, 1) + 0.5)
                     + normal(random, 1, shape[1], 1, 1) for shape in (content, style))
    return draw


def _itself(random):
    content, _ = _pair((1, 3, 4, 5), (1, 3, 2, 2))(random)
    return content, content.clone()


def _mean(features):
    return features.mean((2, 3), keepdim=True)


def _deviation(features, power=0.5):
    return (features - _mean(features)).square().mean((2, 3), keepdim=True).pow(power)


def _restyle(content, style):
    return (content - _mean(content)) / _deviation(content) * _deviation(style) + _mean(style)


def _variances(content, style):
    return (content - _mean(content)) / _deviation(content, 1) * _deviation(style, 1) + _mean(style)


def _over(*dimensions, correction=0):
    """Statistics over other dimensions, or with another divisor."""
    def restyle(content, style):
        (mean, spread), (other, wide) = ((x.mean(dimensions, keepdim=True),
                                          x.std(dimensions, correction=correction, keepdim=True)) for x in (content, style))
        return (content - mean) / spread * wide + other
    return restyle


RESTYLE = Question(
    "08.2", "restyle", points=5, minutes=15, reference=_restyle,
    kinds=(Kind("ordinary", "a style of another size", _pair((2, 4, 5, 6), (2, 4, 3, 4))),
           Kind("edge", "one image", _pair((1, 3, 6, 6), (1, 3, 5, 7))),
           Kind("edge", "one channel", _pair((3, 1, 4, 9), (3, 1, 6, 6))),
           Kind("degenerate", "a picture and its own style", _itself),
           Kind("large", "large features", _pair((2, 20, 12, 15), (2, 20, 9, 9)))),
    idea="First take from each channel its own mean and its own deviation, so that only the places are left. Then give "
         "it those of the style.",
    formula="For each image and channel: (content - its mean) / its deviation * the style's deviation + the style's "
            "mean; means over dimensions 2 and 3 with keepdim=True, deviations with correction=0.",
    mistakes=(
        Mistake("You have the two the wrong way round: the content keeps its places and takes the style's statistics.",
                lambda content, style: _restyle(style, content)),
        Mistake("Only the mean is the style's: the deviation of each channel must be too.",
                lambda content, style: content - _mean(content) + _mean(style)),
        Mistake("Subtract the content's own mean before you divide by its deviation.",
                lambda content, style: content / _deviation(content) * _deviation(style) + _mean(style)),
        Mistake("You scale by variances: take deviations, their square roots.", _variances),
        Mistake("You take one mean and one deviation for all channels: each channel has its own, over positions alone.",
                _over(1, 2, 3)),
        Mistake("You take the statistics over the batch too: each image has its own.", _over(0, 2, 3)),
        Mistake("Your deviations divide by one less than the number of positions: `correction=0` is asked for.",
                _over(2, 3, correction=1)),
        Mistake("Only the deviation is the style's: the mean of each channel must be too.",
                lambda content, style: _restyle(content, style) - _mean(style) + _mean(content))))


# 08.3 What changed


def _frames(height, width, hidden=0.3):
    """Draws a frame and the one before (3,H,W), a flow of whole px (2,H,W), x first, whose sources lie inside the frame,
    and a mask (H,W) that is true somewhere."""
    def draw(random):
        sources = [torch.randint(side, (height, width), generator=random) for side in (width, height)]
        x, y = torch.arange(width).expand(height, width), torch.arange(height)[:, None].expand(height, width)
        mask = uniform(random, height, width) >= hidden
        mask[0, 0] = True
        frame, before = uniform(random, 2, 3, height, width)
        return frame, before, torch.stack([sources[0] - x, sources[1] - y]), mask
    return draw


def _static(random):
    frame, _, flow, mask = _frames(4, 5)(random)
    return frame, frame.clone(), torch.zeros_like(flow), mask


def _places(mask):
    height, width = mask.shape
    return torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")


def _moved(before, flow, mask, sign=1):
    height, width = mask.shape
    y, x = _places(mask)
    return before[:, (y + sign * flow[1]).clamp(0, height - 1), (x + sign * flow[0]).clamp(0, width - 1)]


def _squares(frame, before, flow, mask, sign=1):
    return (frame - _moved(before, flow, mask, sign)).square()


def _change(frame, before, flow, mask):
    return _squares(frame, before, flow, mask)[:, mask].mean()


def _rows_first(frame, before, flow, mask):
    y, x = _places(mask)
    return (frame - before[:, y + flow[0], x + flow[1]]).square()[:, mask].mean()


TEMPORAL = Question(
    "08.3", "change", points=5, minutes=20, reference=_change,
    kinds=(Kind("ordinary", "a square frame", _frames(6, 6)),
           Kind("edge", "a frame that is not square", _frames(5, 8)),
           Kind("edge", "nothing is hidden", _frames(4, 4, hidden=0.0)),
           Kind("edge", "one place is visible", _frames(3, 4, hidden=2.0)),
           Kind("degenerate", "a static video", _static),
           Kind("large", "a large frame", _frames(30, 24))),
    idea="Move the frame before along the flow, place by place, until it should look like this one. What still differs, "
         "where the place was visible before, is change.",
    formula="y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing='ij'); before[:, y + flow[1], x + flow[0]] "
            "is the frame before, moved; then the mean of the squared differences over [:, mask].",
    mistakes=(
        Mistake("You compare the same places of both frames: look in the frame before where the flow points.",
                lambda frame, before, flow, mask: (frame - before).square()[:, mask].mean()),
        Mistake("You count all pixels: those outside the mask were not visible before, leave them out.",
                lambda *of: _squares(*of).mean()),
        Mistake("You divide by all pixels: take the mean over those in the mask alone.",
                lambda *of: (_squares(*of) * of[-1]).mean()),
        Mistake("You follow the flow the wrong way: it points from the frame to the one before.",
                lambda *of: _squares(*of, sign=-1)[:, of[-1]].mean()),
        Mistake("You have x and y the wrong way round: flow[0] goes along the columns, flow[1] along the rows. That is "
                "also why an index can leave the frame.", _rows_first),
        Mistake("You keep what the mask hides: it is true where the pixel was visible.",
                lambda frame, before, flow, mask: _squares(frame, before, flow, mask)[:, ~mask].mean()),
        Mistake("You take absolute differences: take their squares.",
                lambda *of: _squares(*of).sqrt()[:, of[-1]].mean()),
        Mistake("You add up the channels: take the mean over them too.", lambda *of: 3 * _change(*of))),
    without="lecturekit's `video` and PyTorch's `grid_sample`",
    forbidden=("warp", "temporal_loss", "grid_sample", "video"))

QUESTIONS = [GRAM, RESTYLE, TEMPORAL]
