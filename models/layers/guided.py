"""Completion that follows a guide: patches are compared by more than what the picture shows.

"Texture by numbers" (Hertzmann et al. 2001, "Image analogies", section 4.5): the picture and the hole both
have a guide, the hole's is drawn, and a patch that is copied has to fit the guide as well as the picture. So
the picture itself tells what a line means: an ink line where its lines are ink, an edge where they are edges.

The guide takes the place of the texture channels (see `levels`).
"""

from __future__ import annotations

from abc import abstractmethod
from concurrent.futures import Executor

import numpy as np
from scipy import ndimage

from ..base import Cancel, Progress
from . import levels, nnf
from .completion import Completion, Level, Pyramid, colours_of

LINE, TINT = np.float32(1.2), np.float32(0.7)  # what the two channels count against colours
BESIDE = 1.5  # px of every level; deviation over which a line is felt beside it
SOFT = 3.0  # px of every level; deviation over which the tint is taken
DRAWN = np.float32(0.1)  # weight in the distance of a hole's pixels that are near a line
NEAR = 0.3  # closeness from which a pixel is near a line


class GuidedCompletion(Completion):
    """Fills one hole by a guide; made for one call."""

    def __init__(
        self, pool: Executor, seed: int, progress: Progress, cancel: Cancel, guess: np.ndarray
    ) -> None:
        """
        Args:
            pool, seed, progress, cancel: as of `Completion`.
            guess: float32, 3 x H x W in [0, 1]; the picture, with smooth colours in the hole.
        """
        super().__init__(pool, seed, progress, cancel)
        self._guess = guess
        self._guides: list[np.ndarray] = []
        self._guide = np.empty(0, np.float32)
        self._fixed: list[np.ndarray] = []
        self._held = np.empty(0, bool)

    @abstractmethod
    def _guide_of(self, count: int) -> tuple[list[np.ndarray], np.ndarray]:
        """The guide.

        Args:
            count: of levels, each half as large as the one before.

        Returns:
            Of every level, the finest first, float32 H x W x 2; and where it counts on the finest, bool
            H x W: elsewhere in the hole it is voted like colours.
        """

    def follow(self, image: np.ndarray, hole: np.ndarray, allowed: np.ndarray) -> np.ndarray:
        """Fill the hole.

        Args:
            image: float32, 3 x H x W in [0, 1].
            hole, allowed: uint8, H x W; at least one pixel is allowed, none of them in the hole.

        Returns:
            float32, 3 x H x W, complete.
        """
        self._progress(0.0, "preparing")
        pixels = np.zeros((*hole.shape, levels.FEATURES), np.float32)
        np.copyto(pixels[..., : levels.COLOURS], image.transpose(1, 2, 0), where=hole[..., None] == 0)
        pyramid = self._pyramid(pixels, 1 - hole, allowed, 0)
        del pixels  # large
        self._guides, certain = self._guide_of(len(pyramid))
        self._fixed = held((hole == 0) | certain, len(pyramid))
        level = self._descend(pyramid, self._guess)
        self._finish(level)
        return np.clip(colours_of(level.field), 0, 1).transpose(2, 0, 1)

    def _iterations(self, number: int, guided: bool) -> int:
        return super()._iterations(number, False)  # from the coarsest level on, as without a guess

    def _level(self, pyramid: Pyramid) -> Level:
        self._guide, self._held = self._guides.pop(), self._fixed.pop()
        level = super()._level(pyramid)
        self._show(level)
        return level

    def _spread(self, level: Level) -> None:
        super()._spread(level)
        self._show(level)

    def _vote(self, level: Level) -> None:
        super()._vote(level)
        self._show(level)

    def _show(self, level: Level) -> None:
        """Write the guide into the field, padding and all."""
        field = level.field.reshape(len(level.field), -1, nnf.CHANNELS)
        around = (nnf.RADIUS, nnf.RADIUS)
        padded = np.pad(self._guide, (around, around, (0, 0)), "edge")
        where = np.pad(self._held, (around, around), constant_values=True)
        np.copyto(field[..., levels.COLOURS : levels.FEATURES], padded, where=where[..., None])


class DrawnCompletion(GuidedCompletion):
    """The guide is a drawing: lines, and tints."""

    def __init__(
        self,
        pool: Executor,
        seed: int,
        progress: Progress,
        cancel: Cancel,
        lines: np.ndarray,
        guess: np.ndarray,
        sure: np.ndarray | None = None,
    ) -> None:
        """
        Args:
            pool, seed, progress, cancel, guess: as of `GuidedCompletion`.
            lines: bool, H x W; those of the picture, and in the hole those that are drawn.
            sure: bool, H x W; where the hole's guide counts. None is everywhere.
        """
        super().__init__(pool, seed, progress, cancel, guess)
        self._lines = lines
        self._sure = np.ones_like(lines) if sure is None else sure

    def _guide_of(self, count: int) -> tuple[list[np.ndarray], np.ndarray]:
        return guides(self._lines, tint(self._guess), count), self._sure

    def _weight_of(self, level: Level) -> np.ndarray:
        near = (self._guide[..., 0] > NEAR * LINE) & (level.hole > 0) & self._held
        return np.where(near, DRAWN, super()._weight_of(level))


def guides(lines: np.ndarray, tints: np.ndarray, count: int) -> list[np.ndarray]:
    """The guide of every level, float32 H x W x 2: how close a line is, and the tint; the finest first.

    Args:
        lines: bool, H x W.
        tints: float32, H x W.
        count: of levels, each half as large as the one before.
    """
    found = []
    for _ in range(count):
        near = np.zeros(lines.shape)
        if lines.any():
            near = np.exp(-((ndimage.distance_transform_edt(~lines) / BESIDE) ** 2) / 2)
        soft = ndimage.gaussian_filter(tints, SOFT, mode="nearest")
        found.append(np.stack([LINE * near, TINT * soft], axis=2).astype(np.float32))
        tints, lines = fours(tints).mean(axis=(1, 3)), fours(lines).max(axis=(1, 3))
    return found


def held(certain: np.ndarray, count: int) -> list[np.ndarray]:
    """Where the guide of every level counts, bool H x W: where it does for half of its pixels."""
    found = []
    share = certain.astype(np.float32)
    for _ in range(count):
        found.append(share >= 0.5)
        share = fours(share).mean(axis=(1, 3))
    return found


def fours(plane: np.ndarray) -> np.ndarray:
    """A plane in squares of four pixels, h x 2 x w x 2; its border is repeated where sides are odd."""
    height, width = ((side + 1) // 2 for side in plane.shape)
    return np.pad(plane, [(0, side % 2) for side in plane.shape], "edge").reshape(height, 2, width, 2)


def tint(picture: np.ndarray) -> np.ndarray:
    """A picture's colours along the one direction in which they differ most, float32 H x W.

    Args:
        picture: float32, 3 x H x W.
    """
    return np.tensordot(principal(picture)[:, 0], picture, 1).astype(np.float32)


def principal(picture: np.ndarray) -> np.ndarray:
    """The directions in which a picture's colours differ, as columns, float64 3 x 3; the foremost first.

    Args:
        picture: float32, 3 x H x W.
    """
    flat = picture.reshape(3, -1).astype(np.float64)
    spread = np.cov(flat) if flat.shape[1] > 1 else np.eye(3)
    directions = np.linalg.eigh(spread)[1][:, ::-1]
    signs = np.sign(directions.sum(axis=0))  # eigenvectors have no sign of their own
    return directions * np.where(signs == 0, 1.0, signs)
