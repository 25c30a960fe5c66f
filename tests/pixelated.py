"""Parts of pictures hidden under a mosaic."""

from __future__ import annotations

import numpy as np


def pixelated(picture: np.ndarray, place: tuple[slice, slice], cell: int) -> np.ndarray:
    """A copy of H x W x C, of any whole-number depth, with a mosaic of whole cells at a place."""
    result, part = picture.copy(), picture[place].astype(float)
    rows, columns = part.shape[0] // cell, part.shape[1] // cell
    means = part.reshape(rows, cell, columns, cell, -1).mean((1, 3))
    result[place] = np.rint(means).repeat(cell, 0).repeat(cell, 1)
    return result
