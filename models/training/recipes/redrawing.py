"""What the trainings of the networks that redraw a first guess have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from .. import losses
from . import windows
from .base import Batch, Made, Recipe, Terms


class RedrawingRecipe(Recipe):
    """Likeness to the truth in the hole; see `windows` for the terms.

    A subclass says what the network is shown (`inputs`, N x C x H x W), and that `guess` of a sample is what
    it starts from.

    Options:
        window: side of the windows that features are taken from, px.
    """

    terms = windows.TERMS
    options: ClassVar[Mapping[str, Any]] = {"window": 48}

    def make_generator(self, build: Mapping[str, Any]) -> nn.Module:
        return super().make_generator(build).to(memory_format=torch.channels_last)  # a quarter faster

    def inputs(self, batch: Batch) -> torch.Tensor:
        """What the network is shown of a batch."""
        raise NotImplementedError

    def generate(self, batch: Batch) -> Made:
        shown = self.inputs(batch).contiguous(memory_format=torch.channels_last)
        raw = batch["guess"] + self.generator(shown).float()
        return {"raw": raw, "composite": losses.composite(raw, batch["image"], batch["hole"])}

    def generator_losses(self, batch: Batch, made: Made) -> Terms:
        return windows.compared(
            self, made["composite"], batch["image"], batch["hole"], self.chosen["window"], 0
        )
