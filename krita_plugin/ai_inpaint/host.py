"""Krita's documents: the only file that touches them.

All pixels go through `projectionPixelData` (what a layer shows, with its masks and effects) and come back in
a layer of their own: nothing that the user has made is written to. Colours are converted in a document that
nobody sees: in the user's own, the conversion of a layer is an undo step, even of one that is not in it yet.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from krita import Krita, Selection

from . import words
from .backend.client import refusals
from .backend.wire.geometry import Rect
from .picture import THIS_LAYER, VISIBLE, Fill, Layer, Picture, Pixels
from .qt import QtCore
from .spaces import STROKES, Space

_GROUP = "group"
_SETTINGS = "ai_inpaint"
_ANNOTATION = "ai-inpaint"
_BEHIND = ("filterlayer",)  # they show what is below them, changed, and have no pixels of their own
_SAVED = "selectionmask"
_UNREADABLE = (_SAVED, "transparencymask", "filtermask", "transformmask", "colorizemask")


class KritaHost:
    """The running Krita."""

    def picture(self) -> KritaPicture:
        """The document that is active, with what is selected and active in it.

        Raises:
            InpaintError: no document is open, or nothing is selected.
        """
        document = Krita.instance().activeDocument()
        if document is None:
            raise refusals.no_document()
        return KritaPicture(document)

    def setting(self, name: str) -> str:
        """A text remembered in Krita's own configuration; "" if there is none."""
        return str(Krita.instance().readSetting(_SETTINGS, name, ""))

    def remember(self, name: str, text: str) -> None:
        """Remember a text."""
        Krita.instance().writeSetting(_SETTINGS, name, text)

    def window(self) -> Any:
        """The active window, as a parent for dialogs; None without one."""
        window = Krita.instance().activeWindow()
        return window.qwindow() if window is not None else None

    def float_message(self, text: str) -> None:
        """Show a sentence on the canvas for a few seconds, if there is a canvas."""
        window = Krita.instance().activeWindow()
        view = window.activeView() if window is not None else None
        if view is not None and view.document() is not None:
            view.showFloatingMessage(text, Krita.instance().icon("dialog-information"), 4000, 1)


