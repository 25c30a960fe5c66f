"""The smooth fill, through `Model.fill` on real arrays."""

from __future__ import annotations

import numpy as np
import pytest

from models import Cancelled, FillError, load
from models.smooth import SmoothFill


def picture(*planes: np.ndarray) -> np.ndarray:
    """1 x 3 x H x W float32 from one or three planes."""
    return np.stack(planes * 3 if len(planes) == 1 else planes).astype(np.float32)[None]


def fill(image: np.ndarray, hole: np.ndarray, **options: object) -> np.ndarray:
    """Fill one picture whose hole is overwritten first; check what holds for every fill."""
    spoilt = image.copy()
    spoilt[:, :, hole] = 7.0
    before = spoilt.copy()
    result = SmoothFill().fill(spoilt, hole[None, None], **options)  # type: ignore[arg-type]
    assert np.array_equal(spoilt, before), "the input was written to"
    assert result.dtype == np.float32 and result.shape == image.shape
    assert np.array_equal(result[:, :, ~hole], image[:, :, ~hole])
    assert np.isfinite(result).all()
    assert result[:, :, hole].min(initial=0) >= 0 and result[:, :, hole].max(initial=1) <= 1
    return result


def axes(high: int, wide: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:high, :wide]
    return y / max(high - 1, 1), x / max(wide - 1, 1)


def scratches(high: int, wide: int, count: int = 12, width: float = 4, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:high, :wide]
    hole = np.zeros((high, wide), dtype=bool)
    for _ in range(count):
        angle, middle = generator.uniform(0, np.pi), generator.uniform(0, 1, 2) * (high, wide)
        away = (y - middle[0]) * np.cos(angle) - (x - middle[1]) * np.sin(angle)
        hole |= np.abs(away) <= width / 2
    return hole


def noise(high: int, wide: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((1, 3, high, wide), dtype=np.float32)


def test_it_is_in_the_list_and_its_card_says_scratch() -> None:
    model = load("smooth")
    assert isinstance(model, SmoothFill)
    assert model.card.name == "smooth" and model.card.good_at == ("scratch",) and model.card.takes_source


def test_a_linear_ramp_is_restored_and_goes_on_at_the_border() -> None:
    y, x = axes(60, 80)
    image = picture(0.1 + 0.8 * x, 0.9 - 0.6 * y, 0.2 + 0.3 * x + 0.4 * y)
    hole = np.zeros((60, 80), dtype=bool)
    hole[:, 30:36] = True  # from border to border
    hole[20:24, 50:] = True
    assert np.abs(fill(image, hole) - image).max() < 1e-3
    hole[:4, :10] = True  # a corner, where it has to be continued
    assert np.abs(fill(image, hole) - image).max() < 1 / 255


def test_a_quadratic_ramp_is_restored_across_a_scratch() -> None:
    y, x = axes(64, 64)
    image = picture(0.1 + 0.5 * x**2 + 0.2 * y, 0.8 * x * y, 0.9 - 0.7 * y**2)
    hole = np.zeros((64, 64), dtype=bool)
    hole[5:59, 30:35] = True
    assert np.abs(fill(image, hole) - image).max() < 1e-3


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 4, 2.0])
def test_an_edge_is_carried_across_a_scratch_and_stays_sharp(angle: float) -> None:
    y, x = np.mgrid[:64, :64] - 31.5
    across = np.clip(0.5 + (x * np.cos(angle) + y * np.sin(angle)), 0.1, 0.9)
    along = x * np.sin(angle) - y * np.cos(angle)
    hole = np.abs(along) <= 3
    image = picture(across)
    error = np.abs(fill(image, hole) - image)[0, 0]
    interior = np.hypot(x, y) < 25
    assert error[hole & interior].mean() < 0.02
    assert error[hole & interior].max() < 0.3


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (1, 9), (9, 1), (2, 2), (3, 3), (4, 7)])
def test_tiny_pictures(shape: tuple[int, int]) -> None:
    for seed in range(5):
        hole = np.random.default_rng(seed).random(shape) < 0.6
        hole.flat[seed % hole.size] = False
        fill(noise(*shape, seed), hole)


def test_one_pixel_is_the_middle_of_its_surroundings() -> None:
    image = picture(np.full((9, 9), 0.25), np.full((9, 9), 0.5), np.full((9, 9), 1.0))
    hole = np.zeros((9, 9), dtype=bool)
    hole[4, 4] = True
    assert np.allclose(fill(image, hole), image, atol=1e-5)


@pytest.mark.parametrize(
    "place", [np.s_[0, :], np.s_[-1, :], np.s_[:, 0], np.s_[10, :], np.s_[:, -3:], np.s_[:4, :4]]
)
def test_whole_rows_columns_and_corners_stay_near_their_neighbours(place: tuple[slice, slice]) -> None:
    y, x = axes(24, 32)
    image = picture(0.5 + 0.1 * np.sin(5 * x), 0.4 + 0.2 * y, 0.6 * np.ones_like(x))
    hole = np.zeros((24, 32), dtype=bool)
    hole[place] = True
    assert np.abs(fill(image, hole) - image).max() < 0.06


