"""Which model fills which hole, where the user leaves the choice to us."""

from __future__ import annotations

import numpy as np

from .base import Card

THIN = 8.5  # px; up to this thickness `smooth` comes closer to the truth than `patchmatch`

_DEEPEST = 64  # px; what lies deeper counts as this deep
_STRIP = 1024  # rows

CARD = Card(
    name="auto",
    title="Automatic",
    sentence="Looks at every hole: closes scratches and wires smoothly, fills the rest by PatchMatch.",
    licence="MIT",
    good_at=("photo", "comic", "texture", "scratch"),
    takes_source=True,
    context_factor=1.0,  # at least what the models take that it chooses from
    context_minimum=128,
)


def choose(hole: np.ndarray) -> str:
    """The name of the model for one connected hole.

    Args:
        hole: bool, H x W, one connected region; its surroundings need not be there.
    """
    return "smooth" if thickness(hole) <= THIN else "patchmatch"


def thickness(hole: np.ndarray) -> float:
    """How thick a region is, px: the width of a stroke, the diameter of a disk, half a pixel more or less.

    A net of scratches is no thicker than its scratches, although their crossings are: 2 % of the pixels
    may lie deeper. Where a spot is more than twice as thick as that, half of its thickness counts. What
    lies beyond the array's edge is not hole.

    Args:
        hole: bool, H x W.

    Returns:
        At least 1, at most 128; 0 where there is no pixel.
    """
    from scipy import ndimage

    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    if not len(rows):
        return 0.0
    box = np.pad(hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    depths = []
    for top in range(0, len(box), _STRIP):  # to bound the memory of a hole that spans a large picture
        above = min(top, _DEEPEST)
        strip = box[top - above : top + _STRIP + _DEEPEST]
        depth = ndimage.distance_transform_edt(strip)[above : above + _STRIP]
        depths.append(depth[strip[above : above + _STRIP]].astype(np.float32))
    depth = np.minimum(np.concatenate(depths), _DEEPEST)
    return max(2 * float(np.quantile(depth, 0.98)), float(depth.max())) - 0.5
