"""The number that a map explains: the logit or the probability of a class, one for each image."""

import torch

from lecturekit import validate
from lecturekit.networks import hooks
from lecturekit.networks.derivative import BATCH, SCORES, chosen


@torch.no_grad()
def class_scores(model, images, target, score="logit", batch=BATCH):
    """The target's logit or probability for each image (N,C,H,W), in eval mode: (N,)."""
    validate.images(images)
    validate.one_of("score", score, SCORES)
    validate.positive("batch", batch, whole=True)
    with hooks.preserved(model):
        model.eval()
        chunks = images.split(batch) if len(images) else [images]
        logits = torch.cat([model(chunk.contiguous(memory_format=torch.channels_last)) for chunk in chunks])   # faster
    return chosen(logits, target, score)
