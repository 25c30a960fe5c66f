"""Marks of a colour, or mosaics, as the document's selection.

Nothing here knows Qt or Krita: the document is a `Picture`.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping

from .backend.client import form, refusals
from .backend.client.session import Selected, SelectRequest
from .backend.wire.errors import InpaintError
from .backend.wire.geometry import Rect
from .backend.wire.messages import Buffer
from .backend.wire.params import check as check_value
from .choices import Memory
from .picture import VISIBLE, Picture

MOSAICS: Dict[str, Any] = {"what": "mosaics"}
"""The settings with which mosaics are selected."""

_SETTING = "marks"


def prepare(picture: Picture, params: Mapping[str, Any]) -> SelectRequest:
    """Read all that is visible, whatever is selected: as Krita's "select by colour", it begins anew.

    Raises:
        InpaintError: the picture was closed, or cannot be read.
    """
    if not picture.open:
        raise refusals.document_closed()
    rect = picture.canvas
    pixels = picture.read(VISIBLE, rect)
    image = Buffer((rect.height, rect.width, len(pixels.layout)), pixels.dtype, pixels.data)
    return SelectRequest(pixels.layout, image, dict(params), (rect.x, rect.y))


def deliver(picture: Picture, found: Selected) -> None:
    """Make it the selection, in place of the one that was there.

    Raises:
        InpaintError: the picture was closed.
    """
    if not picture.open:
        raise refusals.document_closed()
    height, width = found.mask.shape
    picture.select(Rect(found.offset[0], found.offset[1], width, height), bytes(found.mask.data))


def recall(memory: Memory) -> Dict[str, Any]:
    """The settings for marks that were used last; the default where there is none that is allowed."""
    try:
        content = json.loads(memory.setting(_SETTING) or "{}")
    except ValueError:
        content = {}
    found = {}
    for spec in form.MARKS:
        name = str(spec["name"])
        try:
            found[name] = check_value(spec, content[name])
        except (InpaintError, LookupError, TypeError):
            found[name] = spec["default"]
    return found


def save(memory: Memory, values: Mapping[str, Any]) -> None:
    """Begin with these next time."""
    memory.remember(_SETTING, json.dumps(dict(values)))