def test_no_hole_returns_a_copy() -> None:
    image = noise(8, 8)
    result = fill(image, np.zeros((8, 8), dtype=bool))
    assert np.array_equal(result, image) and not np.shares_memory(result, image)


@pytest.mark.parametrize("allowed", [None, 0])
def test_without_a_source_it_says_so(allowed: int | None) -> None:
    image = noise(6, 6)
    hole = np.ones((1, 1, 6, 6), dtype=np.uint8)
    source = None
    if allowed is not None:
        hole[..., :3] = 0
        source = np.zeros_like(hole)
    with pytest.raises(FillError) as caught:
        SmoothFill().fill(image, hole, source=source)
    assert caught.value.code == "no-source" and caught.value.hint


def test_pixels_outside_the_source_have_no_influence() -> None:
    hole = scratches(96, 128, count=4)
    source = np.zeros((96, 128), dtype=bool)
    source[:, :64] = True
    one, two = noise(96, 128, 1), noise(96, 128, 2)
    two[:, :, source] = one[:, :, source]
    filled = [fill(image, hole, source=source[None, None])[:, :, hole] for image in (one, two)]
    assert np.array_equal(*filled)


def test_a_hole_far_from_every_source_takes_its_colour() -> None:
    image = noise(120, 120)
    source = np.zeros((120, 120), dtype=bool)
    source[:6, :6] = True
    image[:, :, source] = 0.75
    hole = np.zeros((120, 120), dtype=bool)
    hole[90:94, 20:110] = True
    hole[8, 3] = True  # near, but not beside it
    result = fill(image, hole, source=source[None, None])
    assert np.allclose(result[:, :, hole], 0.75, atol=1e-3)


def test_the_same_call_gives_the_same_bytes() -> None:
    image, hole = noise(200, 300), scratches(200, 300, count=15)
    first = fill(image, hole, seed=1)
    assert first.tobytes() == fill(image, hole, seed=2).tobytes()


def test_dividing_into_tiles_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = axes(150, 180)
    image = picture(0.5 + 0.3 * np.sin(9 * x + 4 * y), 0.5 + 0.4 * np.cos(7 * y), x * y)
    hole = scratches(150, 180, count=12, width=4)
    whole = fill(image, hole)
    monkeypatch.setattr("models.smooth._UNKNOWNS", 1000)
    assert np.abs(fill(image, hole) - whole).max() < 1 / 255


def test_a_big_hole_does_not_bulge() -> None:
    y, x = axes(400, 500)
    image = picture(0.3 + 0.4 * x, 0.5 + 0.2 * np.sin(8 * y), 0.7 - 0.3 * y)
    hole = np.zeros((400, 500), dtype=bool)
    hole[60:340, 80:420] = True
    hole[200, 240:260] = False  # an island
    result = fill(image, hole)
    outside = image[:, :, ~hole]
    for channel in range(3):
        inside = result[0, channel][hole]
        spread = np.ptp(outside[0, channel])
        assert inside.min() > outside[0, channel].min() - 0.1 * spread
        assert inside.max() < outside[0, channel].max() + 0.1 * spread
    assert np.abs(np.diff(result[0], axis=1))[:, :, 100:400].max() < 0.1, "a step inside the fill"


def test_almost_everything_is_hole() -> None:
    image = np.full((1, 3, 257, 131), 0.5, dtype=np.float32)
    hole = np.ones((257, 131), dtype=bool)
    hole[128, 3] = False
    assert np.allclose(fill(image, hole), 0.5, atol=1e-4)


def test_progress_rises_to_one() -> None:
    seen: list[float] = []
    image, hole = noise(300, 300), scratches(300, 300, count=20)
    hole[100:200, 100:200] = True
    fill(image, hole, progress=lambda fraction, stage: seen.append(fraction))
    assert seen == sorted(seen) and seen[-1] == 1


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_cancel_is_heard(after: int) -> None:
    asked = 0

    def cancel() -> bool:
        nonlocal asked
        asked += 1
        return asked > after

    with pytest.raises(Cancelled):
        SmoothFill().fill(noise(700, 900), scratches(700, 900, count=40)[None, None], cancel=cancel)
    assert asked == after + 1


def test_a_batch_is_filled_picture_by_picture() -> None:
    images = np.concatenate([noise(40, 50, seed) for seed in range(3)])
    holes = np.stack([scratches(40, 50, 3, seed=seed) for seed in range(3)])[:, None]
    together = SmoothFill().fill(images, holes)
    for n in range(3):
        alone = SmoothFill().fill(images[n : n + 1], holes[n : n + 1])
        assert np.array_equal(together[n : n + 1], alone)