class KritaPicture(Picture):
    """A document of Krita."""

    def __init__(self, document: Any) -> None:
        """Note what is selected and active now."""
        self._document = document
        node = document.activeNode() or _last(document.rootNode().childNodes())
        if node is None:
            raise refusals.no_pixels(document.name() or "")
        self._node = _layer_of(node)
        self._id = _id(self._node)
        selection = document.selection()
        # Krita's own goes on living: what was selected when the user asked is what counts.
        self._selection = selection.duplicate() if selection is not None else None

    def same(self, other: KritaPicture) -> bool:
        """Whether both are of the same document."""
        return bool(self._document == other._document)

    @property
    def open(self) -> bool:
        return self._document in Krita.instance().documents()

    @property
    def name(self) -> str:
        return str(self._document.name()) or os.path.basename(self._document.fileName()) or "This picture"

    @property
    def canvas(self) -> Rect:
        return _rect(self._document.bounds())

    @property
    def selection(self) -> Rect:
        chosen = self._selection
        if chosen is None:
            return Rect(0, 0, 0, 0)
        return Rect(chosen.x(), chosen.y(), max(chosen.width(), 0), max(chosen.height(), 0))

    def mask(self, rect: Rect) -> bytes:
        return bytes(self._selection.pixelData(*rect))

    def grown(self, pixels: int, rect: Rect) -> bytes:
        copy = self._selection.duplicate()
        if pixels:
            copy.grow(pixels, pixels)
        return bytes(copy.pixelData(*rect))

    @property
    def active(self) -> Layer:
        return Layer(self._id, self._node.name())

    def record(self, layer: str) -> Optional[Dict[str, Any]]:
        found = self._records().get(layer)
        return found if isinstance(found, dict) else None

    def layers(self) -> List[Layer]:
        return [
            Layer(_id(node), node.name(), depth)
            for node, depth in _walk(self._document.rootNode())
            if node.type() not in (*_UNREADABLE, *_BEHIND)
        ]

    def places(self) -> List[Layer]:
        nodes = _walk(self._document.rootNode())
        return [
            Layer(_id(node), node.name(), depth)
            for node, depth in nodes
            # The one outside of all layers is what is selected now.
            if node.type() not in (*_UNREADABLE, *_BEHIND) or (node.type() == _SAVED and depth)
        ]

    def bounds(self, source: str) -> Rect:
        node = self._source(source)
        return self.canvas if node is None else _rect(node.bounds())

    def read(self, source: str, rect: Rect) -> Pixels:
        space, data = self._raw(source, rect)
        travelling = space.travelling
        layout, dtype = travelling.format or ("", "")
        return Pixels(layout, dtype, _convert(data, rect, space, travelling), travelling)

    def strokes(self, source: str, rect: Rect) -> bytes:
        space, data = self._raw(source, rect)
        converted = _convert(data, rect, space, STROKES)
        swapped = bytearray(converted)  # Krita has blue first
        swapped[0::4], swapped[2::4] = converted[2::4], converted[0::4]
        return bytes(swapped)

    def opacity(self, place: str, rect: Rect) -> bytes:
        node = self._source(place)
        if node is not None and node.type() == _SAVED:
            return bytes(node.selection().pixelData(*rect))
        return self.strokes(place, rect)[3::4]

    def select(self, rect: Rect, mask: bytes) -> None:
        if not self.open:
            raise refusals.document_closed()
        self._begin_undo()
        chosen = Selection()
        chosen.setPixelData(QtCore.QByteArray(mask), *rect)
        self._document.setSelection(chosen)

    def foreground(self) -> str:
        """The colour that is painted with, as rrggbb in this document's own colours; "" if there is none."""
        window = Krita.instance().activeWindow()
        view = window.activeView() if window is not None else None
        colour = view.foregroundColor() if view is not None else None
        if colour is None or not colour.setColorSpace(*_space(self._document).travelling):
            return ""
        *shares, _ = colour.componentsOrdered()
        levels = [min(max(round(255 * share), 0), 255) for share in shares]
        return bytes(levels if len(levels) == 3 else levels[:1] * 3).hex()

    def insert(
        self, fills: Sequence[Fill], group: str, rect: Rect, pixels: Pixels, source: str, origin: str
    ) -> None:
        if not self.open:
            raise refusals.document_closed()
        document = self._document
        own = _space(document)
        layers = []
        for fill in fills:
            layer = document.createNode(fill.name, "paintlayer")
            data = _convert(fill.data, rect, pixels.space, own)
            layer.setPixelData(QtCore.QByteArray(data), *rect)
            layers.append(layer)
        top = layers[0]
        if len(layers) > 1:
            top = document.createGroupLayer(group)
            for layer in layers[1:]:
                layer.setVisible(False)
            # A group that is in no document yet takes its children without an undo step for each.
            top.setChildNodes(list(reversed(layers)))
        parent, above = self._place()
        if self._node.inheritAlpha():
            top.setInheritAlpha(True)
        parent.addChildNode(top, above)
        records = self._records()
        for layer, record in zip(layers, [fill.record for fill in fills]):
            records[_id(layer)] = {"request": record, "source": source, "origin": origin}
        if top is not layers[0]:
            records[_id(top)] = {**records[_id(layers[0])], _GROUP: True}
        self._set_records(records)
        document.refreshProjection()
        document.setModified(True)

    # How it works

    def _begin_undo(self) -> None:
        """See that one step back brings the selection as it is now.

        Krita notes no step where a plugin sets a selection. It does where a menu entry takes the old one
        away, or begins one: that step is made first, and what is then selected takes its place.
        """
        window = Krita.instance().activeWindow()
        view = window.activeView() if window is not None else None
        if view is None or view.document() != self._document:
            return  # those entries are of the document in front
        entry = "select_all" if self._document.selection() is None else "deselect"
        Krita.instance().action(entry).trigger()
        self._document.waitForDone()

    def _source(self, source: str) -> Any:
        """The node to read, or None for all that is visible."""
        if source == VISIBLE:
            return None
        node = self._node if source == THIS_LAYER else self._find(source)
        if node is None or not node.parentNode():
            raise words.layer_gone()
        # What a filter layer or a group that passes through shows is the picture beneath.
        if node.type() in _BEHIND or (node.type() == "grouplayer" and node.passThroughMode()):
            return None
        return node

    def _raw(self, source: str, rect: Rect) -> Tuple[Space, bytes]:
        """A source's pixels as Krita stores them, and the colour space that they are in."""
        node = self._source(source)
        self._document.waitForDone()
        if node is None:
            return _space(self._document), bytes(self._document.pixelData(*rect))
        return _space(node), bytes(node.projectionPixelData(*rect))

    def _find(self, id: str) -> Any:
        for node, _ in _walk(self._document.rootNode()):
            if _id(node) == id:
                return node
        return None

    def _place(self) -> Tuple[Any, Any]:
        """Parent and neighbour of a new layer: directly above what was active, at the top if that is gone."""
        root = self._document.rootNode()
        above = self._find(self._id)
        if above is None:
            return root, _last(root.childNodes())
        parent = above.parentNode()
        records = self._records()
        while parent.type() != "grouplayer" or records.get(_id(parent), {}).get(_GROUP):
            above, parent = parent, parent.parentNode()
        return parent, above

    def _records(self) -> Dict[str, Any]:
        """Layer to what made it; kept in the document, and saved with it."""
        try:
            content = json.loads(bytes(self._document.annotation(_ANNOTATION)).decode("utf-8"))
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    def _set_records(self, records: Dict[str, Any]) -> None:
        text = json.dumps(records, ensure_ascii=False).encode("utf-8")
        self._document.setAnnotation(_ANNOTATION, "What filled which layer", QtCore.QByteArray(text))


