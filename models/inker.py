"""The inker: PatchMatch for comics, with its broken lines redrawn.

PatchMatch continues screentone, hatching and plain areas well, and breaks contours: a line that enters the
hole meets a piece whose line lies elsewhere. A small network sees that fill, and the membrane, which holds
no detail but every colour where it belongs, and tells what is to be added to PatchMatch's.

Trained here, on drawn pages: see `training/recipes/inker.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .base import Cancel, Cancelled, Progress
from .catalogue import INKER
from .layers.blocks import Box, blocks
from .layers.membrane import membrane
from .layers.redrawing import MULTIPLE, REACH, Redrawing
from .layers.size import fit
from .network import NetworkModel
from .patchmatch import PatchMatch

_CHANNELS = 7
_TILE = 512  # px; largest side of what the network gets at once, without its surroundings; a multiple of 16
_MATCHED = 0.8  # of the progress


class Inker(NetworkModel):
    """PatchMatch, and the network that redraws."""

    card = INKER

    @classmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        first = shapes.get("enter.weight", ())
        return {"width": first[0]} if first[1:] == (4 * _CHANNELS, 3, 3) else None

    @classmethod
    def build(cls, width: int = 24) -> nn.Module:
        return Redrawing(_CHANNELS, width)

    @classmethod
    def translate(cls, tensors: dict[str, Tensor], **settings: Any) -> dict[str, Tensor]:
        return dict(tensors)

    def _fill_one(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        source: np.ndarray,
        guidance: Mapping[str, np.ndarray],
        seed: int,
        progress: Progress,
        cancel: Cancel,
        **params: Any,
    ) -> np.ndarray:
        def matching(fraction: float, stage: str) -> None:
            progress(_MATCHED * fraction, stage)

        soft, matched = guesses(image, hole, source, seed, matching, cancel)
        result = matched.copy()
        tiles = list(blocks(hole, _TILE, REACH))
        for n, (tile, around) in enumerate(tiles):
            if cancel():
                raise Cancelled
            around = _aligned(around)
            planes = [self._tensor(plane[(..., *around)]) for plane in (soft, matched, hole[None])]
            (_, inside, *both), back = fit(self.card.size, planes[1], planes[2], *planes[:2])
            with (
                torch.inference_mode(),
                self._watched(lambda fraction, stage: None, cancel, params),
                self._autocast(),
            ):
                added = self.network(channels(*both, inside))
            answer = back(both[1] + added.float()).clamp(0, 1)[0].cpu().numpy()
            top, left = (one.start - other.start for one, other in zip(tile, around, strict=True))
            part = result[(..., *tile)]
            part[...] = answer[:, top : top + part.shape[1], left : left + part.shape[2]]
            progress(_MATCHED + (1 - _MATCHED) * (n + 1) / len(tiles), "redrawing")
        return result


def guesses(
    image: np.ndarray, hole: np.ndarray, source: np.ndarray, seed: int, progress: Progress, cancel: Cancel
) -> tuple[np.ndarray, np.ndarray]:
    """What the network begins with: the membrane, and PatchMatch's fill.

    Args:
        image: float32, 3 x H x W in [0, 1].
        hole, source: bool, H x W.
        seed: of PatchMatch.
        progress, cancel: see `Model.fill`.

    Returns:
        Two float32 arrays, 3 x H x W.
    """
    matched = PatchMatch().fill(
        image[None],
        hole[None, None],
        seed=seed,
        progress=progress,
        cancel=cancel,
        source=source[None, None],
    )
    return membrane(image, hole | ~source), matched[0]


def _aligned(box: Box) -> Box:
    """The same box, begun where the network's coarsest pixels begin, so that tiles agree."""
    high, wide = (slice(side.start - side.start % MULTIPLE, side.stop) for side in box)
    return high, wide


def channels(soft: Tensor, matched: Tensor, hole: Tensor) -> Tensor:
    """What the network is shown, N x 7 x H x W.

    Args:
        soft, matched: the first guesses, N x 3 x H x W, RGB in [0, 1].
        hole: N x 1 x H x W in {0, 1}.
    """
    return torch.cat([soft * 2 - 1, matched * 2 - 1, hole], 1)
