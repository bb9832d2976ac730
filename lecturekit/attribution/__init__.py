"""Where in the image does a score come from? Every method returns signed maps (N,H,W). (Lessons 3 to 5.)

`target` is a class index or a tensor of them; `score` is "logit" or "probability"; a `fill` that hides a part is a
number or one per channel in [0,1], a picture (N,C,H,W), "mean" or "blur". A method is a rule over one shared step:
`perturbation` hides parts and asks again; `gradients` and `cam` choose what a ReLU passes back (`rules`) and how a
gradient becomes a map. `localisation`, `segmentation` and `sanity` measure what a map is worth.
"""

from lecturekit.networks.derivative import differentiate
from lecturekit.attribution.cam import cam, enlarge, grad_cam, guided_grad_cam, hires_cam, linear_head
from lecturekit.attribution.gradients import (gradient, gradient_x_input, integrated_gradients, reduced, saliency,
                                              smooth_grad, unit_gradient)
from lecturekit.attribution.perturbation import fill_picture, lime, occlusion, sliding_scores, spans, superpixels
from lecturekit.attribution.scores import class_scores

__all__ = ["cam", "class_scores", "differentiate", "enlarge", "fill_picture", "grad_cam", "gradient",
           "gradient_x_input", "gradients", "guided_grad_cam", "hires_cam", "integrated_gradients", "lime",
           "linear_head", "localisation", "occlusion", "perturbation", "reduced", "rules", "saliency", "sanity",
           "scores", "segmentation", "sliding_scores", "smooth_grad", "spans", "superpixels", "unit_gradient"]
