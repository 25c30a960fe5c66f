"""The region that has to be sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.wire.geometry import Rect, request_rect

CARD: dict[str, Any] = {"context_factor": 1.0, "context_minimum": 64}
CANVAS = Rect(0, 0, 1000, 800)

places = st.integers(-500, 500)
sizes = st.integers(0, 400)
rects = st.builds(Rect, places, places, sizes, sizes)


def pixels(rect: Rect) -> set:
    return {
        (x, y)
        for x in range(rect.x, rect.x + rect.width)
        for y in range(rect.y, rect.y + rect.height)
        if not rect.empty
    }


small = st.builds(Rect, st.integers(-6, 6), st.integers(-6, 6), st.integers(0, 6), st.integers(0, 6))


@given(first=small, second=small)
def test_clipping_is_the_common_pixels(first: Rect, second: Rect) -> None:
    assert pixels(first.clipped(second)) == pixels(first) & pixels(second)
    assert first.clipped(second).width >= 0 and first.clipped(second).height >= 0


@given(first=small, second=small)
def test_uniting_covers_both_and_touches_them(first: Rect, second: Rect) -> None:
    united = first.united(second)
    assert pixels(united) >= pixels(first) | pixels(second)
    assert united.empty == (first.empty and second.empty)


def test_a_hole_in_the_middle() -> None:
    assert request_rect(Rect(400, 300, 100, 50), CANVAS, CARD, 4, 2) == Rect(282, 182, 336, 286)
    assert request_rect(Rect(400, 300, 10, 10), CANVAS, CARD, 0, 0) == Rect(336, 236, 138, 138)
    assert request_rect(Rect(400, 300, 10, 10), CANVAS, CARD, 4, 2, context=20) == Rect(374, 274, 62, 62)


def test_a_part_of_a_pixel_counts_as_one() -> None:
    card = {"context_factor": 1.0001, "context_minimum": 0}
    assert request_rect(Rect(400, 300, 10, 10), CANVAS, card, 0, 0) == Rect(389, 289, 32, 32)


def test_a_source_that_the_user_chose_is_sent_too() -> None:
    region = request_rect(Rect(400, 300, 10, 10), CANVAS, CARD, 0, 0, source=Rect(900, 700, 500, 50))
    assert region == Rect(336, 236, 664, 514)


def test_a_document_need_not_begin_at_zero() -> None:
    canvas = Rect(-300, -200, 100, 100)
    assert request_rect(Rect(-300, -200, 5, 5), canvas, CARD, 1, 1) == Rect(-300, -200, 71, 71)


@pytest.mark.parametrize("selection", [Rect(1000, 0, 50, 50), Rect(-30, 0, 30, 30), Rect(5, 5, 0, 9)])
def test_nothing_selected_inside_is_nothing_to_send(selection: Rect) -> None:
    assert request_rect(selection, CANVAS, CARD, 16, 8).empty


@given(selection=rects, canvas=rects, grow=st.integers(0, 64), feather=st.integers(0, 64), context=sizes)
def test_the_region_holds_the_hole_and_its_context(
    selection: Rect, canvas: Rect, grow: int, feather: int, context: int
) -> None:
    region = request_rect(selection, canvas, CARD, grow, feather, context)
    assert region == region.clipped(canvas) or region.empty
    selected = selection.clipped(canvas)
    assert region.empty == selected.empty
    if not selected.empty:
        hole = selected.enlarged(grow + feather).clipped(canvas)
        margin = context or max(64, hole.width, hole.height)
        assert region == hole.enlarged(margin).clipped(canvas)
