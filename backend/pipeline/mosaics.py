"""What the pixels beneath the selection say of the fill, where they are a mosaic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.base import FillError

from ..imaging import mask as masks
from ..imaging import mosaic
from ..imaging.mosaic import Mosaic
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
    found, _ = mosaic.under(request.image[box.slices], selected)
    if not found:
        raise FillError(
            "no-mosaic",
            "There is no mosaic in the selection.",
            'Select one, with even cells of 4 to 64 px, or switch off "Follow the mosaic".',
        )
    return [replace(one, box=one.box.moved(box.left, box.top)) for one in found]
