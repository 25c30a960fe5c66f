"""Masks of every kind, and the holes in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.imaging import mask
from backend.imaging.crop import Box

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


def brute_distance(hole: np.ndarray) -> np.ndarray:
    """Squared distance of every pixel to the nearest true one, by looking at all of them."""
    rows, columns = np.nonzero(hole)
    y, x = np.mgrid[: hole.shape[0], : hole.shape[1]]
    return ((y[..., None] - rows) ** 2 + (x[..., None] - columns) ** 2).min(axis=2)


def assemble(holes: list[mask.Hole], shape: tuple[int, int]) -> np.ndarray:
    """How many holes claim each pixel."""
    result = np.zeros(shape, dtype=int)
    for hole in holes:
        result[hole.box.slices] += hole.inside
    return result


@settings(deadline=None)
@given(MASKS)
def test_bounds_hold_every_pixel_and_no_empty_rim(hole: np.ndarray) -> None:
    box = mask.bounds(hole)
    if not hole.any():
        assert box is None
        return
    assert box is not None
    rows, columns = np.nonzero(hole)
    assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float16", "float32"])
def test_bounds_of_soft_masks_count_all_above_zero(dtype: str) -> None:
    soft = np.zeros((9, 11), dtype=dtype)
    soft[3, 4] = 1 if soft.dtype.kind != "f" else 1e-3
    soft[5, 7] = 100
    if soft.dtype.kind != "u":
        soft[0, 0] = -1
    if soft.dtype.kind == "f":
        soft[3, 8] = np.nan
    assert mask.bounds(soft) == (4, 3, 8, 6)
    assert len(mask.components(soft)) == 2


@settings(deadline=None)
@given(MASKS, st.integers(0, 30))
def test_distance_is_exact_as_far_as_it_reaches(hole: np.ndarray, reach: int) -> None:
    if not hole.any():
        hole[0, 0] = True
    expected = np.minimum(brute_distance(hole), (reach + 1) ** 2)
    expected[expected > reach**2] = (reach + 1) ** 2
    found = mask.squared_distance(hole, reach)
    assert (np.where(found > reach**2, (reach + 1) ** 2, found) == expected).all()


def test_distance_in_strips_and_in_wide_numbers() -> None:
    hole = np.zeros((700, 1200), dtype=bool)
    hole[350, 600] = hole[10, 20] = True
    y, x = np.mgrid[:700, :1200]
    exact = np.minimum((y - 350) ** 2 + (x - 600) ** 2, (y - 10) ** 2 + (x - 20) ** 2)
    found = mask.squared_distance(hole, 300)
    near = exact <= 300**2
    assert (found[near] == exact[near]).all()
    assert (found[~near] > 300**2).all()


@settings(max_examples=60, deadline=None)
@given(MASKS, st.integers(0, 6), st.integers(0, 6))
def test_holes_partition_the_grown_mask(hole: np.ndarray, grow: int, feather: int) -> None:
    holes = mask.components(hole, grow, feather)
    claimed = assemble(holes, hole.shape)
    if not hole.any():
        assert not holes
        return
    exact = brute_distance(hole)
    assert (claimed == (exact <= (grow + feather) ** 2)).all()
    for one in holes:
        assert one.inside.any(axis=1).all() and one.inside.any(axis=0).all()
        squared, alpha = exact[one.box.slices], one.alpha(one.squared)
        full = one.inside & (squared <= grow**2)
        assert (alpha[full] == 1).all()
        assert (alpha[~one.inside] == 0).all()
        ring = one.inside & ~full
        assert ((alpha[ring] > 0) & (alpha[ring] < 1)).all()
        order = np.argsort(squared[ring], kind="stable")
        assert (np.diff(alpha[ring][order]) <= 1e-6).all()


def test_touching_pieces_are_one_hole_and_others_are_not() -> None:
    hole = np.zeros((400, 600), dtype=bool)
    hole[20:30, 20:30] = hole[30:40, 30:40] = True  # corner to corner
    hole[20:30, 60:70] = True  # in the same island, apart
    hole[300:310, 500:520] = True  # far away
    assert [one.box for one in mask.components(hole)] == [
        Box(20, 20, 40, 40),
        Box(60, 20, 70, 30),
        Box(500, 300, 520, 310),
    ]
    grown = mask.components(hole, 12, 4)
    assert [one.box for one in grown] == [Box(4, 4, 86, 56), Box(484, 284, 536, 326)]


def test_a_hole_inside_a_ring_stays_apart() -> None:
    hole = np.zeros((90, 90), dtype=bool)
    hole[10:80, 10:80] = True
    hole[15:75, 15:75] = False
    hole[44:46, 44:46] = True
    ring, dot = mask.components(hole)
    assert ring.area == 70 * 70 - 60 * 60
    assert dot.area == 4


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 50), st.integers(0, 50), st.integers(0, 8))
def test_a_crop_has_the_same_holes(seed: int, left: int, top: int, reach: int) -> None:
    rng = np.random.default_rng(seed)
    hole = np.zeros((200, 240), dtype=bool)
    for _ in range(6):
        y, x = rng.integers(70, 120), rng.integers(70, 160)
        hole[y : y + rng.integers(1, 12), x : x + rng.integers(1, 12)] = True
    whole = mask.components(hole, reach, 2)
    part = mask.components(hole[top:190, left:230], reach, 2)
    assert len(whole) == len(part)
    for one, other in zip(whole, part, strict=True):
        assert one.box == other.box.enlarge(0, 999, 999)._replace(
            left=other.box.left + left,
            right=other.box.right + left,
            top=other.box.top + top,
            bottom=other.box.bottom + top,
        )
        assert (one.squared == other.squared).all()


def test_many_specks_in_a_large_picture() -> None:
    rng = np.random.default_rng(0)
    hole = np.zeros((3000, 4000), dtype=np.uint8)
    y, x = rng.integers(0, 3000, 5000), rng.integers(0, 4000, 5000)
    hole[y, x] = 255
    holes = mask.components(hole, 1)
    assert len(holes) <= 2100
    claimed = np.zeros(hole.shape, dtype=np.uint8)
    for one in holes:
        claimed[one.box.slices] += one.inside
    assert (claimed[y, x] == 1).all()
    assert claimed.sum() <= 5 * 5000


def test_pinholes_up_to_the_size_are_filled() -> None:
    hole = np.ones((40, 40), dtype=bool)
    hole[5, 5] = hole[10:13, 10:12] = hole[20:25, 20] = hole[0, 30] = False
    filled = mask.fill_pinholes(hole, 3)
    assert filled[5, 5] and filled[10:13, 10:12].all()
    assert not filled[20:25, 20].any()  # too tall
    assert not filled[0, 30]  # open to the outside
    assert [one.area for one in mask.components(hole, pinholes=5)] == [1599]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_painted_colour_becomes_the_mask(dtype: str, channels: int) -> None:
    unit = {"uint8": 1, "uint16": 257}.get(dtype, 1 / 255)
    image = np.full((6, 7, channels), 200 * unit).astype(dtype)
    image[1:3, 2:4, :3] = np.array([0, 255, 0]) * unit
    image[4, 4, :3] = np.array([6, 250, 3]) * unit
    exact = np.zeros((6, 7), dtype=bool)
    exact[1:3, 2:4] = True
    assert (mask.from_colour(image, (0, 255, 0)) == exact).all()
    exact[4, 4] = True
    assert (mask.from_colour(image, (0, 255, 0), tolerance=6) == exact).all()
    if channels == 4:
        image[1, 2, 3] = 0
        assert not mask.from_colour(image, (0, 255, 0))[1, 2]


def test_a_painted_gray_becomes_the_mask() -> None:
    image = np.array([[0, 128], [255, 127]], dtype=np.uint8)
    assert mask.from_colour(image, (128, 128, 128)).tolist() == [[False, True], [False, False]]
    assert not mask.from_colour(image, (0, 255, 0)).any()
