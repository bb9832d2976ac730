"""Lesson 5, CAM and Grad-CAM: what tells two classes apart, Grad-CAM by hooks, whose object a map lies on."""

import torch

from lecturekit import attribution
from lecturekit.attribution import localisation
from lecturekit.course.questions import Kind, Mistake, Network, Question
from lecturekit.course.questions.drawing import normal, uniform, whole
from lecturekit.networks.derivative import differentiate

DISCRIMINATION = localisation.discrimination
GRAD_CAM = attribution.grad_cam

# 05.1 Rather a mug than a lemon


def _last_maps(channels, height, width, classes):
    """Draws maps (C,h,w) behind a ReLU, the linear layer's weights (K,C) and biases (K,), and two classes."""
    def draw(random):
        this, that = torch.randperm(classes, generator=random)[:2].tolist()
        maps = normal(random, channels, height, width).clamp(min=0)
        return maps, normal(random, classes, channels), 2 * normal(random, classes), this, that
    return draw


def _with_itself(random):
    maps, weights, biases, this, _ = _last_maps(5, 3, 4, 4)(random)
    return maps, weights, biases, this, this


def _dead_layer(random):
    maps, *rest = _last_maps(5, 3, 4, 4)(random)
    return torch.zeros_like(maps), *rest


def _rather_than(maps, weights, biases, this, that):
    map = torch.einsum("c,chw->hw", weights[this] - weights[that], maps)
    return map, (map.mean() + biases[this] - biases[that]).item()


def _other_way(maps, weights, biases, this, that):
    return _rather_than(maps, weights, biases, that, this)


def _without_biases(maps, weights, biases, this, that):
    return _rather_than(maps, weights, torch.zeros_like(biases), this, that)


def _summed_up(maps, weights, biases, this, that):
    map = _rather_than(maps, weights, biases, this, that)[0]
    return map, (map.sum() + biases[this] - biases[that]).item()


def _biases_in_the_map(maps, weights, biases, this, that):
    map, lead = _rather_than(maps, weights, biases, this, that)
    return map + biases[this] - biases[that], lead


def _this_alone(maps, weights, biases, this, that):
    map = torch.einsum("c,chw->hw", weights[this], maps)
    return map, (map.mean() + biases[this]).item()


def _positive_part(maps, weights, biases, this, that):
    map, lead = _rather_than(maps, weights, biases, this, that)
    return map.clamp(min=0), lead


def _in_columns(maps, weights, biases, this, that):
    return _rather_than(maps, weights.T, biases, this, that)


RATHER = Question(
    "05.1", "rather_than", points=5, minutes=10, reference=_rather_than,
    kinds=(Kind("ordinary", "a few maps", _last_maps(6, 4, 5, 5)),
           Kind("edge", "as many maps as classes", _last_maps(4, 3, 3, 4)),
           Kind("edge", "one place", _last_maps(5, 1, 1, 4)),
           Kind("degenerate", "a class and itself", _with_itself),
           Kind("degenerate", "maps that are zero", _dead_layer),
           Kind("large", "many maps", _last_maps(48, 9, 8, 20))),
    idea="Both CAMs weigh the same maps, each with its class's weights. What does their difference weigh them with? "
         "And the mean of a CAM is a logit, up to something that belongs to no place.",
    formula="Both CAMs are weighted sums of the same maps, so their difference is the weighted sum with the difference "
            "of the two rows of weights. Its mean plus the difference of the biases is the lead.",
    mistakes=(
        Mistake("Your signs are turned round: what speaks for `this` is positive.", _other_way),
        Mistake("Your lead lacks the biases.", _without_biases),
        Mistake("Your lead adds the map up: global average pooling takes its mean.", _summed_up),
        Mistake("You add the biases at every place of the map: they come from no place, so they belong to the lead "
                "alone.", _biases_in_the_map),
        Mistake("Yours is the CAM of `this` alone: subtract that of `that`, and its bias.", _this_alone),
        Mistake("You keep only what is positive: where the map is negative, `that` is the likelier one.", _positive_part),
        Mistake("You took columns of the weights: each class has a row.", _in_columns)),
    without="lecturekit's `attribution.cam` and its like", forbidden=("cam", "grad_cam"))


# 05.2 Grad-CAM with hooks, at any layer


def _network(architecture, layer, count=2, height=12, width=12):
    """Draws a network, images (N,3,H,W) and a class for each; the layer is given."""
    def draw(random):
        network = Network(architecture, whole(random, 0, 1 << 20))
        return network, uniform(random, count, 3, height, width), torch.randint(5, (count,), generator=random), layer
    return draw


