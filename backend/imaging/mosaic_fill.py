"""Fills that agree with a mosaic."""

from __future__ import annotations

import numpy as np

from .convert import full
from .mosaic import Mosaic, means

_TAPER = 0.5  # least weight of a correction, right at the border of the hole
_SPREAD = 0.4  # of a cell's side: how smooth a correction is


def consistent(pixels: np.ndarray, mosaic: Mosaic) -> np.ndarray:
    """Give a fill the means that the mosaic says.

    The correction is the smooth field that has the wanted mean in every cell, found by conjugate
    gradients, and less at the border of the hole, where the fill meets the picture. What clipping to black
    and white takes from it is put back within the cell.

    Args:
        pixels: h x w x C of the mosaic's box, of any depth, colours only; not written to.

    Returns:
        The same shape and dtype; means differ from the mosaic's by rounding alone. Pixels of no cell stay.
    """
    if not len(mosaic.values):
        return pixels.copy()
    white = full(pixels.dtype)
    planes = pixels.astype(np.float32) / np.float32(white)
    inside = mosaic.labels >= 0
    # Float pictures may have more than black to white; a correction brings them no further.
    span = (
        min(0.0, float(planes.min()), float(mosaic.values.min())),
        max(1.0, float(planes.max()), float(mosaic.values.max())),
    )
    solver = _Solver(mosaic)
    for _ in range(3):
        residual = mosaic.values - means(planes, mosaic.labels)
        if np.abs(residual).max() < 0.25 / 255:
            break
        planes += solver.field(residual)
        np.clip(planes, *span, out=planes)
    values = _shifted(planes[inside].astype(np.float64), mosaic, span)
    result = pixels.copy()
    samples = values * white
    result[inside] = (np.rint(samples) if pixels.dtype.kind == "u" else samples).astype(pixels.dtype)
    return result


def agree(layer: np.ndarray, offset: tuple[int, int], mosaic: Mosaic) -> None:
    """Give a layer the means that the mosaic says, in place.

    Args:
        layer: h x w x (2 or 4), the last channel alpha; holds the mosaic's box.
        offset: x, y of its left upper pixel in the picture.
        mosaic: of the picture.
    """
    left, top = mosaic.box.left - offset[0], mosaic.box.top - offset[1]
    part = layer[top : top + mosaic.box.height, left : left + mosaic.box.width, :-1]
    part[...] = consistent(part, mosaic)


class _Solver:
    """Finds smooth fields with given means.

    With P the cells' indicators (each of length 1), G a Gaussian and W the weights of pixels, the field is
    W G W P b, and b solves (P' W G W P) b = r, whose matrix is symmetric and positive.
    """

    def __init__(self, mosaic: Mosaic) -> None:
        from scipy import ndimage

        self._labels = mosaic.labels
        self._inside = mosaic.labels >= 0
        self._own = mosaic.labels[self._inside]
        self._lengths = np.sqrt(np.bincount(self._own).astype(np.float64))[:, None]
        self._sigma = _SPREAD * mosaic.cell
        depth = ndimage.distance_transform_edt(np.pad(self._inside, 1))[1:-1, 1:-1]
        self._weights = np.clip(depth / (mosaic.cell / 2), _TAPER, 1).astype(np.float32)
        self._weights[~self._inside] = 0

    def _spread(self, b: np.ndarray) -> np.ndarray:
        from scipy import ndimage

        planes = np.zeros((*self._labels.shape, b.shape[1]), np.float32)
        planes[self._inside] = (b / self._lengths)[self._own]
        planes *= self._weights[..., None]
        for channel in range(planes.shape[2]):
            ndimage.gaussian_filter(
                planes[..., channel], self._sigma, mode="constant", truncate=3, output=planes[..., channel]
            )
        planes *= self._weights[..., None]
        return planes

    def _gather(self, planes: np.ndarray) -> np.ndarray:
        values = planes[self._inside]
        sums = [np.bincount(self._own, values[:, c]) for c in range(planes.shape[2])]
        return np.stack(sums, 1) / self._lengths

    def field(self, residual: np.ndarray) -> np.ndarray:
        """float32 h x w x C whose means of cells are `residual` (cells x C), nearly."""
        left = residual * self._lengths
        b = np.zeros_like(left)
        way = left.copy()
        square = (left * left).sum(axis=0)
        enough = 1e-4 * np.maximum(square, 1e-12)
        for _ in range(40):
            if (square <= enough).all():
                break
            answer = self._gather(self._spread(way))
            length = square / np.maximum((way * answer).sum(axis=0), 1e-30)
            b += length * way
            left -= length * answer
            before, square = square, (left * left).sum(axis=0)
            way = left + square / np.maximum(before, 1e-30) * way
        return self._spread(b)


def _shifted(values: np.ndarray, mosaic: Mosaic, span: tuple[float, float]) -> np.ndarray:
    """Values (pixels x C) moved by one number in each cell, so that the means are right when they have been
    clipped to the span."""
    own = mosaic.labels[mosaic.labels >= 0]
    counts = np.bincount(own).astype(np.float64)[:, None]

    def moved(shift: np.ndarray) -> np.ndarray:
        result = values + shift[own]
        return np.clip(result, *span, out=result)

    reach = span[1] - span[0]
    low, high = np.full_like(mosaic.values, -reach), np.full_like(mosaic.values, reach)
    for _ in range(24):
        middle = (low + high) / 2
        after = moved(middle)
        sums = np.stack([np.bincount(own, after[:, c]) for c in range(after.shape[1])], 1)
        short = sums / counts < mosaic.values
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return moved((low + high) / 2)
