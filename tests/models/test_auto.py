"""Thin holes go to the smooth fill, others to PatchMatch."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from models import MODELS
from models.auto import CARD, choose, thickness


def bar(width: int, length: int = 200) -> np.ndarray:
    hole = np.zeros((length + 20, length + 20), dtype=bool)
    hole[10 : 10 + length, 30 : 30 + width] = True
    return hole


def line(width: int, angle: float) -> np.ndarray:
    y, x = np.mgrid[:240, :240] - 119.5
    return (np.abs(y * np.cos(angle) - x * np.sin(angle)) <= width / 2) & (np.hypot(y, x) < 110)


def disk(radius: int) -> np.ndarray:
    y, x = np.ogrid[-radius - 2 : radius + 3, -radius - 2 : radius + 3]
    return np.hypot(y, x) <= radius


def test_the_card_is_auto() -> None:
    assert CARD.name == "auto" and CARD.takes_source and "auto" not in MODELS


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 20, 60])
def test_a_bar_is_as_thick_as_it_is_wide(width: int) -> None:
    assert thickness(bar(width)) == pytest.approx(width, abs=1)


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 4, 1.2])
def test_thickness_does_not_depend_on_the_direction(angle: float) -> None:
    assert thickness(line(6, angle)) == pytest.approx(6, abs=1.2)


def test_a_disk_is_as_thick_as_its_diameter() -> None:
    assert thickness(disk(30)) == pytest.approx(60, rel=0.15)


def test_nothing_and_a_single_pixel() -> None:
    assert thickness(np.zeros((5, 5), dtype=bool)) == 0
    one = np.zeros((5, 5), dtype=bool)
    one[2, 2] = True
    assert 1 <= thickness(one) < 2 and choose(one) == "smooth"
    assert choose(np.ones((1, 1), dtype=bool)) == "smooth"


@pytest.mark.parametrize("width", [1, 2, 4, 6])
def test_scratches_are_smoothed(width: int) -> None:
    assert choose(bar(width)) == "smooth"
    assert choose(line(width, 0.7)) == "smooth"


def test_a_net_of_scratches_is_no_thicker_than_they_are() -> None:
    net = np.logical_or.reduce([line(5, angle) for angle in (0.0, 0.8, 1.5)])
    net |= ndimage.shift(net.astype(np.uint8), (20, 30)) > 0
    assert choose(net) == "smooth"


@pytest.mark.parametrize("hole", [bar(16), disk(8), np.ones((40, 40), dtype=bool)])
def test_thick_holes_are_matched(hole: np.ndarray) -> None:
    assert choose(hole) == "patchmatch"


def test_a_blob_on_a_long_scratch_is_matched() -> None:
    hole = np.zeros((2000, 100), dtype=bool)
    hole[:, 50:54] = True
    blob = disk(20)
    hole[500 : 500 + len(blob), 30 : 30 + len(blob)] |= blob
    assert choose(hole) == "patchmatch"


def test_a_large_hole_is_measured_in_strips() -> None:
    hole = np.zeros((2500, 40), dtype=bool)
    hole[:, 20:26] = True
    assert thickness(hole) == thickness(hole[:50]) == pytest.approx(6, abs=1)
    hole[1010:1050] = True
    assert choose(hole) == "patchmatch"
    assert thickness(np.ones((2500, 400), dtype=bool)) == pytest.approx(128, abs=1)


def test_the_array_around_the_hole_does_not_matter() -> None:
    hole = line(6, 0.4)
    assert thickness(np.pad(hole, 50)) == thickness(hole)
