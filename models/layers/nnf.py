"""Compiled kernels of the nearest-neighbour field (Barnes 2009, "PatchMatch").

Words that all kernels of the completion share. The *field* is a picture with its features: float32,
(H + 2R) x (W + 2R) C, C interleaved channels per pixel, R pixels of padding on each side; the channels
are named in `levels`. A *target* is a pixel whose patch touches the hole. `match` (int32, H x W x 2) holds
row and column of the centre of the source patch that each target found, `cost` (float32, H x W) how far
that patch is, per unit of weight.

Below and to the right of the picture a field may have more to take patches from (see `atlas`): what is said
of sources is then Y x X, with Y >= H and X >= W, and so is the field; what is said of targets is H x W still.

Kernels release the GIL and work on a strip of rows, so that threads can share a picture. What a strip
yields depends on what was there before the sweep, never on which strip ran first.
"""

# mypy: allow-untyped-defs
# (numba infers the types of the kernels; their docstrings name them.)
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

# Numba freezes these into the code that it keeps on disk, and looks at a file's own date only. So `levels`
# and `blend` have literals of their own: changing one means editing all three. `completion` checks them.
RADIUS = 3
CHANNELS = 6

SIDE = 2 * RADIUS + 1
ROW = SIDE * CHANNELS
PENALTY = CHANNELS - 1  # the channel that tells source pixels which must not be used

FAST: Any = {"nogil": True, "cache": True, "fastmath": True}
_INFINITE = np.float32(3e38)


@njit(**FAST)
def search(
    field, weight, mass, target, eligible, sources, match, cost, edge, near, foreign, cling,
    reach, seed, backward, top, bottom,
):  # fmt: skip
    """One sweep over the targets of rows top to bottom: propagation and random search.

    Barnes 2009, section 3.2. Matches of neighbours in the scan order (or against it) are tried, then
    draws around the best match from windows that halve from `reach` down to 1, then one draw from all
    sources.

    The distance of two patches is the weighted mean of squared differences. Added to it are `near`
    times the distance between target and source in picture diagonals, so that of two equally good
    patches the near one is taken (what lies outside of the picture is `foreign` px away); and `cling`
    for a match that continues no neighbour's, so that the fill becomes a few large pieces, not a mosaic.

    Args:
        field, match, cost: see the module; match and cost are updated.
        weight: float32, padded like the picture; what a target pixel counts in the distance.
        mass: float32, H x W; sum of the weights of a patch.
        target: uint8, H x W; pixels to match.
        eligible: uint8, Y x X; pixels that may be matches.
        sources: int32; positions y * X + x of eligible pixels, to draw from.
        edge: int32, W x 2; the matches, before this sweep, of the row that the scan comes from.
    """
    height, width = target.shape
    deep, wide = eligible.shape
    patch = np.empty((SIDE, ROW), np.float32)
    weights = np.empty((SIDE, ROW), np.float32)
    state = _random_state(seed, top)
    step = -1 if backward else 1
    lean = near / np.float32(math.hypot(height, width))
    for row in range(bottom - top):
        y = bottom - 1 - row if backward else top + row
        for column in range(width):
            x = width - 1 - column if backward else column
            if target[y, x] == 0:
                continue
            _gather(field, weight, y, x, patch, weights)
            share = mass[y, x]
            apart = cling * share
            best_y, best_x = match[y, x, 0], match[y, x, 1]
            best = share * lean * _away(y, x, best_y, best_x, height, width, foreign)
            best += _distance(field, best_y, best_x, patch, weights, _INFINITE) + apart
            alone = True
            for vertical in range(2):
                ny = y - step if vertical else y
                nx = x if vertical else x - step
                if ny < 0 or ny >= height or nx < 0 or nx >= width or target[ny, nx] == 0:
                    continue
                if top <= ny < bottom:
                    sy, sx = match[ny, nx, 0] + y - ny, match[ny, nx, 1] + x - nx
                else:
                    sy, sx = edge[nx, 0] + y - ny, edge[nx, 1] + x - nx
                if sy == best_y and sx == best_x:
                    if alone:
                        best -= apart
                        alone = False
                    continue
                if sy < 0 or sy >= deep or sx < 0 or sx >= wide or eligible[sy, sx] == 0:
                    continue
                price = share * lean * _away(y, x, sy, sx, height, width, foreign)
                if price < best:
                    price += _distance(field, sy, sx, patch, weights, best - price)
                    if price < best:
                        best, best_y, best_x, alone = price, sy, sx, False
            window = reach
            while window >= 0:
                if window:
                    low_y, low_x = max(best_y - window, 0), max(best_x - window, 0)
                    state = _next_random(state)
                    sy = low_y + (state >> 4) % (min(best_y + window, deep - 1) - low_y + 1)
                    state = _next_random(state)
                    sx = low_x + (state >> 4) % (min(best_x + window, wide - 1) - low_x + 1)
                    window >>= 1
                else:
                    state = _next_random(state)
                    drawn = sources[(state >> 4) % len(sources)]
                    sy, sx = drawn // wide, drawn % wide
                    window = -1
                if eligible[sy, sx] == 0 or (sy == best_y and sx == best_x):
                    continue
                price = apart + share * lean * _away(y, x, sy, sx, height, width, foreign)
                if price < best:
                    price += _distance(field, sy, sx, patch, weights, best - price)
                    if price < best:
                        best, best_y, best_x, alone = price, sy, sx, True
            match[y, x, 0], match[y, x, 1] = best_y, best_x
            cost[y, x] = max(best - apart if alone else best, np.float32(0)) / share


