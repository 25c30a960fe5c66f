"""Completion of a picture whose levels would not fit into memory: on a smaller scale, then tile by tile.

The picture is halved until `completion` can take it in one piece. What that finds is carried to each finer
scale as there, but for one *tile* at a time. A tile is matched on a *sheet* (see there): a small picture of
the tile with its surroundings and of those parts of the large one to which the coarser matches lead. So
memory follows the tile, not the picture. Tiles are filled in turn; what has been filled is known to the next,
which is matched to it as to the picture itself, so that no border shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np

from ..base import Cancel, Progress
from . import levels
from .blocks import Box, blocks
from .completion import ITERATIONS, REFINED_LEVELS, SWEEPS, Completion
from .sheet import Matches, Scale, Sheet, clipped, strips

WHOLE = 12_500_000  # px; what is larger is completed in tiles
SIDE = 640  # px of a tile
AROUND = 48  # px around a tile: matched to what is known there; the rest is filled on trial, and again later
BLURRED = 200
"""px; the longer side of a refinement's coarsest level is at most this if the guess is blurred, as what was
enlarged much is. On finer levels its want of detail would show in the distance: smooth patches would fit it
best, the more so the farther from the hole's border."""

_ROUNDS = ITERATIONS[-1]


class LargeCompletion(Completion):
    """Fills one hole of a large picture; made for one call."""

    def __init__(
        self, pool: Executor, seed: int, progress: Progress, cancel: Cancel, sharp: bool = False
    ) -> None:
        """
        Args:
            pool, seed, progress, cancel: as of `Completion`.
            sharp: whether the guess, if there is one, has nearly the picture's detail.
        """
        super().__init__(pool, seed, self._tell, cancel)
        self._told = progress
        self._sharp = sharp
        self._begin, self._end = 0.0, 1.0  # of the progress: what is taken by that which is done now

    def run(self, image: np.ndarray, hole: np.ndarray, allowed: np.ndarray, guided: bool) -> np.ndarray:
        self._progress(0.0, "preparing")
        scales = [Scale(hole.copy(), allowed, image=image)]
        guess = image.transpose(1, 2, 0) if guided else None
        while scales[-1].left.size > WHOLE:
            scales.append(scales[-1].halved(self._check))
            guess = None if guess is None else _halved(guess, self._check)
        work = [float(np.count_nonzero(scale.left)) for scale in scales]
        work[-1] *= 2  # the coarsest has levels of its own
        done, total = work[-1], sum(work)
        self._end = done / total
        most = max(1, REFINED_LEVELS + 1 - len(scales))
        if not self._sharp:
            most = 1 + max(0, math.ceil(math.log2(max(scales[-1].left.shape) / BLURRED)))
        matches = self._coarse(scales.pop(), guess, most)
        del guess
        filled = scales[0].image = image.copy()  # as late as possible: it is large
        self._near = np.float32(0)  # how far apart things lie on a sheet means nothing
        while scales:
            scale = scales.pop()
            finer = Matches.none(scale.left) if scales else None
            for block, around in list(blocks(scale.left, SIDE, AROUND)) if scale.left.any() else ():
                block = clipped(block, scale.left.shape)
                self._begin, done = done / total, done + np.count_nonzero(scale.left[block])
                self._end = done / total
                self._tile(scale, block, clipped(around, scale.left.shape), matches, finer)
            matches = finer or matches
        return filled

    def _coarse(self, scale: Scale, guess: np.ndarray | None, most: int) -> Matches:
        """Complete the coarsest scale in one piece."""
        assert scale.pixels is not None
        pixels, scale.pixels = scale.pixels, None  # large: it is to be let go of when it is in the pyramid
        pyramid = self._pyramid(pixels, 1 - scale.left, scale.allowed, 0 if guess is None else most)
        del pixels
        level = self._descend(pyramid, None if guess is None else guess.transpose(2, 0, 1))
        return Matches.of(level.match, scale.left)

    def _tile(self, scale: Scale, block: Box, around: Box, coarser: Matches, finer: Matches | None) -> None:
        """Match a tile and its surroundings, and fill it.

        Args:
            scale: takes what the tile is filled with.
            block, around: the tile, and it with its surroundings.
            coarser: matches of the next coarser scale.
            finer: takes those that are found; None at full size, where none are needed any more.
        """
        self._check()
        sheet = Sheet(scale, around, coarser, self._next_seed())
        level = self._level(sheet.pyramid())
        sheet.prepare(level)
        self._vote(level)
        self._work_done, self._work = 0.0, float(_ROUNDS)
        for number in range(_ROUNDS):
            self._sweep(level, SWEEPS)
            if finer is not None or number < _ROUNDS - 1:
                self._vote(level)
            self._advance(1.0)
        if finer is None:
            self._finish(level)
        sheet.put(level, block, finer)

    def _tell(self, part: float, stage: str) -> None:
        self._told(self._begin + (self._end - self._begin) * part, stage)


def _halved(pixels: np.ndarray, check: Callable[[], None]) -> np.ndarray:
    """H x W x 3 at half the size, all of it known."""
    height, width = pixels.shape[:2]
    smaller = np.empty(((height + 1) // 2, (width + 1) // 2, 3), np.float32)
    for rows in strips(height):
        check()
        strip = np.ascontiguousarray(pixels[rows], dtype=np.float32)
        everywhere = np.ones(strip.shape[:2], np.uint8)
        smaller[rows.start // 2 : (rows.stop + 1) // 2] = levels.halve(strip, everywhere, everywhere, 2)[0]
    return smaller
