"""Laying a layer over a picture."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from backend.imaging.composite import paste
from backend.imaging.convert import full

DEPTHS = ["uint8", "uint16", "float16", "float32"]


def noise(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if dtype.startswith("u"):
        return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    return rng.random(shape).astype(dtype)


def over(below: np.ndarray, above: np.ndarray) -> list[Fraction]:
    """One pixel over another, in exact arithmetic, in units of the picture's range."""
    opaque = Fraction(full(below.dtype))
    *colours, alpha = (Fraction(float(value)) for value in above)
    share = alpha / opaque
    beneath = [Fraction(float(value)) for value in below]
    has_alpha = len(beneath) in (2, 4)
    there = beneath.pop() / opaque if has_alpha else Fraction(1)
    total = share + there * (1 - share)
    mixed = [
        (top * share + base * there * (1 - share)) / total for top, base in zip(colours, beneath, strict=True)
    ]
    return [*mixed, total * opaque] if has_alpha else mixed


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_blends_are_exact_to_the_rounding(dtype: str, channels: int) -> None:
    rng = np.random.default_rng(channels)
    image = noise(rng, (12, 14, channels), dtype)
    layer = noise(rng, (7, 9, 2 if channels < 3 else 4), dtype)
    opaque = full(image.dtype)
    layer[:2, :, -1] = 0
    layer[2:4, :, -1] = opaque
    before = image.copy()
    result = paste(image, layer, (3, 4))
    assert (image == before).all()
    for y in range(12):
        for x in range(14):
            inside = 4 <= y < 11 and 3 <= x < 12
            above = layer[y - 4, x - 3] if inside else None
            if above is None or above[-1] == 0:
                assert result[y, x].tobytes() == image[y, x].tobytes()
                continue
            if above[-1] == opaque:
                expected = [*above[:channels]] if channels in (1, 3) else [*above]
                assert result[y, x].tolist() == expected
                continue
            exact = [float(value) for value in over(image[y, x], above)]
            tolerance = 0.5 + 1e-9 if dtype.startswith("u") else np.finfo(dtype).eps
            assert np.abs(result[y, x].astype(float) - exact).max() <= tolerance


@pytest.mark.parametrize("offset", [(-3, -2), (8, 6), (-30, 0), (0, 50)])
def test_what_lies_outside_is_cut_off(offset: tuple[int, int]) -> None:
    image = np.zeros((10, 12), dtype=np.uint8)
    layer = np.full((6, 7, 2), 255, dtype=np.uint8)
    expected = np.zeros((10, 12), dtype=np.uint8)
    x, y = offset
    expected[max(0, y) : max(0, y + 6), max(0, x) : max(0, x + 7)] = 255
    assert (paste(image, layer, offset) == expected).all()


def test_out_may_be_the_picture_itself_or_another() -> None:
    image = np.zeros((300, 12, 3), dtype=np.uint8)
    layer = np.full((290, 7, 4), 255, dtype=np.uint8)
    expected = paste(image, layer, (2, 2))
    other = np.full_like(image, 9)
    assert paste(image, layer, (2, 2), other) is other
    assert paste(image, layer, (2, 2), image) is image
    assert (other == expected).all() and (image == expected).all()


def test_nan_beneath_does_not_reach_the_blend() -> None:
    image = np.full((1, 3, 3), np.nan, dtype=np.float32)
    layer = np.full((1, 2, 4), 0.5, dtype=np.float32)
    result = paste(image, layer, (0, 0))
    assert (result[0, :2] == 0.5).all()
    assert np.isnan(result[0, 2]).all()


def test_over_transparency_the_colour_is_the_layers() -> None:
    image = np.zeros((1, 1, 4), dtype=np.uint8)
    layer = np.array([[[200, 100, 50, 77]]], dtype=np.uint8)
    assert paste(image, layer, (0, 0)).tolist() == layer.tolist()


def test_what_does_not_fit_is_refused() -> None:
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    for layer in (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 4), np.uint16), np.zeros((2, 2), np.uint8)):
        with pytest.raises(ValueError, match="layer must be"):
            paste(image, layer, (0, 0))
    with pytest.raises(ValueError, match="out must be"):
        paste(image, np.zeros((2, 2, 4), np.uint8), (0, 0), np.zeros((4, 5, 3), np.uint8))
