"""Unpacking Snappy's raw format, as described in its format_description.txt."""

from __future__ import annotations

from .limits import Damaged


def uncompress(content: bytes, limit: int) -> bytes:
    """Unpack.

    Args:
        content: a raw Snappy stream, without frames.
        limit: most bytes that it may unpack to.

    Raises:
        Damaged: it is none, or unpacks to more.
    """
    size = shift = place = 0
    while True:
        byte = content[place]
        place += 1
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    if size > limit:
        raise Damaged("it would unpack to far more than it is")
    result = bytearray()
    while place < len(content):
        tag = content[place]
        place += 1
        length = (tag >> 2) + 1
        if tag & 3 == 0:  # as it stands
            if length > 60:
                width = length - 60
                length = int.from_bytes(content[place : place + width], "little") + 1
                place += width
            result += content[place : place + length]
            place += length
        else:  # a copy of what is there already
            if tag & 3 == 1:
                length = (tag >> 2 & 7) + 4
                back = (tag >> 5) << 8 | content[place]
                place += 1
            else:
                width = 2 if tag & 3 == 2 else 4
                back = int.from_bytes(content[place : place + width], "little")
                place += width
            if not 0 < back <= len(result):
                raise Damaged("its packing is damaged")
            start = len(result) - back
            piece = bytes(result[start : start + length])
            result += (piece * (length // len(piece) + 1))[:length]
        if len(result) > size:
            raise Damaged("its packing is damaged")
    if place > len(content) or len(result) != size:
        raise Damaged("its packing is damaged")
    return bytes(result)
