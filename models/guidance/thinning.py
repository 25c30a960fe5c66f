"""Compiled kernels that make thin lines of broad ones."""

# mypy: allow-untyped-defs
# (numba infers the types of the kernels; their docstrings name them.)
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from scipy import ndimage

FAST: Any = {"nogil": True, "cache": True}
_BLUNT = 1.005  # a pixel is on a ridge though its neighbours across are that much higher: level tops stay


def peaks(strength: np.ndarray) -> np.ndarray:
    """The pixels that are higher than their neighbours across the ridge that they are on.

    Args:
        strength: float32 H x W, smooth.

    Returns:
        bool H x W.
    """
    yy, xx, yx = (ndimage.gaussian_filter(strength, 1.5, order) for order in ((2, 0), (0, 2), (1, 1)))
    return _peaks(np.pad(strength, 1, mode="edge"), yy, xx, yx)


def thin(lines: np.ndarray) -> np.ndarray:
    """Lines of 1 px that are connected as the broader ones were.

    Guo and Hall 1989, "Parallel thinning with two-subiteration algorithms", method A1.

    Args:
        lines: bool H x W.

    Returns:
        bool H x W, a part of them.
    """
    padded = np.pad(lines, 1)
    while _erode(padded, 0) + _erode(padded, 1):
        pass
    return padded[1:-1, 1:-1]


@njit(**FAST)
def _peaks(strength, yy, xx, yx):
    """bool H x W; `strength` is padded by 1."""
    height, width = yy.shape
    result = np.zeros((height, width), dtype=np.bool_)
    for y in range(height):
        for x in range(width):
            if xx[y, x] + yy[y, x] >= 0:  # a foot or a flank, on which nothing along the ridge differs
                continue
            # Across the ridge the strength bends most: the direction of the least second derivative.
            angle = 0.5 * math.atan2(2 * yx[y, x], xx[y, x] - yy[y, x]) + math.pi / 2
            down, right = math.sin(angle), math.cos(angle)
            here = strength[y + 1, x + 1] * _BLUNT
            before = _between(strength, y + 1 - down, x + 1 - right)
            after = _between(strength, y + 1 + down, x + 1 + right)
            result[y, x] = here >= before and here >= after
    return result


@njit(**FAST)
def _between(plane, y, x):
    top, left = min(int(y), plane.shape[0] - 2), min(int(x), plane.shape[1] - 2)
    down, right = y - top, x - left
    upper = plane[top, left] * (1 - right) + plane[top, left + 1] * right
    lower = plane[top + 1, left] * (1 - right) + plane[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


@njit(**FAST)
def _erode(lines, turn):
    """One of the two passes over bool (H + 2) x (W + 2), in place; how many pixels went."""
    height, width = lines.shape
    gone = np.zeros((height, width), dtype=np.bool_)
    count = 0
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if not lines[y, x]:
                continue
            n, ne, e, se = lines[y - 1, x], lines[y - 1, x + 1], lines[y, x + 1], lines[y + 1, x + 1]
            s, sw, w, nw = lines[y + 1, x], lines[y + 1, x - 1], lines[y, x - 1], lines[y - 1, x - 1]
            crossings = (
                int(not n and (ne or e))
                + int(not e and (se or s))
                + int(not s and (sw or w))
                + int(not w and (nw or n))
            )
            if crossings != 1:
                continue
            first = int(nw or n) + int(ne or e) + int(se or s) + int(sw or w)
            second = int(n or ne) + int(e or se) + int(s or sw) + int(w or nw)
            if not 2 <= min(first, second) <= 3:
                continue
            held = ((n or ne or not se) and e) if turn == 0 else ((s or sw or not nw) and w)
            if not held:
                gone[y, x] = True
                count += 1
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if gone[y, x]:
                lines[y, x] = False
    return count
