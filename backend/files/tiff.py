"""TIFF directories: what the file says beside its pixels, taken over entry by entry."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from . import exif
from .photoshop import without_thumbnail
from .picture import Metadata

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _ORIENTATION, _STRIP_LENGTHS, _X_DPI, _Y_DPI, _UNIT = 273, 274, 279, 282, 283, 296
_SAMPLES, _EXTRA, _FORMAT = 277, 338, 339
_XMP, _ICC, _PHOTOSHOP, _LAYERS = 700, 34675, 34377, 37724
_SUB_DIRECTORIES = (34665, 34853)  # EXIF and GPS
_LONG, _UNDEFINED, _RATIONAL = 4, 7, 5
_CENTIMETRES_AN_INCH = 2.54

# What describes how the pixels are stored belongs to whoever stores them; these are for the reader.
_STRUCTURE = {
    *(254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 280, 281, 284, 292, 293, 317, 320),
    *(322, 323, 324, 325, 330, 338, 339, 340, 341, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521),
    *(529, 530, 531, 532, _LAYERS),
}

# Compressions that lose nothing, by Pillow's names and libvips'; others become deflate.
PILLOW_COMPRESSION = {1: "raw", 5: "tiff_lzw", 8: "tiff_adobe_deflate", 32773: "packbits"}
VIPS_COMPRESSION = {1: "none", 5: "lzw", 8: "deflate", 32773: "packbits"}
DEFLATE = 8

Entries = dict[int, tuple[int, Any]]
"""Tag to (type, value); the value of a sub-directory is a dictionary."""


@dataclass
class Directory:
    """What the first page of a TIFF file says of itself.

    Attributes:
        size: width and height as stored.
        bits, samples: bits a sample, samples a pixel.
        kind: 1 unsigned, 2 signed, 3 float.
        photometric: 0 and 1 gray, 2 RGB, 3 palette, 5 CMYK, 6 YCbCr, 8 to 10 Lab.
        extra: meanings of the samples beyond the colours.
        compression: the TIFF number of it, or that of deflate where it loses something.
        orientation: 1 to 8.
        layered: Photoshop layers lie beside the picture.
        paged: further pages follow.
        entries: what is to be taken over.
    """

    size: tuple[int, int]
    bits: int
    samples: int
    kind: int
    photometric: int
    extra: tuple[int, ...]
    compression: int
    orientation: int
    layered: bool
    paged: bool
    entries: Entries


def read_directory(stream: BinaryIO) -> Directory:
    """The first directory of a TIFF file.

    Raises:
        Exception: whatever Pillow's reader meets in a broken file.
    """
    found, header = _load(stream)
    entries: Entries = {}
    for tag in found:
        if tag in _STRUCTURE:
            continue
        value = found[tag]
        if tag in _SUB_DIRECTORIES:
            value = _sub_directory(stream, header, tag, value)
        elif tag == _PHOTOSHOP and isinstance(value, bytes):
            value = without_thumbnail(value)
        entries[tag] = (found.tagtype[tag], value)
    compression = found.get(_COMPRESSION, 1)
    orientation = found.get(_ORIENTATION, 1)
    return Directory(
        size=(int(found[_WIDTH]), int(found[_HEIGHT])),
        bits=max(found.get(_BITS, (1,))),
        samples=int(found.get(_SAMPLES, 1)),
        kind=max(found.get(_FORMAT, (1,))),
        photometric=int(found.get(_PHOTOMETRIC, 1)),
        extra=tuple(found.get(_EXTRA, ())),
        compression=compression if compression in PILLOW_COMPRESSION else DEFLATE,
        orientation=orientation if orientation in range(1, 9) else 1,
        layered=_LAYERS in found,
        paged=found.next != 0,
        entries=entries,
    )


def to_metadata(entries: Entries) -> Metadata:
    """What other formats can hold of it."""
    block = Image.Exif()
    for tag, (_, value) in entries.items():
        if tag not in (_XMP, _ICC, _PHOTOSHOP):
            block[tag] = value
    dpi = None
    if _X_DPI in entries and _Y_DPI in entries:
        unit = entries.get(_UNIT, (0, 2))[1]
        scale = {2: 1.0, 3: _CENTIMETRES_AN_INCH}.get(unit)
        if scale:
            dpi = (float(entries[_X_DPI][1]) * scale, float(entries[_Y_DPI][1]) * scale)
    return Metadata(
        icc=_bytes(entries, _ICC), xmp=_bytes(entries, _XMP), dpi=dpi, exif=exif.bare(block.tobytes())
    )


def from_metadata(metadata: Metadata) -> Entries:
    """The entries that hold what another format's file said."""
    entries: Entries = {}
    if metadata.exif:
        block = Image.Exif()
        block.load(metadata.exif)
        made = ImageFileDirectory_v2()
        for tag, value in block.items():
            if tag not in _STRUCTURE and tag not in _SUB_DIRECTORIES:
                made[tag] = value
                entries[tag] = (made.tagtype[tag], made[tag])
        for tag in _SUB_DIRECTORIES:
            if inner := dict(block.get_ifd(tag)):
                entries[tag] = (_LONG, inner)
    if metadata.dpi:
        entries[_X_DPI] = (_RATIONAL, metadata.dpi[0])
        entries[_Y_DPI] = (_RATIONAL, metadata.dpi[1])
        entries[_UNIT] = (3, 2)
    if metadata.icc:
        entries[_ICC] = (_UNDEFINED, metadata.icc)
    if metadata.xmp:
        entries[_XMP] = (1, metadata.xmp)
    return entries


