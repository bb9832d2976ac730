"""The number that a map explains: the logit or the probability of a class, one for each image."""

from lecturekit import validate
from lecturekit.networks import running
from lecturekit.networks.derivative import SCORES, chosen
from lecturekit.networks.running import BATCH


def class_scores(model, images, target, score="logit", batch=BATCH):
    """The target's logit or probability for each image (N,C,H,W), in eval mode: (N,)."""
    validate.images(images)
    validate.one_of("score", score, SCORES)
    return chosen(running.logits(model, images, batch), target, score)
