"""PNG chunks: what the file says beside its pixels, taken over as it stands."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from .picture import Metadata

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = {
    *(b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI"),
    *(b"pHYs", b"sPLT", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"bKGD"),
}
# These hold values in the pixels' own type, and mean nothing to a file of another type.
_TYPED = {b"sBIT", b"bKGD"}
_LONGEST_CHUNK = 64 << 20
_METRES_AN_INCH = 0.0254

Chunk = tuple[bytes, bytes]


@dataclass
class Chunks:
    """What a PNG file says of itself.

    Attributes:
        depth: bits a sample.
        colour_type: 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGBA.
        kept: chunks to be taken over, in their order.
    """

    depth: int
    colour_type: int
    kept: list[Chunk]


def read_chunks(stream: BinaryIO) -> Chunks:
    """The header and the chunks worth keeping, of a stream at the start of a PNG file.

    Raises:
        ValueError, struct.error: this is no whole PNG file.
    """
    stream.seek(len(SIGNATURE))
    depth, colour_type, kept = 0, -1, []
    while True:
        length, name = struct.unpack(">I4s", stream.read(8))
        if name == b"IHDR":
            depth, colour_type = struct.unpack(">8xBB3x", stream.read(13))
        elif name in _KEPT and length <= _LONGEST_CHUNK:
            kept.append((name, stream.read(length)))
        else:
            stream.seek(length, os.SEEK_CUR)
        stream.seek(4, os.SEEK_CUR)
        if name == b"IEND":
            return Chunks(depth, colour_type, kept)


def from_metadata(metadata: Metadata) -> list[Chunk]:
    """The chunks that hold what another format's file said."""
    chunks = []
    if metadata.icc:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.dpi:
        across, down = (round(value / _METRES_AN_INCH) for value in metadata.dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif))
    if metadata.xmp:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    return chunks


def dress(bare: BinaryIO, out: BinaryIO, chunks: list[Chunk], same_type: bool) -> None:
    """Copy a PNG file and put these chunks in place of its own.

    Args:
        bare: a PNG file as an encoder made it, at its start.
        out: where the new one goes.
        chunks: the chunks it shall have.
        same_type: whether they come from a file of the same depth and colour type.
    """
    out.write(bare.read(len(SIGNATURE)))
    wanted = [(name, data) for name, data in chunks if same_type or name not in _TYPED]
    early = [chunk for chunk in wanted if chunk[0] != b"bKGD"]
    late = [chunk for chunk in wanted if chunk[0] == b"bKGD"]  # after the palette
    while head := bare.read(8):
        length, name = struct.unpack(">I4s", head)
        if name == b"IDAT" and late:
            _write(out, late)
            late = []
        if name[:1].isupper() or name == b"tRNS":
            out.write(head)
            _copy(bare, out, length + 4)
        else:
            bare.seek(length + 4, os.SEEK_CUR)
        if name == b"IHDR":
            _write(out, early)


def _write(out: BinaryIO, chunks: list[Chunk]) -> None:
    for name, data in chunks:
        out.write(struct.pack(">I", len(data)) + name + data)
        out.write(struct.pack(">I", zlib.crc32(name + data)))


def _copy(source: BinaryIO, out: BinaryIO, length: int) -> None:
    while length > 0:
        piece = source.read(min(length, shutil.COPY_BUFSIZE))  # type: ignore[attr-defined]
        if not piece:
            raise OSError("a PNG chunk is cut short")
        out.write(piece)
        length -= len(piece)
