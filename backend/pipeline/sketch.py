"""A picture's lines as a layer, for somebody to redraw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from models.base import Cancel, Cancelled, FillError, Param, Progress

from ..imaging import convert
from ..imaging.mask import bounds
from .request import Layer, Request, check

PARAMS: tuple[Param, ...] = (
    Param("detail", "int", 50, "Detail", "0 draws the plainest outlines only.", 0, 100, unit="%"),
    Param(
        "detector",
        "choice",
        "auto",
        "Found by",
        "The network HED draws as people do; auto takes it if its weights are there, else gradients.",
        choices=("auto", "hed", "gradients"),
    ),
)
"""The settings of a sketch."""


AROUND = 64
"""px; the picture is looked at so far around what is drawn, or by a quarter of its longer side. A
client that sends no less gets the lines of the whole picture."""


def sketch(
    image: np.ndarray,
    mask: np.ndarray | None = None,
    params: Mapping[str, Any] | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Layer:
    """Draw the lines of a picture, or of a part of it.

    Args:
        image: H x W [x C] as in `Request`. Transparent parts are white paper.
        mask: H x W, above 0: the part to draw; what is around it is looked at, too. None is all of it.
        params: of `PARAMS`, validated.
        device: where the network runs, as torch names it.
        progress, cancel: as for `fill`.

    Returns:
        Black lines on nothing, as large as the part. They are 1 px wide, in parts of more than half a
        megapixel wider. `model` is what found them, "hed" or "gradients".

    Raises:
        FillError: `bad-image`, also where there are no lines; `empty-mask`; or as `models.guidance.detector`.
        Cancelled: `cancel` said yes.
    """
    import torch

    from models import guidance

    check(Request(image, np.ones(image.shape[:2], dtype=bool) if mask is None else mask))
    values = {param.name: param.default for param in PARAMS} | dict(params or {})
    box = bounds(np.ones(image.shape[:2], dtype=bool) if mask is None else mask)
    if box is None:
        raise FillError(
            "empty-mask", "Nothing is selected in this picture.", "Select what is to be drawn first."
        )

    def watch(done: float) -> None:
        if cancel is not None and cancel():
            raise Cancelled
        if progress is not None:
            progress(done, "drawing")

    watch(0.0)
    around = box.enlarge(max(AROUND, max(box.width, box.height) // 4), *image.shape[:2])
    pixels = image[around.slices]
    planes = _seen(pixels[..., None] if image.ndim == 2 else pixels)
    by = guidance.detector(values["detector"], device)
    found = guidance.sketch(torch.from_numpy(planes)[None], by, values["detail"] / 100, watch=watch)[0, 0]
    watch(0.95)
    lines = found.numpy() > 0
    lines = _broad(lines, math.sqrt(lines.size / guidance.MOST_PIXELS))[box.within(around)]
    if mask is not None:
        lines &= mask[box.slices] > 0
    if not lines.any():
        raise FillError(
            "bad-image",
            "There are no lines in this part of the picture.",
            "Select more, or ask for more detail.",
        )
    drawn = np.zeros((*lines.shape, 2 if image.ndim == 2 or image.shape[2] < 3 else 4), image.dtype)
    drawn[..., -1] = convert.to_samples(lines.astype(np.float32), image.dtype)
    if progress is not None:
        progress(1.0, "done")
    return Layer(drawn, (box.left, box.top), 0, by.name)


def _seen(pixels: np.ndarray) -> np.ndarray:
    """float32 3 x H x W in [0, 1]: the picture on white paper."""
    planes, _ = convert.to_model(pixels, convert.known(pixels))
    if pixels.shape[2] not in (2, 4):
        return planes
    alpha = np.clip(pixels[..., -1].astype(np.float32) / np.float32(convert.full(pixels.dtype)), 0, 1)
    return np.nan_to_num(planes * alpha + (1 - alpha))


def _broad(lines: np.ndarray, width: float) -> np.ndarray:
    """Lines of `width` px, made of lines of 1 px."""
    from scipy import ndimage

    if width < 1.5:
        return lines
    reach = math.ceil(width / 2)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(ndimage.binary_dilation(lines, np.hypot(y, x) <= width / 2))
