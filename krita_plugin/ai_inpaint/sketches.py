"""The lines of a picture on a layer of their own, to be redrawn.

Nothing here knows Qt or Krita: the document is a `Picture`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .backend.client import form, refusals
from .backend.client.session import Result, SketchRequest
from .backend.wire.geometry import Rect
from .backend.wire.messages import Buffer
from .backend.wire.pixels import REPLY_LAYOUTS
from .picture import VISIBLE, Fill, Picture, Pixels


@dataclass(frozen=True)
class Order:
    """A request, and the pixels that were read for it."""

    request: SketchRequest
    pixels: Pixels


def check(picture: Picture) -> None:
    """Refuse at once what cannot be drawn, before a backend is looked for.

    Raises:
        InpaintError: what is selected lies beside the picture. That nothing is selected means all.
    """
    if not picture.selection.empty and picture.selection.clipped(picture.canvas).empty:
        raise refusals.selection_off_layer(picture.active.name)


def prepare(picture: Picture) -> Order:
    """Read what is visible, in the selection and around it.

    Raises:
        InpaintError: the picture was closed, or cannot be read.
    """
    if not picture.open:
        raise refusals.document_closed()
    everything = picture.selection.empty
    rect = form.sketch_region(picture.canvas if everything else picture.selection, picture.canvas)
    pixels = picture.read(VISIBLE, rect)
    size = (rect.height, rect.width)
    request = SketchRequest(
        layout=pixels.layout,
        image=Buffer((*size, len(pixels.layout)), pixels.dtype, pixels.data),
        mask=None if everything else Buffer(size, "u1", picture.mask(rect)),
        offset=(rect.x, rect.y),
    )
    return Order(request, pixels)


def deliver(picture: Picture, order: Order, result: Result) -> None:
    """Put the lines in, above what was active.

    Raises:
        InpaintError: the picture was closed.
    """
    if not picture.open:
        raise refusals.document_closed()
    if result.layout != REPLY_LAYOUTS[order.pixels.layout]:
        raise ValueError(f"asked in {order.pixels.layout}, answered in {result.layout}")
    ((_, lines),) = result.candidates
    height, width = lines.shape[:2]
    rect = Rect(result.offset[0], result.offset[1], width, height)
    layer = Fill(form.SKETCH, form.sketch_record(result.model), bytes(lines.data))
    record = picture.record(picture.active.id)
    origin = record["origin"] if record else picture.active.id
    picture.insert([layer], form.SKETCH, rect, order.pixels, VISIBLE, origin)
