"""Contexts, and which holes share one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.imaging import crop
from backend.imaging.crop import Box


def square(x: int, y: int, side: int, margin: int) -> Box:
    return Box(x - margin, y - margin, x + side + margin, y + side + margin)


def test_margin_follows_the_card_or_the_user() -> None:
    box = Box(10, 10, 110, 60)
    assert crop.margin(box, 64, 0.5) == 64
    assert crop.margin(box, 64, 1.5) == 150
    assert crop.margin(box, 64, 1.5, pixels=7) == 7


def test_far_holes_stay_apart_and_near_ones_join() -> None:
    near = [square(1000, 1000, 100, 100), square(1130, 1000, 100, 100)]
    far = square(3000, 3000, 100, 100)
    assert crop.group([*near, far]) == [[0, 1], [2]]


def test_a_hole_in_anothers_context_joins_it() -> None:
    assert crop.group([Box(0, 0, 900, 900), Box(100, 100, 230, 230)]) == [[0, 1]]


def test_specks_share_jobs() -> None:
    rng = np.random.default_rng(1)
    specks = [square(int(x), int(y), 5, 64) for x, y in rng.integers(64, 936, (500, 2))]
    groups = crop.group(specks)
    assert len(groups) <= 3
    assert sorted(index for members in groups for index in members) == list(range(500))


def test_merging_never_passes_the_models_limit() -> None:
    boxes = [square(100 + 20 * index, 100, 10, 64) for index in range(30)]
    limit = 200 * 200
    for members in crop.group(boxes, limit):
        union = boxes[members[0]]
        for index in members[1:]:
            union = union.union(boxes[index])
        assert union.area <= limit


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(1, 300)), max_size=12))
def test_every_hole_is_in_one_group(squares: list[tuple[int, int, int]]) -> None:
    boxes = [square(x, y, side, 10) for x, y, side in squares]
    groups = crop.group(boxes)
    assert sorted(index for members in groups for index in members) == list(range(len(boxes)))
    assert crop.group(boxes) == groups


def test_the_context_grows_until_it_holds_the_source() -> None:
    source = np.zeros((300, 400), dtype=bool)
    source[200:280, 300:390] = True
    start = Box(10, 10, 60, 60)
    found = crop.reach_source(start, 1000, lambda box: source[box.slices], 300, 400)
    assert found.union(start) == found
    assert np.count_nonzero(source[found.slices]) >= 1000
    assert found.right <= 390 and found.bottom <= 280
    assert crop.reach_source(found, 1000, lambda box: source[box.slices], 300, 400) == found


def test_a_source_that_is_too_small_is_taken_whole() -> None:
    source = np.zeros((300, 400), dtype=bool)
    source[250, 350] = True
    found = crop.reach_source(Box(10, 10, 60, 60), 1000, lambda box: source[box.slices], 300, 400)
    assert found == Box(10, 10, 351, 251)
    source[250, 350] = False
    nothing = crop.reach_source(Box(10, 10, 60, 60), 1000, lambda box: source[box.slices], 300, 400)
    assert nothing == Box(10, 10, 60, 60)
