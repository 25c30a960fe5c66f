"""From what the user wants to what the backend is asked, and back into the document.

Nothing here knows Qt or Krita: the document is a `Picture`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, Mapping

from .backend.client import form, refusals, words
from .backend.client.form import Form
from .backend.client.session import InpaintRequest, Result
from .backend.wire.geometry import Rect
from .backend.wire.messages import Buffer
from .backend.wire.pixels import REPLY_LAYOUTS
from .picture import THIS_LAYER, VISIBLE, Fill, Picture, Pixels

_VISIBLE_FROM = 16  # of 255: the backend takes fainter pixels for transparent


@dataclass(frozen=True)
class Wish:
    """What the user chose.

    Attributes:
        model: its name.
        values: of the settings in the form.
        source: what is read: `picture.THIS_LAYER`, `picture.VISIBLE`, or a layer's id.
        sample_from: id of the layer from whose opaque pixels, or of the saved selection from whose selected
            ones, the fill has to be taken; "" for anywhere.
        guidance: name of a guidance layer to the id of the layer that it is.
    """

    model: str
    values: Dict[str, Any]
    source: str = THIS_LAYER
    sample_from: str = ""
    guidance: Dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """A request, and what has to be known to put its result in.

    Attributes:
        wish: as it was carried out, with a source that still means the same later.
        title: of the model.
        request: for the backend.
        pixels: that were read.
    """

    wish: Wish
    title: str
    request: InpaintRequest
    pixels: Pixels


def check(picture: Picture) -> None:
    """Refuse at once what cannot become a fill, before a backend is looked for.

    Raises:
        InpaintError: nothing is selected, or only beside the picture.
    """
    if picture.selection.empty:
        raise refusals.no_selection()
    if picture.selection.clipped(picture.canvas).empty:
        raise refusals.selection_off_layer(picture.active.name)


def repeat(picture: Picture, last: Wish) -> Wish:
    """The wish for another result: of the fill that is active, else of what was wished last."""
    record = picture.record(picture.active.id)
    request = form.parse(record["request"]) if record else None
    wish = last
    if record and request:
        # A fill is repeated from what it was made of, not from itself.
        source = record["origin"] if record["source"] == THIS_LAYER else record["source"]
        wish = replace(last, model=request["model"], values=dict(request["params"]), source=source)
    return replace(wish, values={**wish.values, "seed": form.new_seed(), "count": 1})


def prepare(picture: Picture, offer: Form, wish: Wish) -> Order:
    """Read what is needed.

    Args:
        picture: whose selection is to be filled.
        offer: what the backend has.
        wish: what to ask it for.

    Raises:
        InpaintError: the model is not there or not known, a setting is wrong, the picture was closed, or
            there is nothing to read.
    """
    if not picture.open:
        raise refusals.document_closed()
    card = offer.card(wish.model)
    if not card.get("installed", True):
        raise refusals.not_ready(str(card.get("title") or wish.model))
    values = offer.checked(wish.model, wish.values)
    followed = {
        name: layer for name, layer in wish.guidance.items() if layer and name in offer.guidance(wish.model)
    }
    wish = replace(wish, values=values, source=_source(picture, wish.source, followed))
    hole = picture.selection.clipped(picture.canvas)
    # What is drawn can be enough by itself: the layer may be erased wholly.
    if not followed and hole.clipped(picture.bounds(wish.source)).empty:
        raise refusals.selection_off_layer(picture.active.name)
    sampled = bool(wish.sample_from) and offer.takes_source(wish.model)
    sample = picture.bounds(wish.sample_from) if sampled else None
    rect = form.region(hole, picture.canvas, card, values, sample)
    mask = picture.mask(rect)
    if mask.count(0) == len(mask):
        raise refusals.no_selection()
    pixels = picture.read(wish.source, rect)
    if not followed and _nothing_around(pixels, mask):
        raise refusals.nothing_around()
    size = (rect.height, rect.width)
    source = None
    if sampled:
        source = Buffer(size, "u1", picture.opacity(wish.sample_from, rect).translate(_OPAQUE))
    guidance = {
        name: Buffer((*size, 4), "u1", picture.strokes(layer, rect)) for name, layer in followed.items()
    }
    request = InpaintRequest(
        layout=pixels.layout,
        image=Buffer((*size, len(pixels.layout)), pixels.dtype, pixels.data),
        mask=Buffer(size, "u1", mask),
        model=wish.model,
        params=values,
        source=source,
        guidance=guidance,
        offset=(rect.x, rect.y),
    )
    return Order(wish, str(card.get("title") or wish.model), request, pixels)


def deliver(picture: Picture, offer: Form, order: Order, result: Result) -> None:
    """Put the result in.

    Raises:
        InpaintError: the picture was closed.
    """
    if not picture.open:
        raise refusals.document_closed()
    title = words.filled_by(offer.models, result.model, order.title)
    pixels = order.pixels
    if result.layout != REPLY_LAYOUTS[pixels.layout]:
        raise ValueError(f"asked in {pixels.layout}, answered in {result.layout}")
    fills = [
        Fill(
            form.layer_name(title, seed),
            form.describe(order.wish.model, order.wish.values, seed),
            bytes(patch.data),
        )
        for seed, patch in result.candidates
    ]
    height, width = result.candidates[0][1].shape[:2]
    rect = Rect(result.offset[0], result.offset[1], width, height)
    record = picture.record(picture.active.id)
    origin = record["origin"] if record else picture.active.id
    picture.insert(fills, form.group_name(title, len(fills)), rect, pixels, order.wish.source, origin)


_OPAQUE = bytes(255 if value >= 128 else 0 for value in range(256))
_SEEN = bytes(255 if value >= _VISIBLE_FROM else 0 for value in range(256))
_SELECTED = bytes([0] + [255] * 255)


def _source(picture: Picture, source: str, followed: Mapping[str, str]) -> str:
    """The source that is meant: a fill or a sketch alone is no picture, what is visible with it is one."""
    active = picture.active.id
    if source == THIS_LAYER and (picture.record(active) is not None or active in followed.values()):
        return VISIBLE
    return source


def _nothing_around(pixels: Pixels, mask: bytes) -> bool:
    """Whether all that is not selected is transparent."""
    size = {"u1": 1, "u2": 2, "f2": 2, "f4": 4}[pixels.dtype]
    step = size * len(pixels.layout)
    # The last byte of a little-endian sample is its highest; of a float it is 0 for what is all but nothing.
    highest = pixels.data[step - 1 :: step]
    seen = highest.translate(_SEEN)
    # Whole numbers as long as the picture: "and" of a million bytes in one step, without numpy.
    around = int.from_bytes(mask.translate(_SELECTED), "big") ^ ((1 << (8 * len(mask))) - 1)
    return not int.from_bytes(seen, "big") & around
