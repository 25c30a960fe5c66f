"""Torch7's binary files (.t7), as Lua's `torch.save` wrote them.

A file is one object. An object is an int32 that tells its type, and what the type needs:

- nothing, 0; a number, 1: float64; a string, 2: its length as int32, its bytes; true or false, 5: int32;
- a table, 3: its number in the file as int32 and, when that number comes for the first time, its length
  as int32 and so many pairs of objects, key and value;
- an object of a class, 4: its number and, the first time, a string "V 1" (the format's version) and a
  string with the class. A tensor follows as its number of dimensions (int32), sizes, strides and offset
  counted from 1 (int64) and an object, its storage; a storage as its length (int64) and its elements; any
  other class as a table with its fields;
- a function, 6, 7 or 8: its compiled code and an object, what it refers to. Both are skipped.

All is little-endian, as on the machines that Torch7 ran on.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from .limits import SPARE, Damaged, count

_NIL, _NUMBER, _STRING, _TABLE, _OBJECT, _BOOLEAN, _FUNCTION, _OLD_NUMBERED, _NUMBERED = range(9)

_DEEPEST = 100  # objects inside one another
_LONGEST = 1 << 16  # bytes of a string that is a key or a class
_MOST = 1_000_000  # objects of a file

_ELEMENTS = {
    "Byte": torch.uint8,
    "Char": torch.int8,
    "Short": torch.int16,
    "Int": torch.int32,
    "Long": torch.int64,
    "Half": torch.float16,
    "Float": torch.float32,
    "Double": torch.float64,
    "": torch.float32,  # of torch.CudaTensor
}
_CLASS = re.compile(r"torch\.(?:Cuda)?(Byte|Char|Short|Int|Long|Half|Float|Double|)(Tensor|Storage)")


def starts_like(start: bytes) -> bool:
    """Whether a file that begins so may be one: a table or an object of a class, the first of its file."""
    return start[:8] in (b"\3\0\0\0\1\0\0\0", b"\4\0\0\0\1\0\0\0")


def read(path: Path) -> dict[str, Tensor]:
    """All tensors and numbers of a file.

    Returns:
        By their way through tables and fields, such as "modules.1.modules.2.weight" (tables that are
        lists count from 1). Numbers are float64 tensors without dimensions: what a network's layers
        have beside their weights, such as the slope of an activation.

    Raises:
        Damaged: as the message says.
    """
    with path.open("rb") as file:
        root = _Reader(file, path.stat().st_size).value(0)
    tensors: dict[str, Tensor] = {}
    _collect(root, "", tensors, set())
    return tensors


def _collect(value: Any, name: str, tensors: dict[str, Tensor], seen: set[int]) -> None:
    if isinstance(value, Tensor):
        tensors[name] = value
    elif type(value) is float:
        tensors[name] = torch.tensor(value, dtype=torch.float64)
    elif isinstance(value, dict) and id(value) not in seen:  # a table may be in several others, or in itself
        seen.add(id(value))
        for key, item in value.items():
            _collect(item, f"{name}.{key}" if name else key, tensors, seen)


class _Reader:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._left = size
        self._elements = 0  # of all tensors, which may show the same storage more than once
        self._known: dict[int, Any] = {}

    def value(self, depth: int) -> Any:
        """The next object: None, float, bool, bytes, Tensor, or a dict for whatever has fields."""
        if depth > _DEEPEST or len(self._known) > _MOST:
            raise Damaged("it is nested deeper than any network is")
        kind = self._integer()
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            return self._unpack("<d")[0]
        if kind == _BOOLEAN:
            return bool(self._integer())
        if kind == _STRING:
            return self._string()
        if kind == _FUNCTION:
            return self._skip_function(depth)
        if kind not in (_TABLE, _OBJECT, _OLD_NUMBERED, _NUMBERED):
            raise Damaged("it is damaged, or has parts that are not known here")
        number = self._integer()
        if number in self._known:
            return self._known[number]
        if kind == _TABLE:
            return self._table(number, depth)
        if kind == _OBJECT:
            return self._object(number, depth)
        self._known[number] = None
        return self._skip_function(depth)

    def _table(self, number: int, depth: int) -> dict[str, Any]:
        table: dict[str, Any] = {}
        self._known[number] = table  # before it is filled: what it contains may refer to it
        for _ in range(self._positive(self._integer())):
            key, item = self.value(depth + 1), self.value(depth + 1)
            if isinstance(key, bytes):
                table[key[:_LONGEST].decode("utf-8", "replace")] = item
            elif isinstance(key, float):
                table[f"{key:g}"] = item
        return table

    def _object(self, number: int, depth: int) -> Any:
        name = self._string()
        if name.startswith(b"V "):
            name = self._string()
        match = _CLASS.fullmatch(name.decode("latin-1"))
        if match is None:
            fields: dict[str, Any] = {}
            self._known[number] = fields
            content = self.value(depth + 1)
            fields.update(content if isinstance(content, dict) else {})
            return fields
        dtype = _ELEMENTS[match[1]]
        self._known[number] = self._tensor(dtype, depth) if match[2] == "Tensor" else self._storage(dtype)
        return self._known[number]

    def _tensor(self, dtype: torch.dtype, depth: int) -> Tensor:
        dimensions = self._positive(self._integer())
        sizes = self._unpack(f"<{dimensions}q")
        strides = self._unpack(f"<{dimensions}q")
        (offset,) = self._unpack("<q")
        storage = self.value(depth + 1)
        number = count(sizes) if sizes else 0
        if not number:
            return torch.empty(0, dtype=dtype)
        self._elements += number
        last = offset - 1 + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        if not isinstance(storage, _Storage) or storage.elements.dtype != dtype:
            raise Damaged("a tensor has no numbers, or numbers of another kind")
        if min(strides) < 0 or offset < 1 or last >= len(storage.elements):
            raise Damaged("a tensor reaches beyond its storage")
        if self._elements > self._size + SPARE:
            raise Damaged("its tensors are far more than it holds")
        return storage.elements.as_strided(sizes, strides, offset - 1)

    def _storage(self, dtype: torch.dtype) -> _Storage:
        (length,) = self._unpack("<q")
        return _Storage(
            torch.frombuffer(self._take(length * dtype.itemsize), dtype=dtype) if length else None, dtype
        )

    def _skip_function(self, depth: int) -> None:
        self._take(self._integer())
        self.value(depth + 1)

    def _string(self) -> bytes:
        return bytes(self._take(self._integer()))

    def _integer(self) -> int:
        return self._unpack("<i")[0]

    def _positive(self, number: int) -> int:
        if not 0 <= number <= self._left:  # whatever is counted takes a byte at least
            raise Damaged("it is damaged or was not downloaded to its end")
        return number

    def _unpack(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self._take(struct.calcsize(form)))

    def _take(self, length: int) -> bytearray:
        content = bytearray(self._positive(length))
        if self._file.readinto(content) != length:  # type: ignore[attr-defined]
            raise Damaged("it is damaged or was not downloaded to its end")
        self._left -= length
        return content


class _Storage:
    """The elements that tensors show parts of."""

    def __init__(self, elements: Tensor | None, dtype: torch.dtype) -> None:
        self.elements = torch.empty(0, dtype=dtype) if elements is None else elements
