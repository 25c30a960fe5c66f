"""What the pixels beneath the selection say of the fill, where they are a mosaic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.base import FillError

from ..imaging import mask as masks
from ..imaging import mosaic
from ..imaging.crop import Box
from ..imaging.mosaic import Mosaic
from ..imaging.torus import Canvas
from .request import Request


def beneath(request: Request) -> list[Mosaic]:
    """The mosaics that are selected in a request. Parts of the selection without one say nothing.

    Raises:
        FillError: `no-mosaic`, there is none.
    """
    box = masks.bounds(request.mask)
    if box is None:
        return []  # which is refused where holes are looked for
    selected = np.asarray(request.mask[box.slices]) > 0
    found, _ = mosaic.under(request.image[box.slices], selected, box.left, box.top)
    if not found:
        raise FillError(
            "no-mosaic",
            "There is no mosaic in the selection.",
            'Select one, with even cells of 4 to 64 px, or switch off "Follow the mosaic".',
        )
    return found


def placed(followed: Sequence[Mosaic], canvas: Canvas) -> list[Mosaic]:
    """Mosaics of the picture, where they lie on the canvas."""
    down, right = canvas.shift
    return [replace(one, box=one.box.moved(right, down)) for one in followed]


def cells(followed: Sequence[Mosaic], box: Box, canvas: Canvas) -> np.ndarray:
    """int32, of the box's size: number of the cell that a pixel belongs to, -1 where it is none's.

    Args:
        followed: as `placed` gives them.
        box, canvas: the box lies on the canvas.
    """
    found = np.full((box.height, box.width), -1, np.int32)
    count = 0
    for one in followed:
        for place in canvas.copies(one.box, box):
            common = place.meet(box)
            if common is not None:
                own = one.labels[common.within(place)]
                np.copyto(found[common.within(box)], own + count, where=own >= 0)
        count += len(one.values)
    return found
