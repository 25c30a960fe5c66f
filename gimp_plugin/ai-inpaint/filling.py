"""One fill, from what was asked to the new layer; and the questions to the backend beside it."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

import host
from gi.repository import Gimp
from options import VISIBLE, Options

from backend.client import form, refusals, words
from backend.client.jobs import InpaintRequest, Progress, SketchRequest
from backend.client.session import Session
from backend.client.settings import Settings
from backend.wire.errors import NO_SOURCE, NOT_RUNNING, InpaintError

SOFTWARE = "GIMP plug-in"


def connect(launch: bool = True) -> Session:
    """The backend, started if it does not run; GIMP's progress bar says so.

    Raises:
        InpaintError: as `Session.connect`.
    """

    def starting(words: str) -> None:
        Gimp.progress_set_text(words)
        Gimp.progress_pulse()

    return Session.connect(launch=launch, progress=starting, software=SOFTWARE)


def offer(session: Session) -> form.Form:
    """What the backend can be asked for, and what was chosen last."""
    cards, common = session.models()
    return form.Form(cards, common, Settings())


def check(image: Gimp.Image, drawables: Sequence[Gimp.Drawable]) -> Gimp.Layer:
    """The layer to fill, before anything is asked of the user or the backend.

    Raises:
        InpaintError: nothing can be filled here.
    """
    layer = host.target(image, drawables)
    host.selection(image)
    return layer


def fill(
    image: Gimp.Image, drawables: Sequence[Gimp.Drawable], options: Options, remember: bool = False
) -> Gimp.Layer:
    """Fill what is selected.

    GIMP's Cancel kills this process: nothing in the picture is touched before the answer is there, and the
    backend drops the job of a client that is gone.

    Args:
        image, drawables: as GIMP hands them over.
        options: what is asked for.
        remember: begin with these settings next time, in every editor.

    Returns:
        The new layer, or the group of the new layers.

    Raises:
        InpaintError: whatever went wrong; the picture is as it was.
    """
    layer = check(image, drawables)
    Gimp.progress_init("AI Inpaint")
    with connect() as session:
        offered = offer(session)
        values = offered.checked(options.model, options.values)
        card = offered.card(options.model)
        title = str(card.get("title") or options.model)
        if not card.get("installed", True):
            raise refusals.not_ready(title)
        request, way = _request(image, layer, options, offered, values)
        try:
            result = session.inpaint(request, show)
        except InpaintError as problem:
            if problem.code == NO_SOURCE and not options.sample_from and _some_unselected(request):
                raise refusals.nothing_around() from problem
            raise
    title = words.filled_by(offered.models, result.model, title)
    patches = [
        host.Patch(form.layer_name(title, seed), form.describe(options.model, values, seed), pixels)
        for seed, pixels in result.candidates
    ]
    if remember:
        try:
            offered.remember(options.model, values)
        except OSError as problem:  # the fill is there: no reason to fail
            Gimp.message(f"The settings cannot be remembered: {problem}.")
    return host.insert(image, layer, way, result.offset, patches, form.group_name(title, len(patches)))


def sketch(image: Gimp.Image, drawables: Sequence[Gimp.Drawable], detail: int) -> Gimp.Layer:
    """Draw the lines of what is visible, in the selection or everywhere, on a new layer.

    Args:
        image, drawables: as GIMP hands them over.
        detail: 0 to 100.

    Returns:
        The new layer, above the one that is active.

    Raises:
        InpaintError: whatever went wrong; the picture is as it was.
    """
    layer = host.target(image, drawables)
    selected = host.selected(image)
    with host.Source(image, layer, True) as source:
        rect = form.sketch_region(selected or source.bounds, source.bounds)
        if rect.empty:
            raise refusals.selection_off_layer(layer.get_name())
        request = SketchRequest(
            source.layout,
            source.read(rect),
            host.mask(image, rect) if selected else None,
            {"detail": detail},
            (rect.x, rect.y),
        )
        way = source.encoding
    Gimp.progress_init("AI Inpaint")
    with connect() as session:
        result = session.sketch(request, show)
    ((_, pixels),) = result.candidates
    patch = host.Patch(form.SKETCH, form.sketch_record(result.model), pixels)
    return host.insert(image, layer, way, result.offset, [patch], form.SKETCH)


def _request(
    image: Gimp.Image, layer: Gimp.Layer, options: Options, offered: form.Form, values: Dict[str, Any]
) -> Tuple[InpaintRequest, host.Encoding]:
    selected = host.selection(image)
    allowed, bounds = None, None
    if options.sample_from:
        allowed, bounds = host.sample_from(image, options.sample_from)
    # A fill or a sketch alone is no picture; what is seen with it is one.
    alone = bool(host.record(layer)) or layer.get_name() in options.guidance.values()
    visible = options.source == VISIBLE or alone
    with host.Source(image, layer, visible) as source:
        rect = form.region(selected, source.bounds, offered.card(options.model), values, bounds)
        mask = None if rect.empty else host.mask(image, rect)
        if mask is None or not any(mask.data):
            raise refusals.selection_off_layer(layer.get_name())
        request = InpaintRequest(
            source.layout,
            source.read(rect),
            mask,
            options.model,
            values,
            None if allowed is None else host.allowed_by(allowed, rect),
            {name: host.guide(image, chosen, rect) for name, chosen in options.guidance.items()},
            (rect.x, rect.y),
        )
        return request, source.encoding


def show(news: Progress) -> None:
    """Let GIMP's progress bar say how far a job is."""
    Gimp.progress_set_text(news.stage)
    Gimp.progress_update(news.fraction)


def _some_unselected(request: InpaintRequest) -> bool:
    """Whether there were pixels that might have been a source, had they not been transparent."""
    return not all(request.mask.data)


def running() -> Optional[Session]:
    """A session with the backend that runs; None if none does.

    Raises:
        InpaintError: one runs, but cannot be talked to.
    """
    try:
        return connect(launch=False)
    except InpaintError as problem:
        if problem.code == NOT_RUNNING:
            return None
        raise
