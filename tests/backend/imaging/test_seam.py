"""Tone at the border of a fill."""

from __future__ import annotations

import numpy as np

from backend.imaging import seam


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A grainy gradient and a hole in it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:120, :140].astype(np.float32)
    image = np.stack([0.3 + x / 500, 0.4 + y / 500, np.full_like(x, 0.5)])
    image += rng.normal(0, 0.02, image.shape)
    hole = np.zeros((120, 140), dtype=bool)
    hole[30:90, 40:100] = True
    return image.astype(np.float32), hole


def test_a_fill_of_another_tone_is_corrected_and_keeps_its_grain() -> None:
    image, hole = scene()
    other, _ = scene(1)
    shift = np.float32([0.04, -0.03, 0.02])[:, None, None]
    filled = np.where(hole, other + shift, image)
    result = seam.match(image, filled, hole, ~hole)
    assert (result[:, ~hole] == filled[:, ~hole]).all()
    before = np.abs((filled - other)[:, hole]).mean()
    assert np.abs((result - other)[:, hole].mean(axis=1)).max() < 0.2 * before
    grain_before, grain = np.diff(filled[0, 30:90, 40:100]).std(), np.diff(result[0, 30:90, 40:100]).std()
    assert abs(grain - grain_before) < 0.01 * grain_before


def test_a_tone_that_is_off_on_one_side_is_corrected_there() -> None:
    image, hole = scene()
    other, _ = scene(1)
    ramp = np.linspace(0, 0.06, 140, dtype=np.float32)
    result = seam.match(image, np.where(hole, other + ramp, image), hole, ~hole)
    error = (result - other)[0]
    assert abs(error[35:85, 92:100].mean()) < 0.012
    assert abs(error[35:85, 40:48].mean()) < 0.012


def test_a_fill_that_fits_stays() -> None:
    image, hole = scene()
    other, _ = scene(1)
    filled = np.where(hole, other, image)
    result = seam.match(image, filled, hole, ~hole)
    assert np.abs(result - filled).max() < 0.008


def test_an_edge_at_the_border_stays_an_edge() -> None:
    image, hole = scene()
    image[:, :30] += 0.4
    other, _ = scene(1)
    filled = np.where(hole, other, image)
    result = seam.match(image, filled, hole, ~hole)
    assert np.abs(result - filled).max() < 0.01


def test_what_is_not_visible_has_no_say() -> None:
    image, hole = scene()
    other, _ = scene(1)
    filled = np.where(hole, other, image)
    visible = ~hole
    visible[:, 100:] = False
    expected = seam.match(image, filled, hole, visible)
    image[:, :, 100:] = 0.55
    filled = np.where(hole, other, image)
    assert (seam.match(image, filled, hole, visible)[:, hole] == expected[:, hole]).all()


def test_small_holes_and_holes_without_surroundings_are_left_alone() -> None:
    image, hole = scene()
    assert seam.match(image, image, hole, np.zeros_like(hole)) is image
    assert seam.match(image, image, np.zeros_like(hole), ~hole) is image
    tiny = np.zeros((2, 2), dtype=bool)
    tiny[0, 0] = True
    small = np.zeros((3, 2, 2), dtype=np.float32)
    assert seam.match(small, small, tiny, ~tiny) is small
