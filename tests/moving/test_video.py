"""Flow, what it hides, flicker, and painting frame by frame."""

import pytest
import torch

from lecturekit.pictures import datasets
from lecturekit.networks import models
from lecturekit.moving import objectives, style_nets, video


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def constant(dx, dy, height=6, width=8):
    return torch.tensor([dx, dy]).float().view(1, 2, 1, 1).expand(1, 2, height, width)


# Warping


def test_no_flow_changes_nothing():
    frames = noise(2, 3, 6, 8)
    torch.testing.assert_close(video.warp(frames, torch.zeros(2, 2, 6, 8)), frames)


def test_a_flow_points_to_where_the_pixel_came_from_x_first():
    frame = noise(1, 3, 6, 8)
    moved = video.warp(frame, constant(2, -1))
    torch.testing.assert_close(moved[..., 1:, :-2], frame[..., :-1, 2:])
    torch.testing.assert_close(moved[..., 0, :-2], frame[..., 0, 2:])   # beyond the border, the border


def test_half_a_pixel_is_the_mean_of_two():
    frame = noise(1, 1, 4, 5)
    moved = video.warp(frame, constant(0.5, 0, 4, 5))
    torch.testing.assert_close(moved[..., :-1], (frame[..., :-1] + frame[..., 1:]) / 2)


def test_an_unknown_flow_gives_finite_values():
    flow = constant(0, 0).clone()
    flow[0, 0, 0, 0], flow[0, 1, 2, 2] = float("inf"), float("nan")
    assert torch.isfinite(video.warp(noise(1, 3, 6, 8), flow)).all()


def test_a_frame_of_one_pixel():
    frame = noise(1, 3, 1, 1)
    assert torch.equal(video.warp(frame, torch.zeros(1, 2, 1, 1)), frame)
    assert video.visible(torch.zeros(1, 2, 1, 1)).all()


def test_a_flow_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"flow: got shape \(1, 2, 5, 8\). It takes \(1, 2, 6, 8\)"):
        video.warp(noise(1, 3, 6, 8), torch.zeros(1, 2, 5, 8))


# What is visible


def test_what_comes_from_outside_was_not_visible():
    seen = video.visible(constant(3, 0))
    assert seen.shape == (1, 1, 6, 8) and seen[..., :5].all() and not seen[..., 5:].any()


def test_unknown_flow_is_not_visible():
    flow = constant(0, 0).clone()
    flow[0, 0, 0, 0], flow[0, 1, 2, 2] = float("inf"), float("nan")
    assert (~video.visible(flow)).sum() == 2


def test_the_nearer_surface_hides_the_other():
    flow = torch.zeros(1, 2, 3, 10)
    flow[0, 0, :, 4:6] = -3   # a bar that stood over columns 1 and 2 in the frame before
    seen = video.visible(flow)[0, 0, 0]
    assert seen.tolist() == [True, False, False, *[True] * 7]


@pytest.fixture(scope="module")
def stereo():
    left, right, disparity = datasets.stereo()
    part = slice(100, 300), slice(200, 500)
    flow = torch.stack([-disparity, torch.where(disparity.isfinite(), 0, disparity)])[None]
    return left[..., *part], right, flow, video.visible(flow)[..., *part], part


def test_true_disparity_explains_what_the_other_camera_saw(stereo):
    left, right, flow, seen, part = stereo
    warped = video.warp(right, flow)[..., *part]
    explained, unmoved = (video.temporal_loss(left, x, seen) for x in (warped, right[..., *part]))
    assert explained < unmoved / 10 and 0.5 < seen.float().mean() < 0.95
    hidden = ~seen & flow[:, :1][..., *part].isfinite()
    assert video.temporal_loss(left, warped, hidden) > 3 * explained   # what was hidden is not explained


# Flicker


