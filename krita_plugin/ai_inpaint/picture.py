"""What the plugin needs of a document, whoever has it: Krita's is in `host`, a plain one in the tests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence

from .backend.wire.geometry import Rect

THIS_LAYER = "layer"
"""Source: the layer that was active."""
VISIBLE = "visible"
"""Source: all that is visible. Any other source is the id of a layer."""


@dataclass(frozen=True)
class Layer:
    """A layer, as a list shows it.

    Attributes:
        id: by which the document knows it.
        name: by which people know it.
        depth: how many groups it is in.
    """

    id: str
    name: str
    depth: int = 0


@dataclass(frozen=True)
class Pixels:
    """A rectangle of a picture, in a format that may travel.

    Attributes:
        layout: a key of `wire.pixels.LAYOUTS`.
        dtype: a key of `wire.pixels.SAMPLE_BYTES`.
        data: rows from the top, without gaps.
        space: what the picture needs to take pixels of this kind back.
    """

    layout: str
    dtype: str
    data: bytes
    space: Any = None


@dataclass(frozen=True)
class Fill:
    """A result on its way into a document: `data` is rect.height x rect.width pixels."""

    name: str
    record: str
    data: bytes


class Picture(ABC):
    """A document, and what was selected and active in it when the user asked for a fill.

    The user may go on working meanwhile: what is read later is read as it was pointed at then.
    """

    @property
    @abstractmethod
    def open(self) -> bool:
        """False once the user has closed the document."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The document's name, for people."""

    @property
    @abstractmethod
    def canvas(self) -> Rect:
        """The document's bounds."""

    @property
    @abstractmethod
    def selection(self) -> Rect:
        """Bounds of what was selected; empty if nothing was."""

    @abstractmethod
    def mask(self, rect: Rect) -> bytes:
        """What was selected: one byte a pixel, above 0 is selected."""

    @abstractmethod
    def grown(self, pixels: int, rect: Rect) -> bytes:
        """The same of a copy of the selection that is grown."""

    @property
    @abstractmethod
    def active(self) -> Layer:
        """The layer that was active; of a mask, the layer that it belongs to."""

    @abstractmethod
    def record(self, layer: str) -> Optional[Dict[str, Any]]:
        """What made a layer, if it is a fill or a sketch: {"request", "source", "origin"}; else None."""

    @abstractmethod
    def layers(self) -> List[Layer]:
        """All layers that have pixels to read, from the top."""

    @abstractmethod
    def places(self) -> List[Layer]:
        """What a fill may be taken from alone: all layers, and the selections that were saved with them."""

    @abstractmethod
    def bounds(self, source: str) -> Rect:
        """Where a source has pixels; the canvas for those that are everywhere."""

    @abstractmethod
    def read(self, source: str, rect: Rect) -> Pixels:
        """A source's pixels; transparent where it has none.

        Raises:
            InpaintError: the layer is gone, or cannot be read.
        """

    @abstractmethod
    def strokes(self, source: str, rect: Rect) -> bytes:
        """A source's pixels in sRGB: four bytes a pixel, RGBA.

        Raises:
            InpaintError: as `read`.
        """

    @abstractmethod
    def opacity(self, place: str, rect: Rect) -> bytes:
        """How opaque a layer is, or how much a saved selection selects: one byte a pixel.

        Raises:
            InpaintError: as `read`.
        """

    @abstractmethod
    def select(self, rect: Rect, mask: bytes) -> None:
        """Make something the document's selection, in place of the one that is there.

        Args:
            rect: where the mask lies in the document; beyond it nothing is selected.
            mask: one byte a pixel.

        Raises:
            InpaintError: the document was closed.
        """

    @abstractmethod
    def insert(
        self, fills: Sequence[Fill], group: str, rect: Rect, pixels: Pixels, source: str, origin: str
    ) -> None:
        """Put one layer, or a group of several with the first visible, above what was active: one undo step.

        Args:
            fills: what to put in.
            group: name of the group, if there are several.
            rect: where the fills lie in the document.
            pixels: what was read for them: the fills' layout, sample type and space.
            source, origin: of the request, for `record`.

        Raises:
            InpaintError: the document was closed.
        """
