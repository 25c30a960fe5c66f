"""Multi-scale neural patch synthesis: pixels for a hole whose deep features look right.

Yang et al. 2017, "High-resolution image inpainting using multi-scale neural patch synthesis", section 3:
at every scale, coarse to fine, the pixels of the hole are optimised so that the loss of
`SynthesisLoss` falls. The authors optimise a whole picture of 512² whose middle is the hole; here nothing
but the hole's pixels is free, and only windows around them are computed, so that time and memory follow
the hole, and holes may lie anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..base import Cancel, Cancelled, Progress
from .synthesis_loss import Settings, SynthesisLoss
from .vgg import CELL, Vgg

COARSEST = 128  # px; the longer side of the coarsest scale is about this

_HISTORY = 25  # steps that L-BFGS remembers
_HISTORY_BYTES = 1 << 30  # fewer where they would take more than this
_ADAM_STEP = 4 / 255


@dataclass
class Level:
    """The picture at one scale, continued until its sides are multiples of `CELL`.

    What is added to a hole that reaches the border is hole, too; nothing that is added is a source.

    Attributes:
        picture: 3 x H x W, RGB in [0, 1].
        hole, source: bool, H x W.
        size: height and width without what was added.
    """

    picture: Tensor
    hole: Tensor
    source: Tensor
    size: tuple[int, int]

    @classmethod
    def shrunk(cls, picture: Tensor, hole: Tensor, source: Tensor, times: int) -> Level:
        """The picture halved so many times; what is partly hole is hole, what is partly no source none."""
        size = (-(-hole.shape[0] // 2**times), -(-hole.shape[1] // 2**times))
        if times:
            picture = functional.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
            hole = functional.adaptive_max_pool2d(hole[None].float(), size)[0] > 0
            source = functional.adaptive_max_pool2d((~source)[None].float(), size)[0] == 0
        margin = (0, -size[1] % CELL, 0, -size[0] % CELL)
        return cls(
            functional.pad(picture[None], margin, mode="replicate")[0].clone(),
            functional.pad(hole[None].float(), margin, mode="replicate")[0] > 0,
            functional.pad(source & ~hole, margin),
            size,
        )

    def visible(self) -> Tensor:
        return self.picture[:, : self.size[0], : self.size[1]]


def scales_for(height: int, width: int) -> int:
    """How many scales bring the longer side down to about `COARSEST`: 3 for 512, 4 for 1024."""
    return 1 + max(0, round(math.log2(max(height, width) / COARSEST)))


def synthesise(
    vgg: Vgg,
    picture: Tensor,
    hole: Tensor,
    source: Tensor,
    settings: Settings,
    scales: int,
    progress: Progress,
    cancel: Cancel,
) -> Tensor:
    """Optimise the hole's pixels, from a first guess.

    Args:
        vgg: with weights, on the pictures' device.
        picture: float32, 3 x H x W, RGB in [0, 1], the first guess in the hole.
        hole, source: bool, H x W; the hole has at least one pixel, and none of the sources'.
        settings: see there.
        scales: how many; each is half the next.
        progress, cancel: as in `Model.fill`.

    Returns:
        3 x H x W; outside the hole it is `picture`.
    """
    shares = [4.0**n for n in range(scales)]
    result, change = picture, None
    for n in range(scales):
        level = Level.shrunk(picture, hole, source, scales - 1 - n)
        guess = level.visible().clone()
        if change is not None:
            # What was changed at the coarser scale is carried on, rather than its result, lest a sharp guess
            # be blurred. For a guess without detail, such as the authors', that is the same.
            larger = functional.interpolate(change[None], level.size, mode="bilinear", align_corners=False)[0]
            level.visible()[:] += larger * level.hole[: level.size[0], : level.size[1]]

        def report(part: float, stage: str, n: int = n) -> None:
            progress((sum(shares[:n]) + part * shares[n]) / sum(shares), stage)

        def check() -> None:
            if cancel():
                raise Cancelled

        report(0, "matching")
        loss = SynthesisLoss(
            vgg, level.picture, level.hole, level.source, settings, 4.0 ** (scales - 1 - n), check
        )
        level.picture[:, level.hole] = minimise(loss, level.picture[:, level.hole], settings, report, check)
        result = level.visible()
        change = result - guess
    return torch.where(hole, result.clamp(0, 1), picture)


def minimise(
    loss: Callable[[Tensor], Tensor],
    start: Tensor,
    settings: Settings,
    report: Progress,
    check: Callable[[], None],
) -> Tensor:
    """The best of the pixels that the optimiser comes by.

    L-BFGS as the authors use it: no line search, a first step of min(1, 1 / |gradient|_1) and then 1.

    Args:
        loss: of pixels; it puts their gradient into `.grad` by itself.
        start: pixels of any shape.
        settings: `iterations` and `optimiser` count.
        report: told the iterations.
        check: called between iterations; raises to stop.
    """
    pixels = start.clone().requires_grad_()
    optimiser: torch.optim.Optimizer
    if settings.optimiser == "adam":
        optimiser = torch.optim.Adam([pixels], lr=_ADAM_STEP)
    else:
        history = max(2, min(_HISTORY, _HISTORY_BYTES // (2 * start.numel() * start.element_size())))
        # One iteration a call, so that a cancel is heard between; its memory lasts from call to call.
        optimiser = torch.optim.LBFGS(
            [pixels], lr=1, max_iter=1, history_size=history, tolerance_grad=0, tolerance_change=0
        )
    best, kept = math.inf, start.clone()

    def evaluate() -> Tensor:
        nonlocal best, kept
        pixels.grad = None
        value = loss(pixels)
        if float(value) < best:
            best, kept = float(value), pixels.detach().clone()
        return value

    for n in range(settings.iterations):
        check()
        if not math.isfinite(float(optimiser.step(evaluate))):
            break
        report((n + 1) / (settings.iterations + 1), f"synthesis, step {n + 1} of {settings.iterations}")
    check()
    evaluate()
    return kept
