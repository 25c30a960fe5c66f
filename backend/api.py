"""The backend as a Python function, on numpy arrays, in this process.

from backend import inpaint
result = inpaint(picture, mask)
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np

import models
from models import zoo
from models.base import Cancel, Card, FillError, Model, Progress

from . import pipeline
from .imaging.composite import paste
from .imaging.mosaic import Mosaic
from .pipeline import PARAMS, SKETCH_PARAMS, Layer, Request, fill
from .wire.errors import InpaintError
from .wire.params import check_all

_loaded: dict[tuple[str, str, object], Model] = {}
_loading = threading.Lock()
_filling = threading.RLock()  # a model serves one caller at a time; re-entrant for progress callbacks


def inpaint(
    image: np.ndarray,
    mask: np.ndarray,
    model: str = "auto",
    *,
    source: np.ndarray | None = None,
    guidance: Mapping[str, np.ndarray] | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    out: np.ndarray | None = None,
    **params: Any,
) -> np.ndarray:
    """Fill the holes of a picture.

    Args:
        image: H x W, or H x W x C with C 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA); uint8,
            uint16, float16 or float32 (0 is black, 1 white; beyond is allowed). Not written to.
        mask: H x W, boolean, integer or float: above 0 is hole.
        model: a name as `models.load` takes it, or "auto", which picks one for each hole.
        source: H x W, above 0: pixels that the fill may be taken from. None means all.
        guidance: layers by name, for models whose card lists them; of the picture's size.
        device: "cpu", "cuda", "mps", "cuda:1" ...; "auto" takes the best there is.
        progress: called with a fraction in [0, 1] and the name of the stage.
        cancel: asked often; true means: stop now.
        out: array like `image` for the result; `image` itself saves a copy of it.
        params: settings: those of `backend.pipeline.PARAMS` (grow, feather, context, seed ...) and
            those of the model's card.

    Returns:
        The picture with its holes filled, the first candidate; outside the grown and feathered mask
        every sample is bit-identical.

    Raises:
        InpaintError: with a code, a sentence, and what to do.
        ValueError: `out` does not fit.
    """
    image = np.asarray(image)
    with ThreadPoolExecutor(1) as pool:  # a large picture is copied while its hole is filled
        copy = pool.submit(image.copy) if out is None else None
        layer = inpaint_layers(
            image,
            mask,
            model,
            source=source,
            guidance=guidance,
            device=device,
            progress=progress,
            cancel=cancel,
            **params,
        )[0]
    below = copy.result() if copy else image
    return paste(below, layer.pixels, layer.offset, below if copy else out)


def inpaint_layers(
    image: np.ndarray,
    mask: np.ndarray,
    model: str = "auto",
    *,
    source: np.ndarray | None = None,
    guidance: Mapping[str, np.ndarray] | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    mosaics: Sequence[Mosaic] = (),
    **params: Any,
) -> list[Layer]:
    """As `inpaint`, but gives every candidate (setting `count`) as a layer to lay over the picture.

    `mosaics`: see `pipeline.Request`.

    Raises:
        InpaintError: with a code, a sentence, and what to do.
    """
    try:
        card = _card(model, device)
        checked = check_all([asdict(param) for param in (*PARAMS, *card.params)], params)
        request = Request(
            np.asarray(image),
            np.asarray(mask),
            model,
            checked,
            None if source is None else np.asarray(source),
            {name: np.asarray(layer) for name, layer in (guidance or {}).items()},
            mosaics,
        )
        with _filling:
            return fill(request, lambda name: _load(name, device), progress, cancel)
    except FillError as error:
        raise InpaintError(error.code, error.message, error.hint) from error


def sketch(
    image: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    device: str = "auto",
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    **params: Any,
) -> Layer:
    """The lines of a picture, or of a part of it, as a layer to be redrawn; see `pipeline.sketch`.

    Args:
        image: as for `inpaint`.
        mask: H x W, above 0: the part to draw. None is all of it.
        device: as for `inpaint`.
        progress, cancel: as for `inpaint`.
        params: settings of `backend.pipeline.SKETCH_PARAMS`: detail, detector.

    Raises:
        InpaintError: with a code, a sentence, and what to do.
    """
    try:
        checked = check_all([asdict(param) for param in SKETCH_PARAMS], params)
        where = _best_torch_device() if device == "auto" else device
        part = None if mask is None else np.asarray(mask)
        with _filling:
            return pipeline.sketch(np.asarray(image), part, checked, where, progress, cancel)
    except FillError as error:
        raise InpaintError(error.code, error.message, error.hint) from error


def _card(model: str, device: str) -> Card:
    if model == "auto":
        from models import auto

        return auto.CARD
    return _load(model, device).card


def _load(name: str, device: str) -> Model:
    """The model, loaded once per device, and again when other weights are there under its name."""
    with _loading:
        where = _best_device(name) if device == "auto" else device
        key = (name, where, zoo.stamp(name))
        if key not in _loaded:
            for other in [other for other in _loaded if other[:2] == key[:2]]:
                del _loaded[other]
            _loaded[key] = models.load(name, where, precision="auto")
        return _loaded[key]


def _best_device(name: str) -> str:
    """A graphics processor for a network, if torch knows one; else the CPU."""
    if any(card.name == name and not card.network for card in models.cards()):
        return "cpu"
    return _best_torch_device()


def _best_torch_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
