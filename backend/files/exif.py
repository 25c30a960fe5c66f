"""Small changes to EXIF that leave every other byte where it is.

Makers' notes point into the block by absolute offsets, so decoding and encoding it anew would break
them. Here single values are overwritten in place. `exif` is always the bare TIFF structure.
"""

from __future__ import annotations

import struct

_ORIENTATION = 0x0112
_THUMBNAIL_START, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_PREFIX = b"Exif\0\0"


def bare(block: bytes | None) -> bytes | None:
    """The TIFF structure of a block as a file has it, or None if it is none."""
    if block is not None and block.startswith(_PREFIX):
        block = block[len(_PREFIX) :]
    return block if block is not None and block[:2] in (b"II", b"MM") else None


def orientation(exif: bytes | None) -> int:
    """The orientation, 1 to 8; 1 where it is missing or makes no sense."""
    if exif is None:
        return 1
    try:
        value = _values(exif, _first(exif)).get(_ORIENTATION, (1, 0))[0]
    except struct.error:
        return 1
    return value if 1 <= value <= 8 else 1


def turned_upright(exif: bytes) -> bytes:
    """The same with an orientation of 1, for pixels that have been turned."""
    changed = bytearray(exif)
    try:
        entry = _values(exif, _first(exif)).get(_ORIENTATION)
        if entry is not None:
            struct.pack_into(_order(exif) + "H", changed, entry[1], 1)
    except struct.error:
        return exif
    return bytes(changed)


def without_thumbnail(exif: bytes) -> bytes:
    """The same without the preview picture, which would go on showing what has been filled."""
    changed = bytearray(exif)
    try:
        start = _first(exif)
        (count,) = struct.unpack_from(_order(exif) + "H", exif, start)
        link = start + 2 + 12 * count
        (second,) = struct.unpack_from(_order(exif) + "I", exif, link)
        if second:
            values = _values(exif, second)
            begin = values.get(_THUMBNAIL_START, (0, 0))[0]
            length = values.get(_THUMBNAIL_LENGTH, (0, 0))[0]
            if begin and begin + length <= len(changed):
                changed[begin : begin + length] = bytes(length)
            struct.pack_into(_order(exif) + "I", changed, link, 0)
    except struct.error:
        return exif
    return bytes(changed)


def _order(exif: bytes) -> str:
    return "<" if exif[:2] == b"II" else ">"


def _first(exif: bytes) -> int:
    return int(struct.unpack_from(_order(exif) + "I", exif, 4)[0])


def _values(exif: bytes, start: int) -> dict[int, tuple[int, int]]:
    """Tag to (value, position of the value) of every entry that is one short or long number."""
    order = _order(exif)
    (count,) = struct.unpack_from(order + "H", exif, start)
    values = {}
    for number in range(count):
        position = start + 2 + 12 * number
        tag, kind, length = struct.unpack_from(order + "HHI", exif, position)
        if length == 1 and kind in (3, 4):
            (value,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), exif, position + 8)
            values[tag] = (value, position + 8)
    return values