def _bundled(random):
    classes = torch.randint(20, (2,), generator=random)
    return Network("resnet_s"), uniform(random, 2, 3, 64, 64), classes, "layer3.0.relu2"


def _by_hand(combine=lambda values, gradients: (gradients.mean((2, 3), keepdim=True) * values).sum(1), score="logit",
             chosen=lambda classes: classes, into=False):
    """Grad-CAM with one of its parts exchanged: how values and gradients (N,C,h,w) become maps (N,h,w), of which score,
    of which classes, of what goes `into` the layer in place of what comes out of it."""
    def maps(model, images, classes, layer):
        def score_of(leaf, rows):
            logits = model(leaf)
            logits = logits.softmax(1) if score == "probability" else logits
            return logits.sum(1) if score == "all" else logits[torch.arange(len(rows)), chosen(classes)[rows]]
        return combine(*differentiate(model, images, score_of, _before(model, layer) if into else layer))
    return maps


def _before(model, layer):
    """The name of the layer that stands before another one, among its parent's children; the layer itself if none."""
    parent, _, own = layer.rpartition(".")
    names = [name for name, _ in model.get_submodule(parent).named_children()]
    return ".".join(filter(None, (parent, names[max(0, names.index(own) - 1)])))


def _overwritten(model, images, classes, layer):
    """What a hook gets that keeps the output itself, where the next layer works in place."""
    following = [name for name, _ in model.named_children()]
    after = following.index(layer) + 1 if layer in following else len(following)
    if after < len(following) and getattr(model.get_submodule(following[after]), "inplace", False):
        layer = following[after]
    return _grad_cam(model, images, classes, layer)


def _left_hanging(model, images, classes, layer):
    model.get_submodule(layer).register_forward_hook(lambda module, values, output: None)
    return _grad_cam(model, images, classes, layer)


def _grad_cam(model, images, classes, layer):
    return GRAD_CAM(model, images, classes, layer)


HOOKED = Question(
    "05.2", "grad_cam_at", points=5, minutes=20, reference=_grad_cam, bundled=("resnet_s",),
    kinds=(Kind("ordinary", "the last maps before the pooling", _network("plain", "relu2")),
           Kind("ordinary", "an earlier layer", _network("deep_head", "relu1", 3)),
           Kind("edge", "pictures that are not square", _network("plain", "conv1", 2, 8, 15)),
           Kind("edge", "a layer before one that works in place", _network("inplace", "conv2")),
           Kind("edge", "a block with a shortcut", _network("residual", "block1.relu2", 2, 10, 9)),
           Kind("edge", "a network whose ReLUs are functions", _network("functional", "conv1", 1)),
           Kind("edge", "a network that must come back without a hook", _network("lent", "relu2")),
           Kind("large", "the course's own network", _bundled)),
    idea="A forward hook hands you the layer's output while the network runs; ask autograd for the gradient of the "
         "chosen logits there. Each map then has one weight: how much the logit likes it on average. If the next layer "
         "works in place, what you kept is overwritten, unless the network goes on with a copy. A hook stays until its "
         "handle takes it off.",
    formula="kept = []; a forward hook does kept.append(output) and returns output.clone(); logits = model(images with "
            "requires_grad_()), the hook is removed; score = logits[range(N), classes].sum(); gradients, = "
            "torch.autograd.grad(score, kept[0]); weights = gradients.mean((2, 3)); the map is the sum over c of weights "
            "* kept[0].",
    mistakes=(
        Mistake("You multiply gradient and value place by place, which is HiResCAM: Grad-CAM gives each map one weight.",
                _by_hand(lambda values, gradients: (values * gradients).sum(1))),
        Mistake("Your weights add the gradient up over the places: take its mean.",
                _by_hand(lambda values, gradients: (gradients.sum((2, 3), keepdim=True) * values).sum(1))),
        Mistake("You keep only the positive part: here the sign is asked for, as `attribution.grad_cam` gives it.",
                _by_hand(lambda values, gradients: (gradients.mean((2, 3), keepdim=True) * values).sum(1).clamp(min=0))),
        Mistake("You take the gradient of the probability: take that of the logit.", _by_hand(score="probability")),
        Mistake("You take the gradient of all logits together: only that of its own class counts, for each image.",
                _by_hand(score="all")),
        Mistake("All your images are asked for the first image's class.",
                _by_hand(chosen=lambda classes: classes[:1].expand(len(classes)))),
        Mistake("You recorded what goes into the layer: Grad-CAM weighs what comes out of it.", _by_hand(into=True)),
        Mistake("One weight for all images: each image has gradients of its own.",
                _by_hand(lambda values, gradients: (gradients.mean((0, 2, 3))[:, None, None] * values).sum(1))),
        Mistake("You average over the maps: they add up.",
                _by_hand(lambda values, gradients: (gradients.mean((2, 3), keepdim=True) * values).mean(1))),
        Mistake("Your hook stays on the network, and runs in every later call: its handle takes it off.",
                _left_hanging),
        Mistake("Right, but where the next layer works in place: it overwrites what your hook kept.", _overwritten)),
    without="lecturekit's `hooks` and `attribution`",
    forbidden=("hooks", "grad_cam", "hires_cam", "cam", "guided_grad_cam", "differentiate", "class_gradient", "record",
               "forward_to"))


