"""Completion that follows a mosaic: the mean colours of cells are known of what is to be found.

Two things make the patches follow. Their guide (see `guided`) is what a picture looks like through cells of
that size: patches are taken from where the picture, seen as coarsely, has the colours of the cells. And after
every vote each cell gets its mean back, as a guess at a larger picture is held to the small one that is known
(back-projection; Irani and Peleg 1991, "Improving resolution by image registration").

What that is worth: `python -m tests.benchmarks.mosaics`.
"""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np
from scipy import ndimage

from ..base import Cancel, Progress
from .completion import Level, Pyramid, colours_of
from .guided import GuidedCompletion, fours, principal
from .membrane import membrane

GUIDE = np.float32(1)  # what the guide's channels count against colours
TOLD = np.float32(0.1)  # weight in the distance of a hole's pixels of which a mosaic tells
_SOFT = 0.5  # of a cell's side: deviation over which the steps between cells are smoothed
_REACH = 1.0  # of a cell's side; so far around its cells a mosaic tells something


class MosaicCompletion(GuidedCompletion):
    """Fills one hole, some or all of which is a mosaic; made for one call."""

    def __init__(
        self,
        pool: Executor,
        seed: int,
        progress: Progress,
        cancel: Cancel,
        image: np.ndarray,
        hole: np.ndarray,
        cells: np.ndarray,
    ) -> None:
        """
        Args:
            pool, seed, progress, cancel: as of `Completion`.
            image: float32, 3 x H x W in [0, 1]; in the cells of the hole, their colours.
            hole: bool, H x W.
            cells: int32, H x W; number of the cell that a pixel of the hole belongs to, -1 outside of
                them. At least one pixel belongs to one.
        """
        counts = np.bincount(cells[cells >= 0])
        self._side = float(np.sqrt(np.quantile(counts[counts > 0], 0.9)))  # cells at a rim may be cut
        blank = hole & (cells < 0)
        self._seen = membrane(np.where(blank, np.float32(0), image), blank) if blank.any() else image
        self._inside, self._cells = hole, cells
        self._means = np.stack([_means(plane[cells >= 0], cells[cells >= 0]) for plane in image], 1)
        self._numbers: list[np.ndarray] = []
        self._own = np.empty(0, np.int32)
        soft = [ndimage.gaussian_filter(plane, _SOFT * self._side, mode="nearest") for plane in self._seen]
        super().__init__(pool, seed, progress, cancel, np.where(hole, np.stack(soft), image))

    def _guide_of(self, count: int) -> tuple[list[np.ndarray], np.ndarray]:
        side = max(round(self._side), 1)
        directions = principal(self._seen)[:, :2].astype(np.float32)
        found = np.zeros((*self._inside.shape, 2), np.float32)
        for n in range(2):
            plane = np.tensordot(directions[:, n], self._seen, 1)
            # The hole's pixels are means of cells already; the picture's are made so.
            coarse = np.where(self._inside, plane, ndimage.uniform_filter(plane, side, mode="nearest"))
            found[..., n] = GUIDE * ndimage.gaussian_filter(coarse, _SOFT * self._side, mode="nearest")
        guides, numbers = [], self._cells
        for _ in range(count):
            guides.append(found)
            self._numbers.append(numbers)
            found = np.stack([fours(found[..., n]).mean(axis=(1, 3)) for n in range(2)], 2)
            numbers = numbers[::2, ::2]
        near = ndimage.distance_transform_edt(self._cells < 0) <= _REACH * self._side
        return guides, near

    def _level(self, pyramid: Pyramid) -> Level:
        self._own = self._numbers.pop()
        return super()._level(pyramid)

    def _weight_of(self, level: Level) -> np.ndarray:
        return np.where((level.hole > 0) & self._held, TOLD, super()._weight_of(level))

    def _vote(self, level: Level) -> None:
        super()._vote(level)
        height, width = level.hole.shape
        inside = (self._own >= 0) & (level.hole > 0)
        own = self._own[inside]
        colours = colours_of(level.field)[:height, :width]
        found = colours[inside]
        for n in range(found.shape[1]):
            missing = self._means[:, n] - _means(found[:, n], own, len(self._means))
            found[:, n] += missing[own].astype(np.float32)
        colours[inside] = found.clip(0, 1)


def _means(values: np.ndarray, own: np.ndarray, count: int = 0) -> np.ndarray:
    """float64: the mean of each cell; 0 of one that has no pixel.

    Args:
        values: of pixels.
        own: the cells that they belong to.
        count: of cells, at least.
    """
    pixels = np.bincount(own, minlength=count)
    return np.bincount(own, values, minlength=count) / np.maximum(pixels, 1)
