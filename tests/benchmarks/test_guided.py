"""The score of fills that follow a sketch; nothing is downloaded."""

from __future__ import annotations

import numpy as np
import pytest

from models.guidance import detector

from .guided import Score, edge_score, lines, strokes

BY = detector("gradients")


def disk(x: int) -> np.ndarray:
    y, columns = np.mgrid[:120, :160]
    inside = np.hypot(y - 60, columns - x) < 30
    return np.where(inside[..., None], np.uint8([200, 60, 40]), np.uint8([90, 120, 90]))


@pytest.fixture
def hole() -> np.ndarray:
    hole = np.zeros((120, 160), bool)
    hole[15:105, 20:140] = True
    return hole


def test_the_picture_that_the_sketch_is_of_follows_it(hole: np.ndarray) -> None:
    drawn = lines(disk(80), BY)
    score = edge_score(disk(80), drawn, hole, BY)
    assert score == Score(1, 1) and score.f == pytest.approx(1)
    assert edge_score(disk(82), drawn, hole, BY).f > 0.95, "within the tolerance"


def test_another_picture_does_not(hole: np.ndarray) -> None:
    drawn = lines(disk(80), BY)
    half = edge_score(disk(110), drawn, hole, BY)
    assert 0 < half.f < 0.5
    flat = np.full((120, 160, 3), 90, np.uint8)
    assert edge_score(flat, drawn, hole, BY).f == 0
    assert edge_score(flat, np.zeros_like(drawn), hole, BY).f == pytest.approx(1)
    both = np.where(disk(60) > 100, disk(60), disk(110))
    more = edge_score(both, lines(disk(60), BY), hole, BY)
    assert more.recall > 0.6 > more.precision


def test_only_the_hole_counts(hole: np.ndarray) -> None:
    drawn = lines(disk(80), BY)
    outside = disk(80).copy()
    outside[:12, ::8] = 255
    assert edge_score(outside, drawn, hole, BY) == edge_score(disk(80), drawn, hole, BY)


def test_strokes_are_few_and_of_the_colours_beneath(hole: np.ndarray) -> None:
    layer = strokes(disk(80), hole)
    painted = layer[..., 3] == 255
    assert not painted[~hole].any() and 0.1 < painted[hole].mean() < 0.25
    assert np.abs(layer[..., :3].astype(int) - disk(80))[painted].mean() < 3
