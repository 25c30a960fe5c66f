"""Mosaics: their cells are found; no drawing is taken for one; fills agree with what they say."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from backend.imaging import mosaic, mosaic_fill, mosaic_search
from models.training.comics import page

Place = tuple[slice, slice]


def hidden(art: np.ndarray, place: Place, cell: int, left: int = 0, top: int = 0) -> np.ndarray:
    """The picture with a mosaic in a place; cells begin at left + i * cell, top + j * cell."""
    result = art.astype(float)
    rows, columns = place
    y, x = np.mgrid[rows, columns]
    names = ((y - top) // cell) * 10_000 + (x - left) // cell
    for name in np.unique(names):
        inside = names == name
        part = result[place]
        part[inside] = part[inside].mean(axis=0)
    return np.rint(result).astype(np.uint8)


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "JPEG", quality=quality)
    return np.asarray(Image.open(encoded))


def drawn(seed: int, colour: bool = True) -> np.ndarray:
    return page(320, 320, np.random.default_rng(seed), colour)


def region(place: Place, shape: tuple[int, ...]) -> np.ndarray:
    result = np.zeros(shape[:2], bool)
    result[place] = True
    return result


@pytest.mark.parametrize("quality", [None, 90])
@pytest.mark.parametrize(("cell", "left", "top"), [(4, 1, 3), (7, 0, 6), (8, 0, 0), (13, 5, 9), (32, 17, 30)])
def test_cells_are_found(cell: int, left: int, top: int, quality: int | None) -> None:
    place = slice(60, 60 + max(60, 6 * cell)), slice(50, 50 + max(70, 7 * cell))
    picture = hidden(drawn(1), place, cell, left, top)
    if quality is not None:
        picture = jpeg(picture, quality)
    found, others = mosaic.under(picture, region(place, picture.shape))
    assert not others and [one.cell for one in found] == [cell]
    one = found[0]
    y, x = np.mgrid[place]
    names = ((y - top) // cell) * 1000 + (x - left) // cell
    known = one.labels >= 0
    assert known.mean() > 0.9
    # Each of our cells is one of the true ones.
    pairs = np.unique(np.stack([names[known], one.labels[known]]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def test_a_mark_of_any_shape_that_was_drawn_carelessly() -> None:
    place = slice(80, 200), slice(80, 200)
    picture = hidden(drawn(1), place, 10, 3, 4)
    y, x = np.mgrid[:320, :320]
    disk = (x - 140) ** 2 + (y - 140) ** 2 < 55**2
    assert [one.cell for one in mosaic.under(picture, disk)[0]] == [10]
    careless = region((slice(75, 206), slice(76, 204)), picture.shape)
    found = mosaic.under(picture, careless)[0]
    assert [one.cell for one in found] == [10]
    outside = careless & ~region(place, picture.shape)
    assert (found[0].labels[outside[found[0].box.slices]] >= 0).mean() < 0.3  # drawing is no cell


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("quality", [None, 80])
def test_drawings_are_no_mosaics(seed: int, quality: int | None) -> None:
    picture = drawn(seed, bool(seed % 2))
    if quality is not None:
        picture = jpeg(picture, quality)
    place = slice(90, 210), slice(70, 230)
    assert mosaic.under(picture, region(place, picture.shape))[0] == []
    assert mosaic_search.search(picture)[0] == []


def test_plain_areas_patterns_and_jpeg_blocks_are_no_mosaics() -> None:
    y, x = np.mgrid[:160, :160]
    checks = np.where((x // 10 + y // 10) % 2, 240, 20).astype(np.uint8)
    dots = np.where((x % 8 < 4) & (y % 8 < 4), 0, 255).astype(np.uint8)
    sky = np.stack([100 + x // 4, 120 + y // 5, 200 + (x + y) // 10], 2).astype(np.uint8)
    everywhere = np.ones((160, 160), bool)
    for picture in (checks, dots, np.full((160, 160), 77, np.uint8), jpeg(sky, 10), jpeg(sky, 40)):
        assert mosaic.under(picture, everywhere)[0] == []
        assert mosaic_search.search(picture)[0] == []


@pytest.mark.parametrize("kind", ["noise", "black", "white", "good"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_fill_gets_the_means_of_the_cells(kind: str, dtype: type[np.generic]) -> None:
    art = drawn(3)
    place = slice(70, 161), slice(60, 173)
    picture = hidden(art, place, 8, 2, 5)
    one = mosaic.under(picture, region(place, art.shape))[0][0]
    fills = {
        "noise": np.random.default_rng(0).integers(0, 256, art.shape, np.uint8),
        "black": art * 0,
        "white": art * 0 + 255,
        "good": art,
    }
    white = {np.uint8: 255, np.uint16: 65535, np.float32: 1.0}[dtype]
    before = (fills[kind][one.box.slices].astype(float) / 255 * white).astype(dtype)
    given = before.copy()
    after = mosaic_fill.consistent(before, one)
    assert after.dtype == dtype and np.array_equal(before, given)
    assert np.array_equal(after[one.labels < 0], before[one.labels < 0])
    assert after.min() >= 0 and after.max() <= white
    assert mosaic.difference(after, one) < (1 / 255 if dtype == np.uint8 else 1e-4)
    for number in range(len(one.values)):  # as everybody can compute it
        cell = after[one.labels == number].astype(float) / white * 255
        hidden_cell = picture[one.box.slices][one.labels == number].astype(float)
        assert np.abs(cell.mean(axis=0) - hidden_cell.mean(axis=0)).max() < 1
    if kind == "good":  # what agrees already is hardly touched
        assert np.abs(after.astype(float) - before).max() <= 8 * white / 255


def test_a_correction_has_no_steps_between_cells() -> None:
    """A fill that is wrong by a soft bump is brought back without the mosaic's edges."""
    y, x = np.mgrid[:128, :128]
    art = np.stack([40 + x, 60 + y, 90 + (x + y) / 2], 2)
    place = slice(24, 104), slice(24, 104)
    one = mosaic.under(hidden(art, place, 16, 8, 8), region(place, art.shape))[0][0]
    bump = 60 * np.outer(np.sin(np.linspace(0, np.pi, 80)), np.sin(np.linspace(0, np.pi, 80)))[..., None]
    wrong = np.rint(art[place] + bump).astype(np.uint8)
    after = mosaic_fill.consistent(wrong, one).astype(float)
    assert np.sqrt(((after - art[place]) ** 2).mean()) < np.sqrt((bump**2).mean()) / 6
    assert np.abs(np.diff(after - art[place], axis=1)).max() < 6
    plain = wrong.astype(float)  # one number for each cell gives the means, too, but edges with them
    for number, value in enumerate(one.values):
        plain[one.labels == number] += 255 * value - plain[one.labels == number].mean(axis=0)
    assert np.abs(np.diff(plain - art[place], axis=1)).max() > 12


