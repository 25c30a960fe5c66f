"""What is filled together, and what a model gets to see of the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.base import FillError, Model

from ..imaging import convert, crop, scale
from ..imaging.crop import Box
from ..imaging.mask import Hole
from . import guidance
from .request import Request

Load = Callable[[str], Model]

_NEAR = 32  # px; models that copy from sources do not look further beyond the hole's border
_AROUND = 256  # px; how far around a hole to look for what kind of picture it is in


@dataclass(frozen=True)
class Job:
    """Holes that are filled together."""

    model: Model
    holes: list[Hole]
    context: Box


@dataclass(frozen=True)
class View:
    """What a model gets to see of a context of h x w.

    Attributes:
        planes: float32 3 x h x w in [0, 1].
        own: bool h x w; the job's holes.
        ask: bool h x w; what the model is to fill: `own`, and what it must not see close to it.
        source: bool h x w, or None where all but `ask` is.
        guidance: float32 C x h x w by name.
        span: how to get from `planes` to samples.
    """

    planes: np.ndarray
    own: np.ndarray
    ask: np.ndarray
    source: np.ndarray | None
    guidance: Mapping[str, np.ndarray]
    span: convert.Span


def plan(
    request: Request, image: np.ndarray, params: Mapping[str, Any], holes: list[Hole], load: Load
) -> Iterator[Job]:
    """Decide what fills which holes, which of them together, and from which part of the picture."""
    height, width = image.shape[:2]
    by_model: dict[str, list[Hole]] = {}
    pick = _chooser(request, image, holes) if request.model == "auto" else None
    for hole in holes:
        name = pick(hole) if pick is not None else request.model
        by_model.setdefault(name, []).append(hole)
    for name, alike in by_model.items():
        model = load(name)
        card = model.card
        guidance.check(request.guidance, card)
        contexts = []
        for hole in alike:
            margin = crop.margin(hole.box, card.context_minimum, card.context_factor, params["context"])
            contexts.append(hole.box.enlarge(margin, height, width))
        for members in crop.group(contexts, card.max_pixels):
            context = contexts[members[0]]
            for index in members[1:]:
                context = context.union(contexts[index])
            job = Job(model, [alike[index] for index in members], context)
            yield _with_source(request, image, job, holes)


def _chooser(request: Request, image: np.ndarray, holes: list[Hole]) -> Callable[[Hole], str]:
    """What picks a model for each hole."""
    from models import auto

    if request.guidance:
        following = guidance.follower(request.guidance)
        return lambda hole: following
    if request.source is not None:  # where the user says what to take, it is to be taken, not interpolated
        return lambda hole: "patchmatch"
    networks = auto.usable()

    def look(hole: Hole) -> tuple[np.ndarray, np.ndarray]:
        box = hole.box.enlarge(_AROUND, *image.shape[:2])
        known = convert.known(image[box.slices]) & ~_inside(holes, box)
        return convert.to_model(image[box.slices], known)[0], known

    return lambda hole: auto.choose(np.pad(hole.inside, 1), lambda: look(hole), networks)


def _with_source(request: Request, image: np.ndarray, job: Job, holes: list[Hole]) -> Job:
    """The job with a context that contains enough of the user's source."""
    source = request.source
    if source is None:
        return job

    def usable(box: Box) -> np.ndarray:
        allowed = source[box.slices] > 0
        return allowed & convert.known(image[box.slices]) & ~_inside(holes, box)

    wanted = max(crop.ENOUGH_SOURCE, sum(hole.area for hole in job.holes))
    context = crop.reach_source(job.context, wanted, usable, *image.shape[:2])
    return Job(job.model, job.holes, context)


def _inside(holes: list[Hole], box: Box) -> np.ndarray:
    """bool, of the box's size: pixels of any of the holes."""
    result = np.zeros((box.height, box.width), dtype=bool)
    for hole in holes:
        common = hole.box.meet(box)
        if common is not None:
            result[common.within(box)] |= hole.inside[common.within(hole.box)]
    return result


def look(request: Request, image: np.ndarray, job: Job, holes: list[Hole]) -> View:
    """Prepare what the model sees: nothing of what is to vanish, nothing beneath transparency."""
    pixels = image[job.context.slices]
    own = _inside(job.holes, job.context)
    visible = ~_inside(holes, job.context) & convert.known(pixels)
    usable = visible
    if request.source is not None:
        usable = visible & (request.source[job.context.slices] > 0)
    if not usable.any() and not request.guidance:  # what is drawn can be enough by itself
        raise FillError(
            "no-source",
            "There is nothing around the selection to fill it from.",
            "Select less, lower Grow and Feather, enlarge the context, "
            "or show some of the picture that is neither selected nor transparent.",
        )
    shown = visible | (own & convert.known(pixels)) if job.model.card.sees_hole else visible
    planes, span = convert.to_model(pixels, shown)
    hidden = ~visible & ~own
    ask = own
    if hidden.any():
        planes = scale.spread(planes, shown)
        ask = own | (hidden & _near(own) if job.model.card.takes_source else hidden)
    source = None if np.array_equal(usable, ~ask) else usable
    return View(planes, own, ask, source, guidance.layers(request, job.context), span)


def _near(own: np.ndarray) -> np.ndarray:
    """bool h x w: pixels that matter to a model which copies patches, when it fills `own`."""
    from scipy import ndimage

    return ndimage.maximum_filter(own, 2 * _NEAR + 1, mode="constant")
