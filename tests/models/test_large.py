"""Pictures that `PatchMatch` completes in tiles: the tiles must not be seen, whatever the hole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from models.base import Cancelled
from models.layers import large
from models.patchmatch import PatchMatch

ROOT = Path(__file__).resolve().parents[2]
SIDE = 128
HOLE = (slice(150, 490), slice(180, 560))


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes tens of megapixels otherwise, in a picture of less than one."""
    monkeypatch.setattr(large, "WHOLE", 250_000)
    monkeypatch.setattr(large, "SIDE", SIDE)


def picture(high: int, wide: int, seed: int = 0) -> np.ndarray:
    """Grain, pebbles and clouds, and a gradient over all: 3 x H x W in [0, 1]."""
    rng = np.random.default_rng(seed)
    result = np.linspace(0.3, 0.5, wide)[None, None] + np.zeros((3, high, wide))
    for size, strength in ((0.6, 0.06), (2, 0.06), (9, 0.06), (40, 0.05)):
        layer = ndimage.gaussian_filter(rng.standard_normal((3, high, wide)), (0, size, size), mode="wrap")
        result += strength * layer / layer.std()
    return np.clip(result, 0, 1).astype(np.float32)


def fill(
    image: np.ndarray, hole: np.ndarray, model: PatchMatch | None = None, **options: object
) -> np.ndarray:
    """The fill of one picture, 3 x H x W, whose pixels in the hole are spoilt before."""
    if isinstance(options.get("source"), np.ndarray):
        options["source"] = options["source"][None, None]  # type: ignore[index]
    spoilt = np.where(hole, np.float32([1, 0, 1])[:, None, None], image)
    return (model or PatchMatch()).fill(spoilt[None], hole[None, None], **options)[0]  # type: ignore[arg-type]