@njit(**FAST)
def carry(coarse, target, eligible, sources, match, seed):
    """Matches of a level from those of the next coarser one, twice as far; drawn anew where that fails."""
    height, width = target.shape
    deep, wide = eligible.shape
    state = _random_state(seed, 0)
    for y in range(height):
        for x in range(width):
            if target[y, x] == 0:
                continue
            sy = 2 * coarse[y // 2, x // 2, 0] + y % 2
            sx = 2 * coarse[y // 2, x // 2, 1] + x % 2
            if sy < 0 or sy >= deep or sx < 0 or sx >= wide or eligible[sy, sx] == 0:
                state = _next_random(state)
                drawn = sources[(state >> 4) % len(sources)]
                sy, sx = drawn // wide, drawn % wide
            match[y, x, 0], match[y, x, 1] = sy, sx


@njit(**FAST)
def draw(target, eligible, sources, match, seed):
    """Give every target a random match."""
    height, width = target.shape
    wide = eligible.shape[1]
    state = _random_state(seed, 1)
    for y in range(height):
        for x in range(width):
            if target[y, x]:
                state = _next_random(state)
                drawn = sources[(state >> 4) % len(sources)]
                match[y, x, 0], match[y, x, 1] = drawn // wide, drawn % wide


@njit(**FAST)
def _gather(field, weight, y, x, patch, weights):
    """Copy a target's patch and its weights, once per channel, to where they are read again and again."""
    for i in range(SIDE):
        row, to = field[y + i, x * CHANNELS : x * CHANNELS + ROW], patch[i]
        for k in range(ROW):
            to[k] = row[k]
        weight_row, weight_to = weight[y + i, x : x + SIDE], weights[i]
        for k in range(SIDE):
            to[k * CHANNELS + PENALTY] = 0
            for c in range(CHANNELS):
                weight_to[k * CHANNELS + c] = weight_row[k]


@njit(**FAST)
def _distance(field, y, x, patch, weights, bound):
    """Weighted sum of squared differences to the patch around y, x; given up row by row above `bound`."""
    total = np.float32(0)
    for i in range(SIDE):
        # Slices of a length known to the compiler: it turns the loop into vector instructions.
        row, own, weight = field[y + i, x * CHANNELS : x * CHANNELS + ROW], patch[i], weights[i]
        part = np.float32(0)
        for k in range(ROW):
            difference = own[k] - row[k]
            part += weight[k] * difference * difference
        total += part
        if total > bound:
            break
    return total


@njit(**FAST)
def _away(y, x, sy, sx, height, width, foreign):
    if sy >= height or sx >= width:
        return foreign
    return np.float32(math.sqrt((sy - y) * (sy - y) + (sx - x) * (sx - x)))


@njit(**FAST)
def _random_state(seed, stream):
    """A well mixed state, not zero, for one of many streams of a seed."""
    state = (seed * 2654435761 + stream * 40503 + 1) & 0xFFFFFFFF
    state ^= state >> 16
    state = (state * 73244475) & 0xFFFFFFFF
    state ^= state >> 16
    return state | 1


@njit(**FAST)
def _next_random(state):
    """One step of xorshift (Marsaglia 2003, 13-17-5), 32 bits kept in an int64."""
    state ^= (state << 13) & 0xFFFFFFFF
    state ^= state >> 17
    state ^= (state << 5) & 0xFFFFFFFF
    return state
