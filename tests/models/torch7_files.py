"""Writes Torch7's binary files, for tests: the format as `models.checkpoints.torch7` describes it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

KINDS = {torch.float32: "Float", torch.float64: "Double", torch.int64: "Long", torch.uint8: "Byte"}


class Thing:
    """An object of a Lua class: its fields are a table."""

    def __init__(self, kind: str, **fields: Any) -> None:
        self.kind = kind
        self.fields = fields


class Function:
    """A Lua function: code that nobody must run."""


class Writer:
    """Writes objects; tensors that share storage in torch share it in the file."""

    def __init__(self, cuda: bool = False) -> None:
        self.parts: list[bytes] = []
        self.numbers: dict[int, int] = {}
        self.cuda = cuda
        self.kept: list[Any] = []  # so that no id is given twice

    def save(self, value: Any, path: Path) -> Path:
        self.write(value)
        path.write_bytes(b"".join(self.parts))
        return path

    def write(self, value: Any) -> None:
        if value is None:
            self.put("<i", 0)
        elif isinstance(value, bool):
            self.put("<ii", 5, value)
        elif isinstance(value, int | float):
            self.put("<id", 1, value)
        elif isinstance(value, str):
            self.put("<i", 2)
            self.text(value)
        elif isinstance(value, Function):
            self.put("<i", 8)
            if self.numbered(value):
                self.text("\x1bLuaQ: os.exit()")
                self.write({})
        elif isinstance(value, dict | list):
            self.put("<i", 3)
            if self.numbered(value):
                items = value.items() if isinstance(value, dict) else list(enumerate(value, 1))
                self.put("<i", len(items))
                for key, item in items:
                    self.write(key)
                    self.write(item)
        elif isinstance(value, Tensor):
            self.tensor(value)
        else:
            self.put("<i", 4)
            if self.numbered(value):
                self.text("V 1")
                self.text(value.kind)
                self.write(value.fields)

    def tensor(self, tensor: Tensor) -> None:
        self.put("<i", 4)
        if not self.numbered(tensor):
            return
        kind = "Cuda" if self.cuda else KINDS[tensor.dtype]
        self.text("V 1")
        self.text(f"torch.{kind}Tensor")
        dimensions = tensor.ndim if tensor.numel() else 0
        self.put(
            f"<i{dimensions}q{dimensions}q",
            dimensions,
            *tensor.shape[:dimensions],
            *tensor.stride()[:dimensions],
        )
        self.put("<q", tensor.storage_offset() + 1)
        self.put("<i", 4)
        storage = tensor.untyped_storage()
        if self.numbered(storage, storage.data_ptr()):
            self.text("V 1")
            self.text(f"torch.{kind}Storage")
            flat = torch.empty(0, dtype=tensor.dtype).set_(storage)  # type: ignore[call-overload]
            self.put("<q", flat.numel())
            self.parts.append(flat.numpy().tobytes())

    def numbered(self, value: Any, key: int | None = None) -> bool:
        """Write the object's number; whether it comes for the first time."""
        key = key or id(value)
        self.kept.append(value)
        new = key not in self.numbers
        self.put("<i", self.numbers.setdefault(key, len(self.numbers) + 1))
        return new

    def text(self, text: str) -> None:
        content = text.encode("latin-1")
        self.put("<i", len(content))
        self.parts.append(content)

    def put(self, form: str, *values: Any) -> None:
        self.parts.append(struct.pack(form, *values))
