"""Training of the finisher: for each pixel, how much of the smooth fill PatchMatch's is to take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ...finisher import Finisher, fills
from .. import losses
from . import windows
from .base import Batch, Made, Prepare, Recipe, Terms


class FinisherRecipe(Recipe):
    """Likeness to the truth, against the blur that it rewards.

    Both fills are made of the whole sample, in the loading processes, which is half of the work. So that
    each of them is used well, the losses look at windows that contain a piece of the hole, see `windows`.

    Options:
        window: side of a window, px.
        windows: how many of each picture are looked at.
    """

    network = Finisher
    terms = windows.TERMS
    options: ClassVar[Mapping[str, Any]] = {"window": 48, "windows": 4}

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        if self.chosen["window"] % 8 or self.chosen["window"] < 16:
            raise ValueError("window has to be a multiple of 8 and at least 16")

    @classmethod
    def sides(cls, build: Mapping[str, Any]) -> range:
        return range(64, 1024 + 1)

    def preparation(self) -> Prepare | None:
        return add_fills

    def generate(self, batch: Batch) -> Made:
        image, hole = batch["image"], batch["hole"]
        raw = self.generator(batch["smooth"], batch["matched"], hole)
        return {"raw": raw, "composite": losses.composite(raw, image, hole)}

    def generator_losses(self, batch: Batch, made: Made) -> Terms:
        return windows.compared(
            self,
            made["composite"],
            batch["image"],
            batch["hole"],
            self.chosen["window"],
            self.chosen["windows"],
        )

    def pictures(self, batch: Batch, made: Made) -> list[Tensor]:
        return [batch["smooth"], batch["matched"], made["composite"]]


def add_fills(sample: dict[str, Tensor], rng: np.random.Generator) -> None:
    """Both fills of a sample, as `smooth` and `matched`."""
    inside = sample["hole"][0].numpy() > 0
    image = np.where(inside, np.float32(0), sample["image"].numpy())
    seed = int(rng.integers(1 << 31))
    smooth, matched = fills(image, inside, ~inside, seed, lambda fraction, stage: None, lambda: False)
    sample["smooth"], sample["matched"] = torch.from_numpy(smooth), torch.from_numpy(matched)
