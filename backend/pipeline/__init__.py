"""From a request to layers: mask, regions, context, scale, model, seam, patch.

A picture may be huge: every step works on the part around a hole, and nothing here makes an array of
the picture's size. All that decides about a pixel lies within the context of its hole, so that a
crop which holds the selection and the models' margins gives the very same layer. A picture that tiles is
looked at as a whole: see `tile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models import cards, load
from models.base import Cancel, Cancelled, Card, FillError, Model, Progress, is_out_of_memory
from models.zoo import stamp

from ..imaging import convert, mask, mosaic_fill, seam, torus
from ..imaging.mask import Hole
from ..imaging.torus import Canvas
from . import guidance, mosaics, tile
from .predict import predict
from .regions import Job, Load, View, look, plan
from .request import PARAMS, Layer, Request, check
from .select import PARAMS as SELECT_PARAMS
from .select import Selection, select
from .sketch import PARAMS as SKETCH_PARAMS
from .sketch import sketch

# What a caller needs beside `fill`: whoever runs the pipeline knows the models through it alone.
__all__ = [
    "PARAMS",
    "SELECT_PARAMS",
    "SKETCH_PARAMS",
    "Card",
    "FillError",
    "Layer",
    "Model",
    "Progress",
    "Request",
    "Selection",
    "cards",
    "fill",
    "is_out_of_memory",
    "load",
    "select",
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
        FillError: `bad-image`, `bad-guidance`, `empty-mask`, `no-mosaic`, `no-source`, `out-of-memory`,
            or what the model and `load` raise.
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
    params = {param.name: param.default for param in PARAMS} | dict(request.params)
    _stop_if(cancel)
    report(0.0, "looking")
    followed = [*request.mosaics, *(mosaics.beneath(request) if params["mosaic"] else [])]
    canvas, components = Canvas(*request.image.shape[:2]), mask.components
    if params["tile"]:
        request, canvas = tile.unrolled(request)
        components = torus.components
    image = request.image[..., None] if request.image.ndim == 2 else request.image
    # Around a mosaic there is no fringe of anything: what is there, tells of what it hides.
    grow, feather = (0, 0) if params["mosaic"] else (params["grow"], params["feather"])
    holes = components(request.mask, grow, feather, params["pinholes"])
    if not holes:
        raise FillError(
            "empty-mask", "Nothing is selected in this picture.", "Select what is to be filled first."
        )
    shown = mosaics.placed(followed, canvas)
    jobs = list(plan(request, image, canvas, params, holes, shown, load))
    guidance.check_drawn(request, canvas, holes)
    box = canvas.covered([hole.box for hole in holes])
    shape = (box.height, box.width, 2 if image.shape[2] < 3 else 4)
    seeds = [(params["seed"] + index) % 2**32 for index in range(params["count"])]
    results = [np.zeros(shape, image.dtype) for _ in seeds]
    total = len(seeds) * sum(hole.area for hole in holes)
    done = 0
    for job in jobs:
        _stop_if(cancel)
        view = look(request, image, canvas, job, holes, shown)
        weight = sum(hole.area for hole in job.holes)
        for seed, pixels in zip(seeds, results, strict=True):

            def report_job(fraction: float, stage: str, done: int = done, weight: int = weight) -> None:
                report((done + weight * min(max(fraction, 0.0), 1.0)) / total, stage)

            def run(view: View, progress: Progress, job: Job = job, seed: int = seed) -> np.ndarray:
                planes = predict(job.model, view, seed, params, progress, cancel, load)
                return (
                    seam.match(view.planes, planes, view.own, ~view.ask) if _matched(job, params) else planes
                )

            planes = _planes(job, view, params, run, report_job)
            for hole in job.holes:
                rows, columns = hole.box.within(job.context)
                fill_of_hole = planes[:, rows, columns]
                for place, part in canvas.at_home(hole.box):
                    _write(pixels[place.within(box)], fill_of_hole[(..., *part)], hole, part, view.span)
            done += weight
            _stop_if(cancel)
    for one in followed:
        for pixels in results:
            mosaic_fill.agree(pixels, (box.left, box.top), one)
    report(1.0, "done")
    names = "+".join(sorted({job.model.card.name for job in jobs}, reverse=True))
    return [
        Layer(pixels, (box.left, box.top), seed, names) for seed, pixels in zip(seeds, results, strict=True)
    ]


def _stop_if(cancel: Cancel) -> None:
    if cancel():
        raise Cancelled


def _matched(job: Job, params: Mapping[str, Any]) -> bool:
    """Whether colours are matched at the border."""
    return params["seam"] == "on" or (params["seam"] == "auto" and not job.model.card.takes_source)


def _planes(job: Job, view: View, params: Mapping[str, Any], run: tile.Fill, report: Progress) -> np.ndarray:
    """The fill of a job's view, float32 3 x h x w."""
    if not any(job.endless):
        return run(view, report)
    planes = run(view, lambda part, stage: report(part / 2, stage))

    def second(part: float, stage: str) -> None:
        report(0.5 + part / 2, stage)

    return tile.close(view, planes, job.endless, job.model.card, params, run, second)


def _write(
    layer: np.ndarray, planes: np.ndarray, hole: Hole, part: tuple[slice, slice], span: convert.Span
) -> None:
    """Put a part of a hole's fill into its part of the layer."""
    y, x = np.nonzero(hole.inside[part])
    gray = layer.shape[2] == 2
    layer[y, x, :-1] = convert.from_model(planes[:, y, x].T, span, layer.dtype, gray)
    layer[y, x, -1] = convert.to_samples(hole.alpha(hole.squared[part][y, x]), layer.dtype)
