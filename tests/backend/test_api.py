"""Inpainting as a Python function, with the real models."""

from __future__ import annotations

import threading
from dataclasses import asdict

import numpy as np
import pytest

import models
from backend.api import inpaint, inpaint_layers
from backend.wire.errors import InpaintError
from backend.wire.geometry import Rect, request_rect
from models import auto


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A gradient with texture, a scratch, and a blob, far apart."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:160, :400]
    image = np.stack([y, x / 2, 255 - y], axis=2) + rng.normal(0, 6, (160, 400, 3))
    mask = np.zeros((160, 400), dtype=np.uint8)
    mask[40:41, 20:120] = 255
    mask[60:110, 290:340] = 255
    return np.clip(image, 0, 255).astype(np.uint8), mask


def test_auto_takes_each_model_where_it_is_best(scene: tuple[np.ndarray, np.ndarray]) -> None:
    image, mask = scene
    (layer,) = inpaint_layers(image, mask, grow=0, feather=0)
    assert layer.model == "smooth+patchmatch"
    result = inpaint(image, mask, grow=0, feather=0)
    inside = mask > 0
    assert (result[~inside] == image[~inside]).all()
    assert np.abs(result[inside].astype(float) - image[inside]).mean() < 16


def test_auto_fills_the_crop_that_a_client_sends_as_it_fills_the_picture(
    scene: tuple[np.ndarray, np.ndarray],
) -> None:
    image = np.tile(scene[0], (4, 2, 1))
    mask = np.zeros(image.shape[:2], dtype=np.uint8)
    mask[300:302, 250:330] = mask[340:370, 400:430] = 255
    rect = request_rect(Rect(250, 300, 180, 70), Rect(0, 0, 800, 640), asdict(auto.CARD), grow=2, feather=2)
    assert rect.width * rect.height < mask.size
    crop = np.s_[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width]
    (whole,) = inpaint_layers(image, mask, grow=2, feather=2)
    (part,) = inpaint_layers(image[crop], mask[crop], grow=2, feather=2)
    assert whole.offset == (part.offset[0] + rect.x, part.offset[1] + rect.y)
    assert whole.pixels.tobytes() == part.pixels.tobytes()


@pytest.mark.parametrize("model", ["smooth", "patchmatch"])
def test_a_model_by_name(scene: tuple[np.ndarray, np.ndarray], model: str) -> None:
    image, mask = scene
    (layer,) = inpaint_layers(image, mask, model)
    assert layer.model == model
    again = inpaint_layers(image, mask, model)[0]
    assert layer.pixels.tobytes() == again.pixels.tobytes()


def test_out_is_used(scene: tuple[np.ndarray, np.ndarray]) -> None:
    image, mask = scene
    expected = inpaint(image, mask, "smooth")
    mine = image.copy()
    assert inpaint(mine, mask, "smooth", out=mine) is mine
    assert (mine == expected).all() and (image != expected).any()


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"grow": -1}, "bad-param"),
        ({"grow": "much"}, "bad-param"),
        ({"no_such_setting": 1}, "bad-param"),
        ({"model": "no-such-model"}, "unknown-model"),
        ({"guidance": {"sketch": np.zeros((160, 400), np.uint8)}}, "bad-guidance"),
        ({"source": np.zeros((3, 3), np.uint8)}, "bad-image"),
        ({"cancel": lambda: True}, "cancelled"),
    ],
)
def test_every_failure_is_one_kind_of_error(
    scene: tuple[np.ndarray, np.ndarray], settings: dict[str, object], code: str
) -> None:
    with pytest.raises(InpaintError) as caught:
        inpaint(*scene, **settings)  # type: ignore[arg-type]
    assert caught.value.code == code


def test_an_empty_mask_is_told(scene: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(InpaintError) as caught:
        inpaint(scene[0], np.zeros_like(scene[1]))
    assert caught.value.code == "empty-mask"


def test_threads_get_what_they_asked_for(scene: tuple[np.ndarray, np.ndarray]) -> None:
    image, mask = scene
    shifted = 255 - image
    expected = [inpaint(image, mask, "smooth"), inpaint(shifted, mask, "smooth")]
    results: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        results[number] = inpaint((image, shifted)[number % 2], mask, "smooth")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    for number, result in results.items():
        assert (result == expected[number % 2]).all()


def test_progress_reaches_the_caller(scene: tuple[np.ndarray, np.ndarray]) -> None:
    told: list[float] = []
    inpaint(*scene, model="smooth", progress=lambda fraction, stage: told.append(fraction))
    assert told[0] == 0 and told[-1] == 1 and told == sorted(told)


@pytest.mark.parametrize("name", ["smooth", "patchmatch"])
def test_the_context_of_auto_covers_that_of_the_models_it_chooses(name: str) -> None:
    """A client that asks for `auto` sends what auto's card says; no model may look beyond that."""
    card = next(card for card in models.cards() if card.name == name)
    assert auto.CARD.context_minimum >= card.context_minimum
    assert auto.CARD.context_factor >= card.context_factor
