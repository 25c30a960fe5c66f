"""Compiled kernels that turn a nearest-neighbour field into colours: voting, choosing, closing the seams.

See `nnf` for the words. Kernels that take `top` and `bottom` work on those rows only.
"""

# mypy: allow-untyped-defs
# (numba infers the types of the kernels; their docstrings name them.)
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

RADIUS = 3  # see `nnf`
CHANNELS = 6
COLOURS = 3
FEATURES = 5
LINK = COLOURS + 1  # of a link: the wanted difference of each colour, and how much it counts

FAST: Any = {"nogil": True, "cache": True, "fastmath": True}


@njit(**FAST)
def vote(field, hole, allowed, match, cost, mass, kernel, spread, top, bottom):
    """Give each pixel of the hole the weighted mean of what the patches over it propose.

    Wexler 2007, section 3.2: a proposal counts exp(-d / 2 s²) by its patch's distance d. Here s² is
    `spread` times the mean distance of the proposals (a fixed s either blurs texture or ignores all but
    one), and a patch counts by its `mass`: patches near the border know more than those deep inside.
    Texture features are voted like colours (Newson 2014, section 3.3), so that texture does not fade.

    Args:
        hole: uint8, H x W; pixels to write, all of them targets.
        allowed: uint8, Y x X; pixels that may be used.
        kernel: float32, SIDE x SIDE; weight of a patch by where the pixel lies in it.
    """
    height, width = hole.shape
    deep, wide = allowed.shape
    total = np.empty(FEATURES, np.float32)
    for y in range(top, bottom):
        for x in range(width):
            if hole[y, x] == 0:
                continue
            low_i, high_i = max(-RADIUS, -y), min(RADIUS, height - 1 - y) + 1
            low_k, high_k = max(-RADIUS, -x), min(RADIUS, width - 1 - x) + 1
            mean, count = np.float32(0), 0
            for i in range(low_i, high_i):
                for k in range(low_k, high_k):
                    if match[y + i, x + k, 0] >= 0:
                        mean += cost[y + i, x + k]
                        count += 1
            falloff = -1 / (2 * spread * mean / count + np.float32(1e-9))
            total[:] = 0
            weight = np.float32(0)
            for i in range(low_i, high_i):
                for k in range(low_k, high_k):
                    ty, tx = y + i, x + k
                    if match[ty, tx, 0] < 0:
                        continue
                    sy, sx = match[ty, tx, 0] - i, match[ty, tx, 1] - k
                    if sy < 0 or sy >= deep or sx < 0 or sx >= wide or allowed[sy, sx] == 0:
                        continue
                    w = kernel[i + RADIUS, k + RADIUS] * mass[ty, tx] * math.exp(cost[ty, tx] * falloff)
                    w += np.float32(1e-12)
                    at = (sx + RADIUS) * CHANNELS
                    for c in range(FEATURES):
                        total[c] += w * field[sy + RADIUS, at + c]
                    weight += w
            at = (x + RADIUS) * CHANNELS
            for c in range(FEATURES):
                field[y + RADIUS, at + c] = total[c] / weight


@njit(**FAST)
def choose(field, hole, allowed, match, cost, mass, kernel, origin, score, top, bottom):
    """Give each pixel of the hole the one pixel that the best patch over it proposes.

    The best patch has the least distance for its `mass` and `kernel`: the last word is not a mean, which
    would blur. `origin` (int32, H x W x 2) gets the position of that pixel, `score` how good it is; the
    colour is also kept behind the colours in the field, for `relax`.
    """
    height, width = hole.shape
    deep, wide = allowed.shape
    for y in range(top, bottom):
        for x in range(width):
            if hole[y, x] == 0:
                continue
            best = np.float32(-1)
            for i in range(max(-RADIUS, -y), min(RADIUS, height - 1 - y) + 1):
                for k in range(max(-RADIUS, -x), min(RADIUS, width - 1 - x) + 1):
                    ty, tx = y + i, x + k
                    sy, sx = match[ty, tx, 0] - i, match[ty, tx, 1] - k
                    if sy < 0 or sy >= deep or sx < 0 or sx >= wide or allowed[sy, sx] == 0:
                        continue
                    good = kernel[i + RADIUS, k + RADIUS] * mass[ty, tx] / (cost[ty, tx] + np.float32(1e-6))
                    if good > best:
                        best = good
                        origin[y, x, 0], origin[y, x, 1] = sy, sx
            score[y, x] = best
            at, source = (x + RADIUS) * CHANNELS, (origin[y, x, 1] + RADIUS) * CHANNELS
            for c in range(COLOURS):
                colour = field[origin[y, x, 0] + RADIUS, source + c]
                field[y + RADIUS, at + c] = colour
                field[y + RADIUS, at + COLOURS + c] = colour


