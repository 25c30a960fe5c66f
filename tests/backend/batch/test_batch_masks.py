"""Masks beside the pictures and in a folder of their own, as LaMa's users have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from batch_pictures import call, mask, only_the_hole_differs, pixels, results, save, scene


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg"])
@pytest.mark.parametrize("name", ["photo_mask", "photo_mask001"])
def test_masks_beside_the_pictures(tmp_path: Path, name: str, ending: str) -> None:
    save(tmp_path / "in/photo.png", scene())
    save(tmp_path / f"in/{name}.{ending}", mask())
    outcome = call(tmp_path / "in", tmp_path / "out")
    assert outcome.exit_code == 0, outcome.output
    assert results(tmp_path / "out") == ["photo.png"]
    assert only_the_hole_differs(pixels(tmp_path / "out/photo.png"), scene())


def test_several_masks_of_a_picture_are_filled_one_by_one(tmp_path: Path) -> None:
    save(tmp_path / "in/photo.png", scene())
    save(tmp_path / "in/photo_mask001.png", mask())
    other = np.zeros((64, 90), np.uint8)
    other[50:55, 70:80] = 255
    save(tmp_path / "in/photo_mask002.png", other)
    assert call(tmp_path / "in", tmp_path / "out").exit_code == 0
    assert results(tmp_path / "out") == ["photo_mask001.png", "photo_mask002.png"]
    assert only_the_hole_differs(pixels(tmp_path / "out/photo_mask001.png"), scene())
    second = pixels(tmp_path / "out/photo_mask002.png")
    assert np.array_equal(second[:40], scene()[:40])


@pytest.mark.parametrize("name", ["sub/photo.png", "sub/photo_mask.jpg", "sub/photo_mask012.jpeg"])
def test_masks_in_their_own_folder(tmp_path: Path, name: str) -> None:
    save(tmp_path / "in/sub/photo.webp", scene(), lossless=True)
    save(tmp_path / "in/other.png", scene())
    save(tmp_path / "masks" / name, mask())
    outcome = call(tmp_path / "in", tmp_path / "out", "--masks", tmp_path / "masks")
    assert outcome.exit_code == 0, outcome.output
    assert results(tmp_path / "out") == ["sub/photo.webp"]
    assert only_the_hole_differs(pixels(tmp_path / "out/sub/photo.webp"), scene())
    assert "1 filled, 1 without a hole" in outcome.output


def test_the_same_as_run_does(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from backend.cli import main

    save(tmp_path / "in/photo.png", scene())
    save(tmp_path / "in/photo_mask.png", mask())
    options = ["--model", "patchmatch", "--seed", "3", "--grow", "2"]
    assert call(tmp_path / "in", tmp_path / "out", *options).exit_code == 0
    paths = [str(tmp_path / name) for name in ("in/photo.png", "in/photo_mask.png", "one.png")]
    alone = CliRunner().invoke(main, ["run", *paths[:2], "-o", paths[2], *options])
    assert alone.exit_code == 0, alone.output
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "out/photo.png").read_bytes()


def test_a_mask_of_no_picture_and_one_of_another_size_are_told(tmp_path: Path) -> None:
    save(tmp_path / "in/photo.png", scene())
    save(tmp_path / "in/photo_mask.png", mask()[:-4])
    save(tmp_path / "in/lonely_mask.png", mask())
    save(tmp_path / "in/good.png", scene())
    save(tmp_path / "in/good_mask.png", mask())
    outcome = call(tmp_path / "in", tmp_path / "out")
    assert outcome.exit_code == 1
    assert "photo.png: The mask" in outcome.output and "90 x 60" in outcome.output
    assert "lonely_mask.png is named like a mask" in outcome.output
    assert results(tmp_path / "out") == ["good.png"]


def test_a_black_mask_is_nothing_to_fill(tmp_path: Path) -> None:
    save(tmp_path / "in/photo.png", scene())
    save(tmp_path / "in/photo_mask.png", mask() * 0)
    outcome = call(tmp_path / "in", tmp_path / "out")
    assert outcome.exit_code == 0
    assert "black everywhere" in outcome.output and "1 without a hole" in outcome.output
    assert results(tmp_path / "out") == []


def test_results_never_land_on_what_is_read(tmp_path: Path) -> None:
    save(tmp_path / "in/photo.png", scene())
    save(tmp_path / "in/photo_mask.png", mask())
    for output in (tmp_path / "in", tmp_path / "in/../in"):
        outcome = call(tmp_path / "in", output)
        assert outcome.exit_code == 2 and "read from" in outcome.output
    inside = tmp_path / "in/out"
    for _ in range(2):  # results in a sub-folder are no pictures of the next run
        assert call(tmp_path / "in", inside).exit_code == 0
        assert results(inside) == ["photo.png"]


def test_results_that_would_overwrite_each_other(tmp_path: Path) -> None:
    save(tmp_path / "in/photo.png", scene())
    save(tmp_path / "in/photo-1.png", scene(1))
    for name in ("photo", "photo-1", "photo-1-1"):
        save(tmp_path / f"masks/{name}.png", mask())
    save(tmp_path / "in/photo-1-1.png", scene(2))
    outcome = call(tmp_path / "in", tmp_path / "out", "--masks", tmp_path / "masks", "--variations", "1")
    assert outcome.exit_code == 0
    assert results(tmp_path / "out") == ["photo-1-1.png", "photo-1.png", "photo.png"]
    save(tmp_path / "in/photo_mask.png", scene(3))  # its own name, and that of the only mask's result
    save(tmp_path / "masks/photo_mask.png", mask())
    outcome = call(tmp_path / "in", tmp_path / "out2", "--masks", tmp_path / "masks")
    assert outcome.exit_code == 1 and "would overwrite" in outcome.output
