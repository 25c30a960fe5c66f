"""Running a model on a view, at the largest scale that it and the memory allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.base import MOSAIC, Cancel, Cancelled, Model, Progress, is_out_of_memory

from ..imaging import scale
from ..imaging.mask import bounds
from .guidance import drawn
from .regions import Load, View

_REFINER = "patchmatch"
_LEAST_PIXELS = 64 * 64  # a fill on fewer pixels than that is no answer to too little memory


def predict(
    model: Model,
    view: View,
    seed: int,
    params: Mapping[str, Any],
    progress: Progress,
    cancel: Cancel,
    load: Load,
) -> np.ndarray:
    """Fill at the largest scale that the model and the memory allow; float32 3 x h x w.

    Where that is not the picture's own, the fill is made on a smaller copy, and the model refines it if it
    knows how to; what a network's fill lacks in detail, PatchMatch takes from the picture around it.
    """
    own_params = {param.name: params[param.name] for param in model.card.params if param.name in params}
    pixels = view.own.size
    limit = min(model.card.max_pixels or pixels, pixels)
    while True:
        try:
            if limit == pixels:
                return _run(model, view, seed, own_params, progress, cancel)
            return _run_smaller(model, view, limit, seed, own_params, progress, cancel, load)
        except Exception as error:
            if not is_out_of_memory(error) or limit // 4 < _LEAST_PIXELS:
                raise
        limit //= 4


def _run(
    model: Model,
    view: View,
    seed: int,
    params: Mapping[str, Any],
    progress: Progress,
    cancel: Cancel,
) -> np.ndarray:
    return model.fill(
        view.planes[None],
        view.ask[None, None],
        {name: layer[None] for name, layer in view.guidance.items()},
        seed,
        progress,
        cancel,
        None if view.source is None else view.source[None, None],
        **params,
    )[0]


def _run_smaller(
    model: Model,
    view: View,
    limit: int,
    seed: int,
    params: Mapping[str, Any],
    progress: Progress,
    cancel: Cancel,
    load: Load,
) -> np.ndarray:
    """Fill a copy of at most `limit` pixels, enlarge that, and refine it."""
    size = scale.smaller_size(view.own.shape[0], view.own.shape[1], limit)

    def check() -> None:
        if cancel():
            raise Cancelled

    planes, share = scale.shrink(view.planes, ~view.ask, size, check)
    ask = share < min(0.5, float(share.max()) or 1.0)  # of a hole that leaves nothing, all
    source = None
    if view.source is not None:
        allowed = scale.shrink(view.planes[:1], view.source, size)[1]
        source = allowed >= min(0.99, float(allowed.max()))
        ask &= ~source
    everywhere = np.ones(view.own.shape, dtype=bool)
    if model.card.sees_hole or MOSAIC in view.guidance:
        planes = scale.shrink(view.planes, everywhere, size, check)[0]
    guidance = {name: _smaller_guide(name, layer, size) for name, layer in view.guidance.items()}
    small = View(planes, ask, ask, source, guidance, view.span)
    refine = getattr(model, "refine", None)
    evidence = ~view.ask if view.source is None else view.source
    if refine is None and model.card.network and evidence.any():
        refine = getattr(load(_REFINER), "refine", None)
    first = 0.5 if refine else 1.0
    filled = _run(model, small, seed, params, lambda part, stage: progress(first * part, stage), cancel)
    guess = view.planes.copy()
    box = bounds(view.ask)
    assert box is not None  # the job's holes are in the view
    part = (slice(None), *box.slices)
    np.copyto(guess[part], scale.enlarge(filled, view.own.shape, box.slices), where=view.ask[box.slices])
    if refine is None:
        return guess
    check()
    try:
        refined: np.ndarray = refine(
            guess, view.ask, view.source, seed, lambda part, stage: progress(0.5 + part / 2, stage), cancel
        )
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return guess
    np.copyto(guess[part], refined[part], where=view.ask[box.slices])
    return guess


def _smaller_guide(name: str, layer: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A guidance layer on a smaller scale: thin lines stay, and colours keep clear of what is not painted."""
    if name == MOSAIC:  # numbers have no mean
        rows, columns = (
            (np.arange(small) * large) // small for small, large in zip(size, layer.shape[1:], strict=True)
        )
        return layer[:, rows[:, None], columns]
    if name == "sketch":  # a mean of paper and a thin line would be paper
        line = drawn(name, layer)
        return scale.shrink_strokes(np.concatenate([np.zeros_like(line), line]), size)
    if len(layer) in (2, 4):
        return scale.shrink_strokes(layer, size)
    return scale.shrink(layer, np.ones(layer.shape[1:], dtype=bool), size)[0]
