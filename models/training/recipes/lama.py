"""Training of LaMa, Suvorov 2021 (arXiv 2109.07161)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from ...lama import LaMa
from .. import discriminators, losses
from .base import Batch, Made, Recipe, Terms


class LaMaRecipe(Recipe):
    """The losses of section 2.3, with VGG's features in place of the high receptive field's.

    Options:
        judge: channels of the judge's first layer.
    """

    network = LaMa
    terms = ("valid", "adversarial", "r1", "matching", "perceptual")
    options: ClassVar[Mapping[str, Any]] = {"judge": 64}

    def make_judge(self) -> nn.Module:
        return discriminators.Patches(self.chosen["judge"])

    def generate(self, batch: Batch) -> Made:
        image, hole = batch["image"], batch["hole"]
        raw = self.generator(torch.cat([image * (1 - hole), hole], 1))
        return {"raw": raw, "composite": losses.composite(raw, image, hole)}

    def judge_losses(self, batch: Batch, made: Made) -> Terms:
        assert self.judge is not None
        real = batch["image"].detach().requires_grad_(bool(self.weights["r1"]))
        told_real, _ = self.judge(real)
        told_fake, _ = self.judge(made["raw"].detach())
        return self.weigh(
            {
                "adversarial": lambda: losses.masked_discriminator(told_real, told_fake, batch["hole"]),
                "r1": lambda: losses.gradient_penalty_real(told_real, real),
            }
        )

    def generator_losses(self, batch: Batch, made: Made) -> Terms:
        image, hole, raw = batch["image"], batch["hole"], made["raw"]
        terms = self.weigh({"valid": lambda: losses.valid_l1(raw, image, hole)})
        if self.judge is not None:
            told, fake = self.judge(raw)
            with torch.no_grad():
                _, real = self.judge(image)
            terms.update(
                self.weigh(
                    {
                        "adversarial": lambda: losses.masked_generator(told, hole),
                        "matching": lambda: losses.feature_matching(fake, real),
                    }
                )
            )
        if self.weights["perceptual"]:
            with torch.no_grad():
                wanted = self.features(image)
            terms["perceptual"] = self.weights["perceptual"] * losses.perceptual_l2(
                self.features(raw), wanted
            )
        return terms
