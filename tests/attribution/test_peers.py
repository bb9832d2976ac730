"""The same maps as captum's and pytorch-grad-cam's, on six networks, and every network left as it was.

In double precision, equal to 1e-9 of each map's largest value: at random weights the values of a map are tiny or huge, so
that an absolute difference would say nothing; in single precision the rounding of another batch or memory layout lets a
ReLU here and there fall on the other side of zero. Both peers reach for ReLU modules and fail on in-place ones; they get a copy without.
"""

import copy
from collections import OrderedDict

import pytest
import torch
from captum import attr
from pytorch_grad_cam import GradCAM, HiResCAM
from pytorch_grad_cam.guided_backprop import GuidedBackpropReLUModel
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchvision.models import DenseNet

from lecturekit import attribution
from lecturekit.pictures import datasets, pixels
from lecturekit.networks import models
from lecturekit.networks.nets import ARCHITECTURES

LAYERS = {   # in torchvision's networks one that no in-place ReLU follows: the peers keep an output that it overwrites
    "resnet_s": "layer4", "alexnet_s": "relu5", "vgg_s": "relu4_2",
    "resnet18": "network.layer4", "vgg16": "network.features.29", "densenet121": "network.features.denseblock3"}
TARGET = torch.tensor([10, 11])   # chair and mug, as the pictures show
METHODS = {
    "saliency": attribution.saliency, "gradient_x_input": attribution.gradient_x_input,
    "integrated_gradients": lambda *inputs: attribution.integrated_gradients(*inputs, steps=3),
    "smooth_grad": lambda *inputs: attribution.smooth_grad(*inputs, samples=3),
    "deconvnet": lambda *inputs: attribution.gradient(*inputs, rule="deconvnet"),
    "guided": lambda *inputs: attribution.gradient(*inputs, rule="guided"),
    "grad_cam": lambda *inputs: attribution.grad_cam(*inputs, "layer4"),
    "hires_cam": lambda *inputs: attribution.hires_cam(*inputs, "layer4"),
    "guided_grad_cam": lambda *inputs: attribution.guided_grad_cam(*inputs, "layer4"), "cam": attribution.cam}


def pictures():
    """Two pictures (2,3,64,64) of double precision whose values go from 0 to 1."""
    images = pixels.resize(datasets.tabletop("test")[:2].images, 64).double()
    low, high = images.amin((1, 2, 3), True), images.amax((1, 2, 3), True)
    return (images - low) / (high - low)


def twin(model, inplace=False):
    """A copy on the same weights whose ReLUs are modules and work in place or not; DenseNet has a functional one."""
    shared = {id(parameter): parameter for parameter in model.parameters()}
    model = copy.deepcopy(model, shared)
    if isinstance(getattr(model, "network", None), DenseNet):
        parts = [*model.network.features.named_children(), ("relu", nn.ReLU())]
        head = {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "classifier": model.network.classifier}
        model.network = nn.Sequential(OrderedDict(features=nn.Sequential(OrderedDict(parts)), **head))
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = inplace
    return model


def state(model, images):
    """All that a method could leave behind: hooks, modes, what requires a gradient; gradients, and the output."""
    modules, parameters = list(model.modules()), list(model.parameters())
    hooks = [(*m._forward_hooks, *m._forward_pre_hooks, *m._backward_hooks, *m._backward_pre_hooks) for m in modules]
    modes = [module.training for module in modules]
    gradients = [parameter.grad.clone() for parameter in parameters if parameter.grad is not None]
    with torch.no_grad():
        output = (copy.deepcopy(model).eval() if any(modes) else model)(images)
    return (hooks, modes, [(p.requires_grad, p.grad is None) for p in parameters]), [*gradients, output]


def assert_same(before, after):
    assert before[0] == after[0] and len(before[1]) == len(after[1])
    assert all(torch.equal(one, other) for one, other in zip(before[1], after[1]))


def assert_close(ours, theirs, tolerance=1e-9):
    """Equal to a tolerance of the largest value of each map."""
    theirs = torch.as_tensor(theirs).detach()
    assert ours.shape == theirs.shape
    scale = theirs.flatten(1).abs().amax(1)
    assert (scale > 0).all() and ((ours - theirs).flatten(1).abs().amax(1) / scale).max() < tolerance


@pytest.fixture(scope="module", params=LAYERS)
def loaded(request):
    model = models.load(request.param, "trained" if request.param in ARCHITECTURES else "random").double()
    return model, twin(model), pictures(), LAYERS[request.param], state(model, pictures())


@pytest.fixture
def case(loaded):
    """(network, its twin for the peers, pictures, a layer's name); at the end the network must be as it was."""
    model, peer, images, layer, before = loaded
    yield model, peer, images, layer
    assert_same(before, state(model, images))


def captum(explainer, images, **options):
    """Captum's attributions for a leaf of its own."""
    return explainer.attribute(images.clone().requires_grad_(), target=TARGET, **options).detach()


def raw_cam(peer, model, images, layer):
    """pytorch-grad-cam's map before its ReLU, enlargement and normalisation."""
    module = model.get_submodule(layer)
    with peer(model, [module]) as method:
        method(images.clone().requires_grad_(), [ClassifierOutputTarget(target) for target in TARGET.tolist()])
        kept = method.activations_and_grads
        return method.get_cam_image(images, module, None, kept.activations[0].numpy(), kept.gradients[0].numpy(), False)


