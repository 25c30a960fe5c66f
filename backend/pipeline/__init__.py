"""From a request to layers: mask, regions, context, scale, model, seam, patch.

A picture may be huge: every step works on the part around a hole, and nothing here makes an array of
the picture's size. All that decides about a pixel lies within the context of its hole, so that a
crop which holds the selection and the models' margins gives the very same layer.
"""

from __future__ import annotations

import numpy as np

from models import cards, load
from models.base import Cancel, Cancelled, Card, FillError, Model, Progress, is_out_of_memory
from models.zoo import stamp

from ..imaging import convert, mask, seam
from ..imaging.mask import Hole
from . import guidance
from .predict import predict
from .regions import Load, look, plan
from .request import PARAMS, Layer, Request, check
from .sketch import PARAMS as SKETCH_PARAMS
from .sketch import sketch

# What a caller needs beside `fill`: whoever runs the pipeline knows the models through it alone.
__all__ = [
    "PARAMS",
    "SKETCH_PARAMS",
    "Card",
    "FillError",
    "Layer",
    "Model",
    "Progress",
    "Request",
    "cards",
    "fill",
    "is_out_of_memory",
    "load",
    "sketch",
    "stamp",
]


def fill(
    request: Request,
    load: Load,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> list[Layer]:
    """Fill the holes of a picture.

    Args:
        request: see `Request`.
        load: gives the model of a name, as `models.load` does.
        progress: called with the fraction of the work that is done and the stage's name.
        cancel: asked often; true means: stop now.

    Returns:
        One layer per candidate, made with the seeds seed, seed + 1 and so on.

    Raises:
        FillError: `bad-image`, `bad-guidance`, `empty-mask`, `no-source`, `out-of-memory`, or what
            the model and `load` raise.
        Cancelled: `cancel` said yes.
    """
    check(request)
    reached = 0.0

    def report(fraction: float, stage: str) -> None:
        nonlocal reached  # a second try on a smaller scale does not turn the bar back
        reached = max(reached, fraction)
        if progress is not None:
            progress(reached, stage)

    try:
        return _fill(request, load, report, cancel or (lambda: False))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise FillError(
            "out-of-memory",
            "There is not enough memory for this fill.",
            "Select less, lower the context, or close other programs.",
        ) from error


def _fill(request: Request, load: Load, report: Progress, cancel: Cancel) -> list[Layer]:
    image = request.image[..., None] if request.image.ndim == 2 else request.image
    params = {param.name: param.default for param in PARAMS} | dict(request.params)
    _stop_if(cancel)
    report(0.0, "looking")
    holes = mask.components(request.mask, params["grow"], params["feather"], params["pinholes"])
    if not holes:
        raise FillError(
            "empty-mask", "Nothing is selected in this picture.", "Select what is to be filled first."
        )
    jobs = list(plan(request, image, params, holes, load))
    guidance.check_drawn(request, holes)
    box = holes[0].box
    for hole in holes[1:]:
        box = box.union(hole.box)
    shape = (box.height, box.width, 2 if image.shape[2] < 3 else 4)
    seeds = [(params["seed"] + index) % 2**32 for index in range(params["count"])]
    results = [np.zeros(shape, image.dtype) for _ in seeds]
    total = len(seeds) * sum(hole.area for hole in holes)
    done = 0
    for job in jobs:
        _stop_if(cancel)
        view = look(request, image, job, holes)
        weight = sum(hole.area for hole in job.holes)
        matched = params["seam"] == "on" or (params["seam"] == "auto" and not job.model.card.takes_source)
        for seed, pixels in zip(seeds, results, strict=True):

            def report_job(fraction: float, stage: str, done: int = done, weight: int = weight) -> None:
                report((done + weight * min(max(fraction, 0.0), 1.0)) / total, stage)

            planes = predict(job.model, view, seed, params, report_job, cancel, load)
            if matched:
                planes = seam.match(view.planes, planes, view.own, ~view.ask)
            for hole in job.holes:
                rows, columns = hole.box.within(job.context)
                _write(pixels[hole.box.within(box)], planes[:, rows, columns], hole, view.span)
            done += weight
            _stop_if(cancel)
    report(1.0, "done")
    names = "+".join(sorted({job.model.card.name for job in jobs}, reverse=True))
    return [
        Layer(pixels, (box.left, box.top), seed, names) for seed, pixels in zip(seeds, results, strict=True)
    ]


def _stop_if(cancel: Cancel) -> None:
    if cancel():
        raise Cancelled


def _write(layer: np.ndarray, planes: np.ndarray, hole: Hole, span: convert.Span) -> None:
    """Put a hole's part of the prediction into its part of the layer."""
    y, x = np.nonzero(hole.inside)
    gray = layer.shape[2] == 2
    layer[y, x, :-1] = convert.from_model(planes[:, y, x].T, span, layer.dtype, gray)
    layer[y, x, -1] = convert.to_samples(hole.alpha(hole.squared[y, x]), layer.dtype)
