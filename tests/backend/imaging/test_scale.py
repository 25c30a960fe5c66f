"""Smaller, larger, and smooth guesses."""

from __future__ import annotations

import numpy as np
import pytest

from backend.imaging import scale


def test_sizes_keep_shape_and_limit() -> None:
    assert scale.smaller_size(100, 200, 1e9) == (100, 200)
    height, width = scale.smaller_size(3000, 4000, 512 * 512)
    assert height * width <= 512 * 512 and abs(width / height - 4 / 3) < 0.01
    assert scale.smaller_size(1, 5000, 100)[0] == 1


@pytest.mark.parametrize("size", [(8, 8), (5, 7), (16, 3), (1, 1)])
def test_shrinking_keeps_the_mean(size: tuple[int, int]) -> None:
    planes = np.random.default_rng(0).random((3, 16, 24)).astype(np.float32)
    small, share = scale.shrink(planes, np.ones((16, 24), dtype=bool), size)
    assert small.shape == (3, *size)
    np.testing.assert_allclose(share, 1, atol=1e-5)
    np.testing.assert_allclose(small.mean(axis=(1, 2)), planes.mean(axis=(1, 2)), rtol=1e-5)


def test_holes_do_not_bleed_into_a_smaller_copy() -> None:
    planes = np.full((1, 30, 30), 0.25, dtype=np.float32)
    valid = np.ones((30, 30), dtype=bool)
    valid[7:19, 5:22] = False
    planes[0, ~valid] = 1
    small, share = scale.shrink(planes, valid, (7, 7))
    np.testing.assert_allclose(small[0, share > 1e-6], 0.25, rtol=1e-5)
    assert share.min() == 0


def test_enlarging_keeps_ramps_and_range() -> None:
    ramp = np.tile(np.linspace(0, 1, 20, dtype=np.float32), (1, 20, 1))
    large = scale.enlarge(ramp, (50, 60))
    assert large.shape == (1, 50, 60)
    assert large.min() >= 0 and large.max() <= 1
    steps = np.diff(large[0, 25, 6:-6])
    np.testing.assert_allclose(steps, steps.mean(), rtol=1e-3)


def test_spreading_keeps_what_is_known_and_stays_within_its_range() -> None:
    rng = np.random.default_rng(0)
    planes = rng.uniform(0.3, 0.4, (3, 41, 67)).astype(np.float32)
    known = rng.random((41, 67)) < 0.02
    planes[:, ~known] = np.nan
    result = scale.spread(planes, known)
    assert (result[:, known] == planes[:, known]).all()
    assert result.min() > 0.299 and result.max() < 0.401


def test_spreading_from_nothing_gives_black() -> None:
    assert not scale.spread(np.ones((3, 5, 9), dtype=np.float32), np.zeros((5, 9), dtype=bool)).any()


def test_doubling_keeps_ramps_and_constants() -> None:
    ramp = np.tile(np.arange(6, dtype=np.float32), (2, 5, 1))
    for planes in (ramp, ramp.swapaxes(1, 2)):
        large = scale.double(planes)
        assert large.shape == (2, 2 * planes.shape[1], 2 * planes.shape[2])
        steps = np.diff(large, axis=2 if planes is ramp else 1)
        inner = steps[:, 1:-1, 1:-1]
        np.testing.assert_allclose(inner, 0.5, atol=1e-6)
    assert (scale.double(np.full((1, 1, 1), 0.25, np.float32)) == 0.25).all()


@pytest.mark.parametrize("size", [(16, 16), (5, 7), (1, 1), (11, 32)])
def test_strokes_keep_their_colour_and_are_not_lost(size: tuple[int, int]) -> None:
    planes = np.zeros((4, 32, 32), np.float32)
    planes[1] = 1.0  # green that nobody sees
    planes[:, :, 20] = np.array([0.2, 0.4, 0.6, 0.5])[:, None]
    planes[:, 10] = np.array([0.2, 0.4, 0.6, 1.0])[:, None]
    small = scale.shrink_strokes(planes, size)
    drawn = small[3] > 0
    assert small.shape == (4, *size)
    assert np.abs(small[:3, drawn] - np.array([[0.2], [0.4], [0.6]])).max() < 1e-6
    assert (small[3, 10 * size[0] // 32] == 1).all() and (small[3, :, 20 * size[1] // 32] >= 0.5).all()
    assert drawn.sum() == size[0] + size[1] - 1
    assert np.array_equal(scale.shrink_strokes(planes, (32, 32))[3], planes[3])
