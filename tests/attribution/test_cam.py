"""CAM, Grad-CAM and their kin: exact on networks with global average pooling, invariances, refusals."""

import pytest
import torch
from torch import nn

from lecturekit import attribution
from lecturekit.networks import hooks, models
from lecturekit.pictures import datasets
from lecturekit.attribution import cam, class_scores, enlarge, grad_cam, guided_grad_cam, hires_cam
from networks import Forms, golden

IMAGES = torch.rand(2, 3, 64, 80, generator=torch.Generator().manual_seed(1))
TARGET = torch.tensor([3, 17])


@pytest.fixture(scope="module")
def resnet():
    return models.load("resnet_s")


def bias(model, target=TARGET):
    return model.fc.bias[target]


def test_mean_of_cam_and_bias_are_the_logit(resnet):
    maps = cam(resnet, IMAGES, TARGET)
    assert maps.shape == (2, 2, 3)
    torch.testing.assert_close(maps.mean((1, 2)) + bias(resnet), class_scores(resnet, IMAGES, TARGET))


def test_grad_cam_equals_cam_where_cam_exists(resnet):
    maps = grad_cam(resnet, IMAGES, TARGET, "layer4")
    torch.testing.assert_close(maps, cam(resnet, IMAGES, TARGET) / 6)
    torch.testing.assert_close(maps.sum((1, 2)) + bias(resnet), class_scores(resnet, IMAGES, TARGET))


def test_golden_net():
    maps = grad_cam(golden(), torch.arange(16.0).view(1, 1, 4, 4) / 16, 0, "0")
    assert maps.tolist() == [[[11.25, 13.5], [20.25, 22.5]]]


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v2"])
def test_cam_finds_the_maps_of_torchvision_s_networks(name):
    model = models.load(name, weights="random")   # DenseNet pools what a functional ReLU gives
    head = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    maps = cam(model, IMAGES, TARGET)
    torch.testing.assert_close(maps.mean((1, 2)) + head.bias[TARGET], class_scores(model, IMAGES, TARGET), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model, images", [
    (models.load("alexnet_s", "random"), IMAGES), (models.load("vgg_s", "random"), IMAGES),
    (golden(), IMAGES[:, :1, :4, :4]),
    (nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveMaxPool2d(1), nn.Flatten()), IMAGES),
    (nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Sigmoid(), nn.Flatten()), IMAGES)])
def test_cam_refuses_other_networks(model, images):
    with pytest.raises(ValueError, match="model: CAM takes a network that ends in global average pooling"):
        cam(model, images, 0)


@pytest.mark.parametrize("model, layer, target", [
    (models.load("squeezenet1_1"), "classifier.2", torch.tensor([285, 967])),
    (nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), "0", torch.tensor([3, 0]))])
def test_without_a_linear_layer_the_class_s_own_map_is_its_cam(model, layer, target):
    images = torch.cat([datasets.photo(name, 224) for name in ("chelsea", "coffee")])
    maps, own = cam(model, images, target), hooks.features(model, images, layer)[[0, 1], target]
    assert torch.equal(maps, own) and maps.std() > 0
    torch.testing.assert_close(maps.mean((1, 2)), class_scores(model, images, target))   # mean + nothing = logit
    torch.testing.assert_close(grad_cam(model, images, target, layer), maps / maps[0].numel())


def test_hires_cam_equals_grad_cam_behind_the_last_maps_and_differs_before(resnet):
    torch.testing.assert_close(hires_cam(resnet, IMAGES, TARGET, "layer4"), grad_cam(resnet, IMAGES, TARGET, "layer4"))
    early = [method(resnet, IMAGES, TARGET, "layer3") for method in (hires_cam, grad_cam)]
    assert (early[0] - early[1]).abs().max() > 0.1 * early[1].abs().max()


def test_hires_cam_is_faithful_to_what_lies_before_a_linear_top():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 62 * 78, 5, bias=False))
    maps = hires_cam(model, IMAGES, 2, "1")
    torch.testing.assert_close(maps.sum((1, 2)), class_scores(model, IMAGES, 2))


