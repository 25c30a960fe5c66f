"""The liner: continues the lines that a hole cuts, then fills along them with pieces of the picture.

Lines first, as in EdgeConnect (Nazeri et al. 2019, arXiv 1901.00212): a small network sees the lines around
the hole, and the colours, and tells for every pixel of the hole how likely a line is there. What it is sure
of becomes a drawing. Then PatchMatch fills, and where its fill lacks a line that is drawn, it is filled again
as the sketcher does (`sketcher`, `layers.guided`). Everywhere else PatchMatch's fill stays.

Trained here: see `training/recipes/liner.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from .base import Cancel, Progress, part_of
from .catalogue import LINER
from .guidance.sketch import without_crumbs
from .guidance.thinning import thin
from .layers.membrane import membrane
from .layers.size import SizeRule, fit
from .layers.unet import MULTIPLE, UNet
from .network import NetworkModel
from .sketcher import copied, lines_of, pieces, smooth_guess

_CHANNELS = 5
_LINE = 0.4  # chance from which it is sure
_SAME = 2.5  # px; a line that is no farther away is the same
_SHORTEST = 5  # px; of a line that is missing
_AROUND = 10.0  # px around a missing line that are filled again
_BESIDE = 3.0  # px around a line where the drawing counts
_SIZE = SizeRule(multiple=MULTIPLE, minimum=64)
_LOOKED, _TOLD = 0.4, 0.5  # of the progress: the picture's lines are known, and those of the hole


class Liner(NetworkModel):
    """The network that tells lines, and the pieces that are copied along them.

    It computes in single precision on every device, for its answer is a drawing: a line or none.
    """

    card = LINER
    half = False

    @classmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        first = shapes.get("enter.weight", ())
        return {"width": first[0]} if first[1:] == (4 * _CHANNELS, 3, 3) else None

    @classmethod
    def build(cls, width: int = 24) -> nn.Module:
        return UNet(_CHANNELS, 1, width)

    @classmethod
    def translate(cls, tensors: dict[str, Tensor], **settings: Any) -> dict[str, Tensor]:
        return dict(tensors)

    def quicken(self, network: nn.Module, dtype: torch.dtype) -> nn.Module:
        return network

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
        whole = pieces(image, hole, source, seed, part_of(progress, 0.0, _LOOKED), cancel)
        progress(_LOOKED, "drawing")
        found = lines_of(whole, cancel)
        chance = self.chances(image, hole, found & ~hole, cancel, params)
        drawn = thin((chance >= _LINE) & hole)
        again = hole & around(missing(drawn, found), _AROUND)
        if not again.any():
            return whole
        lines = np.where(again, drawn, found)
        guess = smooth_guess(whole, again, drawn, whole, np.zeros_like(hole))
        report = part_of(progress, _TOLD, 1.0)
        sure = around(drawn, _BESIDE)
        return copied(whole, again, source, lines, guess, seed, report, cancel, sure)

    def chances(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        lines: np.ndarray,
        cancel: Cancel,
        params: Mapping[str, Any],
    ) -> np.ndarray:
        """How likely a line is at every pixel of the hole.

        Args:
            image: float32, 3 x H x W in [0, 1].
            hole, lines: bool, H x W; what the lines are in the hole plays no part.
            cancel, params: see `Model.fill`.

        Returns:
            float32, H x W in [0, 1]; 0 outside the hole.
        """
        planes = [self._tensor(plane) for plane in (membrane(image, hole), hole[None], lines[None])]
        (smooth, inside, known), back = fit(_SIZE, *planes)
        with torch.inference_mode(), self._watched(lambda fraction, stage: None, cancel, params):
            told = self.network(channels(smooth, known, inside)).sigmoid() * inside
            return back(told)[0, 0].cpu().numpy()


def missing(drawn: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Those pieces of drawn lines that a fill has no line for.

    Args:
        drawn, found: bool, H x W; lines that should be there, and those that are.
    """
    return without_crumbs(drawn & ~around(found, _SAME), _SHORTEST)


def around(lines: np.ndarray, reach: float) -> np.ndarray:
    """bool H x W: the pixels up to `reach` px from a line."""
    if not lines.any():
        return np.zeros_like(lines)
    return ndimage.distance_transform_edt(~lines) <= reach


def channels(smooth: Tensor, lines: Tensor, hole: Tensor) -> Tensor:
    """What the network is shown, N x 5 x H x W.

    Args:
        smooth: N x 3 x H x W, RGB in [0, 1]; the picture, with the membrane in the hole.
        lines: N x 1 x H x W in {0, 1}; what they are in the hole plays no part.
        hole: N x 1 x H x W in {0, 1}.
    """
    return torch.cat([smooth * 2 - 1, lines * (1 - hole), hole], 1)
