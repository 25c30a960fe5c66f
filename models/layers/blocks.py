"""A hole in blocks, for models whose memory must not grow with it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Box = tuple[slice, slice]


def blocks(hole: np.ndarray, side: int, reach: int) -> Iterator[tuple[Box, Box]]:
    """Boxes that together hold a hole, from the top left, and each with its surroundings.

    Args:
        hole: bool, H x W, not empty.
        side: the longest side of a box, px.
        reach: how far the surroundings go beyond it, px.

    Yields:
        Rows and columns of a box that has some of the hole in it, and of the same with its surroundings.
        Both may end beyond the picture, as slices may.
    """
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    for top in range(rows[0], rows[-1] + 1, side):
        for left in range(columns[0], columns[-1] + 1, side):
            box = slice(top, top + side), slice(left, left + side)
            if hole[box].any():
                high, wide = (slice(max(part.start - reach, 0), part.stop + reach) for part in box)
                yield box, (high, wide)
