"""JPEG segments: what the file says beside its pixels, taken over as it stands."""

from __future__ import annotations

import os
import shutil
import struct
from dataclasses import dataclass
from typing import BinaryIO

from . import exif
from .photoshop import without_thumbnail

_APP0, _APP1, _APP2, _APP13, _APP14, _COM, _SOS = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xDA
_EXIF = b"Exif\0\0"

Segment = tuple[int, bytes]


@dataclass
class Original:
    """What writing the same picture again needs of a JPEG file.

    Attributes:
        segments: to be taken over.
        encoded: the file itself, where it stores chroma at half resolution (see `jpeg_samples`).
    """

    segments: list[Segment]
    encoded: bytes | None


def read_segments(stream: BinaryIO) -> list[Segment]:
    """The application and comment segments worth keeping, of a stream with a JPEG file.

    Preview pictures are taken out of them: they would go on showing what has been filled. So are the
    tables of further pictures in the file, which is written with the first one only.

    Raises:
        ValueError, struct.error: this is no whole JPEG file.
    """
    stream.seek(2)
    segments: list[Segment] = []
    while True:
        marker, start, length = _next(stream)
        if marker == _SOS:
            return segments
        data = stream.read(length)
        if len(data) < length:
            raise ValueError("a JPEG segment is cut short")
        kept = _kept(marker, data)
        if kept is not None:
            segments.append((marker, kept))
        stream.seek(start + length)


def dress(bare: BinaryIO, out: BinaryIO, segments: list[Segment]) -> None:
    """Copy a JPEG file and put these segments in place of its own.

    The encoder's APP14 stays, as it tells how the encoder coded the colours.
    """
    out.write(bare.read(2))
    for marker, data in segments:
        out.write(struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data)
    while True:
        marker, start, length = _next(bare)
        if marker == _SOS:
            bare.seek(start - 4)
            break
        if marker == _APP14 or not _is_metadata(marker):
            out.write(struct.pack(">BBH", 0xFF, marker, length + 2) + bare.read(length))
        bare.seek(start + length)
    shutil.copyfileobj(bare, out)


def _next(stream: BinaryIO) -> tuple[int, int, int]:
    """Marker, position and length of the data of the segment at the stream's position."""
    (mark,) = struct.unpack("B", stream.read(1))
    if mark != 0xFF:
        raise ValueError("there is no JPEG marker where one should be")
    marker = 0xFF
    while marker == 0xFF:  # any number of these may precede a marker
        (marker,) = struct.unpack("B", stream.read(1))
    (length,) = struct.unpack(">H", stream.read(2))
    return marker, stream.seek(0, os.SEEK_CUR), length - 2


def _is_metadata(marker: int) -> bool:
    return _APP0 <= marker <= _APP0 + 15 or marker == _COM


def _kept(marker: int, data: bytes) -> bytes | None:
    if not _is_metadata(marker) or marker == _APP14:
        return None
    if marker == _APP0 and data.startswith(b"JFIF\0") and len(data) >= 14:
        return data[:12] + b"\0\0"
    if marker == _APP0 and data.startswith(b"JFXX\0"):
        return None
    if marker == _APP1 and data.startswith(_EXIF):
        return _EXIF + exif.without_thumbnail(data[len(_EXIF) :])
    if marker == _APP2 and data.startswith(b"MPF\0"):
        return None
    if marker == _APP13:
        return without_thumbnail(data)
    return data
