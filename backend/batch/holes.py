"""From the files of one picture to what is to be filled in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import files
from ..files import Picture, depth
from ..imaging import convert, marks, mosaic, mosaic_search
from ..imaging.crop import Box
from ..imaging.marks import Marks
from ..imaging.mask import components
from ..imaging.mosaic import Mosaic
from ..wire.errors import BAD_IMAGE, BAD_PARAM, InpaintError
from .folder import Pair

_BORDER, _PLAIN = 4, 8 / 255  # px; and what still counts as one colour, as a share of white
_AROUND = 32  # px; so far around a mark it is looked for a mosaic that the mark did not cover


@dataclass(frozen=True)
class Request:
    """What is wanted of all pictures of a run.

    Attributes:
        model: as `api.inpaint_layers` takes it.
        device: likewise; the one thing that does not decide about the result.
        settings: checked settings of the pipeline and the model.
        colour: of the marks, 0..255; None where there are masks, or where mosaics are to be found.
        tolerance, smallest: see `imaging.marks.find`.
        mosaic: what lies under the marks is a mosaic, to be followed.
        find: mosaics are to be found, without marks.
        bar: fill even where the marks lie on a mosaic.
    """

    model: str = "auto"
    device: str = "auto"
    settings: Mapping[str, Any] = field(default_factory=dict)
    colour: tuple[int, int, int] | None = None
    tolerance: float = 16.0
    smallest: int = 0
    mosaic: bool = False
    find: bool = False
    bar: bool = False


@dataclass(frozen=True)
class Holes:
    """What is to be filled in a picture.

    Attributes:
        picture: as it was read.
        pixels: what a model is to see: the picture's, in a mosaic run with the mosaic in the holes.
        mask: H x W, above 0 is hole; None where there is nothing to fill.
        marks: where a colour said so.
        mosaics: what is known of the holes beforehand.
        doubts: what looks wrong, for the user.
    """

    picture: Picture
    pixels: np.ndarray
    mask: np.ndarray | None
    marks: Marks | None
    mosaics: list[Mosaic]
    doubts: list[str]


def look(pair: Pair, request: Request) -> Holes:
    """Read a picture, and find out what is to be filled.

    Raises:
        InpaintError: a file that cannot be read or does not fit, or a kind of fill that cannot be right.
    """
    picture = files.read(pair.image)
    picture.name = pair.image.name
    if request.find:
        return _found(picture)
    found = None
    doubts: list[str] = []
    if request.colour is not None:
        found = marks.find(picture.pixels, request.colour, request.tolerance, request.smallest)
        doubts = found.doubts()
        mask = found.mask
    else:
        assert pair.mask is not None
        mask = files.read_mask(pair.mask, picture.size)
        if not (mask > 0).any():
            doubts.append(f"The mask {pair.mask.name} is black everywhere.")
    if not (mask > 0).any():
        return Holes(picture, picture.pixels, None, found, [], doubts)
    if request.mosaic:
        assert pair.original is not None
        return _under(picture, _original(pair, picture), mask, found, doubts)
    if not request.bar:
        _refuse_mosaic(picture, mask, found is not None)
    return Holes(picture, picture.pixels, mask, found, [], doubts)


def _found(picture: Picture) -> Holes:
    """The mosaics of a picture, where it is certain that they are some."""
    certain, doubtful = mosaic_search.search(picture.pixels)
    doubts = [
        f"What is at {box.left}, {box.top} ({box.width} x {box.height} px) may be a mosaic: {reason}. "
        "Mark it, and give --original."
        for box, reason in doubtful
    ]
    if not certain:
        return Holes(picture, picture.pixels, None, None, [], [*doubts, "No mosaic is certain to be one."])
    mask = np.zeros(picture.pixels.shape[:2], bool)
    for one in certain:
        mask[one.box.slices] |= one.labels >= 0
    return Holes(picture, picture.pixels, mask, None, certain, doubts)


def _original(pair: Pair, picture: Picture) -> np.ndarray:
    """Samples of the unmarked picture, in the marked one's depth and with its channels but alpha."""
    assert pair.original is not None
    original = files.read(pair.original)
    if original.size != picture.size:
        raise InpaintError(
            BAD_IMAGE,
            f"The original {pair.original.name} is {_size(original)}, the marked picture {_size(picture)}.",
            "Mark a copy of the original without scaling or cropping it.",
        )
    pixels = original.pixels[..., None] if original.pixels.ndim == 2 else original.pixels
    if original.has_alpha:
        pixels = pixels[..., :-1]
    gray = picture.pixels.ndim == 2 or picture.pixels.shape[2] == 2
    if gray and pixels.shape[2] == 3:
        raise InpaintError(
            BAD_IMAGE,
            f"The original {pair.original.name} has colours, and the marked picture is gray.",
            "Save the marked picture with the original's colours.",
        )
    if not gray:
        pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    if picture.pixels.dtype.kind == "f":
        return pixels.astype(np.float32) / np.float32(convert.full(pixels.dtype))
    return depth.convert(pixels, picture.pixels.dtype.type)


def _under(
    picture: Picture, original: np.ndarray, mask: np.ndarray, found: Marks | None, doubts: list[str]
) -> Holes:
    """What the original has under the marks."""
    mosaics, others = mosaic.under(original, mask > 0)
    if not mosaics and not all(_plain(original, box) for box in others):
        raise InpaintError(
            BAD_PARAM,
            f"There is no mosaic under the marks of {picture.name}.",
            "Restore bars and other marks in a run without --original.",
        )
    for box in others:
        doubts.append(
            f"There is no mosaic under the mark at {box.left}, {box.top} ({box.width} x {box.height} px): "
            "it is filled from its surroundings alone."
        )
    seen = picture.pixels.copy()
    colours = seen[..., None] if seen.ndim == 2 else seen
    inside = mask > 0
    colours[inside, : original.shape[2]] = original[inside]
    return Holes(picture, seen, mask, found, mosaics, doubts)


def _plain(original: np.ndarray, box: Box) -> bool:
    """Whether there is but one colour in a box and right around it: where a mosaic cannot be told from the
    drawing, and a bar could be."""
    part = original[box.enlarge(_BORDER, *original.shape[:2]).slices]
    return bool((np.ptp(part.astype(float), axis=(0, 1)) <= _PLAIN * convert.full(original.dtype)).all())


def _refuse_mosaic(picture: Picture, mask: np.ndarray, marked: bool) -> None:
    """Refuse to fill over a mosaic as if nothing were known of what it hides."""
    region = mask > 0
    if marked:  # the mark itself covers it; what it left is around it
        region = np.zeros(mask.shape, bool)
        for hole in components(mask, grow=_AROUND):
            region[hole.box.slices] |= hole.inside & (hole.squared > 2)
    there, _ = mosaic.under(picture.pixels, region)
    if not there:
        return
    one = there[0]
    where = "around a mark of" if marked else "under the mask of"
    raise InpaintError(
        BAD_PARAM,
        f"There is a mosaic {where} {picture.name} (at {one.box.left}, {one.box.top}, cells of "
        f"{one.cell} px), and a fill from the surroundings alone would not follow it.",
        "Give the folder of unmarked pictures as --original, or --bar to fill it all the same.",
    )


def _size(picture: Picture) -> str:
    return f"{picture.size[0]} x {picture.size[1]} pixels"
