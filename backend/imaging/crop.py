"""Boxes, and which part of the picture belongs to which hole."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

JOB_PIXELS = 128 * 128
"""What starting one more job costs, in pixels of context that could be looked at meanwhile."""

ENOUGH_SOURCE = 64 * 64
"""A context should hold at least so many pixels to fill from, if the picture has them."""


class Box(NamedTuple):
    """A rectangle of pixels: left and top belong to it, right and bottom do not."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, for indexing the picture that the box lies in."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def enlarge(self, margin: int, height: int, width: int) -> Box:
        """The box with `margin` px more on every side, clipped to a picture of height x width."""
        return Box(
            max(0, self.left - margin),
            max(0, self.top - margin),
            min(width, self.right + margin),
            min(height, self.bottom + margin),
        )

    def moved(self, right: int, down: int) -> Box:
        """The box so many px further to the right, and down."""
        return Box(self.left + right, self.top + down, self.right + right, self.bottom + down)

    def union(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def meet(self, other: Box) -> Box | None:
        """What both have in common, or None."""
        common = Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )
        return common if common.width > 0 and common.height > 0 else None

    def within(self, outer: Box) -> tuple[slice, slice]:
        """Rows and columns of this box in an array that shows `outer`."""
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )


def margin(box: Box, minimum: int, factor: float, pixels: int = 0) -> int:
    """How far a model looks around a hole with that box, px.

    Args:
        box: the hole's, after growing and feathering, clipped to the picture.
        minimum, factor: of the model's card.
        pixels: what the user asked for; 0 leaves it to the card.

    Returns:
        `pixels`, or max(minimum, factor x the longer side), rounded up. It never falls when the box
        grows, so that the margin around several holes together contains that around each.
    """
    return pixels or max(minimum, math.ceil(factor * max(box.width, box.height)))


def group(contexts: Sequence[Box], max_pixels: int = 0) -> list[list[int]]:
    """Decide which holes are filled together.

    Holes are merged while their contexts overlap and one job on the box around them looks at no more
    pixels than one job each, a job's own cost included. So specks that lie close together share a job,
    neighbours that would feed on one another are filled as one, and holes far apart stay apart.

    Args:
        contexts: of each hole.
        max_pixels: no merged context becomes larger, so that merging never costs resolution; 0: any.

    Returns:
        Groups of indices, in the order of their first members.
    """
    members = [[index] for index in range(len(contexts))]
    boxes = np.array(contexts, dtype=np.int64).reshape(-1, 4)
    alive = np.ones(len(boxes), dtype=bool)
    merged = True
    while merged:
        merged = False
        for index in range(len(boxes)):
            while alive[index]:
                other = _best_partner(boxes, alive, index, max_pixels)
                if other is None:
                    break
                boxes[index, :2] = np.minimum(boxes[index, :2], boxes[other, :2])
                boxes[index, 2:] = np.maximum(boxes[index, 2:], boxes[other, 2:])
                members[index] += members[other]
                alive[other] = False
                merged = True
    return sorted(sorted(members[index]) for index in np.flatnonzero(alive))


def _best_partner(boxes: np.ndarray, alive: np.ndarray, index: int, max_pixels: int) -> int | None:
    low = np.minimum(boxes[:, :2], boxes[index, :2])
    high = np.maximum(boxes[:, 2:], boxes[index, 2:])
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    together = np.prod(high - low, axis=1)
    saved = areas + areas[index] + JOB_PIXELS - together
    apart = np.maximum(boxes[:, :2], boxes[index, :2]) >= np.minimum(boxes[:, 2:], boxes[index, 2:])
    saved[~alive | apart.any(axis=1)] = -1
    saved[index] = -1
    if max_pixels:
        saved[together > max_pixels] = -1
    best = int(np.argmax(saved))
    return best if saved[best] >= 0 else None


def reach_source(
    context: Box, wanted: int, usable: Callable[[Box], np.ndarray], height: int, width: int
) -> Box:
    """Enlarge a context until it contains enough of what the user wants it filled from.

    Args:
        context: to start from.
        wanted: pixels of source that are enough.
        usable: gives, for a box of the picture, bool h x w: the pixels that may be taken.
        height, width: of the picture.

    Returns:
        The box around the context and those pixels; the context where it has enough already. It does
        not depend on anything outside that box and outside the source.
    """
    whole = Box(0, 0, width, height)
    box = context
    while True:
        found = usable(box)
        if np.count_nonzero(found) >= wanted or box == whole:
            break
        box = box.enlarge(max(box.width, box.height, 1) // 2 + 1, height, width)
    rows = np.flatnonzero(found.any(axis=1))
    columns = np.flatnonzero(found.any(axis=0))
    if not len(rows) or box == context:
        return context
    return context.union(
        Box(
            box.left + int(columns[0]),
            box.top + int(rows[0]),
            box.left + int(columns[-1]) + 1,
            box.top + int(rows[-1]) + 1,
        )
    )
