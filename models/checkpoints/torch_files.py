"""torch's own containers: the zip archive (also TorchScript's), and the pickles in a row of before 2020."""

from __future__ import annotations

import io
import mmap
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import pickles
from .limits import SPARE, Damaged, check_archive, count, read_member
from .pickles import Name, Storage, Thing, View

_MAX_PICKLE = 1 << 25  # bytes
_MAX_DEPTH = 64
_MAX_GROUPS = 64
_MAX_SHARED = (
    4  # tensors may show the same numbers, but not so many times that copies of them fill the memory
)
_MAGIC = 0x1950A86A20F9469CFC6C

_KINDS = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
_DTYPES = {f"torch.{str(dtype).rpartition('.')[2]}": dtype for dtype in _KINDS.values()}

Groups = dict[str, dict[str, Tensor]]


def read_zip(archive: zipfile.ZipFile) -> tuple[Groups, str]:
    """The groups of tensors by the name they stand under, "" for the outermost; and the container's name.

    Raises:
        Damaged and what damaged archives make zipfile raise.
    """
    check_archive(archive)
    names = archive.namelist()
    roots = [
        name[: -len("data.pkl")] for name in names if name.endswith("/data.pkl") and name.count("/") == 1
    ]
    if len(roots) != 1:
        raise Damaged("it is an archive, but not one of weights")
    root = roots[0]
    content = pickles.read(io.BytesIO(read_member(archive, f"{root}data.pkl", _MAX_PICKLE)))
    swapped = False
    if f"{root}byteorder" in names:
        swapped = read_member(archive, f"{root}byteorder", 16).decode() != sys.byteorder
    store = _Store(lambda key: read_member(archive, f"{root}data/{key}"), swapped)
    return _groups(content, store), "torchscript" if f"{root}constants.pkl" in names else "torch"


def read_legacy(path: Path) -> Groups:
    """The same for a file of before torch 1.6: five pickles, then the storages one after the other.

    Raises:
        Damaged: as the message says, and what `pickles.read` raises.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        if pickles.read(stream) != _MAGIC:  # type: ignore[arg-type]
            raise Damaged("it is a pickle, but not one of weights")
        pickles.read(stream)  # type: ignore[arg-type]
        system = pickles.read(stream)  # type: ignore[arg-type]
        swapped = system["little_endian"] != (sys.byteorder == "little")
        storages: list[Storage] = []
        content = pickles.read(stream, storages)  # type: ignore[arg-type]
        keys = pickles.read(stream)  # type: ignore[arg-type]
        kinds = {storage.key: storage.kind for storage in storages}
        places: dict[str, tuple[int, int]] = {}
        place = stream.tell()
        for key in map(str, keys):
            number = int.from_bytes(stream[place : place + 8], "big" if swapped else "little")
            if key not in kinds:
                raise Damaged("its parts are not those that it lists")
            size = number * _kind(kinds[key]).itemsize
            place += 8
            if size > len(stream) - place:
                raise Damaged("it is damaged or was not downloaded to its end")
            places[key] = (place, size)
            place += size

        def content_of(key: str) -> bytearray:
            start, size = places[key]
            return bytearray(stream[start : start + size])

        return _groups(content, _Store(content_of, swapped))


def _kind(name: str) -> torch.dtype:
    try:
        return _KINDS[name]
    except KeyError:
        raise Damaged(f"it holds numbers of a kind that is not known here ({name:.40})") from None


class _Store:
    """The storages of a file, read when first asked for."""

    def __init__(self, content: Callable[[str], bytearray], swapped: bool) -> None:
        self._content, self._swapped = content, swapped
        self._flat: dict[tuple[str, torch.dtype], Tensor] = {}
        self._stored = self._shown = 0  # bytes

    def tensor(self, view: View) -> Tensor:
        """The tensor that a view describes, on the memory of its storage.

        Raises:
            Damaged: it does not lie within its storage.
        """
        storage = view.storage
        if not isinstance(storage, Storage):
            raise Damaged("a tensor in it has no content")
        if view.dtype is not None:
            dtype = _DTYPES.get(view.dtype.text) if isinstance(view.dtype, Name) else None
            if dtype is None:
                raise Damaged("it holds numbers of a kind that is not known here")
        else:
            dtype = _kind(storage.kind)
        flat = self._storage(storage.key, dtype)
        number = count(view.size)
        sound = (
            isinstance(view.stride, (tuple, list))
            and len(view.stride) == len(view.size)
            and all(type(step) is int and 0 <= step < 1 << 48 for step in view.stride)
            and type(view.offset) is int
            and view.offset >= 0
        )
        if not sound:
            raise Damaged("a tensor's place makes no sense")
        offset = storage.offset + view.offset
        last = sum((side - 1) * step for side, step in zip(view.size, view.stride, strict=True))
        if number and offset + last >= len(flat):
            raise Damaged("a tensor in it reaches beyond its content")
        self._shown += number * dtype.itemsize
        if self._shown > _MAX_SHARED * self._stored + SPARE:
            raise Damaged("it would unpack to far more than it is")
        return torch.as_strided(flat, tuple(view.size), tuple(view.stride), offset if number else 0)

    def _storage(self, key: str, dtype: torch.dtype) -> Tensor:
        if (key, dtype) not in self._flat:
            content = self._content(key)
            if len(content) % dtype.itemsize:
                raise Damaged("a part of it is cut off")
            if self._swapped and dtype.itemsize > 1:
                width = dtype.itemsize // (2 if dtype.is_complex else 1)
                content = bytearray(np.frombuffer(content, f"u{width}").byteswap().tobytes())
            flat = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
            self._flat[key, dtype] = flat
            self._stored += len(content)
        return self._flat[key, dtype]


def _groups(content: Any, store: _Store) -> Groups:
    """The dictionaries of tensors, by the keys that lead to them."""
    found: Groups = {}
    known: dict[int, Tensor] = {}

    def tensor(view: View) -> Tensor:
        if id(view) not in known:
            known[id(view)] = store.tensor(view)
        return known[id(view)]

    seen: set[int] = set()
    waiting = deque([("", content)])
    while waiting and len(found) < _MAX_GROUPS:
        path, node = waiting.popleft()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Thing):
            views = dict(_attributes(node))
        elif isinstance(node, dict):
            views = {
                key: value for key, value in node.items() if isinstance(key, str) and isinstance(value, View)
            }
            for key, value in node.items():
                if isinstance(value, (dict, Thing)) and isinstance(key, str) and path.count(".") < 3:
                    waiting.append((f"{path}.{key}" if path else key, value))
        else:
            continue
        if views:
            found[path] = {name: tensor(view) for name, view in views.items()}
    return found


def _attributes(thing: Thing) -> Iterator[tuple[str, View]]:
    """The tensors of a pickled module and of all modules in it, named as its state dictionary names them."""
    seen: set[int] = set()
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), thing)])
    while waiting:
        path, node = waiting.popleft()
        if isinstance(node, View):
            yield ".".join(path), node
            continue
        if id(node) in seen or len(path) > _MAX_DEPTH:
            continue
        seen.add(id(node))
        content = node.state if isinstance(node, Thing) else node
        if isinstance(content, tuple) and len(content) == 2:  # attributes, and those that are slots
            content = content[0]
        if isinstance(content, dict):
            for key, value in content.items():
                inner = key in ("_parameters", "_buffers", "_modules")
                if isinstance(value, (View, Thing, dict)):
                    waiting.append((path if inner else (*path, str(key)), value))
