"""A model that follows what lies in the hole, such as one for mosaics, is shown it at any scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pixelated import pixelated

from backend.pipeline import Request, fill
from models import load
from models.base import MOSAIC, Card, Model


class Follower(Model):
    """Fills the hole with the negative of what is there."""

    def __init__(self, sees_hole: bool, max_pixels: int) -> None:
        super().__init__()
        self.card = Card(
            "follower", "Follower", "", context_minimum=20, max_pixels=max_pixels, sees_hole=sees_hole
        )
        self.seen: list[np.ndarray] = []

    def _fill_one(self, image: np.ndarray, hole: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        self.seen.append(image[:, hole])
        return 1 - image


@pytest.mark.parametrize("max_pixels", [0, 30 * 30])
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("sees_hole", [False, True])
def test_only_who_may_sees_the_hole(sees_hole: bool, transparent: bool, max_pixels: int) -> None:
    image = np.full((80, 80, 4), 255, np.uint8)
    image[..., :3] = 100
    image[30:50, 30:50, :3] = 204  # 0.8
    if transparent:
        image[:20, :20, 3] = 0
    mask = np.zeros((80, 80), np.uint8)
    mask[30:50, 30:50] = 255
    model = Follower(sees_hole, max_pixels)
    fill(
        Request(image, mask, "follower", {"grow": 0}),
        lambda name: model if name == "follower" else load(name),
    )
    bright = (model.seen[0] > 0.7).mean(), (model.seen[0] > 0.5).any()
    assert bright[0] > 0.3 if sees_hole else not bright[1]


class MosaicFollower(Model):
    """Fills every cell with its own colour, and tells what it was given."""

    def __init__(self, max_pixels: int) -> None:
        super().__init__()
        self.card = Card(
            "follower", "Follower", "", context_minimum=20, max_pixels=max_pixels, follows_mosaic=True
        )
        self.given: list[tuple[np.ndarray, np.ndarray]] = []

    def _fill_one(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        source: np.ndarray,
        guidance: Any,
        *args: Any,
        **params: Any,
    ) -> np.ndarray:
        self.given.append((image.copy(), np.where(hole, guidance[MOSAIC][0], -1)))
        return image


@pytest.mark.parametrize("smaller", [1, 2])
def test_who_follows_mosaics_is_told_of_every_cell(smaller: int) -> None:
    """Also on a smaller scale, on which a cell is still of one colour."""
    rng = np.random.default_rng(2)
    noise = rng.integers(0, 256, (80, 80, 3)).astype(np.uint8)
    image = pixelated(noise // 4 + 96, np.s_[24:56, 24:56], 8)
    image[24:56, 24:56] = rng.integers(0, 256, (4, 4, 3)).repeat(8, 0).repeat(8, 1)
    mask = np.zeros((80, 80), np.uint8)
    mask[24:56, 24:56] = 255
    model = MosaicFollower(0 if smaller == 1 else 40 * 40)
    (layer,) = fill(
        Request(image, mask, "follower", {"mosaic": True}),
        lambda name: model if name == "follower" else load(name),
    )
    seen, cells = model.given[0]
    assert seen.shape[1:] == (80 // smaller, 80 // smaller)
    numbers = np.unique(cells[cells >= 0])
    assert len(numbers) == 16
    for number in numbers:
        own = seen[:, cells == number]
        middle = np.median(own, axis=1, keepdims=True)
        assert (np.abs(own - middle).max(0) < 0.02).mean() > 0.5
    assert layer.pixels.shape[:2] == (32, 32)
