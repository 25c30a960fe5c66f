"""Training of DeepFill v2, Yu 2019 (arXiv 1806.03589)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...deepfill import DeepFill
from .. import discriminators, losses
from .base import Batch, Made, Recipe, Terms, sum_of


class DeepFillRecipe(Recipe):
    """L1 of both stages and SN-PatchGAN's hinge (section 3.4).

    Options:
        judge: channels of the judge's first layer.
    """

    network = DeepFill
    terms = ("l1", "adversarial")
    options: ClassVar[Mapping[str, Any]] = {"judge": 64}

    def make_generator(self, build: Mapping[str, Any]) -> nn.Module:
        self._blue_first = build.get("variant", "tensorflow") == "tensorflow"  # as the model feeds it
        return super().make_generator(build)

    def make_judge(self) -> nn.Module:
        return discriminators.SpectralPatches(4, self.chosen["judge"])

    def generate(self, batch: Batch) -> Made:
        image, hole = self._turned(batch["image"]) * 2 - 1, batch["hole"]
        x = torch.cat([image * (1 - hole), torch.ones_like(hole), hole], 1)
        coarse, fine = (self._turned((stage + 1) / 2) for stage in self.generator(x, hole))
        return {"coarse": coarse, "raw": fine, "composite": losses.composite(fine, batch["image"], hole)}

    def judge_losses(self, batch: Batch, made: Made) -> Terms:
        assert self.judge is not None
        hole = batch["hole"]
        real = self.judge(torch.cat([batch["image"] * 2 - 1, hole], 1))
        fake = self.judge(torch.cat([made["composite"].detach() * 2 - 1, hole], 1))
        return self.weigh({"adversarial": lambda: losses.hinge_discriminator(real, fake)})

    def generator_losses(self, batch: Batch, made: Made) -> Terms:
        image = batch["image"]
        terms = self.weigh(
            {"l1": lambda: sum_of(2 * (made[stage] - image).abs().mean() for stage in ("coarse", "raw"))}
        )
        if self.judge is not None:
            told = self.judge(torch.cat([made["composite"] * 2 - 1, batch["hole"]], 1))
            terms["adversarial"] = self.weights["adversarial"] * losses.hinge_generator(told)
        return terms

    def _turned(self, picture: Tensor) -> Tensor:
        """RGB to the network's order of colours and back."""
        return picture.flip(1) if self._blue_first else picture
