"""The finisher: gives PatchMatch's fill the smooth fill's shading, as far as that helps.

Two classical fills are wrong in opposite ways. PatchMatch's is sharp, but its pieces are a little too bright
or too dark, and its finest grain is in no place that means anything. The smooth one has the right shading and
no grain. Their difference is split into three bands (Burt and Adelson 1983, "A multiresolution spline"), and
a small network tells, for every pixel and every band, how much of it is added to PatchMatch's fill. It sees
how far the two fills differ, how rough each of them and the picture around is, and how deep in the hole the
pixel lies; it never sees a colour, so that it treats all colours alike.

Trained here: see `training/recipes/finisher.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import Cancel, Cancelled, Progress, part_of
from .catalogue import FINISHER
from .layers.blocks import blocks
from .network import NetworkModel
from .patchmatch import PatchMatch
from .smooth import SmoothFill

BANDS = (1.5, 5.0)  # px; deviations of the Gaussians that part fine, middle and coarse
_NEAR, _AROUND, _FAR = 2.0, 6.0, 14.0  # px; deviations over which features are gathered
_FEATURES = 14
_REACH = 48  # px; what lies farther from a pixel has no influence on it
_TILE = 512  # px; largest side of what the network gets at once, without its surroundings
_SMOOTH, _MATCHED = 0.1, 0.9  # of the progress


class FinisherNetwork(nn.Module):
    """Features of two fills, four convolutions, and the weights of the bands.

    Attributes:
        layers: the convolutions.
    """

    def __init__(self, width: int = 16) -> None:
        """
        Args:
            width: channels between the convolutions.
        """
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(_FEATURES, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=2, dilation=2),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=4, dilation=4),
            nn.ReLU(),
            nn.Conv2d(width, 3, 1),
        )

    def forward(self, smooth: Tensor, matched: Tensor, hole: Tensor) -> Tensor:
        """
        Args:
            smooth, matched: the fills, N x 3 x H x W, RGB in [0, 1], the picture around the hole.
            hole: N x 1 x H x W in {0, 1}.

        Returns:
            N x 3 x H x W in [0, 1]; `matched` outside the hole.
        """
        fine, middle, coarse = torch.sigmoid(self.layers(features(smooth, matched, hole))).split(1, 1)
        difference = smooth - matched
        less, least = (blurred(difference, deviation) for deviation in BANDS)
        added = fine * (difference - less) + middle * (less - least) + coarse * least
        return (matched + hole * added).clamp(0, 1)


def features(smooth: Tensor, matched: Tensor, hole: Tensor) -> Tensor:
    """What the network decides by, N x 14 x H x W, most of it between -2 and 2."""
    difference = (smooth - matched).abs().mean(1, keepdim=True)
    rough, rough_smooth = roughness(matched), roughness(smooth)
    known = 1 - functional.max_pool2d(hole, 3, 1, 1)  # pixels whose neighbours are picture, too
    detail = (matched - blurred(matched, BANDS[1])).abs().mean(1, keepdim=True)
    near = blurred(torch.cat([difference, rough, rough_smooth, hole], 1), _NEAR)
    around = blurred(torch.cat([difference, known, rough * known, hole], 1), _AROUND)
    flat = torch.exp(-40 * rough)
    far = blurred(torch.cat([known, rough * known, slope(matched) * known, flat * known, hole], 1), _FAR)
    some = far[:, :1] + 1e-3
    return torch.cat(
        [
            logarithm(near[:, :3]),
            near[:, 3:],
            logarithm(around[:, :1]),
            logarithm(around[:, 2:3] / (around[:, 1:2] + 1e-3)),
            around[:, 3:],
            logarithm(far[:, 1:2] / some),
            logarithm(far[:, 2:3] / some),
            far[:, 3:4] / some,
            far[:, 4:],
            logarithm(detail),
            logarithm(difference),
            hole,
        ],
        1,
    )


def blurred(x: Tensor, deviation: float) -> Tensor:
    """A Gaussian mean, of as many pixels as there are: nothing comes in from beyond the border."""
    rows, columns = (_kernel(side, deviation, x) for side in x.shape[-2:])
    return rows @ x @ columns.T  # on tiles of some hundred pixels many times faster than convolutions


def _kernel(side: int, deviation: float, like: Tensor) -> Tensor:
    """The mean along one axis as a matrix, side x side."""
    at = torch.arange(side, dtype=like.dtype, device=like.device)
    distance = (at[:, None] - at).abs()
    kernel = torch.exp(-(distance**2) / (2 * deviation**2)) * (distance <= 2.5 * deviation)
    return kernel / kernel.sum(1, keepdim=True)


def roughness(x: Tensor) -> Tensor:
    """Mean absolute Laplacian, N x 1 x H x W."""
    x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    around = x[:, :, :-2, 1:-1] + x[:, :, 2:, 1:-1] + x[:, :, 1:-1, :-2] + x[:, :, 1:-1, 2:]
    return (4 * x[:, :, 1:-1, 1:-1] - around).abs().mean(1, keepdim=True)


def slope(x: Tensor) -> Tensor:
    """Mean absolute difference to the right and downwards, N x 1 x H x W."""
    x = functional.pad(x, (0, 1, 0, 1), mode="replicate")
    here, right, below = x[:, :, :-1, :-1], x[:, :, :-1, 1:], x[:, :, 1:, :-1]
    return ((right - here).abs() + (below - here).abs()).mean(1, keepdim=True)


def logarithm(x: Tensor) -> Tensor:
    """Small amounts told apart: 0 to -1.2, 1/50 to 0.2, 1 to 2.7."""
    return (torch.log(x + 0.003) + 4) / 1.5


class Finisher(NetworkModel):
    """PatchMatch and the smooth fill, and the network that joins them.

    It computes in single precision on every device: it is small, and its features have a wide range.
    """

    card = FINISHER
    half = False

    @classmethod
    def recognise(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        first, last = shapes.get("layers.0.weight", ()), shapes.get("layers.6.weight", ())
        if len(first) != 4 or first[1:] != (_FEATURES, 3, 3) or last != (3, first[0], 1, 1):
            return None
        return {"width": first[0]}

    @classmethod
    def build(cls, width: int = 16) -> nn.Module:
        """Fresh weights give everywhere the shares that are best where nothing else is known."""
        network = FinisherNetwork(width)
        last = network.layers[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        with torch.no_grad():
            last.weight.zero_()
            last.bias.copy_(torch.tensor([-1.4, -0.6, 1.0], device=last.bias.device))
        return network

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
        smooth, matched = fills(image, hole, source, seed, progress, cancel)
        result = matched.copy()
        tiles = list(blocks(hole, _TILE, _REACH))
        for n, (tile, around) in enumerate(tiles):
            if cancel():
                raise Cancelled
            planes = [self._tensor(plane[(..., *around)]) for plane in (smooth, matched, hole[None])]
            with torch.inference_mode(), self._watched(lambda fraction, stage: None, cancel, params):
                answer = self.network(*planes)[0].cpu().numpy()
            top, left = (tile[n].start - around[n].start for n in (0, 1))
            part = result[(..., *tile)]
            part[...] = answer[:, top : top + part.shape[1], left : left + part.shape[2]]
            progress(_MATCHED + (1 - _MATCHED) * (n + 1) / len(tiles), "finishing")
        return result


def fills(
    image: np.ndarray, hole: np.ndarray, source: np.ndarray, seed: int, progress: Progress, cancel: Cancel
) -> tuple[np.ndarray, np.ndarray]:
    """What the network joins: the smooth fill and PatchMatch's.

    Args:
        image: float32, 3 x H x W in [0, 1].
        hole, source: bool, H x W.
        seed: of PatchMatch.
        progress, cancel: see `Model.fill`.

    Returns:
        Two float32 arrays, 3 x H x W.
    """

    shown = image[None], hole[None, None]
    allowed = source[None, None]
    smooth = SmoothFill().fill(*shown, progress=part_of(progress, 0, _SMOOTH), cancel=cancel, source=allowed)
    matched = PatchMatch().fill(
        *shown, seed=seed, progress=part_of(progress, _SMOOTH, _MATCHED), cancel=cancel, source=allowed
    )
    return smooth[0], matched[0]
