"""Boxes and holes on pictures that tile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backend.imaging import mask as masks
from backend.imaging import torus
from backend.imaging.crop import Box
from backend.imaging.torus import Canvas


def specks(seed: int, height: int, width: int, most: int = 4) -> np.ndarray:
    """Up to so many boxes, some of them over an edge."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), dtype=bool)
    for _ in range(rng.integers(1, most + 1)):
        high, wide = rng.integers(1, height // 2 + 1), rng.integers(1, width // 2 + 1)
        shift = rng.integers(0, height), rng.integers(0, width)
        spot = np.zeros_like(mask)
        spot[:high, :wide] = True
        mask |= np.roll(spot, shift, (0, 1))
    return mask


def on_torus(holes: list[masks.Hole], height: int, width: int) -> np.ndarray:
    """int: the number of the hole that every pixel belongs to, 0 where none."""
    result = np.zeros((height, width), dtype=int)
    for number, hole in enumerate(holes, start=1):
        y, x = np.nonzero(hole.inside)
        place = (y + hole.box.top) % height, (x + hole.box.left) % width
        assert not result[place].any()
        result[place] = number
    return result


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 40),
    st.integers(2, 40),
    st.integers(0, 6),
    st.integers(0, 3),
    st.integers(0, 5),
)
def test_holes_are_those_of_an_endless_plane(
    seed: int, height: int, width: int, grow: int, feather: int, pinholes: int
) -> None:
    """Nine copies side by side show in their middle what one does, and which pixels hang together."""
    mask = specks(seed, height, width)
    holes = torus.components(mask, grow, feather, pinholes)
    found = on_torus(holes, height, width)
    reach = grow + feather
    copies = 2 * -(-reach // min(height, width)) + 5
    start = copies // 2
    plane = np.tile(mask, (copies, copies))
    if pinholes:
        plane = masks.fill_pinholes(plane, pinholes)
    reached = masks.squared_distance(plane, reach) <= reach * reach
    inner = reached[start * height : (start + 1) * height, start * width : (start + 1) * width]
    assert np.array_equal(found > 0, inner)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        other = np.roll(found, (-dy, -dx), (0, 1))
        both = (found > 0) & (other > 0)
        assert (found[both] == other[both]).all()
    for hole in holes:
        assert 0 <= hole.box.left < width and 0 <= hole.box.top < height
        assert hole.box.width <= width and hole.box.height <= height
        if hole.box.width < width:
            assert hole.inside[:, 0].any() and hole.inside[:, -1].any()
        if hole.box.height < height:
            assert hole.inside[0].any() and hole.inside[-1].any()


@pytest.mark.parametrize(
    "pixels",
    [
        [(5, 15), (6, 0)],
        [(6, 15), (5, 0)],
        [(9, 3), (0, 4)],
        [(9, 4), (0, 3)],
        [(9, 15), (0, 0)],
        [(9, 0), (0, 15)],
    ],
)
def test_pixels_that_touch_across_an_edge_are_one_hole(pixels: list[tuple[int, int]]) -> None:
    mask = np.zeros((10, 16), dtype=bool)
    for place in pixels:
        mask[place] = True
    (hole,) = torus.components(mask)
    assert hole.area == 2 and hole.box.width == 2 and hole.box.height == 2


def test_holes_inside_are_the_usual_ones() -> None:
    mask = np.zeros((80, 90), dtype=bool)
    mask[20:30, 30:50] = mask[60:64, 70:75] = True
    usual, here = masks.components(mask, 4, 2), torus.components(mask, 4, 2)
    assert [(hole.box, hole.squared.tobytes()) for hole in usual] == [
        (hole.box, hole.squared.tobytes()) for hole in here
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 50), st.integers(0, 50), st.sampled_from(["holes", "band"]))
def test_a_picture_comes_home_from_wherever_it_was_rolled(seed: int, dy: int, dx: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    mask, image = specks(seed, 31, 26), rng.integers(0, 256, (31, 26, 3), dtype=np.uint8)
    if kind == "band":  # every column is like every other: the picture has to tell them apart
        mask[:] = False
        mask[5:9] = True
    moved, moved_image = np.roll(mask, (dy, dx), (0, 1)), np.roll(image, (dy, dx), (0, 1))
    for array, other in ((mask, moved), (image, moved_image)):
        first = np.roll(array, torus.home(mask, image), (0, 1))
        second = np.roll(other, torus.home(moved, moved_image), (0, 1))
        assert np.array_equal(first, second)


def test_at_home_no_edge_cuts_a_hole_that_can_lie_inside() -> None:
    image = np.zeros((60, 80, 1), np.float32)
    mask = np.zeros((60, 80), dtype=bool)
    mask[:10, :10] = mask[-5:, -7:] = mask[30:35, 40:50] = True
    rolled = np.roll(mask, torus.home(mask, image), (0, 1))
    assert not (rolled[0].any() or rolled[-1].any() or rolled[:, 0].any() or rolled[:, -1].any())


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 25), st.integers(1, 25)),
    st.tuples(st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 40), st.integers(1, 40)),
)
def test_copies_are_all_that_can_be_seen(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    box, seen = (Box(x, y, x + wide, y + high) for x, y, wide, high in (one, other))
    found = list(Canvas(9, 7, True).copies(box, seen))
    expected = [
        box.moved(7 * across, 9 * down)
        for down in range(-12, 13)
        for across in range(-12, 13)
        if box.moved(7 * across, 9 * down).meet(seen) is not None
    ]
    assert sorted(found) == sorted(expected)


def test_beyond_an_edge_the_picture_goes_on_at_the_opposite_one() -> None:
    array = np.arange(5 * 7 * 2).reshape(5, 7, 2)
    plane = np.tile(array, (5, 5, 1))
    canvas = Canvas(5, 7, True)
    for box in (Box(1, 1, 4, 3), Box(-3, -2, 4, 1), Box(5, 3, 16, 12)):
        expected = plane[10 + box.top : 10 + box.bottom, 14 + box.left : 14 + box.right]
        assert np.array_equal(canvas.cut(array, box), expected)


def test_around_a_hole_the_whole_picture_is_seen_and_little_twice() -> None:
    canvas = Canvas(1000, 800, True)
    seen = canvas.around(Box(780, 10, 820, 50), 5000)
    assert (seen.height, seen.width) == (1000, 800)
    assert canvas.around(Box(780, 10, 820, 50), 30) == Box(750, -20, 850, 80)
    large = canvas.around(Box(0, 0, 790, 1000), 5000, (True, False))
    assert (large.top, large.bottom) == (0, 1000) and 16 <= -large.left <= 100


@pytest.mark.parametrize("shift", [(0, 0), (3, -4), (-9, 30)])
def test_boxes_are_found_again_where_the_user_has_them(shift: tuple[int, int]) -> None:
    at_home = np.arange(20 * 24).reshape(20, 24)
    canvas = Canvas(20, 24, True, shift)
    rolled = np.roll(at_home, shift, (0, 1))
    boxes = [Box(20, 15, 30, 18), Box(3, 18, 5, 23), Box(23, 19, 47, 39)]
    for few in (boxes[:1], boxes[:2], boxes):
        used = np.zeros((20, 24), dtype=bool)
        for box in few:
            shown = canvas.cut(rolled, box)
            covered = np.zeros(shown.shape, dtype=int)
            for place, part in canvas.at_home(box):
                assert np.array_equal(at_home[place.slices], shown[part])
                covered[part] += 1
                used[place.slices] = True
            assert (covered == 1).all()
        assert canvas.covered(few) == masks.bounds(used)


def test_a_picture_of_specks_is_no_list_of_thousands() -> None:
    mask = np.zeros((256, 256), dtype=bool)
    mask[::4, ::4] = True
    (hole,) = torus.components(mask)
    assert hole.box.width >= 253 and hole.area == mask.sum()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_growing_wraps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.zeros((30, 40), dtype=bool)
    mask[rng.integers(0, 30), 39] = True
    assume(mask.any())
    (hole,) = torus.components(mask, 3, 1)
    found = on_torus([hole], 30, 40)
    assert found[:, :4].any() and hole.box.width == 9 == hole.box.height
