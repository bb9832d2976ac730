"""Objectives: total variation, DeepDream's gradient, units and channels, codes."""

import pytest
import torch

from lecturekit.networks import models
from lecturekit.moving import objectives
from lecturekit.moving.objectives import (along, alpha_norm, channel, class_score, energy, near_code, total_variation,
                                          unit)
from networks import Forms

IMAGES = torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(1))
MODEL = Forms("functional")


def slope(objective, images):
    images = images.clone().requires_grad_()
    return torch.autograd.grad(objective(images).sum(), images)[0]


def test_total_variation_of_an_impulse():
    impulse = torch.zeros(1, 1, 9, 9)
    impulse[0, 0, 4, 4] = 0.7
    assert total_variation(1)(impulse).item() == pytest.approx((2 + 2 ** 0.5) * 0.7)
    assert total_variation(2)(impulse).item() == pytest.approx(4 * 0.7 ** 2)


def test_total_variation_of_a_step_and_of_a_ramp():
    step, ramp = torch.zeros(1, 1, 6, 20), torch.zeros(1, 1, 6, 20)
    step[..., 10:], ramp[..., 8:] = 1, 1
    ramp[..., 8:12] = torch.tensor([0.2, 0.4, 0.6, 0.8])   # five steps of a fifth
    values = [[total_variation(beta)(image).item() for image in (step, ramp)] for beta in (1, 2)]
    assert values[0] == [pytest.approx(6)] * 2 and values[1] == [pytest.approx(6), pytest.approx(6 / 5)]


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0])
def test_total_variation_scales_with_its_power(beta):
    torch.testing.assert_close(total_variation(beta)(-3 * IMAGES), 3 ** beta * total_variation(beta)(IMAGES))
    assert torch.isfinite(slope(total_variation(beta), torch.ones(1, 3, 4, 4))).all()


def test_gradient_of_tv_2_is_minus_twice_the_laplacian():
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    image = IMAGES[:, :1]
    laplacian = torch.nn.functional.conv2d(torch.nn.functional.pad(image, (1, 1, 1, 1), "replicate"), kernel)
    torch.testing.assert_close(slope(total_variation(2), image), -2 * laplacian, rtol=0, atol=1e-5)


def test_energy_has_the_layer_as_its_gradient():
    seen = []

    class Spy(Forms):
        def forward(self, images):
            out = super().forward(images)
            return out

    model = Spy("functional")
    model.conv1.register_forward_hook(lambda m, i, output: seen.append(output) or output.retain_grad())
    energy(model, "conv1")(IMAGES.clone().requires_grad_()).sum().backward()
    torch.testing.assert_close(seen[0].grad, seen[0])


def test_units_and_channels():
    maps = MODEL.conv1(IMAGES)
    torch.testing.assert_close(unit(MODEL, "conv1", 2)(IMAGES), maps[:, 2, 4, 5])
    torch.testing.assert_close(unit(MODEL, "conv1", 2, 0, 9)(IMAGES), maps[:, 2, 0, 9])
    torch.testing.assert_close(channel(MODEL, "conv1", 3)(IMAGES), maps[:, 3].mean((1, 2)))
    torch.testing.assert_close(unit(MODEL, "fc", 1)(IMAGES), MODEL(IMAGES)[:, 1])
    for wrong in (unit(MODEL, "conv1", 6), unit(MODEL, "conv1", 0, 8), channel(MODEL, "fc", 4)):
        with pytest.raises(ValueError, match="(channel|row): got"):
            wrong(IMAGES)


def test_codes():
    code = MODEL.conv1(IMAGES)
    assert near_code(MODEL, "conv1", code)(IMAGES).tolist() == [0, 0]
    torch.testing.assert_close(near_code(MODEL, "conv1", 2 * code)(IMAGES), torch.tensor([-0.25, -0.25]))
    torch.testing.assert_close(along(MODEL, "conv1", code)(IMAGES), code.square().flatten(1).sum(1))
    assert near_code(MODEL, "conv1", code[:1])(IMAGES)[1] < -0.01


def test_near_style_is_zero_for_the_same_texture_and_sums_up_its_layers():
    layers = ["conv1", "conv2"]
    targets = {layer: objectives.gram(values) for layer, values in objectives.codes(MODEL, IMAGES, layers).items()}
    assert objectives.near_style(MODEL, targets)(IMAGES).abs().max() < 1e-9
    doubled = {layer: 2 * target for layer, target in targets.items()}
    torch.testing.assert_close(objectives.near_style(MODEL, doubled)(IMAGES), torch.tensor([-0.25, -0.25]))
    assert slope(objectives.near_style(MODEL, doubled), IMAGES).abs().sum() > 0


def test_near_style_refuses_layers_that_do_not_exist_or_have_no_places():
    with pytest.raises(ValueError, match="layer: got 'conv9'. Did you mean"):
        objectives.near_style(MODEL, {"conv9": torch.eye(2)[None]})
    with pytest.raises(ValueError, match=r"layer: got 'fc', whose output has shape \(2, 4\). It takes a layer with maps"):
        objectives.near_style(MODEL, {"conv1": torch.eye(6)[None], "fc": torch.eye(4)[None]})(IMAGES)


def test_moments_hold_what_the_gram_matrix_holds_and_the_mean_apart():
    features = torch.randn(2, 4, 5, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    moments = objectives.moments(features)
    assert moments.shape == (2, 4, 5)
    mean, covariance = moments[..., :1], moments[..., 1:]
    torch.testing.assert_close(covariance + mean @ mean.transpose(1, 2), 4 * objectives.gram(features))
    moved = objectives.moments(features + 7)
    torch.testing.assert_close(moved, torch.cat([mean + 7, covariance], 2))


@pytest.mark.parametrize("code, got", [
    (torch.zeros(1, 6, 4, 5), r"shape \(1, 6, 4, 5\)"), (torch.zeros(6, 8, 10), r"shape \(6, 8, 10\)"),
    (torch.zeros(3, 6, 8, 10), r"shape \(3, 6, 8, 10\)"), (torch.zeros(2, 6, 8, 1), r"shape \(2, 6, 8, 1\)"),
    ([1.0], "list")])
@pytest.mark.parametrize("objective", [near_code, along])
def test_codes_of_another_shape(objective, code, got):
    with pytest.raises(ValueError, match=rf"code: got {got}. It takes the layer's output for one image, \(1, 6,"):
        objective(MODEL, "conv1", code)(IMAGES)


def test_alpha_norm_and_class_scores():
    assert alpha_norm(2, 0.0)(IMAGES).tolist() == pytest.approx(objectives.l2()(IMAGES).tolist())
    model = models.load("resnet_s", weights="random")
    pictures = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(class_score(model, torch.tensor([1, 5]))(pictures), model(pictures)[[0, 1], [1, 5]])
    torch.testing.assert_close(class_score(model, 3, "probability")(pictures), model(pictures).softmax(1)[:, 3])