# 05.3 Whose object?


def _two_objects(lean, height=12, width=16, sizes=(6, 4)):
    """Draws a signed map (H,W) and the masks of two objects; `lean(noise, own, other)` makes the map."""
    def draw(random):
        own, other = torch.zeros(2, height, width, dtype=torch.bool)
        top, low = whole(random, 0, height - sizes[0] - 1), whole(random, 0, height - sizes[1] - 1)
        own[top:top + sizes[0], 1:width // 2 - 2], other[low:low + sizes[1], width // 2 + 1:width - 1] = True, True
        return lean(normal(random, height, width), own, other), own, other
    return draw


def _own_share(map, own, other):
    return DISCRIMINATION(map[None], own[None], other[None]).item()


def _share_of(evidence, whole=None, nothing=0.5, gather=torch.sum):
    """A wrong own_share: of which evidence, of what whole, and what where there is none."""
    def share(map, own, other):
        positive = evidence(map)
        on_own, on_other = gather(positive[own]), gather(positive[other])
        total = on_own + on_other if whole is None else whole(positive)
        return (on_own / total).item() if total != 0 else nothing
    return share


def _positive(map):
    return map.clamp(min=0)


SHARE = Question(
    "05.3", "own_share", points=5, minutes=10, reference=_own_share,
    kinds=(Kind("ordinary", "a map that leans to its own object", _two_objects(lambda noise, own, other: noise + own)),
           Kind("edge", "a map that leans to the other object", _two_objects(
               lambda noise, own, other: noise + 0.7 * other)),
           Kind("edge", "nothing positive on the other object", _two_objects(
               lambda noise, own, other: noise - 9 * other)),
           Kind("edge", "a map of small values", _two_objects(lambda noise, own, other: 0.001 * (noise + own))),
           Kind("edge", "a large and a small object", _two_objects(
               lambda noise, own, other: noise + 0.2, sizes=(9, 2))),
           Kind("degenerate", "nothing positive on either object", _two_objects(
               lambda noise, own, other: noise.abs() * torch.where(own | other, -1, 1) - 0.01 * (own | other))),
           Kind("large", "a large map", _two_objects(lambda noise, own, other: noise + 0.3 * own, 40, 50, (18, 12)))),
    idea="Only what is positive speaks for the class, and only what lies on one of the two objects is counted. A map "
         "that says nothing of either object knows as much as a coin.",
    formula="a = the positive part added up on own, b = the same on other: a / (a + b), and 0.5 where a + b is zero.",
    mistakes=(
        Mistake("You divide by the whole map: what lies on the floor is on neither object and does not count.",
                _share_of(_positive, whole=torch.sum)),
        Mistake("You count negative values as evidence: only the positive part speaks for the class.",
                _share_of(torch.abs)),
        Mistake("You let negative values cancel positive ones: set them to zero first.", _share_of(lambda map: map)),
        Mistake("Where the map has nothing positive on either object it knows nothing of the class: that scores 0.5.",
                _share_of(_positive, nothing=0.0)),
        Mistake("You compare means over the masks: add the positive part up on each.",
                _share_of(_positive, gather=torch.mean)),
        Mistake("You give the other object's share.", lambda map, own, other: _own_share(map, other, own)),
        Mistake("You count pixels: add up their values.", _share_of(lambda map: (map > 0).float())),
        Mistake("You compare the highest values: add all of them up.", _share_of(_positive, gather=torch.max))),
    without="lecturekit's `localisation.discrimination` and `energy_inside`",
    forbidden=("discrimination", "energy_inside"))

QUESTIONS = [RATHER, HOOKED, SHARE]
