"""Class activation maps: a weighted sum of a layer's maps, where each map's weight says how much the class likes it."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from lecturekit import validate
from lecturekit.networks import hooks
from lecturekit.networks.derivative import BATCH
from lecturekit.attribution.gradients import class_gradient, gradient, reduced

POOLING = ("adaptive_avg_pool2d", "avg_pool2d", "mean")


@torch.no_grad()
def cam(model, images, target):
    """The class activation map (Zhou et al. 2016, equation 2), (N,h,w), of a network that ends in global average
    pooling and one linear layer: the last maps, weighted by the class's row of that layer.

    Exact: the mean of a map plus the class's bias is the logit. Raises ValueError for any other network.
    """
    validate.images(images)
    head = next((module for module in reversed(list(model.modules())) if isinstance(module, nn.Linear)), None)
    maps, pooled = _before_pooling(model, images, head)
    ends_so = maps is not None and pooled is not None and pooled.shape == maps.shape[:2]
    if not ends_so or not torch.allclose(maps.mean((2, 3)), pooled, rtol=1e-3, atol=1e-5):
        raise ValueError("model: CAM takes a network that ends in global average pooling and one linear layer. "
                         "grad_cam takes any network, and any layer with maps.")
    weights = head.weight[validate.targets(target, len(images), head.out_features)]
    return torch.einsum("nc,nchw->nhw", weights, maps)


def grad_cam(model, images, target, layer, score="logit", relu=False, batch=BATCH):
    """Grad-CAM (Selvaraju et al. 2017, equations 1 and 2) at any layer with maps: (N,h,w), of the layer's size.

    Each map's weight is the mean over the places of the score's gradient there. The paper keeps the positive part
    (relu=True); signed, the map of minus the score is minus the map.
    """
    values, gradients = _at_layer(model, images, target, layer, score, batch)
    return _kept(torch.einsum("nc,nchw->nhw", gradients.mean((2, 3)), values), relu)


def hires_cam(model, images, target, layer, score="logit", relu=False, batch=BATCH):
    """HiResCAM (Draelos and Carin 2020): gradient times activation, place by place, summed over the maps: (N,h,w)."""
    values, gradients = _at_layer(model, images, target, layer, score, batch)
    return _kept((values * gradients).sum(1), relu)


def guided_grad_cam(model, images, target, layer, reduce="max", score="logit", batch=BATCH):
    """Guided backpropagation times the positive part of Grad-CAM, enlarged: maps (N,H,W) (Selvaraju et al. 2017)."""
    coarse = enlarge(grad_cam(model, images, target, layer, score, True, batch), images)
    return reduced(coarse[:, None] * gradient(model, images, target, score, "guided", batch), reduce)


def enlarge(maps, images):
    """Maps (N,h,w) of a layer at the size of the images (N,C,H,W), bilinear: (N,H,W)."""
    return F.interpolate(maps[:, None], images.shape[2:], mode="bilinear", align_corners=False)[:, 0]


def _at_layer(model, images, target, layer, score, batch):
    validate.images(images)
    validate.layer(model, layer)
    values, gradients = class_gradient(model, images, target, score, layer, "gradient", batch)
    return validate.with_places(values, layer), gradients


def _kept(maps, relu):
    return maps.clamp(min=0) if relu else maps


def _before_pooling(model, images, head):
    """The maps (N,C,h,w) that go into the last average pooling, and what goes into the linear layer `head`."""
    inputs = []
    handle = head.register_forward_pre_hook(lambda module, args: inputs.append(args[0])) if head is not None else None
    try:
        with hooks.preserved(model), _Pooling() as pooling:
            model.eval()(images)
    finally:
        if handle is not None:
            handle.remove()
    return pooling.maps, inputs[-1] if inputs else None


class _Pooling(TorchFunctionMode):
    """Keeps the maps that the last average pooling of a forward pass was given."""

    maps = None

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in POOLING:
            maps = args[0] if args else kwargs["input"]
            self.maps = maps if maps.ndim == 4 else self.maps
        return func(*args, **kwargs)