def _space(thing: Any) -> Space:
    return Space(thing.colorModel(), thing.colorDepth(), thing.colorProfile())


def _convert(data: bytes, rect: Rect, space: Space, wanted: Space) -> bytes:
    """Pixels in another colour space.

    Raises:
        InpaintError: Krita cannot.
    """
    if space == wanted:
        return data
    size = (rect.width, rect.height)
    document = Krita.instance().createDocument(*size, "scratch", *space, 100.0)
    if document is None:
        raise words.colour_space(" ".join(space))
    try:
        layer = document.topLevelNodes()[0]
        layer.setPixelData(QtCore.QByteArray(data), 0, 0, *size)
        if not layer.setColorSpace(*wanted):
            raise words.colour_space(" ".join(wanted))
        return bytes(layer.pixelData(0, 0, *size))
    finally:
        document.setModified(False)
        document.close()


def _rect(rect: Any) -> Rect:
    return Rect(rect.x(), rect.y(), max(rect.width(), 0), max(rect.height(), 0))


def _id(node: Any) -> str:
    return str(node.uniqueId().toString())


def _last(nodes: Sequence[Any]) -> Any:
    return nodes[-1] if nodes else None


def _layer_of(node: Any) -> Any:
    """The layer that a mask belongs to; a layer itself."""
    while node.type().endswith("mask"):
        parent = node.parentNode()
        if parent is None or parent.parentNode() is None:
            return node  # the document's own selection, shown as a mask
        node = parent
    return node


def _walk(node: Any, depth: int = 0) -> Iterator[Tuple[Any, int]]:
    """Every node below `node`, the topmost first, with the number of groups around it."""
    for child in reversed(node.childNodes()):
        yield child, depth
        yield from _walk(child, depth + 1)
