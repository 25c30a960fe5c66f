"""The metrics and masks behave as the benchmark relies on; nothing is downloaded."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from models.training import sources

from . import masks, metrics, pictures


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """A textured picture with a shape in it."""
    generator = np.random.default_rng(0)
    texture = ndimage.gaussian_filter(generator.normal(0, 1, (96, 128, 3)), (1, 1, 0))
    y, x = np.mgrid[:96, :128]
    return np.clip(120 + 90 * texture + 40 * (np.hypot(y - 48, x - 64) < 30)[..., None], 0, 255).astype(
        np.uint8
    )


@pytest.fixture(scope="module")
def hole() -> np.ndarray:
    return masks.make("big", (96, 128), seed=1)


def blurred(truth: np.ndarray, hole: np.ndarray) -> np.ndarray:
    blur = ndimage.gaussian_filter(truth.astype(float), (2, 2, 0))
    return np.where(hole[..., None], blur, truth).astype(np.uint8)


def test_the_truth_itself_is_ideal(truth: np.ndarray, hole: np.ndarray) -> None:
    assert metrics.psnr(truth, truth, hole) == 99
    assert metrics.ssim(truth, truth, hole) == pytest.approx(1)
    assert metrics.patches(truth, truth, hole) == 0
    assert metrics.sharpness(truth, truth, hole) == pytest.approx(1)


def test_blur_costs_every_metric(truth: np.ndarray, hole: np.ndarray) -> None:
    blur = blurred(truth, hole)
    assert metrics.psnr(blur, truth, hole) < 30
    assert metrics.ssim(blur, truth, hole) < 0.8
    assert metrics.patches(blur, truth, hole) > 1
    assert metrics.sharpness(blur, truth, hole) < 0.5


def test_noise_is_too_sharp(truth: np.ndarray, hole: np.ndarray) -> None:
    noisy = truth.copy()
    noisy[hole] = np.random.default_rng(1).integers(0, 256, (hole.sum(), 3))
    assert metrics.sharpness(noisy, truth, hole) > 2


def test_psnr_of_a_known_error(truth: np.ndarray, hole: np.ndarray) -> None:
    darker = np.where(hole[..., None], truth.astype(int) + np.where(truth < 128, 16, -16), truth)
    assert metrics.psnr(darker.astype(np.uint8), truth, hole) == pytest.approx(20 * np.log10(255 / 16))


def test_patches_do_not_mind_where_texture_lies_and_mind_blur() -> None:
    texture = np.random.default_rng(2).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    hole = masks.rectangle((96, 96), 40, 40)
    moved = np.where(hole[..., None], np.roll(texture, 30, axis=0), texture)
    soft = blurred(texture, hole)
    assert metrics.patches(moved, texture, hole) < 0.3 * metrics.patches(soft, texture, hole)
    assert metrics.psnr(moved, texture, hole) < metrics.psnr(soft, texture, hole)


def test_only_the_hole_counts(truth: np.ndarray, hole: np.ndarray) -> None:
    blur = blurred(truth, hole)
    far = ndimage.distance_transform_edt(~hole) > 12
    changed = [np.where(far[..., None], 0, picture).astype(np.uint8) for picture in (blur, truth)]
    for metric in (metrics.psnr, metrics.ssim, metrics.patches, metrics.sharpness):
        assert metric(*changed, hole) == pytest.approx(metric(blur, truth, hole))


@pytest.mark.parametrize("kind", list(masks.COVER))
def test_masks_cover_what_they_say_and_are_seeded(kind: str) -> None:
    shape = (256, 320)
    hole = masks.make(kind, shape, seed=5)
    assert hole.shape == shape and hole.dtype == bool
    assert masks.COVER[kind] - 0.005 <= hole.mean() <= masks.COVER[kind] + 0.04
    assert np.array_equal(hole, masks.make(kind, shape, seed=5))
    assert not np.array_equal(hole, masks.make(kind, shape, seed=6))
    deepest = ndimage.distance_transform_edt(hole).max()
    assert deepest < 10 if kind == "scratch" else deepest > 6


def test_the_picture_list_is_sound() -> None:
    every = pictures.listed()
    with (Path(pictures.__file__).parent / "pictures.csv").open(newline="", encoding="utf-8") as file:
        lines = len(list(csv.DictReader(file)))
    assert lines + 2 * pictures.PAGES == len(every), "a picture belongs to no half"
    assert max(Counter(picture.name for picture in every).values()) == 1
    assert max(Counter((picture.source, picture.path) for picture in every).values()) == 1
    assert all(picture.licence and picture.author for picture in every)
    for half in pictures.HALVES:
        kinds = Counter(picture.kind for picture in pictures.listed([half]))
        assert kinds["photo"] >= 12 and kinds["drawing"] >= 6 and kinds["comic"] == pictures.PAGES


def test_a_page_is_always_the_same_and_no_other_page(tmp_path: Path) -> None:
    pages = [picture for picture in pictures.listed() if picture.kind == "comic"]
    first, second = (pictures.load(page, tmp_path) for page in pages[:2])
    assert np.array_equal(first, pictures.load(pages[0], tmp_path)) and not np.array_equal(first, second)
    assert pictures.part(pages[0], tmp_path, 256).shape == (256, 256, 3)


def test_without_a_source_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(sources.SourceError, match="no apt-get on this system"):
        pictures.fetch(tmp_path)


def test_crops_have_the_size_that_was_asked_for() -> None:
    ramp = np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (120, 1, 3))
    assert pictures.crop(ramp, 64).shape == (64, 64, 3)
    assert pictures.crop(ramp, 64, shorter=64).shape == (64, 64, 3)
