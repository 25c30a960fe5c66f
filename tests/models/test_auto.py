"""Thin holes go to the smooth fill, others to a network that suits the picture, or else to PatchMatch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from models import MODELS
from models.auto import CARD, choose, line_art, thickness, usable
from models.catalogue import CARDS
from models.zoo import Weights


def no() -> bool:
    """What is around is no line art."""
    return False


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
    assert 1 <= thickness(one) < 2 and choose(one, no) == "smooth"
    assert choose(np.ones((1, 1), dtype=bool), no) == "smooth"


@pytest.mark.parametrize("width", [1, 2, 4, 6])
def test_scratches_are_smoothed(width: int) -> None:
    assert choose(bar(width), no) == "smooth"
    assert choose(line(width, 0.7), no) == "smooth"


def test_a_net_of_scratches_is_no_thicker_than_they_are() -> None:
    net = np.logical_or.reduce([line(5, angle) for angle in (0.0, 0.8, 1.5)])
    net |= ndimage.shift(net.astype(np.uint8), (20, 30)) > 0
    assert choose(net, no) == "smooth"


@pytest.mark.parametrize("hole", [bar(16), disk(8), np.ones((40, 40), dtype=bool)])
def test_thick_holes_are_matched(hole: np.ndarray) -> None:
    assert choose(hole, no) == "patchmatch"


def test_a_blob_on_a_long_scratch_is_matched() -> None:
    hole = np.zeros((2000, 100), dtype=bool)
    hole[:, 50:54] = True
    blob = disk(20)
    hole[500 : 500 + len(blob), 30 : 30 + len(blob)] |= blob
    assert choose(hole, no) == "patchmatch"


def test_a_large_hole_is_measured_in_strips() -> None:
    hole = np.zeros((2500, 40), dtype=bool)
    hole[:, 20:26] = True
    assert thickness(hole) == thickness(hole[:50]) == pytest.approx(6, abs=1)
    hole[1010:1050] = True
    assert choose(hole, no) == "patchmatch"
    assert thickness(np.ones((2500, 400), dtype=bool)) == pytest.approx(128, abs=1)


def test_the_array_around_the_hole_does_not_matter() -> None:
    hole = line(6, 0.4)
    assert thickness(np.pad(hole, 50)) == thickness(hole)


# Line art


def cartoon(side: int = 200) -> np.ndarray:
    """Black outlines around plain colours, drawn four times as large, as an editor smooths them."""
    y, x = np.mgrid[: 4 * side, : 4 * side] / 4
    picture = np.ones((3, 4 * side, 4 * side), np.float32)
    for number, (cy, cx, radius) in enumerate([(60, 60, 40), (120, 140, 55), (150, 50, 30), (40, 150, 25)]):
        distance = np.hypot(y - cy, x - cx)
        colour = np.float32([(0.9, 0.3, 0.2), (0.2, 0.6, 0.9), (0.95, 0.8, 0.3), (0.4, 0.8, 0.4)][number])
        picture[:, distance < radius] = colour[:, None]
        picture[:, np.abs(distance - radius) < 1.5] = 0
    return picture.reshape(3, side, 4, side, 4).mean(axis=(2, 4))


def photograph(side: int = 200) -> np.ndarray:
    """The same shapes with shading, texture and noise."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    shading = 0.6 + 0.3 * np.sin(x / 30) * np.cos(y / 40)
    texture = ndimage.gaussian_filter(random.normal(size=(side, side)), 1.5) * 0.15
    return np.clip(cartoon(side) * shading + texture + random.normal(0, 0.01, (3, side, side)), 0, 1).astype(
        np.float32
    )


EVERYWHERE = np.ones((200, 200), bool)


def test_line_art_is_told_from_a_photograph() -> None:
    assert line_art(cartoon(), EVERYWHERE)
    assert not line_art(photograph(), EVERYWHERE)


def test_a_plain_area_and_a_gradient_are_no_line_art() -> None:
    assert not line_art(np.full((3, 200, 200), 0.5, np.float32), EVERYWHERE)
    ramp = np.broadcast_to(np.linspace(0, 1, 200, dtype=np.float32), (3, 200, 200))
    assert not line_art(ramp, EVERYWHERE)
    assert not line_art(cartoon()[:, :5, :5], EVERYWHERE[:5, :5]), "nothing can be told of so little"


