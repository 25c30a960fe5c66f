"""What is done with one picture: looked at before the run, and filled. Both run in any process."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from .. import api, files
from ..files import depth
from ..imaging import marks, mosaic
from ..imaging.composite import paste
from ..imaging.crop import Box
from ..wire.errors import INTERNAL, OUT_OF_MEMORY, InpaintError
from .folder import Pair
from .holes import Holes, Request, look

log = logging.getLogger(__name__)

Progress = Callable[[float, str], None]

_THUMBNAIL = 360  # px, the longer side


@dataclass(frozen=True)
class Task:
    """A picture to be filled.

    Attributes:
        results: names to write, relative to the output folder, one for each variation.
        thumbnails: whether small pictures for the report are wanted.
    """

    pair: Pair
    request: Request
    results: tuple[str, ...] = ()
    thumbnails: bool = False


@dataclass
class Outcome:
    """What became of a picture.

    Attributes:
        error: why there is no result, as `InpaintError.as_fields`, which processes can hand over; None
            where there is one, or nothing to fill.
        doubts: what looks wrong, or gets lost, a sentence each.
        area: pixels of the marks; 0 where there is nothing to fill.
        masked: a PNG that shows what was taken as mask, where `check` was asked for it.
        results: encoded pictures by name.
        told: for the report and the journal: plain types.
        before, after: small JPEG files.
    """

    error: Mapping[str, Any] | None = None
    doubts: list[str] = field(default_factory=list)
    area: int = 0
    masked: bytes = b""
    results: dict[str, bytes] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    before: bytes = b""
    after: bytes = b""


def check(task: Task, show: Progress) -> Outcome:
    """Look at a picture before the run; `results` and `told` stay empty."""
    return _safely(_check, task, show)


def check_and_show(task: Task, show: Progress) -> Outcome:
    """As `check`, with a picture of what was taken as mask."""
    return _safely(_check_and_show, task, show)


def fill(task: Task, show: Progress) -> Outcome:
    """Fill a picture; nothing is written."""
    return _safely(_fill, task, show)


def _safely(function: Callable[[Task, Progress], Outcome], task: Task, show: Progress) -> Outcome:
    """One bad picture is an outcome, not the end of the run."""
    try:
        return function(task, show)
    except InpaintError as error:
        return Outcome(error.as_fields())
    except MemoryError:
        full = InpaintError(OUT_OF_MEMORY, "There is not enough memory for it.", "Try fewer --jobs.")
        return Outcome(full.as_fields())
    except Exception as problem:
        log.exception("%s could not be filled", task.pair.image)
        words = f"This program has a defect: {type(problem).__name__}: {problem}."
        return Outcome(InpaintError(INTERNAL, words, "Please report it.").as_fields())


def _check(task: Task, show: Progress) -> Outcome:
    return _checked(look(task.pair, task.request))


def _check_and_show(task: Task, show: Progress) -> Outcome:
    holes = look(task.pair, task.request)
    outcome = _checked(holes)
    found = holes.marks
    if found is None:
        empty = np.zeros(holes.picture.pixels.shape[:2], bool)
        core = empty if holes.mask is None else holes.mask > 0
        found = marks.Marks(core, empty, empty, 0, 0)
    image = Image.fromarray(marks.show(holes.picture.pixels, found))
    encoded = io.BytesIO()
    image.save(encoded, "PNG", compress_level=4)
    outcome.masked = encoded.getvalue()
    return outcome


def _checked(holes: Holes) -> Outcome:
    area = 0 if holes.mask is None else int(np.count_nonzero(holes.mask > 0))
    return Outcome(doubts=[*holes.picture.warnings, *holes.doubts], area=area)


def _fill(task: Task, show: Progress) -> Outcome:
    started = time.monotonic()
    holes = look(task.pair, task.request)
    outcome = _checked(holes)
    if holes.mask is None:
        return outcome
    picture, pixels = holes.picture, holes.picture.pixels
    format = files.format_of(task.pair.image)
    outcome.doubts += files.check_target(picture, format)
    if task.thumbnails:
        outcome.before = thumbnail(pixels)
    layers = api.inpaint_layers(
        holes.pixels,
        holes.mask,
        task.request.model,
        device=task.request.device,
        progress=show,
        mosaics=holes.mosaics,
        **task.request.settings,
    )
    off: list[float] = []
    for name, layer in zip(task.results, layers, strict=True):
        x, y = layer.offset
        part = pixels[y : y + layer.pixels.shape[0], x : x + layer.pixels.shape[1]]
        before = part.copy()
        paste(pixels, layer.pixels, layer.offset, out=pixels)
        if task.thumbnails and not outcome.after:
            outcome.after = thumbnail(pixels)
        encoded = io.BytesIO()
        files.write(picture, pixels, encoded, format)
        outcome.results[name] = encoded.getvalue()
        off += _differences(holes, outcome.results[name], pixels)
        part[...] = before
    outcome.told = {
        "model": layers[0].model,
        "seeds": [layer.seed for layer in layers],
        "pixels": outcome.area,
        "seconds": round(time.monotonic() - started, 2),
        "warnings": outcome.doubts,
    }
    if holes.mosaics:
        outcome.told["mosaics"] = [
            {"cell": one.cell, "box": _corners(one.box), "cells": len(one.values)} for one in holes.mosaics
        ]
        outcome.told["mean_difference"] = round(255 * max(off), 3)
        if max(off) >= 1 / 255:
            outcome.doubts.append(
                f"{format} files do not keep every colour: the means of the mosaic's cells are off by up to "
                f"{255 * max(off):.1f} of 255 in the file. Mark a PNG for an exact result."
            )
    return outcome


def _differences(holes: Holes, encoded: bytes, pixels: np.ndarray) -> list[float]:
    """How far the means of the cells in a written file are off, in [0, 1], one for each mosaic."""
    if not holes.mosaics:
        return []
    picture = holes.picture
    exact = picture.format in ("PNG", "TIFF", "BMP") and picture.palette is None and not picture.bilevel
    written = pixels if exact else files.read(io.BytesIO(encoded)).pixels
    colours = written[..., None] if written.ndim == 2 else written
    result = []
    for one in holes.mosaics:
        count = one.values.shape[1]
        part = colours[one.box.slices]
        result.append(mosaic.difference(part[..., :count] if part.shape[2] > 2 else part[..., :1], one))
    return result


def _corners(box: Box) -> list[int]:
    return [box.left, box.top, box.right, box.bottom]


def thumbnail(pixels: np.ndarray) -> bytes:
    """A small JPEG file of a picture; what is transparent is white."""
    image = Image.fromarray(depth.convert(pixels, np.uint8))
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    if image.mode in ("LA", "RGBA"):
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    encoded = io.BytesIO()
    image.convert("RGB").save(encoded, "JPEG", quality=85)
    return encoded.getvalue()
