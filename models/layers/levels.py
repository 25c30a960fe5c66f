"""Compiled kernels that prepare the levels of the completion: texture, halving, padding, depth.

Channels of a pixel in a level's *pixels* (float32, H x W x 5): red, green, blue, and two of texture, the
mean absolute difference to the right and downwards around the pixel. They are taken at full resolution
and averaged on the way down, so that a coarse patch still knows grass from a smooth wall (Newson 2014,
"Video inpainting of complex scenes", section 3.3). A level's *field* (see `nnf`) has the same five and
the penalty.
"""

# mypy: allow-untyped-defs
# (numba infers the types of the kernels; their docstrings name them.)
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

RADIUS = 3  # see `nnf`
CHANNELS = 6
COLOURS = 3
FEATURES = 5
PENALTY = CHANNELS - 1

FAST: Any = {"nogil": True, "cache": True, "fastmath": True}
_ROOT_2 = np.float32(2**0.5)


@njit(**FAST)
def texture(pixels, known, radius):
    """Write the texture channels: means over (2 radius + 1)² px of differences between known pixels."""
    height, width = known.shape
    # Per pixel: difference to the right, whether there is one, difference downwards, whether there is one.
    steps = np.zeros((2 * radius + 2, width, 4), np.float32)
    columns = np.zeros((width, 4), np.float32)
    sums = np.empty(4, np.float32)
    for row in range(height + radius):
        ring = steps[row % (2 * radius + 2)]
        if row < height:
            _steps(pixels, known, row, ring)
        oldest = steps[(row + 1) % (2 * radius + 2)]
        for x in range(width):
            for c in range(4):
                if row < height:
                    columns[x, c] += ring[x, c]
                if row > 2 * radius:
                    columns[x, c] -= oldest[x, c]
        y = row - radius
        if y < 0:
            continue
        sums[:] = 0
        for end in range(width + radius):
            for c in range(4):
                if end < width:
                    sums[c] += columns[end, c]
                if end > 2 * radius:
                    sums[c] -= columns[end - 2 * radius - 1, c]
            x = end - radius
            if x >= 0:
                pixels[y, x, 3] = max(sums[0], np.float32(0)) / max(sums[1], np.float32(1))
                pixels[y, x, 4] = max(sums[2], np.float32(0)) / max(sums[3], np.float32(1))


@njit(**FAST)
def _steps(pixels, known, y, steps):
    height, width = known.shape
    steps[:] = 0
    for x in range(width):
        if known[y, x] == 0:
            continue
        here = pixels[y, x, 0] + pixels[y, x, 1] + pixels[y, x, 2]
        if x + 1 < width and known[y, x + 1]:
            there = pixels[y, x + 1, 0] + pixels[y, x + 1, 1] + pixels[y, x + 1, 2]
            steps[x, 0], steps[x, 1] = abs(there - here) / 3, 1
        if y + 1 < height and known[y + 1, x]:
            there = pixels[y + 1, x, 0] + pixels[y + 1, x, 1] + pixels[y + 1, x, 2]
            steps[x, 2], steps[x, 3] = abs(there - here) / 3, 1


@njit(**FAST)
def halve(pixels, known, allowed, needed):
    """Half the size: each 2 x 2 pixels become the mean of those allowed, or, where none is, of those known.

    Args:
        pixels: float32, H x W x C.
        known, allowed: uint8, H x W; pixels outside the hole, and those among them that are sources.
        needed: a pixel stays known (a source) where at least so many of its four are.

    Returns:
        The three arrays of half the size, rounded up. A source is always known.
    """
    height, width, channels = pixels.shape
    h, w = (height + 1) // 2, (width + 1) // 2
    small = np.zeros((h, w, channels), np.float32)
    small_known = np.zeros((h, w), np.uint8)
    small_allowed = np.zeros((h, w), np.uint8)
    for y in range(h):
        for x in range(w):
            all_known = all_allowed = count = 0
            for i in range(2 * y, min(2 * y + 2, height)):
                for k in range(2 * x, min(2 * x + 2, width)):
                    count += 1
                    all_known += known[i, k]
                    all_allowed += allowed[i, k]
            small_allowed[y, x] = 4 * all_allowed >= needed * count and all_allowed > 0
            small_known[y, x] = 4 * all_known >= needed * count and all_known > 0
            share = np.float32(max(all_allowed if all_allowed else all_known, 1))
            for i in range(2 * y, min(2 * y + 2, height)):
                for k in range(2 * x, min(2 * x + 2, width)):
                    if allowed[i, k] or (all_allowed == 0 and known[i, k]):
                        for c in range(channels):
                            small[y, x, c] += pixels[i, k, c] / share
    return small, small_known, small_allowed