def test_gradients(case):
    model, peer, images, _ = case
    signed = captum(attr.Saliency(peer), images, abs=False)
    assert_close(attribution.gradient(model, images, TARGET), signed)
    for reduce, expected in (("max", signed.abs().amax(1)), ("abs_sum", signed.abs().sum(1)), ("sum", signed.sum(1))):
        assert_close(attribution.saliency(model, images, TARGET, reduce), expected)
    assert_close(attribution.gradient_x_input(model, images, TARGET), captum(attr.InputXGradient(peer), images).sum(1))


def test_integrated_gradients(case):
    model, peer, images, _ = case
    explainer = attr.IntegratedGradients(peer)
    theirs = captum(explainer, images, n_steps=3, method="gausslegendre", internal_batch_size=len(images)).sum(1)
    assert_close(attribution.integrated_gradients(model, images, TARGET, steps=3), theirs, 1e-6)   # captum weighs its nodes in single precision


def test_smooth_grad_with_the_same_noise(case, monkeypatch):
    model, peer, images, _ = case
    options = {"nt_type": "smoothgrad", "nt_samples": 2, "nt_samples_batch_size": 1, "stdevs": 0.2, "abs": False}
    monkeypatch.setattr(torch, "normal", lambda mean, std: mean + std * torch.randn(std.shape))   # of single precision
    with torch.random.fork_rng():
        torch.manual_seed(7)
        theirs = captum(attr.NoiseTunnel(attr.Saliency(peer)), images, **options).sum(1)
    assert_close(attribution.smooth_grad(model, images, TARGET, noise=0.2, samples=2, reduce="sum", seed=7), theirs)


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU")
@pytest.mark.parametrize("rule, method", [("guided", attr.GuidedBackprop), ("deconvnet", attr.Deconvolution)])
def test_rules_of_captum(case, rule, method):
    model, peer, images, _ = case
    assert_close(attribution.gradient(model, images, TARGET, rule=rule), captum(method(peer), images))


def test_guided_backpropagation_of_pytorch_grad_cam(case):
    model, peer, images, _ = case
    guided = GuidedBackpropReLUModel(twin(peer))   # it puts modules of its own in place of the ReLUs
    theirs = torch.as_tensor(guided(images[:1].clone(), TARGET[0].item())).permute(2, 0, 1)[None]
    assert_close(attribution.gradient(model, images[:1], TARGET[:1], rule="guided"), theirs)


@pytest.mark.parametrize("rule", ["guided", "deconvnet"])
def test_relus_obey_in_place_reused_and_functional(case, rule):
    model, peer, images, _ = case
    plainly = attribution.gradient(peer, images, TARGET, rule=rule)
    for each in (model, twin(model, inplace=True)):
        assert_close(attribution.gradient(each, images, TARGET, rule=rule), plainly)


def test_grad_cam_and_hires_cam(case):
    model, peer, images, layer = case
    ours = attribution.grad_cam(model, images, TARGET, layer)
    assert_close(ours, captum(attr.LayerGradCam(peer, peer.get_submodule(layer)), images)[:, 0])
    assert_close(ours, raw_cam(GradCAM, peer, images, layer))
    assert_close(attribution.hires_cam(model, images, TARGET, layer), raw_cam(HiResCAM, peer, images, layer))


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU")
def test_guided_grad_cam(case):
    model, peer, images, layer = case
    theirs = captum(attr.GuidedGradCam(peer, peer.get_submodule(layer)), images, interpolate_mode="bilinear").sum(1)
    assert_close(attribution.guided_grad_cam(model, images, TARGET, layer, reduce="sum"), theirs)


@pytest.mark.parametrize("name, last", [("resnet_s", "layer4"), ("resnet18", "network.layer4"),
                                        ("densenet121", "network.features.relu")])
def test_cam_is_grad_cam_of_pytorch_grad_cam_times_the_places(name, last):
    model = models.load(name, "trained" if name == "resnet_s" else "random").double()
    theirs = raw_cam(GradCAM, twin(model), pictures(), last)
    assert_close(attribution.cam(model, pictures(), TARGET), theirs * theirs[0].size)


def odd():
    """resnet_s in train mode here and there, a hook, a weight that is being trained: a state of the user's own."""
    model = models.load("resnet_s").double()
    model.layer2.train()
    model.fc.weight.requires_grad_()
    model.fc.weight.grad = torch.ones_like(model.fc.weight)
    model.layer3.register_forward_hook(lambda module, inputs, output: None)
    return model


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_network_in_any_state_gives_the_map_of_eval_mode_and_keeps_its_state(method):
    model, images = odd(), pictures()
    before = state(model, images)
    maps = method(model, images, TARGET)
    assert_same(before, state(model, images))
    assert not maps.requires_grad and torch.equal(maps, method(models.load("resnet_s").double(), images, TARGET))


class Failing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits):
        return logits.clone()

    @staticmethod
    def backward(ctx, above):
        raise RuntimeError("no way back")


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize("method", [name for name in METHODS if name != "cam"])   # cam goes forward only
def test_an_exception_in_the_middle_leaves_the_network_as_it_was(method, where):
    model, images, broken = odd(), pictures(), [False]

    def fail(module, inputs, logits):
        if broken[0] and where == "forward":
            raise RuntimeError("no way on")
        return Failing.apply(logits) if broken[0] else None

    model.fc.register_forward_hook(fail)
    before = state(model, images)
    broken[0] = True
    with pytest.raises(RuntimeError, match="no way"):
        METHODS[method](model, images, TARGET)
    broken[0] = False
    assert_same(before, state(model, images))
