"""Completion with patches that are turned, mirrored or scaled: the sources are an atlas of pages."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np

from ..base import Cancel, Progress
from . import levels
from .atlas import Way, atlas
from .completion import (
    GUESSED,
    LONGEST,
    REFINED_LEVELS,
    SMALLEST,
    Completion,
    Level,
    Pyramid,
    colours_of,
    described,
)


class TurnedCompletion(Completion):
    """Fills one hole; made for one call."""

    def __init__(
        self, pool: Executor, seed: int, progress: Progress, cancel: Cancel, wanted: list[Way]
    ) -> None:
        """
        Args:
            pool, seed, progress, cancel: as of `Completion`.
            wanted: the ways that patches may come in, beside the plain one.
        """
        super().__init__(pool, seed, progress, cancel)
        self._wanted = wanted
        self._sizes: list[tuple[int, int]] = []  # of the picture, on every level

    def run(self, image: np.ndarray, hole: np.ndarray, allowed: np.ndarray, guided: bool) -> np.ndarray:
        self._progress(0.0, "turning")
        self._sizes = _sizes(*hole.shape)[: REFINED_LEVELS if guided else None]
        step = 1 << (len(self._sizes) - 1)

        def pixels(image: np.ndarray, known: np.ndarray) -> np.ndarray:
            self._check()
            return described(image, known)

        pyramid = self._pyramid(*atlas(image, hole, allowed, self._wanted, step, pixels), len(self._sizes))
        level = self._descend(pyramid, image if guided else None)
        self._finish(level)
        colours = colours_of(level.field)[: hole.shape[0], : hole.shape[1]]
        return np.clip(colours, 0, 1).transpose(2, 0, 1)

    def _level(self, pyramid: Pyramid) -> Level:
        """The coarsest level that is left; what it says of targets is of the picture alone."""
        level = super()._level(pyramid)
        height, width = self._sizes[len(pyramid)]
        level.hole = np.ascontiguousarray(level.hole[:height, :width])
        level.target = (levels.patch_sum(level.hole.astype(np.float32)) > 0).astype(np.uint8)
        level.match = np.full((height, width, 2), -1, np.int32)
        level.cost = np.zeros((height, width), np.float32)
        level.weigh(np.where(level.hole > 0, GUESSED, np.float32(1)))
        return level


def enlarged_fill(
    make: Callable[[], TurnedCompletion], image: np.ndarray, hole: np.ndarray, allowed: np.ndarray, most: int
) -> np.ndarray | None:
    """A fill of a picture that is too large, made on a smaller scale: a guess for a refinement.

    Args:
        make: gives a completion.
        image, hole, allowed: as for `Completion.run`.
        most: pixels that are not too many.

    Returns:
        float32, 3 x H x W; None where nothing is left of the hole on that scale.
    """
    level = np.ascontiguousarray(image.transpose(1, 2, 0), dtype=np.float32), 1 - hole, allowed
    sizes = []
    while level[1].size > most:
        sizes.append(level[1].shape)
        smaller = levels.halve(*level, 2)
        level = smaller if smaller[2].any() else levels.halve(*level, 1)
    pixels, known, usable = level
    if known.all():
        return None
    filled = make().run(pixels.transpose(2, 0, 1), 1 - known, usable, False)
    for height, width in reversed(sizes):
        filled = filled.repeat(2, 1)[:, :height].repeat(2, 2)[:, :, :width]
    return np.where(hole > 0, filled, image)


def _sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Of a picture's levels, the finest first; as `Completion` halves it."""
    sizes = [(height, width)]
    while min(sizes[-1]) >= 2 * SMALLEST or max(sizes[-1]) > LONGEST:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes
