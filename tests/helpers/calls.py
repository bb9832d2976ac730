"""Every public function that takes a network, called small, and what it needs of one: a table, CALLS.

A call takes a Case and gives what is compared: tensors, numbers, or containers of them. Needs are "logits" (N,classes),
of the case's pictures, which "fit", or of a function's "own"; "watch", layers that can be watched; "maps" (N,C,h,w) at a layer, with
`reshape`, or "NCHW" without; "field", a receptive field; "relu", no other rectifier, or "rules" that may not be met; "pooling", an end in global average
pooling and a linear layer; "resets", modules that draw their own weights; "values", weights with values.
"""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from lecturekit import attribution, moving
from lecturekit.attribution import gradients, localisation, rules, sanity, scores
from lecturekit.moving import inversion, objectives, style_nets
from lecturekit.networks import derivative, hooks, models, running
from lecturekit.pictures import categories, datasets
from lecturekit.representation import embedding, filters, matching, receptive, training, units
from lecturekit.robustness import attacks, blackbox, corruptions, defence_zoo, defences, fooling, smoothing, standing

# Parameters that stand for a network that any user may bring
NETWORKS = {"model", "network", "networks", "queries", "classifier", "defence", "deployed", "plain", "teacher"}


@dataclass
class Case:
    """A network and what to ask it: images (2,C,12,12), their labels, classes that differ from these, a layer."""

    model: nn.Module
    images: torch.Tensor
    layer: str
    reshape: object = None

    @property
    def labels(self):
        return torch.tensor([1, 2])

    @property
    def targets(self):
        return torch.tensor([3, 0])

    @property
    def maps(self):
        return {} if self.reshape is None else {"reshape": self.reshape}

    @property
    def asked(self):
        return self.model, self.images, self.labels

    @property
    def queries(self):
        return blackbox.Queries(self.model)

    @property
    def code(self):
        """What the layer gives for the images turned upside down."""
        return hooks.features(self.model, self.images.flip(2), self.layer)


def score(objective):
    """A call: the objective that `objective` (case) makes, of the case's images."""
    return lambda case: objective(case)(case.images)


def moved(case, objective):
    return moving.optimise(case.images, objective, 2, quiet=True).images


def tabletop(case):
    """Two rendered pictures, with the categories of the case's network."""
    model = copy.copy(case.model)
    model.categories = datasets.TABLETOP
    return datasets.for_model(datasets.tabletop("test")[:2], model, 12)[2]


def bench(case):
    return defence_zoo.Bench(case.images, case.labels, case.model, epochs=1)


def defended(build):
    """A call: the logits of a network that stands behind a defence."""
    return lambda case: attacks.logits(build(case), case.images)


def trained(network, case):
    """What a network that was trained on the case's images gives for them."""
    return running.logits(network, case.images)


def pupil(case):
    """A network to be trained beside the case's: one linear layer of zeros."""
    return nn.Sequential(nn.Flatten(), training.zero_head(case.images[0].numel(), 4)).to(case.images)


def elsewhere(case):
    """Pictures to which the network gives other labels than to the case's, and its labels for these."""
    labels = running.logits(case.model, case.images).argmax(1)
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(300, *case.images.shape[1:], generator=generator)
    noise = torch.cat([noise.round(), noise * torch.rand(300, noise.shape[1], 1, 1, generator=generator)]).to(case.images)
    other = running.logits(case.model, noise).argmax(1)
    starts = [noise[other != label][:1] for label in labels]
    return (labels, torch.cat(starts)) if all(map(len, starts)) else ((labels + 1) % 4, noise[:2])   # one answer to all


def walked(case):
    labels, starts = elsewhere(case)
    return blackbox.boundary(case.queries, case.images, labels, starts, 16)


def half_noise(images, generator):
    return 0.5 + images / 2


LOGITS, LAYER = ("logits", "fit"), ("watch", "fit")
MAPS = (*LAYER, "maps")

