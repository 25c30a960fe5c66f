"""Masks from picture files."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from .depth import convert
from .picture import FileError, Picture
from .reading import read

# A lossy file has noise around its edges: near black there means black.
_LOSSY_THRESHOLD = 128


def read_mask(source: str | Path | BinaryIO, size: tuple[int, int]) -> np.ndarray:
    """Read a picture file as a mask.

    What is bright is hole. Transparent parts are not, whatever colour they have; where all that is
    visible is black, the alpha alone says what is hole. A lossless file may be soft; a lossy one
    (JPEG, most WebP) is cut at half brightness.

    Args:
        source: path or stream.
        size: width and height of the picture that it is for.

    Returns:
        H x W, u8 or f32 (for files of more than 8 bits, 0 to 1); above 0 is hole.

    Raises:
        FileError: `bad-file`, or `bad-image` where it has another size.
    """
    picture = read(source)
    if picture.size != tuple(size):
        raise FileError(
            "bad-image",
            f"The mask {picture.name} is {_words(picture.size)}, the picture {_words(size)}.",
            "Save the mask with the width and height of the picture.",
        )
    return mask_of(picture)


def mask_of(picture: Picture) -> np.ndarray:
    """The mask that a picture stands for, as in `read_mask`."""
    pixels = picture.pixels
    if pixels.ndim == 2:
        mask = pixels
    else:
        colour = pixels[:, :, : 3 if pixels.shape[2] >= 3 else 1]
        mask = colour[:, :, 0] if colour.shape[2] == 1 else _luminance(colour)
        if picture.has_alpha:
            alpha = pixels[:, :, -1]
            visible = np.where(alpha > 0, mask, mask.dtype.type(0))
            mask = _product(visible, alpha) if visible.any() else alpha
    if picture.format == "JPEG" or (picture.format == "WEBP" and not picture.settings["lossless"]):
        return np.where(convert(mask, np.uint8) >= _LOSSY_THRESHOLD, np.uint8(255), np.uint8(0))
    if mask.dtype == np.uint16:
        return mask.astype(np.float32) / np.float32(65535)
    return np.ascontiguousarray(mask)


def _luminance(colour: np.ndarray) -> np.ndarray:
    """Rec. 709 weights; rounded up, so that the faintest colour is still above 0."""
    high = 1.0 if colour.dtype.kind == "f" else np.iinfo(colour.dtype).max
    luminance = np.empty(colour.shape[:2], colour.dtype)
    weights = np.array([0.2126, 0.7152, 0.0722], np.float32)
    for row in range(0, len(colour), 256):
        value = colour[row : row + 256].astype(np.float32) @ weights
        luminance[row : row + 256] = value if high == 1.0 else np.ceil(value - 1e-3).clip(0, high)
    return luminance


def _product(value: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    if value.dtype.kind == "f":
        return value * alpha
    high = np.iinfo(value.dtype).max
    product = value.astype(np.uint32) * alpha
    return (-(-product.astype(np.int64) // high)).astype(value.dtype)


def _words(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels"
