"""Pictures that tile: how they are laid out for a fill, and how a hole without an end is closed.

The picture is rolled so that its edges cut no hole if that can be (`imaging.torus.home`); what a model sees
of it goes on at the opposite edge. A hole that leaves no row, or no column, of the picture free cannot lie
inside: it is cut open, filled, and then filled again around the cut, with both sides in view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from models.base import Card, Progress

from ..imaging import crop
from ..imaging.crop import Box
from ..imaging.torus import Canvas, home
from .regions import View
from .request import Request

Fill = Callable[[View, Progress], np.ndarray]
"""Fills `own` of a view; float32 3 x h x w."""

_LEAST, _SHARE = 16, 4  # px, and of the picture's side: bounds of what is filled again on each side of a cut


def unrolled(request: Request) -> tuple[Request, Canvas]:
    """The request as it is filled, and where that is: rolled so that the holes lie inside."""
    height, width = request.image.shape[:2]
    shift = home(request.mask, request.image.reshape(height, width, -1))
    if shift == (0, 0):
        return request, Canvas(height, width, True)

    def roll(array: np.ndarray) -> np.ndarray:
        return np.roll(array, shift, (0, 1))

    rolled = replace(
        request,
        image=roll(request.image),
        mask=roll(request.mask),
        source=None if request.source is None else roll(request.source),
        guidance={name: roll(layer) for name, layer in request.guidance.items()},
    )
    return rolled, Canvas(height, width, True, shift)


def close(
    view: View,
    planes: np.ndarray,
    endless: tuple[bool, bool],
    card: Card,
    params: Mapping[str, Any],
    fill: Fill,
    progress: Progress,
) -> np.ndarray:
    """Fill again where a hole was cut open, so that it goes on from the last row or column to the first.

    Args:
        view: of a job.
        planes: float32 3 x h x w, the fill.
        endless: of the job.
        card: of the model.
        params: of the request.
        fill: gives the fill of a view.
        progress: told about this alone.

    Returns:
        `planes`, or a new array, changed in `own` alone.
    """
    parts = list(_parts(view.own, endless))
    for number, part in enumerate(parts):

        def report(fraction: float, stage: str, number: int = number) -> None:
            progress((number + fraction) / len(parts), stage)

        planes = _refilled(view, planes, part, endless, card, params, fill, report)
    return planes


def _parts(own: np.ndarray, endless: tuple[bool, bool]) -> Iterator[Box]:
    """What is filled again: a box around each cut, which may reach beyond the edges."""
    for axis in (1, 0):
        lines = own if axis == 0 else own.T  # cut before the first of them
        if not endless[axis]:
            continue
        before = lines[-1] | np.roll(lines[-1], 1) | np.roll(lines[-1], -1)
        crossing = int(np.count_nonzero(lines[0] & before))
        if not crossing:
            continue
        reach = max(1, min(max(crossing // 2, _LEAST), len(lines) // _SHARE))
        places = np.flatnonzero(lines.take(np.arange(-reach, reach), 0, mode="wrap").any(axis=0))
        start, stop = int(places[0]), int(places[-1]) + 1
        yield Box(-reach, start, reach, stop) if axis == 1 else Box(start, -reach, stop, reach)


def _refilled(
    view: View,
    planes: np.ndarray,
    part: Box,
    endless: tuple[bool, bool],
    card: Card,
    params: Mapping[str, Any],
    fill: Fill,
    progress: Progress,
) -> np.ndarray:
    """Fill the hole in a box again, from all around it."""
    height, width = view.own.shape
    # The box goes to the middle, or stays where the view does not go on beyond its edges.
    down = height // 2 - (part.top + part.bottom) // 2 if endless[0] else 0
    across = width // 2 - (part.left + part.right) // 2 if endless[1] else 0

    def roll(array: np.ndarray) -> np.ndarray:
        return np.roll(array, (down, across), (-2, -1))

    part = part.moved(across, down)
    own, filled, seen = roll(view.own), roll(planes), roll(view.planes)
    again = np.zeros_like(own)
    again[part.slices] = own[part.slices]
    usable = roll(~view.ask if view.source is None else view.source)
    margin = crop.margin(part, card.context_minimum, card.context_factor, params["context"])
    context = part.enlarge(margin, height, width)
    context = crop.reach_source(context, crop.ENOUGH_SOURCE, lambda box: usable[box.slices], height, width)
    place = context.slices
    # What was filled from the sources may be a source itself: the fill has to fit it.
    source = None if view.source is None else (usable | own & ~again)[place]
    changed = fill(
        View(
            np.where(own & ~again, filled, seen)[(..., *place)],
            again[place],
            (roll(view.ask) & ~own | again)[place],
            source,
            {name: roll(layer)[(..., *place)] for name, layer in view.guidance.items()},
            view.span,
        ),
        progress,
    )
    result = filled.copy()
    np.copyto(result[(..., *place)], changed, where=again[place])
    return np.roll(result, (-down, -across), (1, 2))
