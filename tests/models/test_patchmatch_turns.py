"""PatchMatch with patches that are turned, mirrored or scaled."""

from __future__ import annotations

import numpy as np
import pytest

from models.base import Cancelled
from models.layers import atlas as atlases
from models.layers import large
from models.layers.atlas import Way, atlas, ways
from models.layers.completion import described
from models.patchmatch import PatchMatch

SIDE = 192


def grid(side: int = SIDE, fine: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """y and x of the samples of a picture, `fine` of them along each pixel's sides."""
    y, x = (np.mgrid[: side * fine, : side * fine] + 0.5) / fine
    return y, x


def shrunk(samples: np.ndarray, fine: int = 3) -> np.ndarray:
    """Samples as a picture, float32 1 x 3 x H x W."""
    side = len(samples) // fine
    return samples.reshape(side, fine, side, fine, 3).mean((1, 3)).transpose(2, 0, 1)[None].astype(np.float32)


def ornament() -> np.ndarray:
    """The same in all four quarters, turned, and mirrored in itself."""
    rng = np.random.default_rng(1)
    y, x = grid()
    radius, angle = np.hypot(y - SIDE / 2, x - SIDE / 2), np.arctan2(y - SIDE / 2, x - SIDE / 2)
    along = np.abs(((angle + np.pi) / (2 * np.pi) * 4) % 1 - 0.5)
    plane = np.zeros((*y.shape, 3))
    for _ in range(12):
        a, b, c = rng.uniform(0.04, 0.24), rng.uniform(3, 25), rng.uniform(0, 6)
        plane += (np.sin(radius * a + c + along * b) > 0.2)[..., None] * rng.random(3) * 0.25
    return shrunk(np.clip(plane, 0, 1))


def facade() -> np.ndarray:
    """Coloured boxes, the right half the mirror image of the left one."""
    rng = np.random.default_rng(4)
    half = np.full((3, SIDE, SIDE // 2), 0.8, np.float32)
    for _ in range(40):
        y, x, high, wide = *rng.integers(0, SIDE, 2), *rng.integers(4, 24, 2)
        half[:, y : y + high, x % (SIDE // 2) :][..., :wide] = rng.random(3)[:, None, None]
    return np.concatenate([half, half[..., ::-1]], 2)[None]


def fan() -> np.ndarray:
    """Stripes that meet in a point below."""
    y, x = grid()
    stripe = (np.sin(np.arctan2(y - 1.2 * SIDE, x - SIDE / 2) * 50) > 0)[..., None]
    return shrunk(np.where(stripe, [0.85, 0.7, 0.55], [0.15, 0.1, 0.3]))


def wall() -> np.ndarray:
    """Bricks that become smaller to the right."""
    y, x = grid()
    nearer = 1 / (1 - 0.7 * x / SIDE)
    u, v = x * nearer, (y - SIDE / 2) * nearer
    row = np.floor(v / 15)
    joint = ((u + row % 2 * 15) % 30 < 4) | (v % 15 < 4)
    return shrunk(np.where(joint[..., None], [0.8, 0.78, 0.75], [0.6, 0.3, 0.22]))


CASES = {
    "ornament": (ornament, (16, 104, 66, 60), {"turns": "quarter", "mirror": True}, 0.2),
    "facade": (facade, (45, 112, 52, 52), {"mirror": True}, 0.5),
    "fan": (fan, (60, 68, 66, 66), {"turns": "slight"}, 0.8),
    "wall": (wall, (60, 90, 60, 60), {"scales": 25}, 0.9),
}


def holed(image: np.ndarray, top: int, left: int, high: int, wide: int) -> np.ndarray:
    hole = np.zeros((1, 1, *image.shape[2:]), dtype=bool)
    hole[..., top : top + high, left : left + wide] = True
    return hole


def error(image: np.ndarray, hole: np.ndarray, seed: int, **params: object) -> float:
    filled = PatchMatch().fill(image, hole, seed=seed, **params)
    outside = np.broadcast_to(~hole, image.shape)
    assert np.array_equal(filled[outside], image[outside])
    return float(np.abs(filled - image)[~outside].mean())


@pytest.mark.parametrize("case", CASES)
def test_it_finds_what_is_there_in_another_way(case: str) -> None:
    draw, place, params, most = CASES[case]
    image = draw()
    hole = holed(image, *place)
    plain = np.mean([error(image, hole, seed) for seed in (1, 2)])
    turned = np.mean([error(image, hole, seed, **params) for seed in (1, 2)])
    assert turned < most * plain


def test_off_is_what_it_was_without() -> None:
    image = facade()
    hole = holed(image, 45, 112, 52, 52)
    off = PatchMatch().fill(image, hole, turns="off", mirror=False, scales=0)
    assert np.array_equal(off, PatchMatch().fill(image, hole))


def test_the_fill_depends_on_the_seed_and_not_on_the_threads() -> None:
    image = np.random.default_rng(0).random((1, 3, 90, 120), dtype=np.float32)
    hole = holed(image, 20, 20, 50, 60)
    fills = [
        PatchMatch(threads=threads).fill(image, hole, seed=3, turns="slight", scales=20)
        for threads in (1, 1, 3)
    ]
    assert np.array_equal(fills[0], fills[1]) and np.array_equal(fills[0], fills[2])
    assert not np.array_equal(fills[0], PatchMatch().fill(image, hole, seed=4, turns="slight", scales=20))


@pytest.mark.parametrize("turns", ["off", "slight", "quarter", "any"])
def test_ways_are_what_is_asked_for(turns: str) -> None:
    plain = ways(turns, False, 0)
    assert len(set(plain)) == len(plain) == {"off": 0, "slight": 4, "quarter": 3, "any": 23}[turns]
    assert Way(False, 0.0, 1.0) not in ways(turns, True, 50)
    assert len(ways(turns, True, 0)) == 2 * len(plain) + 1
    factors = {1.0, *(way.scale for way in ways(turns, False, 50))}
    assert max(factors) == pytest.approx(1.5) and min(factors) == pytest.approx(1 / 1.5)
    assert all(b / a <= 1.25 for a, b in zip(sorted(factors), sorted(factors)[1:], strict=False))


@pytest.mark.parametrize("shape", [(1, 2), (3, 3), (5, 7), (1, 100), (37, 4), (65, 33)])
def test_every_size(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((1, 3, *shape), dtype=np.float32)
    hole = np.zeros((1, 1, *shape), dtype=bool)
    hole[..., shape[0] // 3 :, shape[1] // 2 :] = True
    for params in ({"turns": "quarter", "mirror": True}, {"turns": "slight", "scales": 100}):
        filled = PatchMatch().fill(image, hole, **params)
        outside = np.broadcast_to(~hole, image.shape)
        assert np.array_equal(filled[outside], image[outside])
        assert np.isfinite(filled).all() and filled.min() >= 0 and filled.max() <= 1


def laid_out(image: np.ndarray, hole: np.ndarray, allowed: np.ndarray, wanted: list[Way]) -> atlases.Atlas:
    return atlas(image, hole.astype(np.uint8), allowed.astype(np.uint8), wanted, 8, described)


def test_pages_are_made_of_sources_alone() -> None:
    """What is no source may be anything: where the atlas is a source, it does not change."""
    rng = np.random.default_rng(0)
    image = rng.random((3, 70, 90), dtype=np.float32)
    hole = np.zeros((70, 90), dtype=bool)
    hole[30:45, 30:50] = True
    allowed = rng.random((70, 90)) > 0.01
    allowed[:, 60:] = False
    allowed &= ~hole
    other = np.where(allowed, image, rng.random(image.shape, dtype=np.float32))
    wanted = ways("any", True, 25)
    first, second = (laid_out(pixels, hole, allowed, wanted) for pixels in (image, other))
    assert np.array_equal(first.allowed, second.allowed)
    usable = first.allowed > 0
    assert usable[70:].sum() > 20 * allowed.sum()
    assert np.array_equal(first.pixels[usable][:, :3], second.pixels[usable][:, :3])
    assert not usable[:70, 90:].any() and np.array_equal(usable[:70, :90], allowed)


def test_a_page_shows_the_picture_in_its_way() -> None:
    y, x = np.mgrid[:61, :81] - np.array([30, 40])[:, None, None]
    image = np.stack([0.5 + y / 200, 0.5 + x / 200, np.full(y.shape, 0.5)]).astype(np.float32)
    everywhere, hole = np.ones((61, 81)), np.zeros((61, 81))
    hole[30, 40] = 1
    for way in (Way(False, 90.0, 1.0), Way(True, 0.0, 1.0), Way(False, 30.0, 1.0), Way(True, 45.0, 1.25)):
        ((colours, good),) = [atlases._page(image, everywhere.astype(np.uint8), way, np.s_[:61, :81])]
        middle_y, middle_x = (good.shape[0] - 1) / 2, (good.shape[1] - 1) / 2
        assert good.sum() > 0.8 * way.scale**2 * image[0].size
        # Where a step in the picture, mirrored, turned to the left and scaled, leads to on the page.
        angle = np.radians(way.angle)
        flip = -1 if way.mirrored else 1
        for step, channel in ((np.array([0.0, flip]), 1), (np.array([1.0, 0.0]), 0)):
            to_y = way.scale * (step[0] * np.cos(angle) - step[1] * np.sin(angle)) * 12
            to_x = way.scale * (step[0] * np.sin(angle) + step[1] * np.cos(angle)) * 12
            row, column = round(middle_y + to_y), round(middle_x + to_x)
            assert good[row, column]
            moved = colours[:, row, column] - 0.5
            assert abs(moved[channel] - 12 / 200) < 0.006 and abs(moved[1 - channel]) < 0.006


def test_an_atlas_is_bounded_and_shows_what_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atlases, "PAGES", 200_000)
    image = np.zeros((3, 300, 400), np.float32)
    hole, allowed = np.zeros((300, 400), dtype=bool), np.zeros((300, 400), dtype=bool)
    hole[100:200, 30:230] = True
    allowed[5:35, 330:360] = True
    wanted = ways("any", True, 50)
    assert laid_out(image, hole, allowed, wanted).allowed[300:].any()
    everywhere = laid_out(image, hole, ~hole, wanted)
    assert everywhere.allowed[300:].any()
    assert everywhere.allowed.size < hole.size + 2 * atlases.PAGES


def test_only_allowed_pixels_are_used() -> None:
    """The hole lies in the red, only the blue may be used, in whatever way."""
    rng = np.random.default_rng(0)
    image = 0.3 * rng.random((1, 3, 100, 120), dtype=np.float32)
    image[:, 0, :, :60] += 0.6
    image[:, 2, :, 60:] += 0.6
    hole = holed(image, 25, 12, 40, 36)
    source = np.zeros_like(hole)
    source[..., 60:] = True
    filled = PatchMatch().fill(image, hole, source=source, turns="any", mirror=True, scales=50)
    core = filled[0, :, 35:55, 22:38]
    assert (core[2] > core[0]).all() and core[0].max() < 0.4


def test_large_pictures_are_turned_on_a_smaller_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    image = fan()
    hole = holed(image, 60, 68, 66, 66)
    plain = error(image, hole, 0)
    monkeypatch.setattr(large, "WHOLE", SIDE * SIDE // 3)
    told: list[float] = []
    filled = PatchMatch().fill(image, hole, progress=lambda part, stage: told.append(part), turns="slight")
    assert np.abs(filled - image)[np.broadcast_to(hole, image.shape)].mean() < 0.7 * plain
    assert told == sorted(told) and told[0] == 0 and told[-1] > 0.9


def test_a_refinement_turns_too() -> None:
    image = ornament()[0]
    hole = holed(image[None], 16, 104, 66, 60)[0, 0]
    guess = image.copy()
    guess[:, hole] = (
        image.reshape(3, SIDE // 8, 8, SIDE // 8, 8).mean((2, 4)).repeat(8, 1).repeat(8, 2)[:, hole]
    )
    plain = np.abs(PatchMatch().refine(guess, hole) - image)[:, hole].mean()
    turned = np.abs(PatchMatch().refine(guess, hole, turns="quarter", mirror=True) - image)[:, hole].mean()
    assert turned < 0.7 * plain


def test_cancel_and_progress() -> None:
    image = np.random.default_rng(0).random((1, 3, 200, 200), dtype=np.float32)
    hole = holed(image, 50, 50, 80, 80)
    told: list[float] = []
    PatchMatch().fill(image, hole, progress=lambda part, stage: told.append(part), turns="any")
    assert told == sorted(told) and told[0] == 0 and len(set(told)) > 10
    for after in (0, 3, 30):
        asked: list[int] = []

        def cancel(asked: list[int] = asked, after: int = after) -> bool:
            asked.append(1)
            return len(asked) > after

        with pytest.raises(Cancelled):
            PatchMatch().fill(image, hole, cancel=cancel, turns="any")
        assert len(asked) == after + 1