def test_what_is_not_known_does_not_count() -> None:
    picture, known = photograph(), EVERYWHERE.copy()
    known[:, 100:] = False
    picture[:, :, 100:] = cartoon()[:, :, 100:]
    assert not line_art(picture, known)
    assert line_art(picture, ~known)


def test_direction_does_not_matter() -> None:
    lines = np.ones((3, 200, 200), np.float32)
    lines[:, :, ::20] = lines[:, :, 1::20] = 0
    assert line_art(lines, EVERYWHERE)
    assert line_art(np.ascontiguousarray(lines.transpose(0, 2, 1)), EVERYWHERE)


# Networks


def weights(name: str, architecture: str = "lama", *good_at: str) -> Weights:
    return Weights(
        name, Path("/nowhere"), "f", {"f": {"size": 1, "sha256": ""}}, architecture, good_at=good_at
    )


PHOTO, COMIC = weights("photo", "lama", "photo", "texture"), weights("comic", "lama", "comic")
SMALL, FACE, OWN = weights("small", "migan", "photo"), weights("face", "migan", "face"), weights("own")
LINER = weights("liner", "liner", "comic")
HOLE, LARGE = np.ones((40, 40), bool), np.ones((400, 300), bool)


def picked(hole: np.ndarray, picture: np.ndarray, *networks: Weights) -> str:
    return choose(hole, lambda: line_art(picture, EVERYWHERE), networks)


def test_a_network_that_suits_the_picture_is_chosen() -> None:
    assert picked(HOLE, photograph(), COMIC, PHOTO) == "photo"
    assert picked(HOLE, cartoon(), PHOTO, COMIC) == "comic"
    assert picked(HOLE, cartoon(), PHOTO) == "photo", "lines are continued by that one, too"
    assert picked(HOLE, photograph(), COMIC) == "patchmatch"
    assert picked(HOLE, photograph(), FACE) == "patchmatch"
    assert picked(HOLE, photograph(), OWN) == "own", "what is not said is the architecture's usual"


def test_lines_are_continued_in_line_art() -> None:
    assert picked(HOLE, cartoon(), LINER) == "liner"
    assert picked(HOLE, cartoon(), COMIC, LINER) == "comic", "a network that knows comics comes first"
    assert picked(HOLE, cartoon(), PHOTO, LINER) == "liner"
    assert picked(HOLE, photograph(), LINER) == "patchmatch"
    assert picked(bar(4), cartoon(), LINER) == "patchmatch"


def test_the_size_of_the_hole_counts() -> None:
    assert picked(LARGE, cartoon(), LINER) == "patchmatch"
    assert picked(HOLE, photograph(), SMALL) == "small"
    assert picked(LARGE, photograph(), SMALL) == "patchmatch"
    assert picked(LARGE, photograph(), SMALL, PHOTO) == "photo"
    assert picked(bar(4), photograph(), PHOTO) == "smooth", "what is thin is closed without a network"


def test_scratches_in_line_art_are_not_closed_smoothly() -> None:
    assert picked(bar(4), cartoon()) == "patchmatch"
    assert picked(bar(4), cartoon(), COMIC) == "patchmatch", "nor by a network"
    assert picked(bar(4), photograph()) == "smooth"


def test_nobody_looks_at_the_picture_in_vain() -> None:
    def look() -> bool:
        raise AssertionError("looked")

    assert choose(HOLE, look, []) == "patchmatch"
    assert choose(LARGE, look, [SMALL]) == "patchmatch"


def test_the_liner_is_always_there() -> None:
    assert [one.name for one in usable()] == ["liner"]


def test_the_card_promises_enough_surroundings_for_all_it_chooses_from() -> None:
    for name in ("patchmatch", "smooth", "lama", "migan"):
        card = CARDS.get(name)
        if card is not None:
            assert card.context_factor <= CARD.context_factor
            assert card.context_minimum <= CARD.context_minimum
