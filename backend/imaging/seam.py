"""Colours that meet at the border of a fill.

A fill of the right texture may still have a tone of its own: a sky a shade too dark shows its outline.
The correction is a membrane in the sense of Pérez et al., Poisson Image Editing (2003), section 2: the
step at the border, continued smoothly through the hole. The step is estimated from narrow bands on both
sides, each window of which is explained as a plane with a step in it. So grain neither disturbs it nor
is disturbed by it, and a gradient that runs across the border is no step. The correction is held back
where the step is no larger than chance, and where it is so large that it is an edge of the picture.
"""

from __future__ import annotations

import numpy as np

from .mask import bounds, squared_distance
from .scale import double, spread

_BAND = 6  # px on either side of the border
_CELL = 8  # px, three doublings; the step is looked at in windows of 3 x 3 cells
_LEAST = 24  # band pixels on either side that make a mean
_GRAIN = 4.0  # neighbouring pixels are alike: so many count as one when unrest is judged
_EDGE = (0.08, 0.16)  # step that is still corrected fully, and that is no longer corrected


def match(image: np.ndarray, filled: np.ndarray, own: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Correct the tone of a fill where it does not meet the picture's.

    Args:
        image: float32 3 x h x w in [0, 1], what was there.
        filled: float32 3 x h x w, with the hole filled.
        own: bool h x w, the hole.
        visible: bool h x w, pixels of `image` that mean something; none of the hole's.

    Returns:
        float32 3 x h x w: `filled` outside the hole, and inside where nothing is to be corrected.
    """
    box = bounds(own)
    if box is None:
        return filled
    near = box.enlarge(_BAND, own.shape[0], own.shape[1])
    rows, columns = near.slices
    hole, seen = own[rows, columns], visible[rows, columns]
    square = _BAND * _BAND
    outer = seen & (squared_distance(hole, _BAND) <= square)
    inner = hole & (squared_distance(seen, _BAND) <= square)
    step, doubt, judged = _steps(
        np.where(hole, filled[:, rows, columns], image[:, rows, columns]), outer, inner
    )
    if not judged.any():
        return filled
    squares = np.sum(step**2, axis=0)
    certain = np.clip(1 - doubt / np.maximum(squares, 1e-12), 0, 1)
    low, high = _EDGE
    certain *= np.clip((high - np.sqrt(squares)) / (high - low), 0, 1)
    if not (certain[judged] > 0).any():
        return filled
    cells = spread((step * certain).astype(np.float32), judged)
    smooth = double(double(double(cells)))
    result = filled.copy()
    part = result[:, rows, columns]
    corrected = np.clip(part + smooth[:, : near.height, : near.width], 0, 1)
    np.copyto(part, corrected, where=hole)
    return result


def _steps(
    planes: np.ndarray, outer: np.ndarray, inner: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The step from the inner to the outer band, by least squares in the window around every cell.

    Args:
        planes: float32 3 x h x w.
        outer, inner: bool h x w, the bands.

    Returns:
        For the m x n cells: the step, 3 x m x n; its variance, summed over the channels; and whether
        there was enough to judge by, bool. Both are 0 where there was not.
    """
    down, across = (-(-side // _CELL) for side in outer.shape)
    y, x = np.nonzero(outer | inner)
    cell = y // _CELL * across + x // _CELL

    def sums(weights: np.ndarray) -> np.ndarray:
        total = np.pad(np.bincount(cell, weights, down * across).reshape(down, across), 1)
        lines = total[:-2] + total[1:-1] + total[2:]
        return lines[:, :-2] + lines[:, 1:-1] + lines[:, 2:]

    outside = outer[y, x].astype(np.float64)
    count, count_outside = sums(np.ones_like(outside)), sums(outside)
    judged = (count_outside >= _LEAST) & (count - count_outside >= _LEAST)
    step, doubt = np.zeros((len(planes), down, across)), np.zeros((down, across))
    if not judged.any():
        return step, doubt, judged
    middle = outer.shape[0] / 2, outer.shape[1] / 2
    terms = [outside, np.ones_like(outside), (y - middle[0]) / _CELL, (x - middle[1]) / _CELL]
    values = planes[:, y, x].astype(np.float64)
    normal = np.array([[sums(one * other)[judged] for other in terms] for one in terms]).transpose(2, 0, 1)
    sides = np.array([[sums(term * value)[judged] for value in values] for term in terms]).transpose(2, 0, 1)
    squares = sums(np.sum(values**2, axis=0))[judged]
    inverse = np.linalg.pinv(normal, hermitian=True)
    fit = inverse @ sides
    unrest = np.maximum(squares - np.sum(fit * sides, axis=(1, 2)), 0) / count[judged]
    step[:, judged] = fit[:, 0].T
    doubt[judged] = unrest * inverse[:, 0, 0] * _GRAIN
    return step, doubt, judged
