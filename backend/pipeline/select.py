"""What a program can select by itself in a picture: marks in a colour, and mosaics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.base import Cancel, Cancelled, FillError, Param, Progress

from ..imaging import marks, mosaic_search
from ..imaging.mask import bounds
from .request import Request, check

PARAMS: tuple[Param, ...] = (
    Param(
        "what",
        "choice",
        "colour",
        "Select",
        "Marks in a colour, or mosaics, for which the other settings mean nothing.",
        choices=("colour", "mosaics"),
    ),
    Param("colour", "text", "00ff00", "Colour", "Of the marks, as rrggbb or rgb."),
    Param(
        "tolerance",
        "float",
        16.0,
        "Tolerance",
        "How far a channel may be off the colour, of 255.",
        0,
        255,
    ),
    Param(
        "smallest",
        "int",
        0,
        "Smallest mark",
        "Pieces of fewer pixels are the art's own colour.",
        0,
        1_000_000,
        unit="px",
    ),
)
"""The settings of a selection."""

MOST = 0.9
"""A mark over more of what can be seen leaves nothing to fill it from."""


@dataclass(frozen=True)
class Selection:
    """What was found, and is certain.

    Attributes:
        mask: bool h x w: no row or column at its rim is empty.
        offset: x, y of its left upper pixel in the picture.
        count: how many marks, or mosaics.
        doubts: what looks wrong, or was left out as it is not certain: a sentence each.
    """

    mask: np.ndarray
    offset: tuple[int, int]
    count: int
    doubts: tuple[str, ...]


def select(
    image: np.ndarray,
    params: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Selection:
    """Find what is to be filled in a picture: the pixels that a folder's run would take for it.

    Args:
        image: H x W [x C] as in `Request`: the whole picture.
        params: of `PARAMS`, validated.
        progress, cancel: as for `fill`.

    Raises:
        FillError: `bad-image`; `bad-param` for a colour that is none; `empty-mask` where nothing is
            found; `no-source` where nearly all that can be seen has the colour.
        Cancelled: `cancel` said yes.
    """
    check(Request(image, np.ones(image.shape[:2], dtype=bool)))
    values = {param.name: param.default for param in PARAMS} | dict(params or {})

    def watch(done: float) -> None:
        if cancel is not None and cancel():
            raise Cancelled
        if progress is not None:
            progress(done, "looking")

    watch(0.0)
    found = _mosaics(image) if values["what"] == "mosaics" else _marks(image, values)
    watch(1.0)
    return found


def _marks(image: np.ndarray, values: Mapping[str, Any]) -> Selection:
    found = marks.find(image, _colour(values["colour"]), values["tolerance"], values["smallest"])
    doubts = found.doubts("the tolerance", "the smallest mark")
    if not found.pieces:
        raise FillError("empty-mask", doubts[0], "Check the colour; what was selected stays selected.")
    share = np.count_nonzero(found.mask) / max(_seen(image), 1)
    if share > MOST:
        raise FillError(
            "no-source",
            f"{share:.0%} of the picture has this colour, so there is nothing left to fill it from.",
            "Choose the colour of the marks, or lower the tolerance.",
        )
    return _cropped(found.mask, found.pieces, doubts)


def _mosaics(image: np.ndarray) -> Selection:
    certain, doubtful = mosaic_search.search(image)
    doubts = [
        f"What is at {box.left}, {box.top} ({box.width} x {box.height} px) may be a mosaic: {reason}."
        for box, reason in doubtful
    ]
    if not certain:
        raise FillError(
            "empty-mask",
            " ".join(["There is nothing in this picture that is certain to be a mosaic.", *doubts]),
            "Select by hand what is to be filled.",
        )
    mask = np.zeros(image.shape[:2], bool)
    for one in certain:
        mask[one.box.slices] |= one.labels >= 0
    return _cropped(mask, len(certain), doubts)


def _cropped(mask: np.ndarray, count: int, doubts: list[str]) -> Selection:
    box = bounds(mask)
    assert box is not None  # something was found
    return Selection(mask[box.slices], (box.left, box.top), count, tuple(doubts))


def _seen(image: np.ndarray) -> int:
    """How many pixels are not wholly transparent."""
    if image.ndim == 3 and image.shape[2] in (2, 4):
        return int(np.count_nonzero(image[..., -1] > 0))
    return image.shape[0] * image.shape[1]


def _colour(text: str) -> tuple[int, int, int]:
    digits = text.strip().removeprefix("#")
    if re.fullmatch(r"[0-9a-fA-F]{3}", digits):
        digits = "".join(2 * digit for digit in digits)
    if not re.fullmatch(r"[0-9a-fA-F]{6}", digits):
        raise FillError(
            "bad-param", f"{text[:40]!r} is no colour.", "Write it as rrggbb, such as 00ff00 for green."
        )
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue
