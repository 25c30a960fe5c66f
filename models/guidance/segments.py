"""Compiled kernels that divide a picture into parts of one colour."""

# mypy: allow-untyped-defs
# (numba infers the types of the kernels; their docstrings name them.)
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

FAST: Any = {"nogil": True, "cache": True}


def segments(image: np.ndarray, contrast: float, least: int) -> np.ndarray:
    """The parts of a picture: neighbours are joined, the most alike first, until parts differ.

    Felzenszwalb and Huttenlocher 2004, "Efficient graph-based image segmentation", section 4.

    Args:
        image: float32 H x W x 3 in [0, 1].
        contrast: a part of n pixels lets in what differs by contrast / n more than its own pixels do.
        least: smaller parts are joined to the neighbour that is most alike, px.

    Returns:
        int64 H x W, numbers from 0 on.
    """
    height, width = image.shape[:2]
    number = np.arange(height * width, dtype=np.int32).reshape(height, width)
    firsts, seconds, weights = [], [], []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, height - down), slice(max(0, -right), width - max(0, right)))
        there = (slice(down, height), slice(max(0, right), width + min(0, right)))
        firsts.append(number[here].ravel())
        seconds.append(number[there].ravel())
        weights.append(np.sqrt(((image[here] - image[there]) ** 2).sum(2)).ravel())
    weight = np.concatenate(weights)
    order = np.argsort(weight, kind="stable")
    root = _join(
        np.concatenate(firsts)[order],
        np.concatenate(seconds)[order],
        weight[order],
        number.size,
        float(contrast),
        least,
    )
    return np.unique(root, return_inverse=True)[1].reshape(height, width)


@njit(**FAST)
def bilateral(image, near, alike):
    """Smooth within what is alike.

    Tomasi and Manduchi 1998, "Bilateral filtering for gray and color images".

    Args:
        image: float32 H x W x 3.
        near, alike: deviations of the weights in place (px) and colour.

    Returns:
        float32 H x W x 3.
    """
    height, width = image.shape[:2]
    reach = math.ceil(2 * near)
    place = np.empty(reach + 1, dtype=np.float32)
    for distance in range(reach + 1):
        place[distance] = math.exp(-(distance**2) / (2 * near * near))
    result = np.empty_like(image)
    scale = np.float32(-1 / (2 * alike * alike))
    for y in range(height):
        for x in range(width):
            total = red = green = blue = np.float32(0)
            for row in range(max(0, y - reach), min(height, y + reach + 1)):
                for column in range(max(0, x - reach), min(width, x + reach + 1)):
                    r = image[row, column, 0] - image[y, x, 0]
                    g = image[row, column, 1] - image[y, x, 1]
                    b = image[row, column, 2] - image[y, x, 2]
                    weight = (
                        place[abs(row - y)]
                        * place[abs(column - x)]
                        * math.exp((r * r + g * g + b * b) * scale)
                    )
                    total += weight
                    red += weight * image[row, column, 0]
                    green += weight * image[row, column, 1]
                    blue += weight * image[row, column, 2]
            result[y, x, 0], result[y, x, 1], result[y, x, 2] = red / total, green / total, blue / total
    return result


@njit(**FAST)
def _join(first, second, weight, count, contrast, least):
    """The number of the part of each of `count` pixels; edges come in order of their weight."""
    parent = np.arange(count)
    size = np.ones(count, dtype=np.int64)
    limit = np.full(count, contrast)
    for edge in range(len(weight)):
        a, b = _root(parent, first[edge]), _root(parent, second[edge])
        if a != b and weight[edge] <= limit[a] and weight[edge] <= limit[b]:
            parent[b] = a
            size[a] += size[b]
            limit[a] = weight[edge] + contrast / size[a]
    for edge in range(len(weight)):
        a, b = _root(parent, first[edge]), _root(parent, second[edge])
        if a != b and (size[a] < least or size[b] < least):
            parent[b] = a
            size[a] += size[b]
    for pixel in range(count):
        parent[pixel] = _root(parent, pixel)
    return parent


@njit(**FAST)
def _root(parent, pixel):
    while parent[pixel] != pixel:
        parent[pixel] = parent[parent[pixel]]
        pixel = parent[pixel]
    return pixel
