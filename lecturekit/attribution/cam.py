"""Class activation maps: a weighted sum of a layer's maps, where each map's weight says how much the class likes it."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from lecturekit import validate
from lecturekit.networks import layout, running
from lecturekit.networks.running import BATCH
from lecturekit.attribution.gradients import class_gradient, gradient, reduced

POOLING = ("adaptive_avg_pool2d", "avg_pool2d", "mean")


@torch.no_grad()
def cam(model, images, target):
    """The class activation map (Zhou et al. 2016, equation 2), (N,h,w), of a network that ends in global average
    pooling: the last maps, weighted by the class's row of the one linear layer behind, or the class's own map where no
    layer stands behind.

    Exact: the mean of a map plus the class's bias (none without that layer) is the logit. Raises ValueError for any
    other network.
    """
    maps, head, behind, logits = _ending(model, validate.images(images))
    targets = validate.targets(target, len(images), logits.shape[1])
    if _is_mean(logits, maps):
        return maps[torch.arange(len(images)), targets]
    if _ends(head, behind, logits, maps):
        return torch.einsum("nc,nchw->nhw", head.weight[targets], maps)
    raise ValueError("model: CAM takes a network that ends in global average pooling and at most one linear layer. "
                     "grad_cam takes any network, and any layer with maps.")


@torch.no_grad()
def linear_head(model):
    """The linear layer behind the global average pooling of a network that ends in these two, else None."""
    maps, head, behind, logits = _ending(model, validate.images(running.blank(model) + 0.5))
    return head if _ends(head, behind, logits, maps) else None


def _ends(head, behind, logits, maps):
    return head is not None and _is_mean(behind, maps) and _near(head(behind), logits)


def _is_mean(values, maps):
    """Whether values (N,C) are the means over the places of maps (N,C,h,w)."""
    return maps is not None and values.shape == maps.shape[:2] and _near(maps.mean((2, 3)), values)


def grad_cam(model, images, target, layer, score="logit", relu=False, batch=BATCH, reshape=None):
    """Grad-CAM (Selvaraju et al. 2017, equations 1 and 2) at any layer with maps: (N,h,w), of the layer's size.

    Each map's weight is the mean over the places of the score's gradient there. The paper keeps the positive part
    (relu=True); signed, the map of minus the score is minus the map. `reshape` makes maps (N,C,h,w) of what the layer
    gives, if it gives tokens or keeps its channels last (`layout`); a layer that runs more than once counts with its last
    output.
    """
    values, gradients = _at_layer(model, images, target, layer, score, batch, reshape)
    return _kept(torch.einsum("nc,nchw->nhw", gradients.mean((2, 3)), values), relu)


def hires_cam(model, images, target, layer, score="logit", relu=False, batch=BATCH, reshape=None):
    """HiResCAM (Draelos and Carin 2020): gradient times activation, place by place, summed over the maps: (N,h,w)."""
    values, gradients = _at_layer(model, images, target, layer, score, batch, reshape)
    return _kept((values * gradients).sum(1), relu)


def guided_grad_cam(model, images, target, layer, reduce="max", score="logit", batch=BATCH, reshape=None):
    """Guided backpropagation times the positive part of Grad-CAM, enlarged: maps (N,H,W) (Selvaraju et al. 2017)."""
    coarse = enlarge(grad_cam(model, images, target, layer, score, True, batch, reshape), images)
    return reduced(coarse[:, None] * gradient(model, images, target, score, "guided", batch), reduce)


def enlarge(maps, images):
    """Maps (N,h,w) of a layer at the size of the images (N,C,H,W), bilinear: (N,H,W)."""
    return F.interpolate(maps[:, None], images.shape[2:], mode="bilinear", align_corners=False)[:, 0]


def _at_layer(model, images, target, layer, score, batch, reshape):
    form = layout.maps(validate.images(images), reshape)
    validate.layer(model, layer)
    values, gradients = class_gradient(model, images, target, score, layer, "gradient", batch)
    return form(values, layer), form(gradients, layer)


def _kept(maps, relu):
    return maps.clamp(min=0) if relu else maps


def _near(values, others):
    return torch.allclose(values.float(), others.float(), rtol=max(1e-3, torch.finfo(values.dtype).eps), atol=1e-5)


def _ending(model, images):
    """The maps (N,C,h,w) that go into the last average pooling, the last linear layer, what goes into that one, and the
    logits (N,classes); None for what there is not."""
    heads = []
    with running.entered(model), _Pooling() as pooling:
        for _, module in running.layers(model):
            if isinstance(module, nn.Linear):
                module.register_forward_pre_hook(lambda module, args: heads.append((module, args[0])))
        logits = running.scores(model, *running.chunks(images, max(1, len(images))))
    maps, (head, behind) = pooling.maps, heads[-1] if heads else (None, None)
    maps, behind = (None if x is None else x[:len(images)] for x in (maps, behind))
    return maps, head, behind, logits


class _Pooling(TorchFunctionMode):
    """Keeps the maps that the last average pooling of a forward pass was given."""

    maps = None

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in POOLING:
            maps = args[0] if args else kwargs["input"]
            self.maps = maps if maps.ndim == 4 else self.maps
        return func(*args, **kwargs)