def test_scaling_the_logit_leaves_the_normalised_map_and_minus_the_score_gives_minus_the_map(resnet):
    class Scaled(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.inner, self.factor = resnet, factor

        def forward(self, images):
            return self.factor * self.inner(images)

    plain, tripled, minus = (grad_cam(Scaled(factor), IMAGES, TARGET, "inner.layer3") for factor in (1, 3, -1))
    torch.testing.assert_close(tripled / tripled.amax((1, 2), True), plain / plain.amax((1, 2), True))
    torch.testing.assert_close(minus, -plain)
    kept = grad_cam(resnet, IMAGES, TARGET, "layer3", relu=True)
    assert torch.equal(kept, plain.clamp(min=0)) and plain.min() < 0


def test_guided_grad_cam_is_the_product(resnet):
    guided = attribution.gradient(resnet, IMAGES, TARGET, rule="guided")
    coarse = enlarge(grad_cam(resnet, IMAGES, TARGET, "layer3", relu=True), IMAGES)
    expected = (guided * coarse[:, None]).abs().amax(1)
    torch.testing.assert_close(guided_grad_cam(resnet, IMAGES, TARGET, "layer3"), expected)
    assert expected.shape == (2, 64, 80)


def test_enlarged_maps_keep_their_range_and_constants():
    maps = torch.randn(3, 4, 5)
    large = enlarge(maps, torch.zeros(3, 1, 40, 50))
    assert large.shape == (3, 40, 50) and large.max() <= maps.max() and large.min() >= maps.min()
    assert torch.equal(enlarge(torch.full((1, 2, 2), 0.5), torch.zeros(1, 3, 8, 8)), torch.full((1, 8, 8), 0.5))


def test_maps_that_are_negative_or_zero_everywhere_stay_finite():
    model = Forms("reused")
    with torch.no_grad():
        model.fc.weight.copy_(-model.fc.weight.abs())
    for relu, highest in ((False, None), (True, 0)):
        maps = grad_cam(model, IMAGES, 1, "relu", relu=relu)
        assert torch.isfinite(maps).all() and maps.max() <= 0
        assert highest is None or not maps.any()


def test_batches(resnet):
    images, target = torch.rand(5, 3, 64, 64), torch.tensor([0, 5, 9, 2, 2])
    for method in (grad_cam, hires_cam):
        together = method(resnet, images, target, "layer3")
        torch.testing.assert_close(method(resnet, images, target, "layer3", batch=2), together, rtol=1e-4, atol=1e-6)
        assert method(resnet, images[:0], 0, "layer3").shape[0] == 0
    assert cam(resnet, images[:0], 0).shape[0] == 0


def test_model_in_train_mode_gives_the_maps_of_eval_mode_and_stays_in_train_mode():
    model = models.load("resnet_s", weights="random")
    expected = [cam(model, IMAGES, 1), grad_cam(model, IMAGES, 1, "layer3")]
    model.train()
    found = [cam(model, IMAGES, 1), grad_cam(model, IMAGES, 1, "layer3")]
    assert all(map(torch.equal, found, expected)) and all(module.training for module in model.modules())
    with pytest.raises(ValueError):
        grad_cam(model, IMAGES, 99, "layer3")
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("layer, message", [
    ("layer9", "layer: got 'layer9'. Did you mean"), ("fc", r"layer: got 'fc', whose output has shape \(2, 20\)"),
    ("avgpool", r"layer: got 'avgpool', whose output has shape \(2, 384, 1, 1\)")])
def test_layers_without_maps(resnet, layer, message):
    for method in (grad_cam, hires_cam, guided_grad_cam):
        with pytest.raises(ValueError, match=message):
            method(resnet, IMAGES, 1, layer)


def test_a_layer_that_is_never_reached():
    model = Forms("functional")
    with pytest.raises(ValueError, match="layer: got 'inplace', which the forward pass never reaches"):
        grad_cam(model, IMAGES, 1, "inplace")


def test_a_layer_that_gives_more_than_one_tensor_is_refused():
    class Pair(nn.Module):
        def forward(self, images):
            return images, images

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair = Pair()

        def forward(self, images):
            return self.pair(images)[0].mean((2, 3))

    with pytest.raises(ValueError, match="layer: got 'pair', which gives a tuple"):
        grad_cam(Both(), IMAGES, 1, "pair")
