"""TensorFlow's checkpoints (its "V2": an index and one or more files of data), without TensorFlow.

The index is a sorted table of LevelDB's format: blocks of entries whose keys share prefixes, packed by
Snappy or not at all, an index block over them, and a footer. The values are protocol buffers that tell
shape, type and place of every variable. Everything carries a CRC-32C, and all of them are verified.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .crc32c import crc32c, unmask
from .limits import Damaged, count
from .snappy import uncompress

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_MAX_INDEX = 1 << 26  # bytes
_DATA = re.compile(r"(.+)\.data-(\d{5})-of-(\d{5})")

_DTYPES = {  # of tensorflow/core/framework/types.proto; others, such as strings, hold no weights
    1: torch.float32,
    2: torch.float64,
    3: torch.int32,
    4: torch.uint8,
    5: torch.int16,
    6: torch.int8,
    9: torch.int64,
    10: torch.bool,
    14: torch.bfloat16,
    19: torch.float16,
}
_STRING = 7


def prefix(path: Path) -> Path | None:
    """The common beginning of a checkpoint's files where `path` is one of them, or that; else None."""
    match = _DATA.fullmatch(path.name)
    if match:
        return path.with_name(match[1])
    if path.suffix == ".index":
        return path.with_suffix("")
    if path.suffix == ".meta":  # the graph, which holds no weights
        path = path.with_suffix("")
    return path if not path.exists() and path.with_name(path.name + ".index").is_file() else None


def read(path: Path) -> dict[str, Tensor]:
    """The variables of the checkpoint whose files begin with `path`.

    Raises:
        Damaged: as the message says. OSError: a file is missing.
    """
    index = path.with_name(path.name + ".index")
    if index.stat().st_size > _MAX_INDEX:
        raise Damaged("its index is too large")
    entries = dict(_table(index.read_bytes()))
    header = _fields(entries.pop(b"", b""))
    if header.get(2, [0])[0] != 0:
        raise Damaged("it was written on a computer with another byte order")
    shards = header.get(1, [1])[0]
    files: dict[int, bytes | memoryview] = {}
    tensors = {}
    used = 0
    for key, value in entries.items():
        name = key.decode()
        entry = _fields(value)
        kind, shard, offset, size = (entry.get(number, [0])[0] for number in (1, 3, 4, 5))
        if kind == _STRING:
            continue
        dtype = _DTYPES.get(kind)
        if dtype is None or 7 in entry:
            raise Damaged(f"{name:.80} is stored in a way that is not known here")
        shape = _shape(entry.get(2, [b""])[0])
        if count(shape) * dtype.itemsize != size:
            raise Damaged(f"{name:.80} is not as long as it says")
        if shard not in files:
            if not 0 <= shard < shards:
                raise Damaged(f"{name:.80} lies in a file that is not listed")
            files[shard] = _data(path, shard, shards)
        used += size
        if offset + size > len(files[shard]) or used > sum(map(len, files.values())):
            raise Damaged(f"{name:.80} reaches beyond the file of data: that is damaged or cut off")
        content = bytearray(files[shard][offset : offset + size])
        if crc32c(content) != unmask(entry.get(6, [0])[0]):
            raise Damaged(f"{name:.80} was damaged, its checksum is wrong")
        flat = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        tensors[name] = flat.view(shape)
    return tensors


def _data(path: Path, shard: int, shards: int) -> memoryview:
    place = path.with_name(f"{path.name}.data-{shard:05d}-of-{shards:05d}")
    if not place.is_file():
        raise Damaged(f"the file {place.name} has to lie beside it, and does not")
    return np.memmap(place, np.uint8, "r").data if place.stat().st_size else memoryview(b"")


# -- the table -----------------------------------------------------------------------------------------


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of every entry, in the order of the keys."""
    footer = content[-_FOOTER:]
    if len(footer) < _FOOTER or struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise Damaged("its index is damaged or was not downloaded to its end")
    place = 0
    for _ in range(2):  # the handle of the index of meta blocks, which are not used
        _, place = _varint(footer, place)
    for _, handle in _block(content, *_handle(footer, place)):
        yield from _block(content, *_handle(handle, 0))


def _handle(content: bytes, place: int) -> tuple[int, int]:
    offset, place = _varint(content, place)
    return offset, _varint(content, place)[0]


def _block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    end = offset + size
    if end + 5 > len(content):
        raise Damaged("its index is damaged or was not downloaded to its end")
    (expected,) = struct.unpack("<I", content[end + 1 : end + 5])
    if crc32c(content[offset : end + 1]) != unmask(expected):
        raise Damaged("its index was damaged, a checksum is wrong")
    packing = content[end]
    if packing not in (0, 1):
        raise Damaged("its index is packed in a way that is not known here")
    block = uncompress(content[offset:end], _MAX_INDEX) if packing else content[offset:end]
    (restarts,) = struct.unpack("<I", block[-4:])
    stop = len(block) - 4 * (restarts + 1)
    key, place = b"", 0
    while place < stop:
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        if shared > len(key) or place + own + length > stop:
            raise Damaged("its index is damaged")
        key = key[:shared] + block[place : place + own]
        place += own + length
        yield key, block[place - length : place]


# -- protocol buffers ----------------------------------------------------------------------------------


def _fields(message: bytes) -> dict[int, list]:
    """The fields of a protocol buffer by number: integers, or the bytes of strings and messages."""
    found: dict[int, list] = {}
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        value: int | bytes
        if tag & 7 == 0:
            value, place = _varint(message, place)
        elif tag & 7 == 2:
            length, place = _varint(message, place)
            value, place = message[place : place + length], place + length
        elif tag & 7 in (1, 5):
            width = 8 if tag & 7 == 1 else 4
            value, place = int.from_bytes(message[place : place + width], "little"), place + width
        else:
            raise Damaged("its index is damaged")
        if place > len(message):
            raise Damaged("its index is damaged")
        found.setdefault(tag >> 3, []).append(value)
    return found


def _shape(message: bytes) -> list[int]:
    return [_fields(side).get(1, [0])[0] for side in _fields(message).get(2, [])]


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A whole number of up to 64 bits, seven in each byte; and where it ends."""
    number = 0
    for shift in range(0, 64, 7):
        if place >= len(content):
            break
        byte = content[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
    raise Damaged("its index is damaged")
