"""The liner: continues the lines that a hole cuts, then fills along them with pieces of the picture.

Lines first, as in EdgeConnect (Nazeri et al. 2019, arXiv 1901.00212): a small network sees the lines around
the hole, and the colours, and tells for every pixel of the hole how likely a line is there. What it is sure
of becomes a drawing, and the rest is the sketcher's work (`sketcher`, `layers.guided`). Where it is not sure,
the pieces decide, as they do without it.

Trained here: see `training/recipes/liner.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from .base import Cancel, Progress
from .catalogue import LINER
from .guidance.thinning import thin
from .layers.membrane import membrane
from .layers.redrawing import MULTIPLE, Redrawing
from .layers.size import SizeRule, fit
from .network import NetworkModel
from .sketcher import copied, lines_of, part_of, smooth_guess

_CHANNELS = 5
_LINE, _NO_LINE = 0.4, 0.06  # chance from which, and up to which, it is sure
_BESIDE = 3  # px around a sure line that are sure, too
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
        return Redrawing(_CHANNELS, 1, width)

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
        known = lines_of(image, hole, source, seed, part_of(progress, 0.0, _LOOKED), cancel)
        progress(_LOOKED, "drawing")
        chance = self.chances(image, hole, known, cancel, params)
        drawn = thin((chance >= _LINE) & hole)
        near = ndimage.binary_dilation(drawn, iterations=_BESIDE) if drawn.any() else drawn
        sure = near | (ndimage.maximum_filter(chance, 2 * _BESIDE + 1) <= _NO_LINE)
        nothing = np.zeros_like(hole)
        guess = smooth_guess(image, hole, drawn, image, nothing)
        report = part_of(progress, _TOLD, 1.0)
        return copied(image, hole, source, known | drawn, guess, seed, report, cancel, sure)

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


def channels(smooth: Tensor, lines: Tensor, hole: Tensor) -> Tensor:
    """What the network is shown, N x 5 x H x W.

    Args:
        smooth: N x 3 x H x W, RGB in [0, 1]; the picture, with the membrane in the hole.
        lines: N x 1 x H x W in {0, 1}; what they are in the hole plays no part.
        hole: N x 1 x H x W in {0, 1}.
    """
    return torch.cat([smooth * 2 - 1, lines * (1 - hole), hole], 1)
