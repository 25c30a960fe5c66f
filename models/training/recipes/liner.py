"""Training of the liner: to tell where the lines go that a hole cuts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ... import guidance
from ...layers.membrane import membrane
from ...layers.precision import channels_last
from ...liner import Liner, channels
from .base import Batch, Made, Prepare, Recipe, Terms


class LinerRecipe(Recipe):
    """Samples come with their lines; what is hidden of them is to be found.

    Terms:
        lines: cross-entropy per pixel of the hole; a pixel beside a line counts as line, too.

    Options:
        lines: what finds the lines, of `guidance.DETECTORS`.
    """

    network = Liner
    terms = ("lines",)
    bound_to_hole = False
    options: ClassVar[Mapping[str, Any]] = {"lines": "gradients"}

    def make_generator(self, build: Mapping[str, Any]) -> nn.Module:
        return channels_last(super().make_generator(build))  # a quarter faster

    def preparation(self) -> Prepare:
        return functools.partial(add_lines, guidance.detector(self.chosen["lines"]).name)

    def finishing(self) -> Prepare:
        return add_smooth

    def generate(self, batch: Batch) -> Made:
        shown = channels(batch["smooth"], batch["sketch"], batch["hole"])
        told = self.generator(shown.contiguous(memory_format=torch.channels_last)).float()
        return {"raw": told, "composite": batch["smooth"]}

    def generator_losses(self, batch: Batch, made: Made) -> Terms:
        hole, wanted = batch["hole"], functional.max_pool2d(batch["sketch"], 3, 1, 1)
        each = functional.binary_cross_entropy_with_logits(made["raw"], wanted, reduction="none")
        return self.weigh({"lines": lambda: (each * hole).sum() / hole.sum().clamp(min=1)})

    def pictures(self, batch: Batch, made: Made) -> list[Tensor]:
        hole, lines = batch["hole"], batch["sketch"]
        told = hole * made["raw"].sigmoid() + (1 - hole) * lines
        return [batch["smooth"], *((1 - one).expand(-1, 3, -1, -1) for one in (lines, told))]


def add_lines(finder: str, sample: dict[str, Tensor], rng: np.random.Generator) -> None:
    """Add the lines of the whole picture: `sketch`, 1 x H x W in {0, 1}."""
    sample["sketch"] = guidance.sketch(sample["image"][None], guidance.detector(finder))[0]


def add_smooth(sample: dict[str, Tensor], rng: np.random.Generator) -> None:
    """Add what is seen of it: `smooth`, 3 x H x W in [0, 1]."""
    inside = sample["hole"][0].numpy() > 0
    sample["smooth"] = torch.from_numpy(membrane(sample["image"].numpy(), inside))
