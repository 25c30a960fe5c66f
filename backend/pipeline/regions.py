"""What is filled together, and what a model gets to see of the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.base import MOSAIC, Card, FillError, Model

from ..imaging import convert, crop, scale
from ..imaging.crop import Box
from ..imaging.mask import Hole
from ..imaging.mosaic import Mosaic
from ..imaging.torus import Canvas
from . import guidance, mosaics
from .request import Request

Load = Callable[[str], Model]

_NEAR = 32  # px; models that copy from sources do not look further beyond the hole's border
_AROUND = 256  # px; how far around a hole to look for what kind of picture it is in
_KIND = 512  # px; so far a picture is taken to be of one kind


@dataclass(frozen=True)
class Job:
    """Holes that are filled together.

    Attributes:
        endless: whether the hole goes on, at the lower edge of the context, from its upper one; and at the
            right edge from the left one. The context is then as high, or wide, as the picture.
    """

    model: Model
    holes: list[Hole]
    context: Box
    endless: tuple[bool, bool] = (False, False)


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
    request: Request,
    image: np.ndarray,
    canvas: Canvas,
    params: Mapping[str, Any],
    holes: list[Hole],
    followed: Sequence[Mosaic],
    load: Load,
) -> Iterator[Job]:
    """Decide what fills which holes, which of them together, and from which part of the picture.

    `followed` are the mosaics that the fill is to follow.
    """
    by_model: dict[str, list[Hole]] = {}
    pick = _chooser(request, image, canvas, holes, followed) if request.model == "auto" else None
    for hole in holes:
        name = pick(hole) if pick is not None else request.model
        by_model.setdefault(name, []).append(hole)
    for name, alike in by_model.items():
        model = load(name)
        card = model.card
        guidance.check(request.guidance, card)

        def margin(box: Box, card: Card = card) -> int:
            return crop.margin(box, card.context_minimum, card.context_factor, params["context"])

        single = []
        for hole in alike:
            endless = canvas.endless(hole.box)
            if any(endless):
                context = canvas.around(hole.box, margin(hole.box), endless)
                yield _with_source(request, image, canvas, Job(model, [hole], context, endless), holes)
            else:
                single.append(hole)
        contexts = [canvas.around(hole.box, margin(hole.box)) for hole in single]
        for members in crop.group(contexts, card.max_pixels):
            together = [single[index] for index in members]
            context = union([contexts[index] for index in members])
            if canvas.tiles:  # nothing is to be seen twice that each of the holes sees for itself
                box = union([hole.box for hole in together])
                context = canvas.around(box, margin(box))
            yield _with_source(request, image, canvas, Job(model, together, context), holes)


def union(boxes: list[Box]) -> Box:
    """The smallest box around all."""
    result = boxes[0]
    for box in boxes[1:]:
        result = result.union(box)
    return result


def _chooser(
    request: Request, image: np.ndarray, canvas: Canvas, holes: list[Hole], followed: Sequence[Mosaic]
) -> Callable[[Hole], str]:
    """What picks a model for each hole."""
    from models import auto

    if request.guidance:
        following = guidance.follower(request.guidance)
        return lambda hole: following
    if request.source is not None:  # where the user says what to take, it is to be taken, not interpolated
        return lambda hole: "patchmatch"
    networks = auto.usable()
    first, verdicts = holes[0].box, dict[tuple[int, int], bool]()

    def drawn(hole: Hole) -> bool:
        # Holes that are close to each other are in the same kind of picture: nobody looks for every speck.
        place = (hole.box.top - first.top) // _KIND, (hole.box.left - first.left) // _KIND
        if place not in verdicts:
            box = _middle(canvas.around(hole.box, _AROUND), _KIND + 2 * _AROUND)
            pixels = canvas.cut(image, box)
            known = convert.known(pixels) & ~_inside(holes, box, canvas)
            verdicts[place] = auto.line_art(convert.to_model(pixels, known)[0], known)
        return verdicts[place]

    def mosaic(hole: Hole) -> bool:
        return any(one.box.meet(place) for one in followed for place in canvas.copies(hole.box, one.box))

    return lambda hole: auto.choose(np.pad(hole.inside, 1), lambda: drawn(hole), networks, mosaic(hole))


def _middle(box: Box, side: int) -> Box:
    """The middle of a box, at most `side` px wide and high."""
    across, down = max(box.width - side, 0), max(box.height - side, 0)
    left, top = box.left + across // 2, box.top + down // 2
    return Box(left, top, left + box.width - across, top + box.height - down)


def _with_source(request: Request, image: np.ndarray, canvas: Canvas, job: Job, holes: list[Hole]) -> Job:
    """The job with a context that contains enough of the user's source."""
    source = request.source
    if source is None:
        return job
    whole = canvas.whole(job.context)

    def usable(part: Box) -> np.ndarray:
        box = part.moved(whole.left, whole.top)
        allowed = canvas.cut(source, box) > 0
        return allowed & convert.known(canvas.cut(image, box)) & ~_inside(holes, box, canvas)

    wanted = max(crop.ENOUGH_SOURCE, sum(hole.area for hole in job.holes))
    start = job.context.moved(-whole.left, -whole.top)
    context = crop.reach_source(start, wanted, usable, whole.height, whole.width)
    return replace(job, context=context.moved(whole.left, whole.top))