CALLS = {
    "networks.hooks.features": (lambda c: hooks.features(c.model, c.images, c.layer), LAYER),
    "networks.hooks.forward_to": (lambda c: hooks.forward_to(c.model, c.images, c.layer).detach(), LAYER),
    "networks.running.logits": (lambda c: running.logits(c.model, c.images), LOGITS),
    "networks.running.probabilities": (lambda c: running.probabilities(c.model, c.images), LOGITS),
    "networks.running.blank": (lambda c: running.blank(c.model), ("values",)),
    "networks.running.like": (lambda c: running.like(c.model, c.images.double()), ("values",)),
    "networks.running.convolutions": (lambda c: len(running.convolutions(c.model)), ()),
    "networks.running.input_channels": (lambda c: running.input_channels(c.model), ()),
    "networks.derivative.differentiate": (lambda c: derivative.differentiate(
        c.model, c.images, lambda leaf, rows: running.scores(c.model, leaf)[:, 1], c.layer), (*LOGITS, *LAYER)),
    "networks.models.predict": (lambda c: models.predict(c.model, c.images), LOGITS),
    "networks.models.conv_layers": (lambda c: len(models.conv_layers(c.model)), ()),
    "networks.models.landmarks": (lambda c: len(models.landmarks(c.model)), ("watch", "names")),
    "networks.randomising.randomised": (lambda c: trained(models.randomised(c.model), c), ("resets", *LOGITS)),
    "pictures.categories.category_index": (lambda c: categories.category_index(c.model, "class 2"), ("categories",)),
    "pictures.datasets.for_model": (tabletop, ()),

    "representation.embedding.features": (lambda c: embedding.features(c.model, c.images, c.layer, **c.maps)[c.layer], MAPS),
    "representation.filters.first_layer": (lambda c: filters.first_layer(c.model), ("values",)),
    "representation.filters.costs": (lambda c: sum(cost.weights for cost in filters.costs(
        c.model, c.images.shape[1:])), ("watch",)),
    "representation.matching.dense": (lambda c: matching.dense(c.model, c.images[:1], c.layer, **c.maps), MAPS),
    "representation.receptive.fields": (lambda c: getattr(receptive.fields(c.model).get(c.layer), "size", None), ("watch",)),
    "representation.receptive.field": (lambda c: receptive.field(c.model, c.layer).size, ("watch", "field")),
    "representation.receptive.landmarks": (lambda c: len(receptive.landmarks(c.model)), ("watch", "names")),
    "representation.receptive.sensitivity": (lambda c: receptive.sensitivity(
        c.model, c.images, c.layer, 1, 2, **c.maps), MAPS),
    "representation.receptive.support": (lambda c: receptive.support(c.model, c.layer, 1, 2, **c.maps), ("own", "watch", "maps")),
    "representation.receptive.replay": (lambda c: receptive.replay(c.model, c.images, c.layer, 1, 2), ("field", "NCHW", *LAYER)),
    "representation.training.Headed": (lambda c: running.logits(training.Headed(
        c.model, c.layer, lambda rows: rows[:, :3], c.reshape), c.images), MAPS),
    "representation.training.fine_tune": (lambda c: trained(training.fine_tune(
        c.model, c.layer, c.images, c.labels, 4, steps=1, **c.maps), c).argmax(1), MAPS),
    "representation.training.accuracy": (lambda c: training.accuracy(c.model, c.images, c.labels), LOGITS),
    "representation.units.top": (lambda c: units.top(c.model, c.images, c.layer, 2, **c.maps).values, MAPS),
    "representation.units.responses": (lambda c: units.responses(c.model, c.images, [c.layer], **c.maps)[c.layer], MAPS),

    "attribution.cam.cam": (lambda c: attribution.cam(*c.asked), ("watch", "pooling", *LOGITS)),
    "attribution.cam.linear_head": (lambda c: attribution.linear_head(c.model) is None, ("watch", "logits", "own")),
    "attribution.cam.grad_cam": (lambda c: attribution.grad_cam(*c.asked, c.layer, **c.maps), (*LOGITS, *MAPS)),
    "attribution.cam.hires_cam": (lambda c: attribution.hires_cam(*c.asked, c.layer, **c.maps), (*LOGITS, *MAPS)),
    "attribution.cam.guided_grad_cam": (lambda c: attribution.guided_grad_cam(*c.asked, c.layer, **c.maps),
                                        ("relu", *LOGITS, *MAPS)),
    "attribution.rules.obeyed": (lambda c: rules.obeyed(c.model), ("own", "rules")),
    "attribution.gradients.class_gradient": (lambda c: gradients.class_gradient(*c.asked, layer=c.layer),
                                             (*LOGITS, *LAYER)),
    "attribution.gradients.gradient": (lambda c: attribution.gradient(*c.asked), LOGITS),
    "attribution.gradients.gradient, guided": (lambda c: attribution.gradient(*c.asked, rule="guided"), ("relu", *LOGITS)),
    "attribution.gradients.unit_gradient": (lambda c: attribution.unit_gradient(
        c.model, c.images, c.layer, 1, 1, 2, **c.maps), MAPS),
    "attribution.gradients.saliency": (lambda c: attribution.saliency(*c.asked, score="probability"), LOGITS),
    "attribution.gradients.gradient_x_input": (lambda c: attribution.gradient_x_input(*c.asked), LOGITS),
    "attribution.gradients.smooth_grad": (lambda c: attribution.smooth_grad(*c.asked, samples=2), LOGITS),
    "attribution.gradients.integrated_gradients": (lambda c: attribution.integrated_gradients(*c.asked, steps=3), LOGITS),
    "attribution.perturbation.occlusion": (lambda c: attribution.occlusion(*c.asked, 6, 6), LOGITS),
    "attribution.perturbation.sliding_scores": (lambda c: attribution.sliding_scores(*c.asked, 6, 6, "blur"), LOGITS),
    "attribution.perturbation.lime": (lambda c: attribution.lime(*c.asked, 4, 10), LOGITS),
    "attribution.scores.class_scores": (lambda c: scores.class_scores(*c.asked, "probability"), LOGITS),
    "attribution.localisation.deletion": (lambda c: localisation.deletion(
        c.model, c.images, c.images.sum(1), c.labels, 2), LOGITS),
    "attribution.localisation.insertion": (lambda c: localisation.insertion(
        c.model, c.images, c.images.sum(1), c.labels, 2), LOGITS),
    "attribution.sanity.cascade": (lambda c: [running.logits(drawn, c.images) for _, drawn in sanity.cascade(c.model)],
                                   ("watch", *LOGITS)),
    "attribution.sanity.blocks": (lambda c: len(sanity.blocks(c.model)), ("watch",)),
    "attribution.sanity.curves": (lambda c: sanity.curves(*c.asked, {"gradient": attribution.saliency})[1], ("watch", *LOGITS)),

    "moving.objectives.class_score": (score(lambda c: objectives.class_score(c.model, c.labels)), LOGITS),
    "moving.objectives.cross_entropy": (score(lambda c: objectives.cross_entropy(c.model, c.labels)), LOGITS),
    "moving.objectives.margin": (score(lambda c: objectives.margin(c.model, c.labels)), LOGITS),
    "moving.objectives.dlr": (score(lambda c: objectives.dlr(c.model, c.labels)), LOGITS),
    "moving.objectives.unit": (score(lambda c: objectives.unit(c.model, c.layer, 1, **c.maps)), MAPS),
    "moving.objectives.channel": (score(lambda c: objectives.channel(c.model, c.layer, 1, **c.maps)), MAPS),
    "moving.objectives.energy": (score(lambda c: objectives.energy(c.model, c.layer)), LAYER),
    "moving.objectives.along": (score(lambda c: objectives.along(c.model, c.layer, c.code)), LAYER),
    "moving.objectives.near_code": (score(lambda c: objectives.near_code(c.model, c.layer, c.code)), LAYER),
    "moving.objectives.codes": (lambda c: objectives.codes(c.model, c.images, [c.layer])[c.layer].detach(), LAYER),
    "moving.objectives.near_style": (score(lambda c: objectives.near_style(
        c.model, {c.layer: torch.eye(5)[None]})), ("NCHW", *LAYER)),
    "moving.optimise.optimise": (lambda c: moved(c, objectives.class_score(c.model, 1) - objectives.total_variation()),
                                 LOGITS),
    "moving.optimise.optimise, layer": (lambda c: moved(c, objectives.energy(c.model, c.layer)), LAYER),
    "moving.inversion.invert": (lambda c: inversion.invert(
        c.model, c.layer, c.code, c.images, steps=2, quiet=True).images, LAYER),
    "moving.style_nets.smoothed": (lambda c: trained(style_nets.smoothed(c.model), c), ("watch", "pool layers", *LOGITS)),
    "moving.style_nets.describe": (lambda c: style_nets.describe(
        c.model, c.images.repeat(1, 1, 3, 3), [c.layer])[c.layer], ("NCHW", *LAYER)),
    "moving.style_nets.goal": (score(lambda c: style_nets.goal(
        c.model, c.images, {c.layer: torch.eye(5)[None]}, layer=c.layer)), ("NCHW", *LAYER)),
    "moving.style_nets.transfer": (lambda c: style_nets.transfer(
        c.model, c.images, {c.layer: torch.eye(5)[None]}, layer=c.layer, rounds=1, inner=2, quiet=True).images,
        ("NCHW", *LAYER)),

    "robustness.attacks.fgsm": (lambda c: attacks.fgsm(*c.asked, 0.1, "l2"), LOGITS),
    "robustness.attacks.pgd": (lambda c: attacks.pgd(*c.asked, 0.1, "l2", 2, restarts=2), LOGITS),
    "robustness.attacks.deepfool": (lambda c: attacks.deepfool(*c.asked, steps=2), LOGITS),
    "robustness.attacks.lbfgs": (lambda c: attacks.lbfgs(*c.asked, c.targets, rounds=1), LOGITS),
    "robustness.attacks.shortened": (lambda c: attacks.shortened(*c.asked, c.images.flip(3), rounds=2), LOGITS),
    "robustness.attacks.fooled": (lambda c: attacks.fooled(*c.asked), LOGITS),
    "robustness.attacks.checked": (lambda c: attacks.checked(*c.asked), LOGITS),
    "robustness.blackbox.Queries": (lambda c: c.queries(c.images), LOGITS),
    "robustness.blackbox.transfer": (lambda c: blackbox.transfer({"one": c.model}, {"a": c.images}, c.labels), LOGITS),
    "robustness.blackbox.square": (lambda c: blackbox.square(c.queries, c.images, c.labels, 0.1, 4), LOGITS),
    "robustness.blackbox.one_pixel": (lambda c: blackbox.one_pixel(
        c.queries, c.images[:1], 1, population=5, generations=1), LOGITS),
    "robustness.blackbox.boundary": (walked, LOGITS),
    "robustness.blackbox.substitute": (lambda c: trained(blackbox.substitute(
        c.queries, c.images, pupil(c), 2, epochs=1)[0], c), LOGITS),
    "robustness.corruptions.errors": (lambda c: corruptions.errors(*c.asked, ["contrast", "JPEG"], (3,)), LOGITS),
    "robustness.defences.Before": (defended(lambda c: defences.Before(c.model, lambda x: x.round())), LOGITS),
    "robustness.defences.Randomised": (defended(lambda c: defences.Randomised(c.model, half_noise, 2)), LOGITS),
    "robustness.defences.Ensemble": (defended(lambda c: defences.Ensemble([c.model, c.model])), LOGITS),
    "robustness.defences.Codewords": (defended(lambda c: defences.Codewords(c.model, torch.ones(3, 4))), LOGITS),
    "robustness.defences.Defence": (lambda c: defences.Defence(c.model).attacked is c.model, ()),
    "robustness.defences.accuracies": (lambda c: defences.accuracies(
        defences.Defence(c.model), c.images, c.labels, 0.1, c.images, 1), LOGITS),
    "robustness.defences.flags": (lambda c: defences.flags(*c.asked, 0.1, c.images, 1, 2), LOGITS),
    "robustness.defences.fooled_at_random": (lambda c: defences.fooled_at_random(*c.asked, 0.1, 2), LOGITS),
    "robustness.defences.random_search": (lambda c: defences.random_search(*c.asked, 0.1, 2), LOGITS),
    "robustness.defence_zoo.warm": (lambda c: defence_zoo.warm(2.0, c.model)(
        pupil(c), c.images, c.labels, None).detach(), LOGITS),
    "robustness.defence_zoo.Bench": (lambda c: attacks.logits(defence_zoo.build("none", bench(c)).deployed, c.images), LOGITS),
    "robustness.fooling.evolve": (lambda c: fooling.evolve(
        c.model, fooling.Pixels(12, c.images.shape[1]), 2, children=3).confidences, ("logits", "own")),
    "robustness.smoothing.votes": (lambda c: smoothing.votes(
        c.model, c.images, 0.1, 5, torch.Generator().manual_seed(0)), LOGITS),
    "robustness.smoothing.predict": (lambda c: smoothing.predict(c.model, c.images, 0.1, 20), LOGITS),
    "robustness.smoothing.certify": (lambda c: smoothing.certify(c.model, c.images, 0.1, 20, choosing=5), LOGITS),
    "robustness.standing.accuracy": (lambda c: standing.accuracy(*c.asked), LOGITS),
    "robustness.standing.curve": (lambda c: standing.curve(*c.asked, [0, 0.1], steps=1), LOGITS),
    "robustness.standing.worst_case": (lambda c: standing.worst_case(
        *c.asked, 0.1, "l2", 1, 1), LOGITS),
}

