"""The sketcher: its smooth guess, its guides, and fills that do what is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from models.layers.guided import LINE, guides, tint
from models.patchmatch import PatchMatch
from models.sketcher import Sketcher, drawing, smooth_guess, toned


def layer(drawn: np.ndarray) -> np.ndarray:
    """Gray and alpha: black lines on nothing, 1 x 2 x H x W."""
    return np.stack([np.zeros(drawn.shape), drawn]).astype(np.float32)[None]


def strokes(where: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    """RGBA: strokes of one colour on nothing, 1 x 4 x H x W."""
    planes = np.broadcast_to(np.array(colour, np.float32)[:, None, None], (3, *where.shape))
    return np.concatenate([planes, where[None].astype(np.float32)])[None]


def fill(image: np.ndarray, hole: np.ndarray, seed: int = 0, **guidance: np.ndarray) -> np.ndarray:
    return Sketcher().fill(image[None], hole[None, None], seed=seed, guidance=guidance)[0]


def box(shape: tuple[int, int], top: int, left: int, bottom: int, right: int) -> np.ndarray:
    inside = np.zeros(shape, bool)
    inside[top:bottom, left:right] = True
    return inside


def comic() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """White with slanting ink lines; a hole where none would pass; a line drawn in it."""
    image = np.ones((3, 128, 160), np.float32)
    y, x = np.mgrid[:128, :160]
    for offset in (-90, -60, 70, 100):
        image[:, np.abs(x - y - offset) <= 1] = 0.05
    hole = box((128, 160), 34, 44, 94, 116)
    image[:, hole] = 1
    line = hole & (x - y == 14)
    return image, hole, line


def meadow(seed: int = 0) -> np.ndarray:
    """Above grey with grain, below green with grain."""
    grain = 0.05 * np.random.default_rng(seed).standard_normal((3, 120, 150))
    image = np.empty((3, 120, 150))
    image[:, :60] = 0.6
    image[:, 60:] = np.array([0.15, 0.55, 0.2])[:, None, None]
    return (image + grain).clip(0, 1).astype(np.float32)


def test_a_drawn_line_becomes_one_of_the_pictures_own() -> None:
    """Ink where it is drawn, 3 px broad as the picture's, and none without a drawing."""
    image, hole, line = comic()
    led, bare = fill(image, hole, sketch=layer(line)), fill(image, hole)
    core = box(hole.shape, 42, 52, 86, 108)
    assert led[:, line & core].mean() < 0.3 and bare[:, line & core].mean() > 0.7
    near = ndimage.binary_dilation(line, iterations=3)
    assert led[:, core & ~near].mean() > 0.9
    ink = (led.mean(axis=0) < 0.5) & core
    assert 1.5 < ink.sum() / (line & core).sum() < 4.5


def test_an_edge_goes_where_it_is_drawn() -> None:
    """The meadow's horizon, drawn 20 px higher across the hole."""
    image = meadow()
    hole = box((120, 150), 25, 40, 95, 110)
    line = np.zeros_like(hole)
    line[40, 48:102], line[40:60, 48], line[40:60, 101] = True, True, True
    line[60, 40:49], line[60, 101:110] = True, True
    green = box(hole.shape, 45, 54, 58, 96)
    led, bare = fill(image, hole, sketch=layer(line)), fill(image, hole)
    greenness = [(one[1] - one[0])[green].mean() for one in (led, bare)]
    assert greenness[0] > 0.25 and greenness[1] < 0.15


def test_strokes_colour_what_is_copied_and_its_grain_stays() -> None:
    image = meadow()
    hole = box((120, 150), 70, 40, 110, 110)
    stroke = box(hole.shape, 85, 60, 91, 90)
    red = (0.8, 0.1, 0.1)
    filled = fill(image, hole, colour=strokes(stroke, red))
    assert np.allclose(filled[:, stroke].mean(axis=1), red, atol=0.12)
    assert filled[:, stroke].std(axis=1).min() > 0.02
    rim = hole & ~box(hole.shape, 74, 44, 106, 106)
    assert (filled[1] - filled[0])[rim].mean() > 0.15


def test_colours_do_not_cross_lines() -> None:
    image = meadow()
    hole = box((120, 150), 70, 40, 110, 110)
    line = np.zeros_like(hole)
    line[:, 75] = True
    stroke = box(hole.shape, 85, 50, 91, 65)
    filled = fill(image, hole, sketch=layer(line), colour=strokes(stroke, (0.8, 0.1, 0.1)))
    other = box(hole.shape, 74, 82, 106, 106)
    assert (filled[1] - filled[0])[other].mean() > 0.25
    assert filled[0][stroke].mean() > 0.6


