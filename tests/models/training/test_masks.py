"""Holes for training: of every kind, reproducible, of the size and shape that the papers say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from models.training import masks, sheet


@pytest.mark.parametrize("kind", masks.KINDS)
@pytest.mark.parametrize("size", [(64, 64), (97, 211), (256, 256)])
def test_every_kind_leaves_enough_of_the_picture(kind: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        hole = masks.make(kind, *size, rng)
        assert hole.shape == size and hole.dtype == bool
        assert 0 < hole.mean() <= masks.MOST


@pytest.mark.parametrize("kind", masks.KINDS)
def test_same_seed_same_holes_and_no_two_alike(kind: str) -> None:
    def draw(seed: int) -> list[bytes]:
        rng = np.random.default_rng(seed)
        return [masks.make(kind, 96, 96, rng).tobytes() for _ in range(6)]

    assert draw(3) == draw(3)
    if kind == "centre":  # the one that is always the same
        assert len({*draw(3), *draw(4)}) == 1
        return
    assert len({*draw(3), *draw(4)}) >= 11  # small boxes may coincide


def test_unknown_kinds_and_impossible_sizes_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no kind of hole named 'round'"):
        masks.make("round", 64, 64, rng)
    with pytest.raises(ValueError, match="fits into 64 x 64"):
        masks.make("box", 64, 64, rng, most=0.01)


def test_a_walk_covers_what_was_asked_and_keeps_off_the_border() -> None:
    rng = np.random.default_rng(0)
    for ratio in (0.05, 0.3, 0.55):
        free = masks.random_walk(256, 256, rng, ratio)
        assert ratio <= free.mean() < ratio + 0.05
    inside = masks.random_walk(256, 256, rng, 0.3, border=False)
    ring = np.ones((256, 256), bool)
    ring[25:-25, 25:-25] = False
    assert not (inside & ring).any() and inside.mean() >= 0.3


def test_a_deepfill_box_has_half_the_side_less_an_eighth() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        rows, columns = np.nonzero(masks.deepfill_box(256, 256, rng))
        for extent in (np.ptp(rows) + 1, np.ptp(columns) + 1):
            assert 112 <= extent <= 128


def test_free_form_strokes_begin_where_they_are_asked_to() -> None:
    rng = np.random.default_rng(0)
    centre = (80.0, 120.0)
    touched = [masks.free_form(256, 256, rng, [centre])[120, 80] for _ in range(200)]
    plain = [masks.free_form(256, 256, rng)[120, 80] for _ in range(200)]
    assert np.mean(touched) > np.mean(plain) + 0.25


def test_lama_evaluation_sets_grow_thicker() -> None:
    def thickness(kind: str) -> float:
        rng = np.random.default_rng(0)
        holes = [masks.make(kind, 256, 256, rng) for _ in range(20)]
        return float(np.mean([ndimage.distance_transform_edt(hole).max() for hole in holes]))

    assert thickness("lama-thin") < thickness("lama-medium") < thickness("lama-thick")


def test_lama_trains_on_boxes_half_of_the_time() -> None:
    rng = np.random.default_rng(0)
    # Up to four boxes give at most nine different rows; the round end of one stroke gives more.
    straight = sum(len(np.unique(masks.lama(256, 256, rng), axis=0)) <= 9 for _ in range(200))
    assert 70 < straight < 130


def test_mosaic_cells_become_their_means_and_nothing_else_changes() -> None:
    rng = np.random.default_rng(5)
    image = rng.random((3, 120, 90), dtype=np.float32)
    hole, cell, phase = masks.mosaic(120, 90, rng)
    covered = masks.pixelate(image, hole, cell, phase)
    np.testing.assert_array_equal(covered[:, ~hole], image[:, ~hole])
    seen = 0
    for top in range(phase[1] - cell, 120, cell):
        for left in range(phase[0] - cell, 90, cell):
            box = (slice(max(top, 0), max(top + cell, 0)), slice(max(left, 0), max(left + cell, 0)))
            if hole[box].size == 0 or not hole[box].any():
                continue
            assert hole[box].all()  # whole cells only
            mean = image[(slice(None), *box)].mean(axis=(1, 2))
            np.testing.assert_allclose(
                covered[(slice(None), *box)], mean[:, None, None] + 0 * image[(slice(None), *box)], atol=1e-5
            )
            seen += 1
    assert seen


def test_the_sheet_shows_every_kind() -> None:
    picture = sheet.sheet(side=32, columns=3)
    assert picture.size == (120 + 3 * 40, 40 * len(masks.KINDS))
