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
from backend.imaging import mosaic
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
