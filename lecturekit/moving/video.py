"""Style that holds still while the picture moves: flow, what it hides, flicker, and painting frame by frame.

A flow (N,2,H,W) says for each pixel of a frame where in the frame before it came from: frame[y, x] shows what stood at
before[y + flow[1], x + flow[0]], in px (Ruder et al. 2016, backward flow).
"""

import torch
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.moving import steps
from lecturekit.moving.objectives import Objective
from lecturekit.moving.optimise import optimise
from lecturekit.moving.projections import box


def warp(before, flow):
    """The frames `before` (N,C,H,W), moved along the flow (N,2,H,W): bilinear; beyond the border, the border."""
    height, width = _checked(before, flow)
    x, y = _sources(flow.nan_to_num(0, 0, 0))
    grid = torch.stack([x / max(1, width - 1), y / max(1, height - 1)], 3) * 2 - 1   # (N,H,W,2)
    return F.grid_sample(before, grid, padding_mode="border", align_corners=True)


def visible(flow):
    """(N,1,H,W) bool: whether what a pixel shows was visible in the frame before.

    It was if it stood inside that frame, and nothing nearer stood at the same place. What moves furthest counts as
    nearest: true where a camera moves past a scene at rest, as in a stereo pair or a pan.
    """
    n, _, height, width = flow.shape
    x, y = _sources(flow)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)   # false for NaN and infinite flows
    place = (torch.where(inside, y, 0).round() * width + torch.where(inside, x, 0).round()).long().flatten(1)
    length = torch.where(inside, flow.norm(dim=1), -1.0)
    furthest = torch.full((n, height * width), -1.0).to(length).scatter_reduce(1, place, length.flatten(1), "amax")
    return (inside & (length >= furthest.gather(1, place).view_as(length) - 1))[:, None]   # one px: the same surface


def temporal_loss(frames, warped, mask):
    """The mean square of what changed from the `warped` frames before, over the pixels in `mask`, for each of N frames
    (Ruder et al. 2016, eq. 6, which divides by the number of all pixels); 0 where the mask is empty."""
    changed = ((frames - warped).square() * mask).flatten(1).sum(1)
    return changed / (mask.flatten(1).sum(1) * frames.shape[1]).clamp(min=1)


def flicker(frames, flows, masks):
    """How much T frames (T,C,H,W) change beside their true motion, from T-1 flows and masks: the root mean square over
    the visible pixels, a number for each pair, (T-1,)."""
    _require_pairs(frames, flows, masks)
    return temporal_loss(frames[1:], warp(frames[:-1], flows), masks).sqrt()


def pan(photo, side, shifts):
    """Windows (T,3,side,side) of a photo (1,3,H,W) that moves past them, window t from (x, y) = shifts[t], whole px:
    the frames, and their T-1 flows and masks."""
    frames = [photo[..., y:y + side, x:x + side] for x, y in shifts]
    if any(frame.shape[-2:] != (side, side) for frame in frames):
        raise ValueError(f"shifts: got {list(shifts)}, of which a window of {side} px leaves a photo of "
                         f"{photo.shape[-1]}x{photo.shape[-2]} px (width x height).")
    flows = torch.tensor(shifts).diff(dim=0).to(photo)[..., None, None].expand(-1, -1, side, side)
    return torch.cat(frames), flows, visible(flows)


def stylise(frames, goal, flows, masks, weight=0.0, warm=True, rounds=2, inner=20, quiet=False):
    """Paint frames (T,3,H,W) one after the other towards `goal(frame)`, an objective: (T,3,H,W).

    warm    start from the painted frame before, warped, and where it was not visible from the frame itself; the
            others, and the first, start from the frame
    weight  of the temporal loss to the painted frame before
    An interrupt gives the frames so far.
    """
    _require_pairs(frames, flows, masks)
    painted = []
    for number, frame in enumerate(frames.split(1)):
        start, wanted = frame, goal(frame)
        if number:
            mask = masks[number - 1:number]
            warped = warp(painted[-1], flows[number - 1:number])
            start = torch.where(mask, warped, frame) if warm else frame
            wanted = wanted - weight * _still(warped, mask)
        moved = optimise(start, wanted, rounds, steps.lbfgs(inner=inner), box, quiet=quiet)
        painted.append(moved.images)
        if moved.stopped:
            break
    return torch.cat(painted)


def _still(warped, mask):
    return Objective(lambda images: temporal_loss(images, warped, mask))


def _sources(flow):
    """Where each pixel came from: x and y, (N,H,W) each."""
    y, x = torch.meshgrid(*(torch.arange(side).to(flow) for side in flow.shape[-2:]), indexing="ij")
    return x + flow[:, 0], y + flow[:, 1]


def _require_pairs(frames, flows, masks):
    for name, got in (("flows", flows), ("masks", masks)):
        if len(got) != len(validate.images(frames, "frames")) - 1:
            raise ValueError(f"{name}: got {len(got)} for {len(frames)} frames. It takes one for each pair, "
                             f"{len(frames) - 1}.")


def _checked(before, flow):
    validate.images(before, "before", in_range=False)
    wanted = (len(before), 2, *before.shape[-2:])
    if tuple(flow.shape) != wanted:
        raise ValueError(f"flow: got shape {tuple(flow.shape)}. It takes {wanted}: x and y for each pixel.")
    return before.shape[-2:]
