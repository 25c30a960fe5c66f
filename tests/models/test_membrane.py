"""The membrane: means of neighbours, and lines that no colour crosses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import linalg

from models.layers.membrane import membrane


def disk(side: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return x**2 + y**2 <= radius**2


def exact(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Every hole pixel the mean of its neighbours, by a direct solver."""
    number = np.full(hole.shape, -1)
    number[hole] = np.arange(hole.sum())
    matrix = sparse.lil_matrix((hole.sum(), hole.sum()))
    right = np.zeros((hole.sum(), len(image)))
    for y, x in zip(*np.nonzero(hole), strict=True):
        n = number[y, x]
        for r, c in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= r < hole.shape[0] and 0 <= c < hole.shape[1]:
                matrix[n, n] += 1
                if hole[r, c]:
                    matrix[n, number[r, c]] -= 1
                else:
                    right[n] += image[:, r, c]
    solved = image.copy()
    solved[:, hole] = linalg.spsolve(matrix.tocsr(), right).T
    return solved


@pytest.mark.parametrize("side", [40, 67])
def test_it_is_the_surface_whose_pixels_are_the_means_of_their_neighbours(side: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.random((3, side, side), dtype=np.float32)
    hole = disk(side, side / 3)
    hole[: side // 8] = True  # along the border, too
    filled = membrane(image, hole)
    assert np.abs(filled - exact(image.astype(float), hole)).max() < 0.04  # of noise as its rim
    assert np.array_equal(filled[:, ~hole], image[:, ~hole])


def test_what_the_hole_holds_plays_no_part() -> None:
    image, hole = np.random.default_rng(1).random((3, 33, 50), dtype=np.float32), np.zeros((33, 50), bool)
    hole[8:25, 10:40] = True
    assert np.array_equal(membrane(image, hole), membrane(np.where(hole, np.float32(0.7), image), hole))


def test_colours_stop_at_lines() -> None:
    """A hole over the border of red and blue: with the border drawn, each side gets its own colour."""
    image = np.zeros((3, 60, 80), np.float32)
    image[0, :, :40], image[2, :, 40:] = 1, 1
    hole = np.zeros((60, 80), bool)
    hole[15:45, 20:60] = True
    line = np.zeros_like(hole)
    line[:, 40] = True
    soft, sharp = membrane(image, hole), membrane(image, hole, line)
    assert 0.2 < soft[0, 30, 38] < 0.8
    away = hole & ~line
    assert np.abs(sharp - image)[:, away].max() < 0.02


def test_a_slanting_line_of_single_pixels_is_tight() -> None:
    y, x = np.mgrid[:64, :64]
    image = np.where(x > y, np.float32(1), np.float32(0))[None].repeat(3, axis=0)
    hole, line = disk(64, 22), x == y
    filled = membrane(image, hole, line)
    assert np.abs(filled - image)[:, hole & ~line].max() < 0.02


def test_what_lines_enclose_has_a_colour_too() -> None:
    image = np.full((3, 50, 50), 0.6, np.float32)
    hole = disk(50, 20)
    ring = disk(50, 10) & ~disk(50, 9)
    filled = membrane(image, hole, ring)
    assert np.abs(filled - 0.6).max() < 1e-3


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (2, 2), (3, 5)])
def test_small_pictures(shape: tuple[int, int]) -> None:
    image = np.full((3, *shape), 0.25, np.float32)
    hole = np.ones(shape, bool)
    hole.flat[0] = False
    assert np.allclose(membrane(np.where(hole, np.float32(9), image), hole), 0.25, atol=1e-6)
