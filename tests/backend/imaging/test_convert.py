"""Samples to model and back."""

from __future__ import annotations

import numpy as np
import pytest

from backend.imaging import convert

EVERYTHING = np.ones((1, 1), dtype=bool)


def back(planes: np.ndarray, span: convert.Span, dtype: np.dtype, gray: bool) -> np.ndarray:
    """A whole picture back from what the model sees."""
    samples = convert.from_model(planes.reshape(3, -1).T, span, dtype, gray)
    return samples.reshape(*planes.shape[1:], -1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_integer_sample_comes_back(dtype: str, channels: int) -> None:
    values = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    pixels = np.repeat(values.reshape(1, -1, 1), channels, axis=2)
    planes, span = convert.to_model(pixels, EVERYTHING)
    assert planes.dtype == np.float32 and planes.shape == (3, 1, len(values))
    assert planes.min() == 0 and planes.max() == 1
    assert (back(planes, span, pixels.dtype, gray=channels == 1) == pixels).all()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_ordinary_floats_come_back_exactly(dtype: str) -> None:
    pixels = np.random.default_rng(0).random((20, 20, 3)).astype(dtype)
    planes, span = convert.to_model(pixels, np.ones((20, 20), dtype=bool))
    assert span == convert.Span()
    assert (back(planes, span, pixels.dtype, gray=False) == pixels).all()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_bright_and_negative_floats_keep_their_values_and_dark_ones_their_contrast(dtype: str) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.random((30, 30, 3)).astype(dtype)
    pixels[0, 0] = 5000
    pixels[1, 1] = -3
    planes, span = convert.to_model(pixels, np.ones((30, 30), dtype=bool))
    assert planes.min() == 0 and planes.max() == 1
    assert planes[:, 5:, 5:].std() > 0.01
    restored = back(planes, span, pixels.dtype, gray=False)
    np.testing.assert_allclose(restored, pixels, rtol=2e-3, atol=2e-3 if dtype == "float16" else 2e-5)


def test_what_is_not_visible_has_no_influence() -> None:
    pixels = np.full((4, 4, 3), 0.5, dtype=np.float32)
    visible = np.ones((4, 4), dtype=bool)
    visible[1] = False
    expected, span = convert.to_model(pixels, visible)
    pixels[1, 0], pixels[1, 1], pixels[1, 2] = np.nan, np.inf, 1e30
    planes, other = convert.to_model(pixels, visible)
    assert (planes == expected).all() and span == other


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_transparent_pixels_are_unknown(dtype: str) -> None:
    pixels = np.zeros((1, 4, 4), dtype=dtype)
    opaque = convert.full(pixels.dtype)
    pixels[0, :, 3] = np.array([0, opaque / 100, opaque / 4, opaque]).astype(dtype)
    assert convert.known(pixels).tolist() == [[False, False, True, True]]


def test_nan_and_infinity_are_unknown() -> None:
    pixels = np.zeros((1, 4, 3), dtype=np.float32)
    pixels[0, 1, 2], pixels[0, 2, 0], pixels[0, 3, 1] = np.nan, np.inf, -np.inf
    assert convert.known(pixels).tolist() == [[True, False, False, False]]


def test_gray_comes_back_as_the_mean() -> None:
    planes = np.array([0.1, 0.2, 0.3], dtype=np.float32).reshape(3, 1, 1)
    samples = back(planes, convert.Span(), np.dtype("uint8"), gray=True)
    assert samples.tolist() == [[[51]]]
