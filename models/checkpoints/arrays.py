"""Plain arrays by name: numpy's .npz and safetensors."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .limits import Damaged, check_archive, count, read_member

_MAX_HEADER = 1 << 26  # bytes
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read_npz(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    """The arrays of an .npz; a name may contain slashes, as TensorFlow's variables do.

    Raises:
        Damaged: as the message says. ValueError: numpy refuses a member.
    """
    check_archive(archive)
    tensors = {}
    for name in archive.namelist():
        if not name.endswith(".npy"):
            raise Damaged(f"its part {name:.80} is no array")
        array = _array(io.BytesIO(read_member(archive, name)), name)
        if array.dtype.kind in "US":  # a note
            continue
        if array.dtype.kind not in "biuf":
            raise Damaged(f"its part {name:.80} holds no numbers")
        native = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        tensors[name.removesuffix(".npy").removesuffix(":0")] = torch.from_numpy(native)
    return tensors


def _array(content: io.BytesIO, name: str) -> np.ndarray:
    """One .npy, whose header is compared with its length before numpy believes it."""
    version = np.lib.format.read_magic(content)
    read_header: Any = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise Damaged(f"its part {name:.80} is of a version that is not known here")
    shape, _, dtype = read_header(content)
    if dtype.hasobject or count(shape) * dtype.itemsize != len(content.getbuffer()) - content.tell():
        raise Damaged(f"its part {name:.80} is not as long as it says")
    content.seek(0)
    return np.lib.format.read_array(content, allow_pickle=False)


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a .safetensors file, and what it says of itself.

    Raises:
        Damaged: as the message says.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(_MAX_HEADER, path.stat().st_size - 8):
            raise Damaged("it is damaged or was not downloaded to its end")
        header = json.loads(file.read(length))
        content = bytearray(path.stat().st_size - 8 - length)
        if file.readinto(content) != len(content):
            raise Damaged("it is damaged or was not downloaded to its end")
    tensors = {}
    told: dict[str, str] = {}
    expanded = 0
    for name, entry in header.items():
        if name == "__metadata__":
            told = {str(key): str(value) for key, value in entry.items()}
            continue
        dtype = _DTYPES.get(entry["dtype"])
        if dtype is None:
            raise Damaged(f"{name:.80} holds numbers of a kind that is not known here")
        shape = entry["shape"]
        start, end = entry["data_offsets"]
        number = count(shape)
        expanded += end - start
        if type(start) is not int or type(end) is not int or not 0 <= start <= end <= len(content):
            raise Damaged(f"{name:.80} reaches beyond the file")
        if number * dtype.itemsize != end - start or expanded > len(content):
            raise Damaged(f"{name:.80} is not as long as it says")
        flat = torch.empty(0, dtype=dtype)
        if number:
            # a copy: a tensor may lie where no number of its type may begin
            flat = torch.frombuffer(content[start:end], dtype=dtype)
        if sys.byteorder == "big" and dtype.itemsize > 1:
            flat = flat.view(torch.uint8).view(-1, dtype.itemsize).flip(1).contiguous().view(dtype).view(-1)
        tensors[name] = flat.view(shape)
    return tensors, told
