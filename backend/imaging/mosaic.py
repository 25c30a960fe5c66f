"""What the mosaics in a picture say of what they hide.

Whoever hid a part of a picture under a mosaic put the mean colour of every cell in its place. So the means
of what was there are known, and a fill has to have them, whatever model made it (see `mosaic_fill`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .convert import full
from .crop import Box
from .mask import components
from .mosaic_grid import Cells, Grid, best


@dataclass(frozen=True)
class Mosaic:
    """What the cells in one hole say.

    Attributes:
        box: where in the picture.
        cell: side of the cells, px.
        labels: int32, of the box's size: number of the cell that a pixel belongs to; -1 where there is
            nothing known (outside of the hole, or no even cell).
        values: float64, cells x C: mean colours, in [0, 1] for integer depths.
    """

    box: Box
    cell: int
    labels: np.ndarray
    values: np.ndarray


def under(
    image: np.ndarray, region: np.ndarray, left: int = 0, top: int = 0
) -> tuple[list[Mosaic], list[Box]]:
    """Look for mosaics in parts of a picture.

    Args:
        image: H x W or H x W x C, of any depth, without alpha or with it as C = 2 or 4.
        region: bool H x W; each connected part is looked at by itself.
        left, top: where `image` lies in the picture, whose JPEG blocks, if any, are counted from its corner;
            the boxes of what is found are the picture's.

    Returns:
        The mosaics that are certain, and the boxes of the parts without one.
    """
    levels = levels_of(image)
    mosaics, others = [], []
    for hole in components(region):
        own, box = levels[hole.box.slices], hole.box.moved(left, top)
        found = best(own, hole.inside, box)
        if found is None:
            others.append(box)
        else:
            mosaics.append(evidence(own, *found, box))
    return mosaics, others


def levels_of(image: np.ndarray) -> np.ndarray:
    """float32 H x W x (1 or 3), 0 to 255."""
    pixels = image[..., None] if image.ndim == 2 else image
    colours = pixels[..., : 3 if pixels.shape[2] > 2 else 1].astype(np.float32)
    colours *= np.float32(255 / full(image.dtype))
    return colours


def evidence(levels: np.ndarray, cells: Cells, grid: Grid, box: Box) -> Mosaic:
    """What the cells in a part of a picture say; `levels` is that part, `box` where it lies."""
    # Cells that lost all pixels keep no number.
    kept, places = np.unique(cells.labels, return_inverse=True)
    labels = places.reshape(cells.labels.shape).astype(np.int32) - np.int32(kept[0] < 0)
    return Mosaic(box, grid.cell, labels, means(levels.astype(np.float64) / 255, labels))


def means(planes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float64 cells x C: means of each cell's pixels."""
    inside = labels >= 0
    own = labels[inside]
    counts = np.maximum(np.bincount(own), 1)
    return np.stack([np.bincount(own, planes[inside, c]) / counts for c in range(planes.shape[2])], 1)


def difference(pixels: np.ndarray, mosaic: Mosaic) -> float:
    """By how much the mean of a cell differs from what the mosaic says, at most; in [0, 1].

    Args:
        pixels: h x w x C of the mosaic's box, of any depth, colours only.
    """
    if not len(mosaic.values):
        return 0.0
    planes = pixels.astype(np.float64) / full(pixels.dtype)
    return float(np.abs(means(planes, mosaic.labels) - mosaic.values).max())
