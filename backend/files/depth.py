"""Pixels in another depth, and in the few colours that a file has."""

from __future__ import annotations

import numpy as np

from .picture import Palette

_ROWS = 256
_DISTANCES_AT_ONCE = 1 << 24


def convert(pixels: np.ndarray, dtype: type[np.generic]) -> np.ndarray:
    """The same picture with another sample type; full range to full range, floats clipped to [0, 1].

    Args:
        pixels: u8, u16 or f32, any shape.
        dtype: np.uint8 or np.uint16.

    Returns:
        `pixels` itself if it has the type.
    """
    if pixels.dtype == dtype:
        return pixels
    converted = np.empty(pixels.shape, dtype)
    high = np.iinfo(converted.dtype).max
    scale = 1.0 if pixels.dtype.kind == "f" else 1.0 / np.iinfo(pixels.dtype).max
    for top in range(0, len(pixels), _ROWS):
        band = np.nan_to_num(pixels[top : top + _ROWS].astype(np.float64) * scale)
        converted[top : top + _ROWS] = np.rint(band.clip(0.0, 1.0) * high)
    return converted


def to_bits(pixels: np.ndarray) -> np.ndarray:
    """0 or 255 for every pixel of an H x W u8 picture, whichever is nearer."""
    return np.where(pixels >= 128, np.uint8(255), np.uint8(0))


def to_indices(pixels: np.ndarray, palette: Palette) -> np.ndarray:
    """Every pixel as an entry of the palette.

    A pixel that still has the colour of its entry keeps that entry, even where others look the same;
    any other gets the entry of the nearest colour.

    Args:
        pixels: H x W x C u8, C as in `palette.colours`.

    Returns:
        H x W u8.
    """
    indices = palette.indices.copy()
    for top in range(0, len(pixels), _ROWS):
        band = pixels[top : top + _ROWS]
        changed = (band != palette.colours[indices[top : top + _ROWS]]).any(axis=2)
        if changed.any():
            indices[top : top + _ROWS][changed] = _nearest(band[changed], palette.colours)
    return indices


def _nearest(colours: np.ndarray, palette: np.ndarray) -> np.ndarray:
    wanted, back = np.unique(colours, axis=0, return_inverse=True)
    entries = palette.astype(np.int32)
    found = np.empty(len(wanted), np.uint8)
    step = max(1, _DISTANCES_AT_ONCE // palette.size)
    for start in range(0, len(wanted), step):
        difference = wanted[start : start + step, None].astype(np.int32) - entries
        found[start : start + step] = np.square(difference).sum(axis=2).argmin(axis=1)
    return found[back.reshape(-1)]
