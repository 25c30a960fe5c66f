"""PatchMatch through `PatchMatch().fill`: what it restores, what it may use, how it stops."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from models.base import Cancelled, FillError
from models.patchmatch import PatchMatch


def picture(high: int, wide: int, seed: int = 0) -> np.ndarray:
    """Noise over a slope: nothing in it repeats, so that any change in the search shows in the fill."""
    generator = np.random.default_rng(seed)
    slope = np.linspace(0, 0.5, wide, dtype=np.float32)
    return slope + 0.5 * generator.random((1, 3, high, wide), dtype=np.float32)


def box(high: int, wide: int, top: int, left: int, size_y: int, size_x: int) -> np.ndarray:
    hole = np.zeros((1, 1, high, wide), dtype=bool)
    hole[..., top : top + size_y, left : left + size_x] = True
    return hole


def spoilt(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The image with the hole's pixels overwritten."""
    return np.where(hole, np.float32([1, 0, 1])[None, :, None, None], image)


def tiled(side: int, tile: np.ndarray) -> np.ndarray:
    times = -(-side // tile.shape[-1])
    return np.tile(tile, (1, 1, times, times))[..., :side, :side].astype(np.float32)


def test_outside_is_untouched_and_inside_is_new() -> None:
    image, hole = picture(70, 90), box(70, 90, 20, 30, 25, 30)
    filled = PatchMatch().fill(spoilt(image, hole), hole)
    outside = np.broadcast_to(~hole, image.shape)
    assert np.array_equal(filled[outside], image[outside])
    assert np.isfinite(filled).all()
    inside = filled[~outside]
    assert image.min() - 0.1 <= inside.min() and inside.max() <= image.max() + 0.1


def test_what_lies_in_the_hole_is_never_looked_at() -> None:
    image, hole = picture(64, 64), box(64, 64, 20, 20, 20, 20)
    first = PatchMatch().fill(np.where(hole, np.float32(0), image), hole)
    second = PatchMatch().fill(np.where(hole, np.float32("nan"), image), hole)
    assert np.array_equal(first, second)


def test_the_fill_depends_on_the_seed_and_not_on_the_threads() -> None:
    image, hole = picture(150, 120), box(150, 120, 10, 20, 120, 60)
    fills = [PatchMatch(threads=threads).fill(image, hole, seed=3) for threads in (1, 1, 2, 5)]
    for fill in fills[1:]:
        assert np.array_equal(fills[0], fill)
    assert not np.array_equal(fills[0], PatchMatch().fill(image, hole, seed=4))


@pytest.mark.parametrize("texture", ["checkerboard", "stripes", "noise"])
def test_a_repeated_texture_is_restored(texture: str) -> None:
    if texture == "checkerboard":
        tile = np.kron(np.eye(2), np.ones((8, 8)))[None, None].repeat(3, axis=1)
    elif texture == "stripes":
        tile = np.tile((np.arange(16) < 5) * 0.8, (16, 1))[None, None].repeat(3, axis=1)
    else:
        tile = np.random.default_rng(1).random((1, 3, 16, 16))
    image, hole = tiled(128, tile), box(128, 128, 44, 44, 40, 40)
    filled = PatchMatch().fill(spoilt(image, hole), hole)
    error = np.abs(filled - image)[np.broadcast_to(hole, image.shape)]
    assert error.mean() < 0.01


def test_an_edge_goes_on_through_the_hole() -> None:
    image = np.zeros((1, 3, 128, 128), dtype=np.float32)
    image[..., :, 64:] = 1
    hole = box(128, 128, 40, 40, 48, 48)
    filled = PatchMatch().fill(spoilt(image, hole), hole)
    assert np.abs(filled - image)[np.broadcast_to(hole, image.shape)].mean() < 0.02


def test_only_allowed_pixels_are_used() -> None:
    # Left half red noise, right half blue noise; the hole lies in the red, only blue may be used.
    image = 0.3 * picture(80, 120)
    image[:, 0, :, :60] += 0.6
    image[:, 2, :, 60:] += 0.6
    hole = box(80, 120, 25, 15, 30, 30)
    source = np.zeros_like(hole)
    source[..., 60:] = True
    filled = PatchMatch().fill(spoilt(image, hole), hole, source=source)
    inside = filled.transpose(0, 2, 3, 1)[hole[:, 0]]
    core = filled[0, :, 33:47, 23:37]
    assert (core[2] > core[0]).all()  # deep inside, nothing of the red
    assert (inside[:, 2] > inside[:, 0]).mean() > 0.9


def test_a_tiny_source_region_is_enough() -> None:
    image = picture(90, 90)
    image[..., 5:8, 80:83] = np.float32([0.1, 0.9, 0.2])[None, :, None, None]
    hole = box(90, 90, 20, 20, 50, 50)
    source = box(90, 90, 5, 80, 3, 3)
    filled = PatchMatch().fill(spoilt(image, hole), hole, source=source)
    core = filled[0, :, 35:55, 35:55]
    assert np.abs(core - np.float32([0.1, 0.9, 0.2])[:, None, None]).max() < 0.05


@pytest.mark.parametrize("guided", [False, True])
def test_no_source_is_an_error_that_says_what_to_do(guided: bool) -> None:
    image, hole = picture(20, 20), box(20, 20, 5, 5, 5, 5)
    with pytest.raises(FillError) as caught:
        if guided:
            PatchMatch().refine(image[0], hole[0, 0], source=hole[0, 0])
        else:
            PatchMatch().fill(image, hole, source=hole)
    assert caught.value.code == "no-source"
    assert caught.value.message.endswith(".") and caught.value.hint.endswith(".")
    with pytest.raises(FillError):
        PatchMatch().fill(image, np.ones_like(hole))


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (3, 3), (5, 7), (1, 300), (37, 4), (13, 611), (65, 33)])
@pytest.mark.parametrize("keep", ["first", "most"])
def test_every_size_and_holes_at_the_border(shape: tuple[int, int], keep: str) -> None:
    image = picture(*shape)
    hole = np.ones((1, 1, *shape), dtype=bool)
    if keep == "first":  # a single pixel is left: all the picture must become it
        hole[..., 0, 0] = False
    else:  # the last corner is a hole
        hole[..., : -(-shape[0] * 2 // 3), :] = False
        hole[..., : shape[1] // 2] = False
        hole[..., -1, -1] = True
    filled = PatchMatch().fill(spoilt(image, hole), hole)
    outside = np.broadcast_to(~hole, image.shape)
    assert np.array_equal(filled[outside], image[outside])
    if keep == "first":
        assert np.abs(filled - image[..., :1, :1]).max() < 1e-3
    else:
        assert image.min() - 0.1 <= filled.min() and filled.max() <= image.max() + 0.1


def test_a_batch_equals_its_pictures() -> None:
    images = np.concatenate([picture(60, 60, seed) for seed in range(3)])
    holes = np.concatenate([box(60, 60, 10, 10, 20, 30), box(60, 60, 0, 0, 0, 0), box(60, 60, 40, 0, 20, 60)])
    filled = PatchMatch().fill(images, holes, seed=5)
    for n in range(3):
        alone = PatchMatch().fill(images[n : n + 1], holes[n : n + 1], seed=5)
        assert np.array_equal(filled[n], alone[0])


def test_cancel_is_heard_while_it_works() -> None:
    image, hole = picture(500, 500), box(500, 500, 50, 50, 400, 400)
    PatchMatch().fill(image[..., :60, :60], hole[..., 30:90, 30:90])  # compile before the clock runs
    asked: list[float] = []

    def cancel() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 40

    with pytest.raises(Cancelled):
        PatchMatch().fill(image, hole, cancel=cancel)
    assert len(asked) == 41  # nothing was asked, or done, after the yes
    with pytest.raises(Cancelled):
        PatchMatch().fill(image, hole, cancel=lambda: True)


def test_progress_rises_to_the_end() -> None:
    told: list[tuple[float, str]] = []
    image, hole = picture(100, 100), box(100, 100, 30, 30, 40, 40)
    PatchMatch().fill(image, hole, progress=lambda fraction, stage: told.append((fraction, stage)))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions) and fractions[0] == 0 and 0.9 < fractions[-1] <= 1
    assert len(set(fractions)) > 10 and all(stage for _, stage in told)


def test_refine_follows_the_guess_and_adds_detail() -> None:
    # Dark noise and bright noise side by side; the guess says: bright disc, without any detail.
    image = 0.2 * picture(160, 160)[0]
    image[:, :, 80:] += 0.7
    truth = image.copy()
    hole = np.zeros((160, 160), dtype=bool)
    hole[30:130, 20:75] = True
    guess = image.copy()
    guess[:, hole] = 0.1
    guess[:, 60:100, 30:65] = 0.85
    refined = PatchMatch().refine(guess, hole)
    assert np.array_equal(refined[:, ~hole], truth[:, ~hole])
    assert refined[:, 70:90, 40:55].mean() > 0.7
    assert refined[:, 35:50, 30:65].mean() < 0.3
    detail = np.abs(np.diff(refined[:, 70:90, 40:55], axis=2)).mean()
    assert detail > 0.5 * np.abs(np.diff(truth[:, :, 100:], axis=2)).mean()


def test_importing_the_card_does_not_import_the_compiler() -> None:
    code = "import sys, models.patchmatch as p; p.PatchMatch.card.as_dict(); sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
