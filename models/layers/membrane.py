"""The membrane: a hole's colours pulled smooth from around it, as far as drawn lines let them through.

A membrane is the surface through the pixels around the hole whose squared slopes have the least sum; every
pixel of it is the mean of its four neighbours. Lines in it work as walls (Orzan et al. 2008, "Diffusion
curves"): on both sides of a drawn line, colours come from their own side only. It is found coarse to fine, on
each scale by relaxation, so that the work grows with the pixels and not with the width of the hole.
"""

# mypy: allow-untyped-defs
# (numba infers the types of the kernel; its docstring names them.)
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_SWEEPS = 24  # of relaxation on every scale; with lines on the finest, so many times _MORE
_MORE = 3
_PULL = 1.6  # over-relaxation
_SMALLEST = 2  # px of the shorter side: there the pyramid ends

FAST: Any = {"nogil": True, "cache": True, "fastmath": True}


def membrane(image: np.ndarray, hole: np.ndarray, lines: np.ndarray | None = None) -> np.ndarray:
    """Fill a hole with the membrane.

    Args:
        image: float32, 3 x H x W.
        hole: bool, H x W, not the whole picture; what the image has there plays no part.
        lines: bool, H x W; lines that colours do not cross, where they lie in the hole. A pixel of a line
            gets the mean of all around it; what lines enclose wholly gets the colour it would have without.

    Returns:
        float32, 3 x H x W; outside the hole bit-identical to `image`.
    """
    planes = np.ascontiguousarray(image.transpose(1, 2, 0), dtype=np.float32)
    walls = np.zeros_like(hole) if lines is None else lines & hole
    filled = _fill(planes, hole, walls)
    result = np.array(image, dtype=np.float32)
    np.copyto(result, filled.transpose(2, 0, 1), where=hole)
    return result


def _fill(planes: np.ndarray, hole: np.ndarray, walls: np.ndarray) -> np.ndarray:
    """H x W x 3, filled."""
    guess = planes * ~hole[..., None]
    height, width = hole.shape
    if min(height, width) <= _SMALLEST:
        known = ~hole
        if known.any():
            guess[hole] = guess[known].mean(axis=0)
        return guess
    small, covered, walled = _halved(guess, hole, walls)
    coarse = _fill(small, covered, walled)
    grown = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    np.copyto(guess, grown, where=hole[..., None])
    sweeps = _SWEEPS * (_MORE if walls.any() else 1)
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    if len(rows):
        box = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        _relax(guess, hole, walls, sweeps, np.float32(_PULL), *box)
    return guess


def _halved(
    planes: np.ndarray, hole: np.ndarray, walls: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of the known ones of 2 x 2 pixels; a hole where none is known, a wall where one of them is."""
    height, width = (side + side % 2 for side in hole.shape)
    grow = ((0, height - hole.shape[0]), (0, width - hole.shape[1]))
    cells = (height // 2, 2, width // 2, 2)
    known = np.pad(~hole, grow).reshape(cells)
    count = known.sum(axis=(1, 3))
    sums = np.pad(planes, (*grow, (0, 0))).reshape(*cells, 3).sum(axis=(1, 3))
    small = (sums / np.maximum(count, 1)[..., None]).astype(np.float32)
    covered = count == 0
    return small, covered, np.pad(walls, grow).reshape(cells).any(axis=(1, 3)) & covered


@njit(**FAST)
def _relax(guess, hole, walls, sweeps, pull, top, bottom, left, right):
    """Gauss-Seidel sweeps over the hole, in checkerboard order.

    Args:
        guess: float32, H x W x 3; updated in the hole.
        hole, walls: bool, H x W.
        sweeps: how many.
        pull: over-relaxation, 1 to 2.
        top, bottom, left, right: the box of the hole.
    """
    height, width = hole.shape
    sums = np.empty(3, np.float32)
    for step in range(2 * sweeps):
        for y in range(top, bottom):
            for x in range(left + (left + y + step) % 2, right, 2):
                if not hole[y, x]:
                    continue
                some = False
                for attempt in range(2):  # first what lies on this side of the walls, else all
                    sums[:] = 0
                    count = 0
                    for n in range(4):
                        r = y + (n == 0) - (n == 1)
                        c = x + (n == 2) - (n == 3)
                        if r < 0 or c < 0 or r >= height or c >= width:
                            continue
                        if attempt == 0 and walls[r, c] and not walls[y, x]:
                            continue
                        count += 1
                        for k in range(3):
                            sums[k] += guess[r, c, k]
                    if count > 0:
                        some = True
                        break
                if some:
                    for k in range(3):
                        guess[y, x, k] += pull * (sums[k] / count - guess[y, x, k])
