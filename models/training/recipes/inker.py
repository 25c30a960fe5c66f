"""Training of the inker: to continue the lines and areas of comics where PatchMatch breaks them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...inker import Inker, channels, guesses
from .base import Batch, Made, Prepare
from .redrawing import RedrawingRecipe


class InkerRecipe(RedrawingRecipe):
    """Both first guesses are made of the whole sample, which is most of the work: keep the samples."""

    network = Inker

    def preparation(self) -> Prepare:
        return add_guesses

    def inputs(self, batch: Batch) -> Tensor:
        return channels(batch["membrane"], batch["guess"], batch["hole"])

    def pictures(self, batch: Batch, made: Made) -> list[Tensor]:
        shown, filled = super().pictures(batch, made)
        return [shown, batch["guess"], filled.clamp(0, 1)]


def add_guesses(sample: dict[str, Tensor], rng: np.random.Generator) -> None:
    """Add PatchMatch's fill as `guess`, and `membrane`, both 3 x H x W in [0, 1]."""
    inside = sample["hole"][0].numpy() > 0
    image = np.where(inside, np.float32(0), sample["image"].numpy())
    seed = int(rng.integers(1 << 31))
    soft, matched = guesses(image, inside, ~inside, seed, lambda fraction, stage: None, lambda: False)
    sample["membrane"], sample["guess"] = (
        torch.from_numpy(soft).clamp(0, 1),
        torch.from_numpy(matched).clamp(0, 1),
    )
