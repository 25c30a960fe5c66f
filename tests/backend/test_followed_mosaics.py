"""Fills that follow the mosaic which is selected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from pixelated import pixelated

import models
from backend.cli import main
from backend.imaging import mosaic, mosaic_fill
from backend.imaging.composite import paste
from backend.pipeline import Request, fill
from models.base import FillError
from models.training import comics

CELL, BOX = 8, np.s_[64:128, 40:136]


def page(dtype: str) -> np.ndarray:
    drawn = comics.page(240, 240, np.random.default_rng(3), colour=True)
    return drawn.astype(dtype) * (257 if dtype == "uint16" else 1)


def censored(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture with a mosaic, and the mask of that."""
    result = pixelated(picture, BOX, CELL)
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[BOX] = 255
    return result, mask


def off(picture: np.ndarray, seen: np.ndarray, mask: np.ndarray) -> float:
    """By how many levels of 255 a mean is off."""
    ((one,), _) = mosaic.under(seen, mask > 0)
    return 255 * mosaic.difference(picture[one.box.slices], one)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("model", ["patchmatch", "smooth"])
def test_every_candidate_has_the_means_of_the_cells(model: str, dtype: str) -> None:
    picture = page(dtype)
    seen, mask = censored(picture)
    settings = {"mosaic": True, "grow": 3, "count": 2 if model == "patchmatch" else 1}
    for layer in fill(Request(seen, mask, model, settings), models.load):
        filled = paste(seen, layer.pixels, layer.offset)
        assert off(filled, seen, mask) < 1
        assert np.array_equal(filled[:50], seen[:50]) and not np.array_equal(filled[BOX], seen[BOX])
    (plain,) = fill(Request(seen, mask, model, {"grow": 3}), models.load)
    bar = paste(seen, plain.pixels, plain.offset)
    assert off(bar, seen, mask) > 20
    scale = 255 / np.iinfo(dtype).max
    errors = [np.abs(each[BOX].astype(float) - picture[BOX]).mean() * scale for each in (filled, bar)]
    assert errors[0] < 0.95 * errors[1], "what is known of it helps"


def test_patchmatch_follows_all_the_way_and_auto_takes_it() -> None:
    """Closer than a fill that gets the means at its end alone; nothing but the mosaic is filled."""
    errors = []
    for seed in range(1, 5):
        picture = comics.page(240, 240, np.random.default_rng(seed), colour=True)
        seen, mask = censored(picture)
        ((one,), _) = mosaic.under(seen, mask > 0)
        (layer,) = fill(Request(seen, mask, "auto", {"mosaic": True, "grow": 3, "feather": 2}), models.load)
        assert layer.model == "patchmatch"
        assert layer.offset == (BOX[1].start, BOX[0].start) and layer.pixels.shape[:2] == (64, 96)
        (blind,) = fill(Request(seen, mask, "patchmatch", {"grow": 0, "feather": 0}), models.load)
        corrected = mosaic_fill.consistent(blind.pixels[..., :3], one)
        truth = picture[BOX].astype(float)
        errors.append([np.abs(each - truth).mean() for each in (layer.pixels[..., :3], corrected)])
    assert np.mean(errors, axis=0)[0] < 0.95 * np.mean(errors, axis=0)[1]


def test_two_mosaics_of_different_cells_are_both_followed() -> None:
    picture = page("uint8")
    seen, mask = censored(picture)
    below = np.s_[160:208, 60:156]
    seen = pixelated(seen, below, 12)
    mask[below] = 255
    (layer,) = fill(Request(seen, mask, "patchmatch", {"mosaic": True}), models.load)
    filled = paste(seen, layer.pixels, layer.offset)
    found, _ = mosaic.under(seen, mask > 0)
    assert sorted(one.cell for one in found) == [8, 12]
    assert all(255 * mosaic.difference(filled[one.box.slices], one) < 1 for one in found)
    assert np.abs(filled[below].astype(float) - seen[below]).mean() > 3, "drawn, not left as it was"