# Public, but of a network's own mode, or of no network that a user brings: why the table leaves them out.
OUTSIDE = {
    "networks.hooks.record": "the caller runs the network in whatever mode it is",
    "networks.hooks.reached": "the caller has entered the network",
    "networks.hooks.unreached": "an error",
    "networks.running.layers": "the caller has entered the network",
    "networks.running.watchable": "a part of running.layers",
    "moving.style_nets.pyramid": "the bundled describer's layers; describe and goal are in the table",
    "networks.running.chunks": "no network",
    "attribution.incremental.Incremental": "asked by occlusion alone, with what that has checked",
    "representation.embedding.neighbours": "its queries are features",
    "robustness.blackbox.Attacked": "its queries are a count",
    "networks.running.entered": "what all the others go through; tests/networks/test_hooks.py",
    "networks.running.preserved": "as entered",
    "networks.running.laid_out": "the caller has entered the network",
    "networks.running.plainly": "the caller has entered the network",
    "networks.running.outputs": "the caller has entered the network",
    "networks.running.scores": "the caller has entered the network",
    "moving.objectives.maps": "the caller has entered the network",
    "robustness.intervals.logits": "of one kind of network; tests/robustness/test_intervals.py",
    "robustness.intervals.certified": "as intervals.logits",
    "robustness.intervals.worst_logits": "as intervals.logits",
    "robustness.robust_training.fit": "trains: the network is in train mode",
    "robustness.robust_training.cross_entropy": "a loss for training",
    "robustness.robust_training.smoothness": "a loss for training",
    "robustness.robust_training.virtual_direction": "a part of a loss for training",
    "robustness.robust_training.frozen_statistics": "a part of a loss for training",
}
