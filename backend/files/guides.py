"""Guidance layers from picture files."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from .picture import FileError
from .reading import read


def read_guide(source: str | Path | BinaryIO, size: tuple[int, int], what: str) -> np.ndarray:
    """Read a picture file as a layer that a fill is to follow.

    Args:
        source: path or stream.
        size: width and height of the picture that it is for.
        what: what to call it in a message, such as "sketch".

    Returns:
        H x W (gray), or H x W x C with C 2 (gray, alpha), 3 (RGB) or 4 (RGBA); u8, u16 or f32.

    Raises:
        FileError: `bad-file`, or `bad-image` where it has another size.
    """
    picture = read(source)
    if picture.size != tuple(size):
        own, other = (f"{width} x {height}" for width, height in (picture.size, size))
        raise FileError(
            "bad-image",
            f"The {what} {picture.name} is {own} pixels, the picture {other} pixels.",
            f"Save the {what} with the width and height of the picture.",
        )
    return picture.pixels
