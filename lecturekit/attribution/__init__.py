"""Where in the image does a score come from? Every method returns signed maps (N,H,W), one for each image.

`target` is a class index, or a tensor with one for each image; `score` is "logit" or "probability". Parts of an image
are hidden by a `fill`: a number or one per channel in [0,1], a picture (N,C,H,W), "mean" (the image's own mean colour)
or "blur" (the image, blurred).

A method is a rule over one shared step. `perturbation` hides parts and asks again; `gradients` and `cam` call
`differentiate` and choose what a ReLU passes back (`rules`) and how a gradient becomes a map.
"""

from lecturekit.attribution.cam import cam, enlarge, grad_cam, guided_grad_cam, hires_cam
from lecturekit.attribution.gradients import (differentiate, gradient, gradient_x_input, integrated_gradients, reduced,
                                              saliency, smooth_grad, unit_gradient)
from lecturekit.attribution.perturbation import fill_picture, lime, occlusion, sliding_scores, spans, superpixels
from lecturekit.attribution.scores import BATCH, class_scores

__all__ = ["BATCH", "cam", "class_scores", "differentiate", "enlarge", "fill_picture", "grad_cam", "gradient",
           "gradient_x_input", "guided_grad_cam", "hires_cam", "integrated_gradients", "lime", "occlusion", "reduced",
           "saliency", "sliding_scores", "smooth_grad", "spans", "superpixels", "unit_gradient"]