@njit(**FAST)
def link(field, hole, allowed, origin, score, slot, links, tolerance, top, bottom):
    """Say for each pixel how it should differ from its right and its lower neighbour.

    As the sources differ: within a piece that was copied whole this changes nothing; across a seam the
    better of both sources says what the step is. Where the colours in place contradict that by an error e
    well above `tolerance`, the seam is an edge and stays one: its link counts 1 / (1 + (e / tolerance)²).

    Args:
        slot: int32, H x W; row of `links` of each target, -1 elsewhere.
        links: float32, n x 2 x LINK; written.
        tolerance: float32, H x W.
    """
    height, width = hole.shape
    deep, wide = allowed.shape
    for y in range(top, bottom):
        for x in range(width):
            if slot[y, x] < 0:
                continue
            for axis in range(2):
                dy, dx = axis, 1 - axis
                ny, nx = y + dy, x + dx
                out = links[slot[y, x], axis]
                out[:] = 0
                if ny >= height or nx >= width or (hole[y, x] == 0 and hole[ny, nx] == 0):
                    continue
                if hole[ny, nx] == 0 or (hole[y, x] and score[y, x] >= score[ny, nx]):
                    from_y, from_x = origin[y, x, 0], origin[y, x, 1]
                else:
                    from_y, from_x = origin[ny, nx, 0] - dy, origin[ny, nx, 1] - dx
                to_y, to_x = from_y + dy, from_x + dx
                if from_y < 0 or from_x < 0 or to_y >= deep or to_x >= wide:
                    continue
                if allowed[from_y, from_x] == 0 or allowed[to_y, to_x] == 0:
                    continue
                error = np.float32(0)
                for c in range(COLOURS):
                    out[c] = (
                        field[to_y + RADIUS, (to_x + RADIUS) * CHANNELS + c]
                        - field[from_y + RADIUS, (from_x + RADIUS) * CHANNELS + c]
                    )
                    there = field[ny + RADIUS, (nx + RADIUS) * CHANNELS + c]
                    error += (there - field[y + RADIUS, (x + RADIUS) * CHANNELS + c] - out[c]) ** 2
                out[COLOURS] = 1 / (1 + error / (tolerance[y, x] * tolerance[y, x]))


@njit(**FAST)
def relax(field, hole, slot, links, hold, over, parity, top, bottom):
    """Half a round of successive over-relaxation towards the linked differences.

    Minimises the squared errors of the links plus `hold` times the squared change of the colours: a
    screened Poisson equation (Perez 2003; Darabi 2012, section 4). Pixels with x + y of one `parity`
    see only those of the other, so the order of strips does not matter.
    """
    width = hole.shape[1]
    for y in range(top, bottom):
        for x in range((y + parity) % 2, width, 2):
            if hole[y, x] == 0:
                continue
            row, at = y + RADIUS, (x + RADIUS) * CHANNELS
            own = links[slot[y, x]]
            left = links[slot[y, x - 1], 0] if x > 0 else own[0]
            above = links[slot[y - 1, x], 1] if y > 0 else own[1]
            to_left = left[COLOURS] if x > 0 else np.float32(0)
            to_top = above[COLOURS] if y > 0 else np.float32(0)
            to_right, to_bottom = own[0, COLOURS], own[1, COLOURS]
            weight = hold + to_left + to_right + to_top + to_bottom
            for c in range(COLOURS):
                total = hold * field[row, at + COLOURS + c]
                total += to_left * (field[row, at - CHANNELS + c] + left[c])
                total += to_right * (field[row, at + CHANNELS + c] - own[0, c])
                total += to_top * (field[row - 1, at + c] + above[c])
                total += to_bottom * (field[row + 1, at + c] - own[1, c])
                field[row, at + c] += over * (total / weight - field[row, at + c])
