"""GIMP's samples as arrays: what each precision holds, and what the backend is to see of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

DTYPES = {
    "U8": "u1",
    "U16": "<u2",
    "U32": "<u4",
    "HALF": "<f2",
    "FLOAT": "<f4",
    "DOUBLE": "<f8",
}


def dtype(precision: str) -> np.dtype:
    """What a picture of a precision such as U8_NON_LINEAR holds."""
    return np.dtype(DTYPES[precision.partition("_")[0]])


def picture(size: tuple[int, int], channels: int, kind: np.dtype, alpha: bool, seed: int = 0) -> np.ndarray:
    """A scene with structure and noise, h x w x channels, the last one alpha if `alpha`.

    Where there is alpha, a corner is half transparent.
    """
    width, height = size
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(seed)
    planes = [
        0.5 + 0.25 * np.sin((x + 2 * y) / 7 + plane) + 0.2 * ((x // 8 + y // 8) % 2 - 0.5)
        for plane in range(channels)
    ]
    values = np.stack(planes, axis=2) + rng.normal(0, 0.02, (height, width, channels))
    if alpha:
        values[..., -1] = 1.0
        values[: height // 5, : width // 5, -1] = 0.5
    return to_samples(np.clip(values, 0, 1), kind)


def to_samples(values: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Numbers with 1 for white as samples."""
    if kind.kind == "u":
        return np.rint(np.clip(values, 0, 1) * np.iinfo(kind).max).astype(kind)
    return values.astype(kind)


def to_values(samples: np.ndarray) -> np.ndarray:
    """Samples as float64 with 1 for white."""
    top = np.iinfo(samples.dtype).max if samples.dtype.kind == "u" else 1
    return samples.astype(np.float64) / top


def to_linear(values: np.ndarray) -> np.ndarray:
    """sRGB's curve: perceptual values to linear light (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4)


def load(path: Path, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    """A file of raw samples."""
    return np.fromfile(path, kind).reshape(shape)
