"""A picture's lines, as somebody might draw them: 1 px wide, smooth, without crumbs.

Jo and Park 2019, section 3.1: edges by HED, their curves smoothed, small pieces erased.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from .detectors import Detector, Watch, detector
from .thinning import peaks, thin

MOST_PIXELS = 1 << 19
"""Larger pictures are looked at on a smaller scale: outlines are to be drawn, not the grain."""

_SPAN = 1.5  # by so much of log-odds `detail` moves what counts as a line, either way
_SMOOTH = 1.0  # px, deviation of the smoothing along and across the curves
_EIGHT = np.ones((3, 3), dtype=bool)


def sketch(
    image: Tensor,
    by: Detector | None = None,
    detail: float = 0.5,
    smallest: float = 0.025,
    watch: Watch | None = None,
) -> Tensor:
    """The lines of pictures.

    Args:
        image: float32, N x 3 x H x W, RGB in [0, 1].
        by: what finds the edges; None takes the best there is.
        detail: 0 draws the plainest outlines only, 1 every trace of one.
        smallest: pieces of lines that are shorter are left out; a share of the mean of both sides.
        watch: see `Watch`.

    Returns:
        float32, N x 1 x H x W in {0, 1}; 1 on a line. On the image's device.

    Raises:
        FillError: as `detector`.
    """
    by = by or detector(device=str(image.device))
    height, width = image.shape[-2:]
    strength = edges(image, by, watch)
    least = smallest * (height + width) / 2
    faint, strong = (_odds(limit, _SPAN * (1 - 2 * detail)) for limit in (by.faint, by.strong))
    found = np.stack([_draw(one, faint, strong, least) for one in strength[:, 0].cpu().numpy()])
    return torch.from_numpy(found[:, None].astype(np.float32)).to(image.device)


def edges(image: Tensor, by: Detector, watch: Watch | None = None) -> Tensor:
    """How likely there is a line: float32 N x 1 x H x W in [0, 1]; other arguments as of `sketch`."""
    height, width = image.shape[-2:]
    factor = math.sqrt(MOST_PIXELS / (height * width))
    if factor >= 1:
        return by.run(image.to(by.device), watch).to(image.device)
    size = max(1, round(height * factor)), max(1, round(width * factor))
    small = functional.interpolate(image, size, mode="bilinear", antialias=True)
    strength = by.run(small.to(by.device), watch).to(image.device)
    return functional.interpolate(strength, (height, width), mode="bicubic").clamp(0, 1)


def _odds(share: float, more: float) -> float:
    """A share of 1 with its log-odds raised."""
    return 1 / (1 + (1 / share - 1) * math.exp(-more))


def _draw(strength: np.ndarray, faint: float, strong: float, least: float) -> np.ndarray:
    """bool H x W: the ridges of the strength, thin, without pieces of fewer than `least` px."""
    smooth = ndimage.gaussian_filter(strength, _SMOOTH)
    ridges = peaks(smooth) & (smooth >= faint)
    pieces, count = ndimage.label(ridges, _EIGHT)
    strongest = ndimage.maximum(smooth, pieces, np.arange(count + 1))
    kept = np.asarray(strongest) >= strong
    kept[0] = False
    return without_crumbs(thin(kept[pieces]), least)


def without_crumbs(ridges: np.ndarray, least: float) -> np.ndarray:
    """Lines, bool H x W, without the pieces of fewer than `least` px."""
    pieces, count = ndimage.label(ridges, _EIGHT)
    long = np.bincount(pieces.ravel(), minlength=count + 1) >= least
    long[0] = False
    return long[pieces]