def dress(bare: BinaryIO, out: BinaryIO, entries: Entries) -> None:
    """Copy a TIFF file of strips and put these entries in place of what its encoder said.

    The new directory goes before the strips.
    """
    found, _ = _load(bare)
    made = ImageFileDirectory_v2(prefix=found.prefix)
    for tag in found:
        if tag in _STRUCTURE:
            made.tagtype[tag] = found.tagtype[tag]
            made[tag] = found[tag]
    for tag, (kind, value) in entries.items():
        made.tagtype[tag] = _LONG if isinstance(value, dict) else kind
        made[tag] = value
    starts, lengths = found[_STRIPS], found[_STRIP_LENGTHS]
    offsets, total = [], 0
    for length in lengths:
        offsets.append(total)
        total += length
    # `save` counts strips from the end of the directory it writes.
    made.tagtype[_STRIPS] = _LONG
    made[_STRIPS] = tuple(offsets)
    head = io.BytesIO()
    made.save(head)
    out.write(head.getvalue())
    for start, length in zip(starts, lengths, strict=True):
        bare.seek(start)
        _copy(bare, out, length)


def _copy(source: BinaryIO, out: BinaryIO, length: int) -> None:
    while length > 0:
        piece = source.read(min(length, 1 << 20))
        if not piece:
            raise OSError("a TIFF strip is cut short")
        out.write(piece)
        length -= len(piece)


def _load(stream: BinaryIO) -> tuple[ImageFileDirectory_v2, bytes]:
    stream.seek(0)
    header = stream.read(8)
    if header[2:3] == b"\x2b" or header[3:4] == b"\x2b":  # BigTIFF
        header += stream.read(8)
    found = ImageFileDirectory_v2(header)
    stream.seek(found.next)
    found.load(stream)
    return found, header


def _sub_directory(stream: BinaryIO, header: bytes, tag: int, offset: int) -> dict[int, Any]:
    inner = ImageFileDirectory_v2(header, group=tag)
    stream.seek(offset)
    inner.load(stream)
    # 0xA005 points to a directory of its own, which says only "R98".
    return {key: inner[key] for key in inner if key != 0xA005}


def _bytes(entries: Entries, tag: int) -> bytes | None:
    value = entries.get(tag, (0, None))[1]
    return value if isinstance(value, bytes) else None
