"""A picture's colours without its detail: every part of it in its own median colour.

Jo and Park 2019, section 3.1: a median filter of size 3, a bilateral filter, and the median colour of each
segment. Their segments are those of a face parser; ours are of any picture.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from .segments import bilateral, segments

_NEAR = 3.0  # px, and
_ALIKE = 0.1  # of 1, deviations of the bilateral filter
_CONTRAST = 1.5  # two parts differ if they do by so much more than within, at the size of one pixel
_LEAST = 0.002  # smallest segment, as a share of the picture


def colours(image: Tensor, contrast: float = _CONTRAST, least: float = _LEAST) -> Tensor:
    """The median colour of every part of pictures.

    Args:
        image: float32, N x 3 x H x W, RGB in [0, 1].
        contrast: more makes fewer, larger parts.
        least: share of the picture that a part has at least.

    Returns:
        float32, N x 3 x H x W, on the image's device.
    """
    return torch.from_numpy(
        np.stack([_flat(one, contrast, least) for one in image.detach().cpu().numpy()])
    ).to(image.device)


def _flat(image: np.ndarray, contrast: float, least: float) -> np.ndarray:
    calm = ndimage.median_filter(image.astype(np.float32), size=(1, 3, 3))
    calm = bilateral(np.ascontiguousarray(calm.transpose(1, 2, 0)), _NEAR, _ALIKE)
    height, width = calm.shape[:2]
    part = segments(calm, contrast, max(1, round(least * height * width)))
    # Sorted by part, and in it by value, the median is in the middle.
    flat = part.ravel()
    sizes = np.bincount(flat)
    middle = np.cumsum(sizes) - sizes + (sizes - 1) // 2
    result = np.empty((3, height, width), dtype=np.float32)
    for channel in range(3):
        values = calm[..., channel].ravel()
        result[channel] = values[np.lexsort((values, flat))[middle]][part]
    return result
