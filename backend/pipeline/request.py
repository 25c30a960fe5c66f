"""What is asked for and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.base import FillError, Param

from ..imaging import convert
from ..imaging.mosaic import Mosaic

PARAMS: tuple[Param, ...] = (
    Param(
        "grow",
        "int",
        4,
        "Grow selection",
        "Fills so many pixels around the selection, too, so that no fringe of the object is left.",
        0,
        512,
        unit="px",
    ),
    Param(
        "feather",
        "int",
        2,
        "Feather",
        "Lets the fill fade into the picture over so many pixels.",
        0,
        256,
        unit="px",
    ),
    Param(
        "context",
        "int",
        0,
        "Context",
        "How far around a hole the picture is looked at; 0 lets the model decide.",
        0,
        16384,
        unit="px",
    ),
    Param(
        "seed",
        "int",
        0,
        "Seed",
        "The same number gives the same fill; another one may give another.",
        0,
        2**32 - 1,
    ),
    Param("count", "int", 1, "Candidates", "How many different fills to make.", 1, 16),
    Param(
        "pinholes",
        "int",
        0,
        "Fill pin-holes",
        "Unselected spots inside the selection up to that size are filled, too.",
        0,
        512,
        unit="px",
    ),
    Param(
        "seam",
        "choice",
        "auto",
        "Match colours",
        "Corrects a fill whose tone does not meet the picture's at the border; auto does so for "
        "networks, as models that copy from the picture meet its tone by themselves.",
        choices=("auto", "on", "off"),
    ),
    Param(
        "tile",
        "bool",
        False,
        "Seamless tile",
        "The picture goes on at the opposite edge: what is filled fits there, too.",
    ),
    Param(
        "mosaic",
        "bool",
        False,
        "Follow the mosaic",
        "A mosaic is selected: the fill follows its cells, and neither grows nor fades over what is around.",
    ),
)
"""The settings that every model shares."""


@dataclass(frozen=True)
class Request:
    """What to fill, and how.

    Attributes:
        image: H x W, or H x W x C with C 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA); uint8,
            uint16, float16 or float32 (0 is black, 1 white; beyond is allowed). Not written to.
        mask: H x W, boolean, integer or float: above 0 is hole.
        model: a name that `load` knows, or "auto".
        params: of `PARAMS` and the model's own, validated; missing ones take their defaults.
        source: H x W, above 0: pixels that the fill may be taken from. None means all.
        guidance: layers that the model's card lists, H x W or H x W x C, depths as for the image.
        mosaics: those in the holes, which the image shows, where whoever asks knows them already; the
            fill follows them. With the setting `mosaic` they are looked for.
    """

    image: np.ndarray
    mask: np.ndarray
    model: str = "auto"
    params: Mapping[str, Any] = field(default_factory=dict)
    source: np.ndarray | None = None
    guidance: Mapping[str, np.ndarray] = field(default_factory=dict)
    mosaics: Sequence[Mosaic] = ()


@dataclass(frozen=True)
class Layer:
    """One candidate, ready to lie over the picture.

    Attributes:
        pixels: h x w x 2 (gray, alpha) or h x w x 4 (RGBA), of the picture's dtype. Alpha is full on
            the grown selection, fades over the feather and is 0 elsewhere.
        offset: x, y of its left upper pixel in the picture.
        seed: that gives this candidate again.
        model: what filled it; "smooth+patchmatch" where `auto` picked one here and one there.
    """

    pixels: np.ndarray
    offset: tuple[int, int]
    seed: int
    model: str


def check(request: Request) -> None:
    image, hole = request.image, request.mask
    if image.ndim not in (2, 3) or (image.ndim == 3 and not 1 <= image.shape[2] <= 4):
        raise FillError(
            "bad-image",
            f"A picture is rows x columns x 1 to 4 channels, not {' x '.join(map(str, image.shape))}.",
            "Convert it to gray, RGB or RGBA.",
        )
    if image.dtype not in convert.DEPTHS:
        raise FillError(
            "bad-image",
            f"Pictures of type {image.dtype} cannot be filled.",
            "Convert it to 8 or 16 bit whole numbers, or 16 or 32 bit floats.",
        )
    if 0 in image.shape:
        raise FillError("bad-image", "The picture has no pixels.", "Open a picture first.")
    for name, array in (("mask", hole), ("source mask", request.source)):
        if array is not None and array.shape != image.shape[:2]:
            raise FillError(
                "bad-image",
                f"The {name} is {_size(array)}, but the picture is {_size(image)}.",
                f"Use a {name} of the picture's size, with one channel.",
            )
        if array is not None and array.dtype.kind not in "buif":
            raise FillError(
                "bad-image",
                f"A {name} of type {array.dtype} means nothing.",
                "Use booleans or numbers, with more than 0 for selected pixels.",
            )
    for name, array in request.guidance.items():
        known = array.dtype in convert.DEPTHS or array.dtype == bool
        if array.ndim not in (2, 3) or array.shape[:2] != image.shape[:2] or not known:
            raise FillError(
                "bad-guidance",
                f"The guidance layer {name} is {array.dtype}, {_size(array)}; "
                f"it has to be a picture of {_size(image)}.",
                "Draw it on a layer of the picture's size.",
            )


def _size(array: np.ndarray) -> str:
    """Width by height, in words."""
    if array.ndim < 2:
        return f"a list of {array.size} values"
    return f"{array.shape[1]} x {array.shape[0]}" + (
        f" with {array.shape[2]} channels" if array.ndim == 3 else ""
    )
