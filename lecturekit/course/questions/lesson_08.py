"""Lesson 8, style: the Gram matrix, a painting by descent, a style given by means and deviations."""

import torch

from lecturekit.course.questions import Kind, Mistake, Network, Question
from lecturekit.course.questions.drawing import normal, uniform, whole
from lecturekit.moving import objectives

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


# 08.2 Content, style and the loop


def _painted(architecture, layer, layers, weight=20.0, rate=0.6, steps=4, size=(12, 12), other=(12, 12), picture=uniform):
    """Draws a network, a photo and a style picture, (1,3,H,W) of sizes that are given, as are the content layer, the style
    layers, the weight of the style, the length of a step and how many there are."""
    def draw(random):
        network = Network(architecture, None if architecture == "resnet_s" else whole(random, 0, 1 << 20))
        photo, style = picture(random, 1, 3, *size), _patterned(random, 1, 3, *other)
        return network, photo, style, layer, layers, weight, rate, steps
    return draw


def _patterned(random, *shape):
    """Stripes in two colours, with noise."""
    stripes = (torch.arange(shape[-1]) % 4 < 2).float()
    return (stripes * uniform(random, *shape[:2], 1, 1) + 0.3 * uniform(random, *shape)).clamp(0, 1)


def _black_and_white(random, *shape):
    return (uniform(random, *shape) > 0.5).float()


def _share(found, wanted):
    return (found - wanted).square().sum() / wanted.square().sum()


def _absolute(found, wanted):
    return (found - wanted).square().sum()


def _centred(features):
    return _gram(features - features.mean((2, 3), keepdim=True))


def _plain_sums(features):
    return _flat_gram(features.flatten(2), 1)


def _mean_of(values):
    return sum(values) / len(values)


def _unit(gradient):
    return gradient / gradient.norm()


def _as_it_is(image):
    return image


def _box(image):
    return image.clamp(0, 1)


def _painting(model, photo, style, layer, layers, weight, rate, steps, statistic=_gram, far=_share, near=_share,
              over=_mean_of, direction=_unit, project=_box, last=_as_it_is, once=False):
    """The descent with one of its parts exchanged: the statistic, the distances of style and content, how layers are put
    together, the step, the projection after each step and at the end."""
    def seen(image):
        return objectives.codes(model, image, list(dict.fromkeys([layer, *layers])))
    code, wanted = seen(photo)[layer], [statistic(seen(style)[name]) for name in layers]
    image, known = photo, None
    for _ in range(steps):
        if known is None or not once:
            at = image.detach().requires_grad_()
            with torch.enable_grad():
                found = seen(at)
                loss = near(found[layer], code) + weight * over([far(statistic(found[name]), goal)
                                                                 for name, goal in zip(layers, wanted)])
                known, = torch.autograd.grad(loss, at)
        image = project(image - rate * direction(known))
    return last(image)


def _reference_painting(model, photo, style, layer, layers, weight, rate, steps):
    return _painting(model, photo, style, layer, layers, weight, rate, steps)


def _painting_with(**parts):
    return lambda *of: _painting(*of, **parts)


def _two_swapped(model, photo, style, layer, layers, weight, rate, steps):
    """Style and content of the two pictures the wrong way round, still from the photo where sizes allow it."""
    return _painting(model, style, photo, layer, layers, weight, rate, steps)


def _on_the_content(model, photo, style, layer, layers, weight, rate, steps):
    return _painting(model, photo, style, layer, layers, 1 / weight, rate, steps)


def _last_layer_only(model, photo, style, layer, layers, weight, rate, steps):
    return _painting(model, photo, style, layer, layers[-1:], weight, rate, steps)


TWO = ("relu1", "relu2")
PAINT = Question(
    "08.2", "paint", points=5, minutes=20, reference=_reference_painting, tolerance=1e-3, bundled=("resnet_s",),
    kinds=(Kind("ordinary", "two style layers", _painted("plain", "relu2", TWO)),
           Kind("ordinary", "a style picture of another size", _painted("plain", "relu2", TWO, other=(20, 16))),
           Kind("edge", "one style layer, behind the content", _painted("curved", "tanh1", ("conv2",), size=(12, 16))),
           Kind("edge", "a black and white photo, long steps", _painted("plain", "relu1", TWO, rate=3.0,
                                                                     picture=_black_and_white)),
           Kind("edge", "a little style", _painted("plain", "relu1", TWO, weight=0.5)),
           Kind("degenerate", "no step", _painted("plain", "relu2", TWO, steps=0)),
           Kind("large", "the course's own network", _painted("resnet_s", "layer2", ("layer1", "layer2", "layer3"), rate=2.0,
                                                              steps=3, size=(40, 48), other=(48, 48)))),
    idea="Before the loop you need what is wanted: the photo's code at one layer, the style picture's Gram matrices at "
         "several. In the loop look at the image at all these layers, add up how far it is from each of them, and walk "
         "down.",
    formula="found = objectives.codes(model, image, [layer, *layers]); content = ((found[layer] - code) ** 2).sum() / (code "
            "** 2).sum(); for each style layer the same of G and A, where G = flat @ flat.transpose(1, 2) / (C * H * W); "
            "loss = content + weight * (the sum over the layers / their number); gradient by image; image = (image - rate "
            "* gradient / gradient.norm()).clamp(0, 1).",
    mistakes=(
        Mistake("You walk uphill: the loss is to fall.", _painting_with(direction=lambda g: -_unit(g))),
        Mistake("The content has no part in your loss. Is the code that you compare with that of the photo, taken once, "
                "before the loop?", _painting_with(near=lambda found, code: 0)),
        Mistake("The style has no part in your loss.", _painting_with(far=lambda found, goal: 0 * found.sum())),
        Mistake("Your weight belongs to the content: it is the style that it multiplies.", _on_the_content),
        Mistake("You add the style's layers up: take their mean.", _painting_with(over=sum)),
        Mistake("You use the last of the style layers alone.", _last_layer_only),
        Mistake("Your Gram matrices are plain sums over the positions: they grow with the picture, and the style picture "
                "may be of another size.", _painting_with(statistic=_plain_sums)),
        Mistake("You subtract the mean first, which gives a covariance: the Gram matrix keeps the mean.",
                _painting_with(statistic=_centred)),
        Mistake("You do not divide the style's distance by the size of what is wanted: every layer is to count alike.",
                _painting_with(far=_absolute)),
        Mistake("You do not divide the content's distance by the squared length of the photo's code.",
                _painting_with(near=_absolute)),
        Mistake("You divide neither distance by the size of what is wanted.", _painting_with(far=_absolute, near=_absolute)),
        Mistake("You have photo and style the wrong way round.", _two_swapped),
        Mistake("Your steps are as long as the gradient: each has the length `rate`.", _painting_with(direction=_as_it_is)),
        Mistake("You step by the signs of the gradient: take its direction.", _painting_with(direction=torch.sign)),
        Mistake("Your image leaves [0,1].", _painting_with(project=_as_it_is)),
        Mistake("You bring the image back to [0,1] at the end only: do so after each step.",
                _painting_with(project=_as_it_is, last=_box)),
        Mistake("You take the gradient once: after each step it is another one.", _painting_with(once=True))),
    without="lecturekit's losses, `style_nets` and `optimise`",
    forbidden=("gram", "near_style", "near_code", "content_loss", "style_loss", "style_nets", "optimise"))


# 08.3 A style in two numbers a channel


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
    "08.3", "restyle", points=5, minutes=10, reference=_restyle,
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

QUESTIONS = [GRAM, PAINT, RESTYLE]
