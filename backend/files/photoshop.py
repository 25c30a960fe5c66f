"""Photoshop's image resources, as JPEG and TIFF files carry them."""

from __future__ import annotations

import struct

_HEADER = b"Photoshop 3.0\0"
_THUMBNAILS = (1033, 1036)


def without_thumbnail(block: bytes) -> bytes:
    """The same resources without the preview picture, which would go on showing what has been filled.

    Args:
        block: resources, with the header that JPEG files give them or without.

    Returns:
        The block unchanged where it is not built as it should be.
    """
    header = _HEADER if block.startswith(_HEADER) else b""
    kept = [header]
    position = len(header)
    try:
        while block[position : position + 4] == b"8BIM":
            number, name_length = struct.unpack_from(">HB", block, position + 4)
            at = position + 6 + (1 + name_length + 1) // 2 * 2
            (length,) = struct.unpack_from(">I", block, at)
            end = at + 4 + (length + 1) // 2 * 2
            if number not in _THUMBNAILS:
                kept.append(block[position:end])
            position = end
    except struct.error:
        return block
    return b"".join([*kept, block[position:]])
