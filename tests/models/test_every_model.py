"""What every model owes its callers, whatever it is: a new one is tested by being in the list."""

from __future__ import annotations

import json

import numpy as np
import pytest

import models
from models import Cancelled, FillError


@pytest.fixture(params=sorted(models.MODELS))
def model(request: pytest.FixtureRequest) -> models.Model:
    return models.load(request.param)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A gradient with stripes and grain, float32 1 x 3 x H x W."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    plane = 0.5 + 0.2 * np.sin(columns / 3) + 0.2 * rows / max(height, 1)
    grain = 0.02 * random.standard_normal((3, height, width), dtype=np.float32)
    return np.clip(plane + grain, 0, 1, dtype=np.float32)[None]


def box(height: int, width: int, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    hole = np.zeros((1, 1, height, width), bool)
    hole[..., top:bottom, left:right] = True
    return hole


@pytest.mark.parametrize(
    ("size", "hole"),
    [
        ((64, 64), (20, 20, 40, 44)),
        ((37, 53), (10, 10, 25, 31)),
        ((64, 64), (30, 30, 31, 31)),  # one pixel
        ((48, 48), (0, 0, 48, 12)),  # along a border
        ((48, 48), (0, 0, 16, 16)),  # a corner
        ((1, 40), (0, 10, 1, 20)),
        ((2, 1), (0, 0, 1, 1)),
        ((64, 64), (1, 1, 63, 63)),  # nearly everything
    ],
)
def test_it_fills_any_hole_of_any_picture(
    model: models.Model, size: tuple[int, int], hole: tuple[int, int, int, int]
) -> None:
    image, inside = picture(*size), box(*size, *hole)
    hidden = np.where(inside, np.float32(np.nan), image)
    filled = model.fill(hidden, inside)
    assert filled.shape == image.shape and filled.dtype == np.float32
    assert np.array_equal(np.where(inside, 0, filled), np.where(inside, 0, image))
    assert np.isfinite(filled).all() and filled.min() >= 0 and filled.max() <= 1


def test_the_same_seed_gives_the_same_fill_and_the_picture_stays_as_it_was(model: models.Model) -> None:
    image, inside = picture(50, 60), box(50, 60, 15, 20, 35, 40)
    before = image.copy()
    first, second = (model.fill(image, inside, seed=3) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(image, before)


def test_a_batch_is_filled_as_its_pictures_are(model: models.Model) -> None:
    images = np.concatenate([picture(40, 44, 1), picture(40, 44, 2)])
    holes = np.concatenate([box(40, 44, 10, 10, 22, 22), box(40, 44, 5, 20, 20, 30)])
    together = model.fill(images, holes, seed=1)
    for n in range(2):
        assert np.array_equal(together[n : n + 1], model.fill(images[n : n + 1], holes[n : n + 1], seed=1))


def test_progress_rises_to_its_end(model: models.Model) -> None:
    told: list[float] = []
    model.fill(
        picture(64, 64), box(64, 64, 20, 20, 44, 44), progress=lambda fraction, stage: told.append(fraction)
    )
    assert told and told == sorted(told) and told[0] >= 0 and told[-1] <= 1


def test_it_stops_when_told_to(model: models.Model) -> None:
    with pytest.raises(Cancelled):
        model.fill(picture(96, 96), box(96, 96, 20, 20, 70, 70), cancel=lambda: True)


def test_without_a_source_it_says_so(model: models.Model) -> None:
    with pytest.raises(FillError) as caught:
        model.fill(picture(16, 16), np.ones((1, 1, 16, 16)))
    assert caught.value.code == "no-source" and caught.value.message


def test_guidance_is_followed_or_refused(model: models.Model) -> None:
    if model.card.guidance:
        pytest.skip("takes guidance; its own tests look at how")
    with pytest.raises(FillError) as caught:
        model.fill(picture(16, 16), box(16, 16, 4, 4, 8, 8), guidance={"sketch": np.zeros((1, 1, 16, 16))})
    assert caught.value.code == "bad-guidance"


def test_its_card_is_complete_and_can_travel() -> None:
    cards = models.cards()
    assert [card.name for card in cards] == ["auto", *models.MODELS]
    for card in cards:
        assert card.title and card.sentence.endswith(".") and card.licence, card.name
        json.dumps(card.as_dict())


def test_an_unknown_model_is_refused_by_name() -> None:
    with pytest.raises(FillError) as caught:
        models.load("nonsense")
    assert caught.value.code == "unknown-model" and "patchmatch" in caught.value.hint