def test_across_the_edge_of_a_tile_it_is_followed_too() -> None:
    errors = []
    for seed in range(1, 5):
        picture = np.roll(comics.page(240, 240, np.random.default_rng(seed), colour=True), 150, 1)
        seen, mask = (np.roll(each, 150, 1) for each in censored(np.roll(picture, -150, 1)))
        found, _ = mosaic.under(seen, mask > 0)
        truth, inside = picture.astype(float), mask > 0
        layers = [
            fill(Request(seen, mask, "patchmatch", settings), models.load)[0]
            for settings in ({"mosaic": True, "tile": True}, {"grow": 0, "feather": 0, "tile": True})
        ]
        followed, blind = (paste(seen, layer.pixels, layer.offset) for layer in layers)
        for one in found:
            blind[one.box.slices] = mosaic_fill.consistent(blind[one.box.slices], one)
        assert np.array_equal(followed[~inside], seen[~inside])
        errors.append([np.abs(each - truth)[inside].mean() for each in (followed, blind)])
    assert np.mean(errors, axis=0)[0] < 0.95 * np.mean(errors, axis=0)[1]


def test_where_a_mosaic_lies_does_not_matter() -> None:
    """It was looked at as if its corner were the picture's, and taken for a JPEG's blocks by and by."""
    smooth = np.add.outer(np.arange(240) * 0.3, np.arange(240) * 0.5) + 60
    picture = np.repeat(np.uint8(smooth)[..., None], 3, 2)
    box = np.s_[67:131, 43:139]
    seen = pixelated(picture, box, CELL)
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[box] = 255
    found, _ = mosaic.under(seen, mask > 0)
    assert len(found) == 1
    (layer,) = fill(Request(seen, mask, "smooth", {"mosaic": True}), models.load)
    assert layer.offset == (43, 67)


def test_a_part_of_the_picture_gives_the_same() -> None:
    seen, mask = censored(page("uint8"))
    part = np.s_[8:236, 4:230]
    (whole,) = fill(Request(seen, mask, "patchmatch", {"mosaic": True, "context": 24}), models.load)
    (less,) = fill(
        Request(seen[part], mask[part], "patchmatch", {"mosaic": True, "context": 24}), models.load
    )
    assert less.offset == (whole.offset[0] - 4, whole.offset[1] - 8)
    assert np.array_equal(whole.pixels, less.pixels)


def test_a_selection_without_a_mosaic_is_refused_and_one_beside_a_mosaic_is_filled() -> None:
    seen, mask = censored(page("uint8"))
    beside = np.zeros_like(mask)
    beside[170:200, 20:80] = 1
    with pytest.raises(FillError) as caught:
        fill(Request(seen, beside, "patchmatch", {"mosaic": True}), models.load)
    assert caught.value.code == "no-mosaic" and "Follow the mosaic" in caught.value.hint
    with pytest.raises(FillError) as caught:
        fill(Request(seen, np.zeros_like(mask), "patchmatch", {"mosaic": True}), models.load)
    assert caught.value.code == "empty-mask"
    (layer,) = fill(Request(seen, mask | beside, "patchmatch", {"mosaic": True}), models.load)
    filled = paste(seen, layer.pixels, layer.offset)
    assert off(filled, seen, mask) < 1 and not np.array_equal(filled[170:200, 20:80], seen[170:200, 20:80])


def test_the_command_follows_a_mosaic(tmp_path: Path) -> None:
    seen, mask = censored(page("uint8"))
    Image.fromarray(seen).save(tmp_path / "seen.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    named = [str(tmp_path / name) for name in ("seen.png", "mask.png", "filled.png")]
    done = CliRunner().invoke(main, ["run", *named[:2], "--mosaic", "-o", named[2]])
    assert done.exit_code == 0, done.output
    assert off(np.asarray(Image.open(named[2])), seen, mask) < 1
    Image.fromarray(np.roll(mask, 120, 0)).save(tmp_path / "mask.png")
    done = CliRunner().invoke(main, ["run", *named[:2], "--mosaic", "-o", named[2]])
    assert done.exit_code == 1 and "There is no mosaic" in done.output
