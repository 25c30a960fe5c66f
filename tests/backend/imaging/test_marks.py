"""Marks in a colour: their rims, and what looks wrong about them."""

from __future__ import annotations

import numpy as np
import pytest

from backend.imaging import marks

GREEN = (0, 255, 0)


def cover(height: int = 80, width: int = 100) -> np.ndarray:
    """float h x w: how much an anti-aliased disk covers of each pixel."""
    y, x = np.mgrid[: 4 * height, : 4 * width]
    disk = (x - 2 * width) ** 2 + (y - 2 * height) ** 2 < 60**2
    return disk.reshape(height, 4, width, 4).mean(axis=(1, 3))


def painted(art: np.ndarray, rgb: tuple[int, int, int]) -> np.ndarray:
    share = cover(*art.shape[:2])[..., None]
    return np.rint(art * (1 - share) + np.array(rgb) * share).astype(np.uint8)


@pytest.mark.parametrize("rgb", [GREEN, (255, 0, 255), (255, 255, 255), (0, 0, 0)])
def test_a_soft_rim_belongs_to_the_mark_whatever_is_beneath(rgb: tuple[int, int, int]) -> None:
    art = np.full((80, 100, 3), (150, 140, 130), np.uint8)
    art[:, 50:] = (90, 100, 120)
    found = marks.find(painted(art, rgb), rgb, 2)
    assert found.rim.any() and not (found.core & found.rim).any()
    assert found.mask[cover() > 0.06].all()
    assert not found.mask[cover() == 0].any()
    assert found.pieces == 1 and not found.doubts()


def test_a_hard_mark_is_taken_exactly_even_on_art_of_a_like_hue() -> None:
    rng = np.random.default_rng(0)
    art = np.full((80, 100, 3), (90, 120, 80), np.uint8) + rng.integers(0, 40, (80, 100, 3), np.uint8)
    hard = cover() > 0.5
    art[hard] = GREEN
    found = marks.find(art, GREEN, 0)
    assert np.array_equal(found.mask, hard)


def test_an_ink_line_that_ends_at_the_mark_is_no_rim() -> None:
    art = np.full((80, 100, 3), 255, np.uint8)
    art[38:42] = 0
    found = marks.find(painted(art, GREEN), GREEN, 4)
    assert not found.mask[38:42, :30].any() and not found.mask[:, 90:].any()


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_every_depth_is_the_same(dtype: type[np.generic]) -> None:
    picture = painted(np.full((80, 100, 3), (150, 140, 130), np.uint8), GREEN)
    deep = picture.astype(dtype) * (257 if dtype == np.uint16 else dtype(1 / 255))  # type: ignore[call-arg]
    first, second = marks.find(picture, GREEN, 8), marks.find(deep.astype(dtype), GREEN, 8)
    assert np.array_equal(first.core, second.core) and np.array_equal(first.rim, second.rim)


def test_gray_pictures_and_transparent_pixels() -> None:
    gray = np.full((40, 40), 90, np.uint8)
    gray[10:20, 10:20] = 255
    assert marks.find(gray, (255, 255, 255), 0).core.sum() == 100
    clear = np.zeros((40, 40, 4), np.uint8)
    clear[5:15, 5:15] = (*GREEN, 0)
    clear[20:30, 20:30] = (*GREEN, 255)
    assert marks.find(clear, GREEN, 0).core.sum() == 100


def test_what_looks_wrong() -> None:
    art = np.full((80, 100, 3), 200, np.uint8)
    assert "No pixel has" in marks.find(art, GREEN, 8).doubts()[0]
    art[10:20, 10:20] = (30, 225, 20)
    assert "100 nearly have it" in marks.find(art, GREEN, 8).doubts()[0]
    art[40:60, 40:60] = GREEN
    assert "100 pixels nearly" in marks.find(art, GREEN, 8).doubts()[0]
    assert not marks.find(art, GREEN, 40).doubts()
    art[::8, 70::8] = GREEN
    assert "specks" in marks.find(art, GREEN, 40).doubts()[0]
    assert not marks.find(art, GREEN, 40, smallest=2).doubts()


def test_the_picture_of_what_was_found() -> None:
    picture = painted(np.full((80, 100, 3), (150, 140, 130), np.uint8), GREEN)
    found = marks.find(picture, GREEN, 4)
    shown = marks.show(picture, found)
    assert np.array_equal((shown == (220, 0, 0)).all(axis=2), found.core)
    assert np.array_equal((shown == (255, 220, 0)).all(axis=2), found.rim)
