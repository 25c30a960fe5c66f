"""Samples of every depth to what models see, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DEPTHS = tuple(np.dtype(name) for name in ("uint8", "uint16", "float16", "float32"))
"""What a sample may be. Integers use their whole range; floats have 0 black and 1 white."""

SEEN_FROM = 1 / 16
"""Opacity below which a pixel's colour is noise (or nothing) and is not taken for a source."""


@dataclass(frozen=True)
class Span:
    """How the samples of a region became numbers in [0, 1].

    Attributes:
        low, high: values that became 0 and 1; they are 0 and 1 unless a float picture goes beyond.
        curved: whether values outside [0, 1] were first brought nearer by a logarithm, so that one
            bright lamp does not leave the rest of the picture without contrast.
    """

    low: float = 0.0
    high: float = 1.0
    curved: bool = False


def full(dtype: np.dtype) -> float:
    """The sample that means white, or opaque."""
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0


def known(pixels: np.ndarray) -> np.ndarray:
    """bool h x w: pixels with a colour to go by, neither (nearly) transparent nor NaN or infinite.

    Args:
        pixels: h x w x C, C 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA).
    """
    height, width, channels = pixels.shape
    result = np.ones((height, width), dtype=bool)
    if channels in (2, 4):
        result &= pixels[..., -1] >= full(pixels.dtype) * SEEN_FROM
    if pixels.dtype.kind == "f":
        result &= np.isfinite(pixels).all(axis=2)
    return result


def to_model(pixels: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, Span]:
    """Colours as a model sees them.

    Args:
        pixels: h x w x C as in `known`.
        visible: bool h x w; what is not visible becomes 0, whatever it was.

    Returns:
        float32 3 x h x w in [0, 1] (gray: three equal channels), and how to go back.
    """
    colours = pixels[..., : 1 if pixels.shape[2] < 3 else 3]
    planes = np.ascontiguousarray(np.moveaxis(colours, 2, 0), dtype=np.float32)
    span = Span()
    if pixels.dtype.kind == "u":
        planes /= np.float32(full(pixels.dtype))
        planes *= visible
    else:
        planes = np.where(visible, planes, np.float32(0))
        low, high = float(planes.min()), float(planes.max())
        if low < 0 or high > 1:
            planes = _curve(planes)
            span = Span(min(0.0, float(planes.min())), max(1.0, float(planes.max())), True)
            planes = (planes - np.float32(span.low)) / np.float32(span.high - span.low)
            planes = np.clip(planes, 0, 1) * visible
    return (np.repeat(planes, 3, axis=0) if len(planes) == 1 else planes), span


def from_model(colours: np.ndarray, span: Span, dtype: np.dtype, gray: bool) -> np.ndarray:
    """The way back, correctly rounded.

    Args:
        colours: float32 n x 3, of any pixels; values outside [0, 1] are clipped.
        span: as `to_model` gave it.
        dtype: one of `DEPTHS`.
        gray: whether one channel is wanted: the mean of the three.

    Returns:
        `dtype` n x 1 or n x 3.
    """
    values = colours.mean(axis=1, keepdims=True, dtype=np.float32) if gray else colours
    values = np.clip(values, 0, 1)
    if span.curved:
        values = _uncurve(values * np.float32(span.high - span.low) + np.float32(span.low))
    return to_samples(values, dtype)


def to_samples(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Numbers with 1 for white as samples of a depth; integers are rounded to the nearest."""
    if dtype.kind == "u":
        return np.rint(np.clip(values, 0, 1) * values.dtype.type(full(dtype))).astype(dtype)
    return values.astype(dtype)


def _curve(values: np.ndarray) -> np.ndarray:
    """Leave [0, 1] alone, bend what lies beyond to a logarithm; monotone and smooth."""
    above = 1 + np.log(np.maximum(values, 1))
    below = -np.log1p(np.maximum(-values, 0))
    return np.where(values > 1, above, np.where(values < 0, below, values))


def _uncurve(values: np.ndarray) -> np.ndarray:
    above = np.exp(np.maximum(values, 1) - 1)
    below = -np.expm1(np.maximum(-values, 0))
    return np.where(values > 1, above, np.where(values < 0, below, values))
