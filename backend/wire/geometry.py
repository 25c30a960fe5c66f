"""Which region of a document has to be sent.

The context that the backend uses around a hole is bounded by the margins of the model's card. A client
that sends the selection's bounds enlarged by as much gets the very pixels that it would get for the
whole document.
"""

from __future__ import annotations

import math
from typing import Any, Mapping, NamedTuple, Optional


class Rect(NamedTuple):
    """Whole pixels; x, y may be negative, width and height are at least 0."""

    x: int
    y: int
    width: int
    height: int

    @property
    def empty(self) -> bool:
        """True if it holds no pixel."""
        return self.width <= 0 or self.height <= 0

    def enlarged(self, margin: int) -> Rect:
        """This with `margin` px more on every side."""
        return Rect(self.x - margin, self.y - margin, self.width + 2 * margin, self.height + 2 * margin)

    def clipped(self, other: Rect) -> Rect:
        """The part inside `other`; empty (width or height 0) if there is none."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Rect(left, top, max(right - left, 0), max(bottom - top, 0))

    def united(self, other: Rect) -> Rect:
        """The smallest rectangle around both; an empty one does not count."""
        if self.empty or other.empty:
            return other if self.empty else self
        left, top = min(self.x, other.x), min(self.y, other.y)
        right = max(self.x + self.width, other.x + other.width)
        bottom = max(self.y + self.height, other.y + other.height)
        return Rect(left, top, right - left, bottom - top)


def request_rect(
    selection: Rect,
    canvas: Rect,
    card: Mapping[str, Any],
    grow: int,
    feather: int,
    context: int = 0,
    source: Optional[Rect] = None,
    tile: bool = False,
) -> Rect:
    """The region of the document that an `inpaint` request has to carry.

    Args:
        selection: bounds of the selected pixels.
        canvas: bounds of the pixels that exist.
        card: of the model; its `context_factor` and `context_minimum` count.
        grow, feather: settings of the request, px.
        context: setting of the request, px; 0 leaves it to the card.
        source: bounds of the pixels that the fill may be taken from, where the user chose them: the
            backend looks as far as it must to find enough of them.
        tile: setting of the request; a picture that tiles has to be there as a whole.

    Returns:
        A rectangle inside `canvas`; empty if the selection lies outside it.
    """
    selected = selection.clipped(canvas)
    if selected.empty:
        return selected
    if tile:
        return canvas
    hole = selected.enlarged(grow + feather).clipped(canvas)
    by_card = max(card["context_minimum"], math.ceil(card["context_factor"] * max(hole.width, hole.height)))
    region = hole.enlarged(context or by_card).clipped(canvas)
    return region if source is None else region.united(source.clipped(canvas))