def steps(image: np.ndarray) -> np.ndarray:
    """Mean absolute difference to the right and downwards, H x W."""
    right = np.abs(np.diff(image, axis=2, append=image[:, :, -1:])).mean(0)
    return right + np.abs(np.diff(image, axis=1, append=image[:, -1:])).mean(0)


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture, a hole in it that takes a dozen tiles, and the fill."""
    image = picture(700, 760)
    hole = np.zeros(image.shape[1:], dtype=bool)
    hole[HOLE] = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large, "WHOLE", 250_000)
        patch.setattr(large, "SIDE", SIDE)
        return image, hole, fill(image, hole)


def test_outside_is_untouched_and_inside_is_as_sharp(scene: tuple[np.ndarray, ...]) -> None:
    image, hole, filled = scene
    assert np.array_equal(filled[:, ~hole], image[:, ~hole])
    inside = ndimage.binary_erosion(hole, iterations=2)
    assert 0.85 < steps(filled)[inside].mean() / steps(image)[~hole].mean() < 1.1
    assert filled.min() >= 0 and filled.max() <= 1


def test_no_border_of_a_tile_is_seen(scene: tuple[np.ndarray, ...]) -> None:
    _, _, filled = scene
    inside = filled[(slice(None), *HOLE)]
    ratios = []
    for axis in (1, 2):
        change = np.abs(np.diff(inside, axis=axis)).mean((0, 3 - axis))
        borders = np.arange(SIDE, inside.shape[axis], SIDE) - 1
        elsewhere = np.delete(change, np.concatenate([borders - 1, borders, borders + 1]))
        ratios += list(change[borders] / elsewhere.mean())
    assert len(ratios) == 4 and max(ratios) < 1.1  # one line of pixels deviates by 0.04 from the next
    assert np.mean(ratios) < 1.04


def test_every_pixel_is_the_picture_s(scene: tuple[np.ndarray, ...]) -> None:
    """Apart from closed seams: pieces of the picture, not means of them."""
    image, hole, filled = scene
    assert abs(filled[:, hole].std() / image[:, ~hole].std() - 1) < 0.25
    fine = image - ndimage.gaussian_filter(image, (0, 1, 1))
    assert abs((filled - ndimage.gaussian_filter(filled, (0, 1, 1)))[:, hole].std() / fine.std() - 1) < 0.15


def test_threads_do_not_matter_and_seeds_do(scene: tuple[np.ndarray, ...]) -> None:
    image, hole, filled = scene
    assert np.array_equal(fill(image, hole, PatchMatch(threads=5)), filled)
    image, hole = image[:, :, :520], np.zeros((700, 520), dtype=bool)
    hole[200:350, 200:350] = True
    alone = fill(image, hole, PatchMatch(threads=1))
    assert np.array_equal(fill(image, hole, PatchMatch(threads=2)), alone)
    assert not np.array_equal(fill(image, hole, seed=1), alone)


def test_only_allowed_pixels_are_used() -> None:
    image = picture(600, 700, seed=1)
    image[0] = 0.8 * image[0]
    image[0, :, 400:] = 1  # red is full where nothing may be taken from
    hole = np.zeros(image.shape[1:], dtype=bool)
    hole[200:440, 260:500] = True
    source = np.zeros_like(hole)
    source[:, :250] = True
    filled = fill(image, hole, source=source)
    assert filled[0, hole].max() < 0.9
    assert steps(filled)[hole].mean() > 0.7 * steps(image)[:, :390].mean()


@pytest.mark.parametrize("whole", [20_000, 5_000])
@pytest.mark.parametrize("keep", ["all around", "left", "a corner", "a pixel", "scratches", "odd"])
def test_every_hole_at_every_scale(monkeypatch: pytest.MonkeyPatch, whole: int, keep: str) -> None:
    """Two and three scales in tiles; holes at the border; next to nothing to take from."""
    monkeypatch.setattr(large, "WHOLE", whole)
    monkeypatch.setattr(large, "SIDE", 64)
    image = picture(261, 247, seed=2)
    hole = np.zeros(image.shape[1:], dtype=bool)
    source = None
    if keep == "left":
        hole[:, 110:] = True
    elif keep == "a corner":
        hole[:] = True
        hole[200:, 190:] = False
    elif keep == "a pixel":
        hole[50:220, 50:220] = True
        source = np.zeros_like(hole)
        source[10, 12] = True
    elif keep == "scratches":
        hole[10:12] = hole[:, 200:201] = hole[130, 140] = True
    else:
        hole[51:231, 49:203] = True
        if keep == "odd":
            hole &= np.add.outer(np.arange(261), np.arange(247)) % 7 > 1
    filled = fill(image, hole, source=source)
    assert np.array_equal(filled[:, ~hole], image[:, ~hole])
    assert np.isfinite(filled).all()
    if keep == "a pixel":
        assert np.abs(filled[:, hole] - image[:, 10, 12][:, None]).max() < 1e-5
    else:
        assert filled[1, hole].max() <= image[1].max() + 0.1 and filled[1, hole].mean() > 0.2  # no magenta
        assert 0.6 < steps(filled)[hole].mean() / steps(image)[~hole].mean() < 1.4


def test_a_guess_is_followed_and_made_sharp() -> None:
    image = 0.3 * picture(600, 700, seed=3)
    image[:, :, 400:] += 0.6
    hole = np.zeros(image.shape[1:], dtype=bool)
    hole[150:450, 150:500] = True
    guess = image.copy()
    guess[:, hole] = 0.12
    guess[:, 240:420, 240:420] = 0.72
    refined = PatchMatch().refine(guess, hole)
    assert np.array_equal(refined[:, ~hole], image[:, ~hole])
    assert refined[:, 280:380, 280:380].mean() > 0.6  # bright where the guess is
    assert refined[:, 160:220, 160:480].mean() < 0.25
    assert steps(guess)[280:380, 280:380].mean() == 0
    assert 0.8 < steps(refined)[280:380, 280:380].mean() / steps(image)[480:, :390].mean() < 1.2
    assert guess[0, 300, 300] == np.float32(0.72)  # which is the caller's


def test_progress_rises_and_a_cancel_is_heard_in_every_tile() -> None:
    image = picture(600, 700, seed=4)
    hole = np.zeros(image.shape[1:], dtype=bool)
    hole[200:440, 250:510] = True
    told: list[float] = []
    asked: list[int] = []

    def cancel() -> bool:
        asked.append(len(told))
        return False

    fill(image, hole, progress=lambda part, stage: told.append(part), cancel=cancel)
    assert told == sorted(told) and told[0] == 0 and 0.9 < told[-1] <= 1
    assert max(np.diff(told)) < 0.2
    assert len(set(asked)) > 0.9 * len(told)  # between any two reports
    for share in (0.1, 0.5, 0.9):
        count = 0

        def stop(most: int = int(share * len(asked))) -> bool:
            nonlocal count
            count += 1
            return count > most

        with pytest.raises(Cancelled):
            fill(image, hole, cancel=stop)
        assert count == int(share * len(asked)) + 1  # nothing was asked, or done, after the yes


MEMORY = """
import sys, threading, time
import numpy as np, psutil
from models.layers import large
from models.patchmatch import PatchMatch

large.WHOLE, side = int(sys.argv[1]), int(sys.argv[2])
picture = np.tile(np.random.default_rng(0).random((3, 50, 50), dtype=np.float32), (1, side // 50, side // 50))
hole = np.zeros((side, side), bool)
middle = slice(side // 2 - 60, side // 2 + 60)
hole[middle, middle] = True
near = slice(side // 2 - 100, side // 2 + 100)
PatchMatch().fill(picture[None, :, near, near], hole[None, None, near, near])
memory = [psutil.Process().memory_info().rss]

def watch():
    while memory:
        memory.append(psutil.Process().memory_info().rss)
        time.sleep(0.002)

threading.Thread(target=watch, daemon=True).start()
PatchMatch().fill(picture[None], hole[None, None])
print(max(memory) - memory[0])
"""


def test_memory_does_not_follow_the_picture() -> None:
    def taken(whole: int, side: int) -> float:
        """Bytes that a fill takes beside the picture."""
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(whole), str(side)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=True,
        )
        return float(done.stdout)

    added = 1800**2 - 600**2
    in_tiles = (taken(300_000, 1800) - taken(300_000, 600)) / added
    in_one = (taken(10_000_000, 1800) - taken(10_000_000, 600)) / added
    # What is left are the copies of the picture that every model takes, 12 bytes a pixel each, and bit maps.
    assert in_tiles < 60 < in_one
