"""A model that follows what lies in the hole, such as one for mosaics, is shown it at any scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backend.pipeline import Request, fill
from models import load
from models.base import Card, Model


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