def test_a_static_video_has_no_temporal_loss():
    frames = noise(1, 3, 6, 8).expand(4, -1, -1, -1)
    flows = torch.zeros(3, 2, 6, 8)
    assert video.flicker(frames, flows, video.visible(flows)).max() < 1e-6


def test_the_mean_over_the_mask_alone():
    frame, warped = noise(1, 3, 4, 4), noise(1, 3, 4, 4, seed=1)
    mask = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    assert video.temporal_loss(frame, warped, mask).item() == 0
    mask[..., 1, 2] = True
    torch.testing.assert_close(video.temporal_loss(frame, warped, mask), (frame - warped)[..., 1, 2].square().mean(1))


def test_flicker_is_the_root_mean_square_of_what_moves_against_the_flow():
    photo = datasets.photo("chelsea", 64)
    frames, flows, masks = video.pan(photo, 40, [(0, 0), (5, 3), (10, 9)])
    assert video.flicker(frames, flows, masks).max() < 1e-5
    louder = 0.5 * frames
    louder[1] += 0.25
    torch.testing.assert_close(video.flicker(louder, flows, masks), torch.full((2,), 0.25))


def test_a_pan_knows_its_flow():
    frames, flows, masks = video.pan(datasets.photo("chelsea", 64), 40, [(8, 0), (4, 6)])
    assert frames.shape == (2, 3, 40, 40) and flows[0, :, 0, 0].tolist() == [-4, 6]
    assert masks.sum() == 36 * 34
    with pytest.raises(ValueError, match="shifts: got .*a window of 40 px leaves a photo of 64x64"):
        video.pan(datasets.photo("chelsea", 64), 40, [(0, 0), (30, 0)])


# Painting


def bright(frame):
    """Wants the frame with twice its contrast, a goal with a known answer."""
    wanted = (2 * frame - 0.5).clamp(0, 1)
    return objectives.Objective(lambda images: -(images - wanted).square().flatten(1).mean(1))


@pytest.fixture(scope="module")
def moving():
    return video.pan(datasets.photo("coffee", 64), 40, [(0, 0), (4, 0), (8, 4)])


def test_each_frame_reaches_its_goal(moving):
    frames, flows, masks = moving
    painted = video.stylise(frames, bright, flows, masks, quiet=True)
    assert (painted - (2 * frames - 0.5).clamp(0, 1)).abs().max() < 0.02


def test_the_temporal_loss_takes_flicker_away(moving):
    """More than a warm start does; and the first frame, which has none before it, stays the same."""
    describer = style_nets.smoothed(models.load(style_nets.DESCRIBER))
    grams = style_nets.describe(describer, style_nets.style_picture("mosaic", 96))
    loose, steady = (video.stylise(moving[0], lambda frame: style_nets.goal(describer, frame, grams), *moving[1:],
                                   weight=weight, rounds=1, inner=20, quiet=True) for weight in (0, 100))
    assert torch.equal(loose[0], steady[0])
    assert 0 < video.flicker(steady, *moving[1:]).mean() < 0.6 * video.flicker(loose, *moving[1:]).mean()


def test_an_interrupt_keeps_the_frames_so_far(moving):
    asked = []

    def goal(frame):
        asked.append(frame)

        def score(images):
            if len(asked) == 2:   # while the second frame is painted
                raise KeyboardInterrupt
            return bright(frame)(images)
        return objectives.Objective(score)
    painted = video.stylise(moving[0], goal, *moving[1:], quiet=True)
    assert len(asked) == len(painted) == 2 and torch.isfinite(painted).all()


def test_frames_without_their_flows_are_refused(moving):
    frames, flows, masks = moving
    with pytest.raises(ValueError, match=r"flows: got 1 for 3 frames. It takes one for each pair, 2"):
        video.stylise(frames, bright, flows[:1], masks)
    with pytest.raises(ValueError, match="flows: got 3 for 3 frames"):
        video.flicker(frames, flows[[0, 1, 1]], masks)
