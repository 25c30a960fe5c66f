"""What one tile of a large picture is matched on; for `large`.

A *sheet* is a small picture. At its top left is the tile with its surroundings, where all targets lie;
beneath are square *cells* of the large picture, where all sources lie, each with a rim of what is around it
there. The outer half of a rim is closed as a source, so that no patch reaches over two cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from . import levels, nnf
from .blocks import Box
from .completion import FEW, GUESSED, TEXTURE_RADIUS, TEXTURE_SCALE, Level, colours_of, described

CELL = 64  # px
RIM = 2 * nnf.RADIUS  # px around a cell; half of it for whole patches
MOST, LEAST = 320, 24  # cells of a sheet, if the picture has as many
STRIP = 256  # rows that are halved at once

_BLOCK = CELL + 2 * RIM
_SEEN = TEXTURE_RADIUS + 1  # px; what lies farther away has no influence on a pixel's texture


@dataclass
class Scale:
    """The picture at one scale.

    Attributes:
        left, allowed: uint8, H x W; pixels that are still to be filled, and sources.
        image: float32, 3 x H x W; at full size only, where texture is found as it is needed.
        pixels: float32, H x W x 5, see `levels`; at smaller sizes only.
    """

    left: np.ndarray
    allowed: np.ndarray
    image: np.ndarray | None = None
    pixels: np.ndarray | None = None

    @cached_property
    def supply(self) -> np.ndarray:
        """How many sources there are in each cell, by rows."""
        rows, columns = (np.arange(0, side, CELL) for side in self.allowed.shape)
        across = np.add.reduceat(self.allowed, columns, axis=1, dtype=np.int32)
        return np.add.reduceat(across, rows, axis=0).ravel()

    def part(self, box: Box) -> np.ndarray:
        """A box of pixels, float32, h x w x 5; those that are not known mean nothing."""
        if self.pixels is not None:
            return np.ascontiguousarray(self.pixels[box])
        assert self.image is not None
        wider = enlarged(box, _SEEN, self.left.shape)
        pixels = described(self.image[(slice(None), *wider)], 1 - self.left[wider])
        return np.ascontiguousarray(pixels[within(box, wider)])

    def put(self, box: Box, level: Level, place: Box) -> None:
        """Take what a level has at a place in it for those pixels of a box that are left to be filled."""
        where = self.left[box][..., None] > 0
        if self.image is not None:
            target = self.image[(slice(None), *box)].transpose(1, 2, 0)
            np.copyto(target, np.clip(colours_of(level.field)[place], 0, 1), where=where)
        else:
            assert self.pixels is not None
            np.copyto(self.pixels[box], _features(level.field)[place], where=where)
        self.left[box] = 0

    def halved(self, check: Callable[[], None]) -> Scale:
        """The picture at half the size; `check` is called now and then, and may raise."""
        for needed in (2, 1):
            smaller = self._halved(needed, check)
            if np.count_nonzero(smaller.allowed) >= FEW:
                break
        return smaller

    def _halved(self, needed: int, check: Callable[[], None]) -> Scale:
        height, width = ((side + 1) // 2 for side in self.left.shape)
        pixels = np.empty((height, width, levels.FEATURES), np.float32)
        known, allowed = np.empty((height, width), np.uint8), np.empty((height, width), np.uint8)
        for rows in strips(self.left.shape[0]):
            check()
            half = slice(rows.start // 2, (rows.stop + 1) // 2)
            strip = self.part((rows, slice(0, self.left.shape[1])))
            pixels[half], known[half], allowed[half] = levels.halve(
                strip, 1 - self.left[rows], self.allowed[rows], needed
            )
        return Scale(1 - known, allowed, pixels=pixels)


class Matches:
    """The matches of a scale, of that part of it which has any.

    Attributes:
        match: int32, h x w x 2; rows and columns in the scale, -1 where there is no match.
        box: the part.
    """

    def __init__(self, match: np.ndarray, box: Box) -> None:
        self.match, self.box = match, box

    @classmethod
    def of(cls, match: np.ndarray, hole: np.ndarray) -> Matches:
        """Those around a hole, copied out of a field of the whole scale."""
        box = _around(hole)
        return cls(match[box].copy(), box)

    @classmethod
    def none(cls, hole: np.ndarray) -> Matches:
        """Room for those around a hole."""
        box = _around(hole)
        return cls(np.full((*_size(box), 2), -1, np.int32), box)

    def put(self, box: Box, match: np.ndarray) -> None:
        """Take over matches, h x w x 2, of a box of the scale; where they are -1, what there was stays."""
        rows, columns = (
            slice(max(side.start, own.start), min(side.stop, own.stop))
            for side, own in zip(box, self.box, strict=True)
        )
        common = rows, columns
        found = match[within(common, box)]
        np.copyto(self.match[within(common, self.box)], found, where=found >= 0)

    def carried(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Where pixels of the next finer scale find theirs, int32, n x 2; negative where that is unknown."""
        rows, columns = self.box
        coarse = self.match[
            np.clip(y // 2, rows.start, rows.stop - 1) - rows.start,
            np.clip(x // 2, columns.start, columns.stop - 1) - columns.start,
        ]
        return np.where(coarse < 0, np.int32(-1), 2 * coarse + np.stack([y % 2, x % 2], 1).astype(np.int32))


class Sheet:
    """A tile, and what it is filled from."""

    def __init__(self, scale: Scale, box: Box, coarser: Matches, seed: int) -> None:
        """
        Args:
            scale: the picture.
            box: the tile with its surroundings, within the picture; some of it is left to be filled.
            coarser: what was found at the next coarser scale.
            seed: for matches that are drawn, where none can be carried.
        """
        self._scale, self._box, self._seed = scale, box, seed
        self._hole = np.ascontiguousarray(scale.left[box])
        self._target = levels.patch_sum(self._hole.astype(np.float32)) > 0
        y, x = np.nonzero(self._target)
        self._matches = coarser.carried(y + box[0].start, x + box[1].start)
        inside = (self._matches >= 0).all(1) & (self._matches < scale.left.shape).all(1)
        self._grid = tuple(-(-side // CELL) for side in scale.left.shape)
        numbers = self._matches[:, 0] // CELL * self._grid[1] + self._matches[:, 1] // CELL
        self._numbers = np.where(inside, numbers, -1)
        self._cells = self._choose()
        self._across = max(1, self._hole.shape[1] // _BLOCK)
        self._top = self._hole.shape[0]

    def _choose(self) -> np.ndarray:
        """The numbers of the cells to be had: those that most matches lead to, or else what is near."""
        supply = self._scale.supply
        wanted = np.bincount(self._numbers[self._numbers >= 0], minlength=supply.size)
        middle = [(side.start + side.stop) / 2 / CELL - 0.5 for side in self._box]
        y, x = np.divmod(np.arange(supply.size), self._grid[1])
        away = (y - middle[0]) ** 2 + (x - middle[1]) ** 2
        order = np.lexsort((away, -wanted))
        order = order[supply[order] > 0]
        count = min(MOST, max(LEAST, np.count_nonzero(wanted[order])))
        return np.sort(order[:count])

    def pyramid(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Pixels, known and allowed of the sheet, as a pyramid of one level."""
        height, width = self._hole.shape
        down = -(-len(self._cells) // self._across)
        shape = (self._top + down * _BLOCK, max(width, self._across * _BLOCK))
        pixels = np.zeros((*shape, levels.FEATURES), np.float32)
        known, allowed = np.ones(shape, np.uint8), np.zeros(shape, np.uint8)
        pixels[:height, :width] = self._scale.part(self._box)
        known[:height, :width] = 1 - self._hole
        for slot, number in enumerate(self._cells):
            y, x = divmod(int(number), self._grid[1])
            cell = slice(y * CELL, (y + 1) * CELL), slice(x * CELL, (x + 1) * CELL)
            place = self._place(slot)
            for reach, target in ((RIM, pixels), (nnf.RADIUS, allowed)):
                around = enlarged(cell, reach, self._scale.left.shape)
                to = tuple(
                    slice(corner + part.start - side.start, corner + part.stop - side.start)
                    for corner, part, side in zip(place, around, cell, strict=True)
                )
                target[to] = self._scale.part(around) if target is pixels else self._scale.allowed[around]
        return [(pixels, known, allowed)]

    def _place(self, slot: int) -> tuple[int, int]:
        """Row and column on the sheet where a cell begins, its rim not counted."""
        down, across = divmod(slot, self._across)
        return self._top + down * _BLOCK + RIM, across * _BLOCK + RIM

    def prepare(self, level: Level) -> None:
        """Say that nothing but the tile is to be matched, and begin where the coarser matches lead."""
        level.hole = self._hole
        level.target = self._target.astype(np.uint8)
        level.match = np.full((*self._hole.shape, 2), -1, np.int32)
        level.cost = np.zeros(self._hole.shape, np.float32)
        level.weigh(np.where(self._hole > 0, GUESSED, np.float32(1)))
        slot = np.minimum(np.searchsorted(self._cells, self._numbers), len(self._cells) - 1)
        down, across = np.divmod(slot, self._across)
        y = self._top + down * _BLOCK + RIM + self._matches[:, 0] % CELL
        x = across * _BLOCK + RIM + self._matches[:, 1] % CELL
        good = (self._cells[slot] == self._numbers) & (level.eligible[y, x] > 0)
        drawn = np.random.default_rng(self._seed).choice(level.sources, len(y))
        columns = level.eligible.shape[1]
        level.match[self._target] = np.stack(
            [np.where(good, y, drawn // columns), np.where(good, x, drawn % columns)], 1
        )

    def put(self, level: Level, block: Box, matches: Matches | None) -> None:
        """Hand back what was found.

        Args:
            level: of this sheet.
            block: the tile.
            matches: of the scale; takes those of the tile and its surroundings.
        """
        if matches is not None:
            matches.put(self._box, self._in_picture(level.match))
        self._scale.put(block, level, within(block, self._box))

    def _in_picture(self, match: np.ndarray) -> np.ndarray:
        """Matches on the sheet as such in the picture."""
        down, y = np.divmod(match[..., 0] - self._top, _BLOCK)
        across, x = np.divmod(match[..., 1], _BLOCK)
        cell = self._cells[np.clip(down * self._across + across, 0, len(self._cells) - 1)]
        found = np.stack(
            [cell // self._grid[1] * CELL + y - RIM, cell % self._grid[1] * CELL + x - RIM], -1
        ).astype(np.int32)
        return np.where(match < 0, np.int32(-1), found)


def strips(height: int) -> Iterator[slice]:
    """Rows that can be halved apart."""
    for top in range(0, height, STRIP):
        yield slice(top, min(top + STRIP, height))


def clipped(box: Box, shape: tuple[int, ...]) -> Box:
    """What of a box lies within a picture."""
    rows, columns = (slice(side.start, min(side.stop, size)) for side, size in zip(box, shape, strict=True))
    return rows, columns


def enlarged(box: Box, reach: int, shape: tuple[int, ...]) -> Box:
    """A box with so much more on every side as the picture has."""
    rows, columns = (slice(max(side.start - reach, 0), side.stop + reach) for side in box)
    return clipped((rows, columns), shape)


def within(box: Box, outer: Box) -> Box:
    """A box as it lies in an array that shows `outer`."""
    rows, columns = (
        slice(side.start - out.start, side.stop - out.start) for side, out in zip(box, outer, strict=True)
    )
    return rows, columns


def _around(hole: np.ndarray) -> Box:
    """The box around a hole and the patches that touch it; any where there is none."""
    rows, columns = (np.flatnonzero(hole.any(axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0, 1), slice(0, 1)
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return enlarged(box, nnf.RADIUS, hole.shape)


def _size(box: Box) -> tuple[int, int]:
    return box[0].stop - box[0].start, box[1].stop - box[1].start


def _features(field: np.ndarray) -> np.ndarray:
    """The pixels of a field without its padding, H x W x 5, in the units of a level's pixels."""
    inner = slice(nnf.RADIUS, -nnf.RADIUS)
    pixels = field.reshape(len(field), -1, nnf.CHANNELS)[inner, inner, : levels.FEATURES].copy()
    pixels[..., levels.COLOURS :] /= TEXTURE_SCALE
    return pixels