@njit(**FAST)
def pad(pixels, allowed, texture_scale, penalty):
    """The field of a level: its pixels, repeated beyond the edge, and `penalty` where no source is."""
    height, width = allowed.shape
    field = np.zeros((height + 2 * RADIUS, (width + 2 * RADIUS) * CHANNELS), np.float32)
    for row in range(height + 2 * RADIUS):
        y = min(max(row - RADIUS, 0), height - 1)
        for column in range(width + 2 * RADIUS):
            x = min(max(column - RADIUS, 0), width - 1)
            at = column * CHANNELS
            for c in range(FEATURES):
                field[row, at + c] = pixels[y, x, c] * (texture_scale if c >= COLOURS else np.float32(1))
            if row != y + RADIUS or column != x + RADIUS or allowed[y, x] == 0:
                field[row, at + PENALTY] = penalty
    return field


@njit(**FAST)
def patch_sum(values):
    """Sum over the patch around each pixel; what lies beyond the edge counts nothing. float32, H x W."""
    height, width = values.shape
    result = np.empty((height, width), np.float32)
    columns = np.empty(width, np.float32)
    for y in range(height):
        columns[:] = 0
        for i in range(max(y - RADIUS, 0), min(y + RADIUS + 1, height)):
            for x in range(width):
                columns[x] += values[i, x]
        for x in range(width):
            total = np.float32(0)
            for k in range(max(x - RADIUS, 0), min(x + RADIUS + 1, width)):
                total += columns[k]
            result[y, x] = total
    return result


@njit(**FAST)
def depth(hole):
    """Distance from each pixel of the hole to the nearest other pixel, px; a chamfer of 1 and sqrt 2."""
    height, width = hole.shape
    result = np.zeros((height, width), np.float32)
    for backward in range(2):
        step = -1 if backward else 1
        for row in range(height):
            y = height - 1 - row if backward else row
            for column in range(width):
                x = width - 1 - column if backward else column
                if hole[y, x] == 0:
                    continue
                nearest = result[y, x] if backward else np.float32(1e6)
                if 0 <= x - step < width:
                    nearest = min(nearest, result[y, x - step] + 1)
                if 0 <= y - step < height:
                    nearest = min(nearest, result[y - step, x] + 1)
                    if x > 0:
                        nearest = min(nearest, result[y - step, x - 1] + _ROOT_2)
                    if x + 1 < width:
                        nearest = min(nearest, result[y - step, x + 1] + _ROOT_2)
                result[y, x] = nearest
    return result


@njit(**FAST)
def membrane(field, hole, rounds):
    """Fill the hole's features harmonically, by successive over-relaxation in scan order."""
    height, width = hole.shape
    over = np.float32(1.8)
    for number in range(rounds):
        for row in range(height):
            y = row if number % 2 == 0 else height - 1 - row
            for column in range(width):
                x = column if number % 2 == 0 else width - 1 - column
                if hole[y, x] == 0:
                    continue
                up, down, left, right = y > 0, y + 1 < height, x > 0, x + 1 < width
                count = np.float32(up + down + left + right)
                for c in range(FEATURES):
                    at = (x + RADIUS) * CHANNELS + c
                    total = np.float32(0)
                    if up:
                        total += field[y + RADIUS - 1, at]
                    if down:
                        total += field[y + RADIUS + 1, at]
                    if left:
                        total += field[y + RADIUS, at - CHANNELS]
                    if right:
                        total += field[y + RADIUS, at + CHANNELS]
                    if count > 0:
                        field[y + RADIUS, at] += over * (total / count - field[y + RADIUS, at])
