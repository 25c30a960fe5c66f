"""Smaller and larger copies, and smooth guesses where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def smaller_size(height: int, width: int, max_pixels: float) -> tuple[int, int]:
    """The largest size of about the same shape with at most `max_pixels` pixels; at least 1 x 1."""
    factor = min(1.0, math.sqrt(max_pixels / (height * width)))
    return max(1, int(height * factor)), max(1, int(width * factor))


def shrink(
    planes: np.ndarray,
    valid: np.ndarray,
    size: tuple[int, int],
    check: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, np.ndarray]:
    """A smaller copy in which only valid pixels count.

    Args:
        planes: float32 C x h x w.
        valid: bool h x w.
        size: height and width, not above h and w.
        check: called between the steps; may raise.

    Returns:
        float32 C x size, every pixel the mean of the valid ones in its area (0 where there are none),
        and float32 size, the share of its area that is valid.
    """
    share = _area(_area(valid.astype(np.float32), size[0], 0), size[1], 1)
    small = np.zeros((len(planes), *size), dtype=np.float32)
    for index, plane in enumerate(planes):
        check()
        sums = _area(_area(np.where(valid, plane, np.float32(0)), size[0], 0), size[1], 1)
        np.divide(sums, share, out=small[index], where=share > 1e-6, casting="same_kind")
    check()
    return small, share.astype(np.float32)


def shrink_strokes(planes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A smaller copy of what is drawn on a transparent layer; colours are not mixed with what is not drawn.

    Args:
        planes: float32 C x h x w, the last one alpha in [0, 1].
        size: height and width, not above h and w.

    Returns:
        float32 C x size. A thin line is as opaque as it was, and so at least 1 px wide.
    """
    alpha = planes[-1]
    everywhere = np.ones(alpha.shape, dtype=bool)
    premultiplied, _ = shrink(np.concatenate([planes[:-1] * alpha, alpha[None]]), everywhere, size)
    small = np.zeros_like(premultiplied)
    np.divide(premultiplied[:-1], premultiplied[-1], out=small[:-1], where=premultiplied[-1] > 1e-6)
    small[-1] = _most(_most(alpha, size[0], 0), size[1], 1)
    return small


def enlarge(
    planes: np.ndarray, size: tuple[int, int], part: tuple[slice, slice] = (slice(None), slice(None))
) -> np.ndarray:
    """A larger copy of float32 C x h x w, bicubic (Catmull-Rom), clipped to the range that was.

    Args:
        planes: float32 C x h x w.
        size: height and width.
        part: rows and columns of the copy that are wanted; all by default.
    """
    large = _stretch(_stretch(planes, size[0], 1, part[0]), size[1], 2, part[1])
    return np.clip(large, planes.min(), planes.max(), out=large)


def spread(planes: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Continue known pixels smoothly into the unknown.

    Means of ever larger squares, taken of known pixels only ("pull"), fill from the coarse to the fine
    what the finer squares leave open ("push"), as in Gortler et al., The Lumigraph (1996), section 3.4.

    Args:
        planes: float32 C x h x w.
        known: bool h x w.

    Returns:
        float32 C x h x w: `planes` where known; 0 where nothing is known at all.
    """
    height, width = known.shape
    if known.all():
        return planes
    if not known.any():
        return np.zeros_like(planes)
    padding = ((0, height % 2), (0, width % 2))
    weights = np.pad(known, padding).astype(np.float32)
    values = np.pad(np.where(known, planes, np.float32(0)), ((0, 0), *padding))
    counts = _sum_fours(weights)
    half = _sum_fours(values) / np.maximum(counts, 1)
    coarse = spread(half, counts > 0)
    return np.where(known, planes, double(coarse)[:, :height, :width])


def double(planes: np.ndarray) -> np.ndarray:
    """float32 C x h x w at twice the size, bilinear."""
    return _double_rows(_double_rows(planes).swapaxes(1, 2)).swapaxes(1, 2)


def _double_rows(planes: np.ndarray) -> np.ndarray:
    count, height, width = planes.shape
    result = np.empty((count, 2 * height, width), planes.dtype)
    near, far = planes * np.float32(0.75), planes * np.float32(0.25)
    result[:, ::2] = result[:, 1::2] = near
    result[:, 2::2] += far[:, :-1]
    result[:, 0] += far[:, 0]
    result[:, 1:-1:2] += far[:, 1:]
    result[:, -1] += far[:, -1]
    return result


def _sum_fours(array: np.ndarray) -> np.ndarray:
    rows = array[..., ::2, :] + array[..., 1::2, :]
    return rows[..., ::2] + rows[..., 1::2]


def _area(array: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Means over `size` equal parts of an axis, cutting pixels where the parts do."""
    count = array.shape[axis]
    array = np.moveaxis(array, axis, 0)
    sums = np.zeros((count + 1, *array.shape[1:]))
    np.cumsum(array, axis=0, dtype=np.float64, out=sums[1:])
    edges = np.arange(size + 1) * (count / size)
    whole = np.minimum(edges.astype(np.int64), count - 1)
    part = (edges - whole).reshape(-1, *[1] * (array.ndim - 1))
    at_edges = sums[whole] + part * array[whole]
    return np.moveaxis(np.diff(at_edges, axis=0) * (size / count), 0, axis)


def _most(array: np.ndarray, size: int, axis: int) -> np.ndarray:
    """The maxima of `size` equal parts of an axis; a pixel on the border of two belongs to the second."""
    count = array.shape[axis]
    return np.maximum.reduceat(array, np.arange(size) * count // size, axis=axis)


def _stretch(planes: np.ndarray, size: int, axis: int, part: slice) -> np.ndarray:
    """Interpolate along an axis (Catmull-Rom); pixel centres at half-integers, borders repeated."""
    count = planes.shape[axis]
    place = (np.arange(size)[part] + 0.5) * (count / size) - 0.5
    first = np.floor(place).astype(np.int64)
    t = (place - first).astype(np.float32)
    taps = (
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    )
    shape = [1] * planes.ndim
    shape[axis] = len(place)
    result = np.zeros((*planes.shape[:axis], len(place), *planes.shape[axis + 1 :]), np.float32)
    for shift, weight in enumerate(taps, start=-1):
        term = np.take(planes, np.clip(first + shift, 0, count - 1), axis=axis)
        term *= weight.reshape(shape)
        result += term
    return result