def test_gray_pictures() -> None:
    place = slice(60, 140), slice(60, 150)
    picture = hidden(drawn(2)[..., 0], place, 9, 1, 1)
    one = mosaic.under(picture, region(place, picture.shape))[0][0]
    assert one.cell == 9 and one.values.shape[1] == 1
    after = mosaic_fill.consistent(np.full((*one.labels.shape, 1), 128, np.uint8), one)
    assert mosaic.difference(after, one) < 1 / 255


@pytest.mark.parametrize(("cell", "quality"), [(8, None), (12, None), (12, 90), (24, 85)])
def test_mosaics_are_found_without_marks(cell: int, quality: int | None) -> None:
    art = page(400, 500, np.random.default_rng(11), True)
    place = slice(150, 150 + 10 * cell // 2 + 70), slice(203, 203 + 140)
    picture = hidden(art, place, cell, 5, 3)
    if quality is not None:
        picture = jpeg(picture, quality)
    certain, _ = mosaic_search.search(picture)
    assert [one.cell for one in certain] == [cell]
    found = np.zeros(art.shape[:2], bool)
    found[certain[0].box.slices] = certain[0].labels >= 0
    true = region(place, art.shape)
    # Cells of one flat colour that neighbours share cannot be told from drawing, and need not be.
    changed = true & (np.abs(picture.astype(int) - art).max(axis=2) > 24)
    assert (found & changed).sum() > 0.75 * changed.sum()
    assert (found & ~true).sum() < 0.1 * true.sum()
