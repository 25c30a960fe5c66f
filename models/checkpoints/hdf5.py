"""HDF5 files as Keras writes them. They need h5py, which is an extra."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..base import FillError
from .limits import Damaged, count

SIGNATURE = b"\x89HDF\r\n\x1a\n"


def read(path: Path, content: bytearray | None = None) -> dict[str, Tensor]:
    """The numeric arrays of a file by their way through its groups, such as "block1/conv/vars/0".

    Args:
        path: of the file.
        content: of the HDF5 file, where it is a part of the archive `path`.

    Raises:
        FillError: `missing-library`, h5py is not installed.
        Damaged: as the message says.
    """
    try:
        import h5py
    except ImportError as problem:
        raise FillError(
            "missing-library",
            f"{path.name} is an HDF5 file, and the library that reads those is not installed.",
            "Install it into the same environment with: pip install h5py",
        ) from problem
    size = path.stat().st_size if content is None else len(content)
    tensors: dict[str, Tensor] = {}
    total = 0

    def visit(name: str, item: object) -> None:
        nonlocal total
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "biuf":
            return
        if item.external or item.is_virtual:
            raise Damaged("parts of it lie in other files")
        total += count(item.shape) * item.dtype.itemsize
        if total > size:  # weights are stored as they are; what unpacks to more is something else
            raise Damaged("it would unpack to far more than it is")
        tensors[name] = torch.from_numpy(np.array(item[()], dtype=item.dtype.newbyteorder("=")))

    with h5py.File(path if content is None else io.BytesIO(content), "r") as file:
        file.visititems(visit)
    return tensors
