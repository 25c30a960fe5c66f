"""Fills that follow a mosaic: PatchMatch is told of the cells."""

from __future__ import annotations

import numpy as np
import pytest

import models
from models.base import MOSAIC, FillError
from models.patchmatch import PatchMatch

CELL, SIDE = 8, 128
HOLE = np.zeros((SIDE, SIDE), bool)
HOLE[40:88, 40:96] = True


def wood_and_sand(seed: int = 0) -> np.ndarray:
    """Dark with coarse grain, light with fine grain, and a dark disk in the light where the hole will be."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    dark = 0.25 + 0.1 * np.sign(np.sin(x / 1.5)) + 0.02 * rng.standard_normal((SIDE, SIDE))
    light = 0.75 + 0.05 * rng.standard_normal((SIDE, SIDE))
    is_dark = (x < 34) | ((x - 68) ** 2 + (y - 64) ** 2 < 17**2)
    plane = np.where(is_dark, dark, light)
    return np.stack([plane, 0.9 * plane, 0.7 * plane]).clip(0, 1).astype(np.float32)


def numbers() -> np.ndarray:
    """1 x 1 x H x W: the cells of the hole."""
    y, x = np.mgrid[:SIDE, :SIDE]
    cells = (y // CELL) * SIDE + x // CELL
    return np.where(HOLE, np.unique(cells, return_inverse=True)[1].reshape(cells.shape), -1)[None, None]


def pixelated(picture: np.ndarray) -> np.ndarray:
    coarse = picture.reshape(3, SIDE // CELL, CELL, -1, CELL).mean((2, 4)).repeat(CELL, 1).repeat(CELL, 2)
    return np.where(HOLE, coarse, picture).astype(np.float32)


def fill(picture: np.ndarray, cells: np.ndarray, threads: int = 2, seed: int = 0) -> np.ndarray:
    model = PatchMatch(threads=threads)
    return model.fill(picture[None], HOLE[None, None], {MOSAIC: cells}, seed)[0]


def test_what_the_cells_show_is_there_and_has_the_pictures_own_detail() -> None:
    truth = wood_and_sand()
    seen = pixelated(truth)
    followed = fill(seen, numbers())
    blind = PatchMatch().fill(seen[None], HOLE[None, None])[0]
    coarse = [pixelated(one)[:, HOLE] for one in (followed, blind, truth)]
    assert np.abs(coarse[0] - coarse[2]).mean() < 0.03 < 0.06 < np.abs(coarse[1] - coarse[2]).mean()
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = (x - 68) ** 2 + (y - 64) ** 2 < 13**2
    grain = [np.abs(np.diff(one[0], axis=1))[inside[:, 1:]].mean() for one in (followed, truth, seen)]
    assert 0.6 * grain[1] < grain[0] < 1.4 * grain[1] and grain[2] < 0.3 * grain[1]


def test_what_lies_in_the_hole_but_in_no_cell_is_not_looked_at() -> None:
    seen, cells = pixelated(wood_and_sand()), numbers()
    cells[..., :60] = -1
    other = seen.copy()
    other[:, HOLE & (cells[0, 0] < 0)] = 1
    first, second = fill(seen, cells), fill(other, cells)
    assert np.array_equal(first[:, HOLE], second[:, HOLE])


def test_no_cells_are_no_mosaic() -> None:
    seen = pixelated(wood_and_sand())
    blind = PatchMatch().fill(seen[None], HOLE[None, None])[0]
    assert np.array_equal(fill(seen, np.full((1, 1, SIDE, SIDE), -1)), blind)


def test_the_same_on_any_number_of_threads_and_another_seed_is_another_fill() -> None:
    seen, cells = pixelated(wood_and_sand()), numbers()
    one = fill(seen, cells, threads=1)
    assert np.array_equal(one, fill(seen, cells, threads=3))
    assert not np.array_equal(one, fill(seen, cells, seed=1))
    assert np.array_equal(one[:, ~HOLE], seen[:, ~HOLE])


def test_models_that_do_not_follow_mosaics_refuse_them() -> None:
    model = models.load("smooth")
    assert not model.card.follows_mosaic
    with pytest.raises(FillError) as caught:
        model.fill(pixelated(wood_and_sand())[None], HOLE[None, None], {MOSAIC: numbers()})
    assert caught.value.code == "bad-guidance"
