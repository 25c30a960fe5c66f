"""Refining LaMa's fill of a large picture, from coarse to fine.

Kulshreshtha et al. 2022, "Feature refinement to improve high resolution image inpainting"
(arXiv 2206.13644), section 3: at every scale but the coarsest, the features that enter the first residual
block are optimised, so that the shrunken fill agrees with the coarser one.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from .base import Cancel, Cancelled, Progress
from .layers.size import SizeRule, fit

_NATIVE = 512  # px; the shorter side at the coarsest scale is about this
_MOST_SCALES = 3
_ROUNDS = 15  # the last of which only looks
_RATE = 0.002
_ERODED = 15  # px
_SIZE = SizeRule(multiple=8, minimum=16, pad="reflect")


def scales(height: int, width: int) -> int:
    """How many scales a picture of that size is filled at; 1 means that there is nothing to refine."""
    return min(1 + round(max(0.0, math.log2(min(height, width) / _NATIVE))), _MOST_SCALES)


def refined(network: Any, image: Tensor, hole: Tensor, progress: Progress, cancel: Cancel) -> Tensor:
    """Fill a picture at several scales.

    Args:
        network: with `front` and `rear`, as `LaMaNetwork` has them.
        image: float32, 1 x 3 x H x W in [0, 1], 0 in the hole.
        hole: float32, 1 x 1 x H x W in {0, 1}.
        progress, cancel: as in `Model.fill`; asked at every step.

    Returns:
        1 x 3 x H x W in [0, 1].
    """
    pyramid = [(image.clone(), hole.clone())]
    for _ in range(scales(*image.shape[-2:]) - 1):
        pyramid.insert(0, (halved(pyramid[0][0]), halved_hole(pyramid[0][1])))
    work = [picture[0, 0].numel() for picture, _ in pyramid]
    rounds = [1.0, *[float(_ROUNDS)] * (len(pyramid) - 1)]
    total = sum(pixels * count for pixels, count in zip(work, rounds, strict=True))
    done = 0.0
    coarser: Tensor | None = None
    for (picture, inside), pixels in zip(pyramid, work, strict=True):
        begun = done

        def report(step: int, begun: float = begun, pixels: int = pixels) -> None:
            if cancel():
                raise Cancelled
            progress((begun + step * pixels) / total, "refining" if begun else "filling")

        coarser, steps = _level(network, picture, inside, coarser, report)
        done += steps * pixels
    assert coarser is not None
    return coarser


def _level(
    network: Any, image: Tensor, hole: Tensor, coarser: Tensor | None, report: Any
) -> tuple[Tensor, int]:
    """One scale: the composite, and how often the network ran."""
    report(0)
    (picture, inside), back = fit(_SIZE, image * (1 - hole), hole)
    with torch.no_grad():
        features = network.front(torch.cat([picture, inside], 1))
        if coarser is None:
            return hole * back(network.rear(features)) + (1 - hole) * image, 1
    pair = [part.detach().clone().requires_grad_() for part in features]
    optimiser = torch.optim.Adam(pair, lr=_RATE)
    agreed = eroded(halved_hole(hole, blur=False, up=False))
    for step in range(_ROUNDS):
        report(step)
        prediction = back(_rear(network, pair))
        if step == _ROUNDS - 1:
            break
        loss = _mean_difference(prediction, image, 1 - hole)
        loss = loss + _mean_difference(halved(prediction), coarser, agreed)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return hole * prediction.detach() + (1 - hole) * image, _ROUNDS


def _rear(network: Any, pair: list[Tensor]) -> Tensor:
    """`network.rear` in steps whose insides are computed again on the way back, rather than kept."""
    return checkpoint(lambda local, wide: network.rear((local, wide)), *pair, use_reentrant=False)


def _mean_difference(first: Tensor, second: Tensor, where: Tensor) -> Tensor:
    """Mean absolute difference over the pixels that `where` marks; 0 where there are none."""
    return ((first - second).abs() * where).sum() / (where.sum() * first.shape[1]).clamp(min=1)


def halved(image: Tensor) -> Tensor:
    """At half the size: 5 x 5 Gaussian of sigma 1, then bilinear."""
    height, width = image.shape[-2:]
    return functional.interpolate(
        _blurred(image), (height // 2, width // 2), mode="bilinear", align_corners=False
    )


def halved_hole(hole: Tensor, blur: bool = True, up: bool = True) -> Tensor:
    """A hole at half the size; a pixel that is hole in part counts as hole if `up`, else as valid."""
    height, width = hole.shape[-2:]
    small = functional.interpolate(
        _blurred(hole) if blur else hole, (height // 2, width // 2), mode="bilinear", align_corners=False
    )
    return (small >= (1e-8 if up else 1 - 1e-6)).to(hole.dtype)


def eroded(hole: Tensor) -> Tensor:
    """The hole without what is within an ellipse of 15 px of its border; beyond the picture all is hole."""
    radius = _ERODED // 2
    ramp = torch.arange(-radius, radius + 1, device=hole.device)
    reach = torch.round(torch.sqrt((radius**2 - ramp**2).clamp(min=0).float())).int()
    ellipse = (ramp.abs()[None] <= reach[:, None]).to(hole.dtype)[None, None]
    outside = functional.conv2d(1 - hole, ellipse, padding=radius)
    return (outside < 0.5).to(hole.dtype)


def _blurred(image: Tensor) -> Tensor:
    ramp = torch.arange(-2.0, 3.0, device=image.device)
    kernel = torch.exp(-(ramp**2) / 2)
    kernel = (kernel / kernel.sum()).to(image.dtype)
    count = image.shape[1]
    padded = functional.pad(image, [2] * 4, mode="reflect")
    across = functional.conv2d(padded, kernel.view(1, 1, 1, 5).expand(count, 1, 1, 5), groups=count)
    return functional.conv2d(across, kernel.view(1, 1, 5, 1).expand(count, 1, 5, 1), groups=count)