def _inside(holes: list[Hole], box: Box, canvas: Canvas) -> np.ndarray:
    """bool, of the box's size: pixels of any of the holes."""
    result = np.zeros((box.height, box.width), dtype=bool)
    for hole in holes:
        for place in canvas.copies(hole.box, box):
            common = place.meet(box)
            if common is not None:
                result[common.within(box)] |= hole.inside[common.within(place)]
    return result


def _own(job: Job) -> np.ndarray:
    """bool, of the context's size: the job's holes, each of them once."""
    result = np.zeros((job.context.height, job.context.width), dtype=bool)
    for hole in job.holes:
        result[hole.box.within(job.context)] |= hole.inside
    return result


def look(
    request: Request,
    image: np.ndarray,
    canvas: Canvas,
    job: Job,
    holes: list[Hole],
    followed: Sequence[Mosaic],
) -> View:
    """Prepare what the model sees: nothing of what is to vanish, nothing beneath transparency.

    Of mosaics that are to be followed it sees the cells, if it knows how to follow them.
    """
    card = job.model.card
    pixels = canvas.cut(image, job.context)
    own = _own(job)
    guides = guidance.layers(request, job.context, canvas)
    shown_of_own = own if card.sees_hole else np.zeros_like(own)
    if followed and card.follows_mosaic:
        cells = np.where(own & convert.known(pixels), mosaics.cells(followed, job.context, canvas), -1)
        if (cells >= 0).any():
            guides[MOSAIC], shown_of_own = cells[None].astype(np.float32), cells >= 0
    visible = ~_inside(holes, job.context, canvas) & convert.known(pixels)
    usable = visible
    if request.source is not None:
        usable = visible & (canvas.cut(request.source, job.context) > 0)
    if not usable.any() and not request.guidance:  # what is drawn can be enough by itself
        raise FillError(
            "no-source",
            "There is nothing around the selection to fill it from.",
            "Select less, lower Grow and Feather, enlarge the context, "
            "or show some of the picture that is neither selected nor transparent.",
        )
    shown = visible | (shown_of_own & convert.known(pixels))
    planes, span = convert.to_model(pixels, shown)
    hidden = ~visible & ~own
    ask = own
    if hidden.any():
        planes = scale.spread(planes, shown)
        ask = own | (hidden & _near(own) if card.takes_source else hidden)
    source = None if np.array_equal(usable, ~ask) else usable
    return View(planes, own, ask, source, guides, span)


def _near(own: np.ndarray) -> np.ndarray:
    """bool h x w: pixels that matter to a model which copies patches, when it fills `own`."""
    from scipy import ndimage

    return ndimage.maximum_filter(own, 2 * _NEAR + 1, mode="constant")