def test_what_is_drawn_is_enough_where_nothing_is_left() -> None:
    hole = np.ones((40, 50), bool)
    image = np.zeros((3, 40, 50), np.float32)
    line = np.zeros_like(hole)
    line[:, 25] = True
    painted = box(hole.shape, 10, 5, 14, 15) | box(hole.shape, 10, 35, 14, 45)
    colour = strokes(painted, (0.2, 0.3, 0.9))
    colour[:, :3, :, 25:] = 0.7
    filled = fill(image, hole, sketch=layer(line), colour=colour)
    assert np.allclose(filled[:, 30, 5], [0.2, 0.3, 0.9], atol=0.02)
    assert np.allclose(filled[:, 30, 45], 0.7, atol=0.02)
    assert np.isfinite(fill(image, hole, sketch=layer(line))).all()


def test_without_a_drawing_it_is_patchmatch() -> None:
    image, hole, _ = comic()
    wanted = PatchMatch().fill(image[None], hole[None, None], seed=4)[0]
    assert np.array_equal(fill(image, hole, seed=4), wanted)
    assert np.array_equal(fill(image, hole, seed=4, sketch=layer(np.zeros_like(hole))), wanted)


def test_the_fill_is_the_same_twice_and_on_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    image, hole, line = comic()
    guides_of = {"sketch": layer(line), "colour": strokes(box(hole.shape, 50, 50, 55, 60), (0.5, 0.6, 0.9))}
    first = fill(image, hole, seed=2, **guides_of)
    monkeypatch.setattr("models.patchmatch._cores", lambda: 1)
    assert np.array_equal(fill(image, hole, seed=2, **guides_of), first)


def test_pieces_come_from_where_they_may() -> None:
    """The right half, red with lines, is no source."""
    image, hole, line = comic()
    image[:, :, 120:] = np.array([0.9, 0.1, 0.1], np.float32)[:, None, None]
    source = np.ones_like(hole)
    source[:, 120:] = False
    filled = Sketcher().fill(
        image[None], hole[None, None], guidance={"sketch": layer(line)}, source=source[None, None]
    )[0]
    assert np.abs(filled[0, hole] - filled[1, hole]).mean() < 0.02


# -- pieces of it ----------------------------------------------------------------------------------------


def test_broad_strokes_of_a_sketch_become_thin_lines() -> None:
    hole = box((60, 60), 5, 5, 55, 55)
    broad = box((60, 60), 28, 0, 33, 60)
    lines, _, painted = drawing({"sketch": layer(broad)[0]}, hole)
    assert not painted.any() and not (lines & ~hole).any()
    assert lines.sum(axis=0)[10:50].max() == 1 and lines.sum() > 40


def test_the_guess_takes_strokes_as_it_takes_the_picture() -> None:
    image, hole = np.full((3, 40, 40), 0.5, np.float32), box((40, 40), 8, 8, 32, 32)
    colours, painted = np.full((3, 40, 40), 0.9, np.float32), box((40, 40), 18, 18, 22, 22)
    guess = smooth_guess(image, hole, np.zeros_like(hole), colours, painted)
    assert np.allclose(guess[:, painted], 0.9) and np.array_equal(guess[:, ~hole], image[:, ~hole])
    assert 0.5 < guess[0, 14, 14] < 0.9


def test_a_tone_ends_where_the_painted_colour_ends() -> None:
    hole, none = box((40, 80), 5, 5, 35, 75), np.zeros((40, 80), bool)
    filled = np.full((3, 40, 80), 0.4, np.float32)
    painted = box((40, 80), 5, 5, 35, 15)
    guess = filled.copy()
    guess[:, painted] = 0.8
    result = toned(filled, guess, hole, none, painted)
    assert result[0, 20, 8] > 0.7 and abs(result[0, 20, 70] - 0.4) < 0.01
    assert np.array_equal(result[:, ~hole], filled[:, ~hole])


def test_guides_keep_thin_lines_on_every_level() -> None:
    lines = np.zeros((101, 64), bool)
    lines[:, 31] = True
    found = guides(lines, np.zeros((101, 64), np.float32), 4)
    assert [guide.shape for guide in found] == [(101, 64, 2), (51, 32, 2), (26, 16, 2), (13, 8, 2)]
    for n, guide in enumerate(found):
        assert np.allclose(guide[:, 31 >> n, 0], LINE) and guide[:, 0, 0].max() < 0.35 * LINE


def test_a_tint_tells_apart_what_brightness_does_not() -> None:
    picture = np.zeros((3, 10, 20), np.float32)
    picture[:, :, :10] = np.array([0.7, 0.2, 0.3], np.float32)[:, None, None]
    picture[:, :, 10:] = np.array([0.2, 0.6, 0.4], np.float32)[:, None, None]  # of the same mean
    found = tint(picture)
    assert abs(found[0, 0] - found[0, -1]) > 0.5
    assert np.isfinite(tint(np.zeros((3, 1, 1), np.float32))).all()
