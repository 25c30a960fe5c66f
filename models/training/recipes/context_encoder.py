"""Training of the context encoder, Pathak 2016 (arXiv 1604.07379), the content network of Yang 2017, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...context_encoder import HIDDEN, MEAN, PREDICTED, SIDE, ContextEncoder
from .. import discriminators
from .base import Batch, Made, Recipe, Terms


class ContextEncoderRecipe(Recipe):
    """L2 and an adversarial loss (section 3.2), both on the central square that the network predicts.

    The middle of every picture is hidden; holes of the settings' kind are hidden besides, unless they are
    the middle itself ("centre").

    Options:
        overlap: how many times more the L2 of the rim weighs that is shown and predicted as well.
        judge: channels of the judge's first layer.
    """

    network = ContextEncoder
    terms = ("l2", "adversarial")
    options: ClassVar[Mapping[str, Any]] = {"overlap": 10.0, "judge": 64}

    @classmethod
    def sides(cls, build: Mapping[str, Any]) -> range:
        return range(SIDE, SIDE + 1)

    def make_judge(self) -> nn.Module:
        return discriminators.Centre(self.chosen["judge"])

    def generate(self, batch: Batch) -> Made:
        image = batch["image"]
        hidden = batch["hole"].clone()
        hidden[:, :, HIDDEN, HIDDEN] = 1
        mean = image.new_tensor(MEAN).view(1, 3, 1, 1) / 255
        shown = image * (1 - hidden) + mean * hidden
        centre = (self.generator(shown * 2 - 1).float() + 1) / 2
        composite = shown.clone()
        composite[:, :, PREDICTED, PREDICTED] = centre
        return {"raw": composite, "composite": composite, "shown": shown, "centre": centre}

    def judge_losses(self, batch: Batch, made: Made) -> Terms:
        assert self.judge is not None
        real = self.judge(_centre(batch["image"]) * 2 - 1)
        fake = self.judge(made["centre"].detach() * 2 - 1)
        return {"adversarial": (functional.softplus(-real).mean() + functional.softplus(fake).mean()) / 2}

    def generator_losses(self, batch: Batch, made: Made) -> Terms:
        square = 4 * (made["centre"] - _centre(batch["image"])).square()  # of values in [-1, 1]
        rim = HIDDEN.start - PREDICTED.start
        weight = torch.full_like(square[:1, :1], self.chosen["overlap"])
        weight[..., rim:-rim, rim:-rim] = 1
        terms = self.weigh({"l2": lambda: (weight * square).mean()})
        if self.judge is not None:
            told = self.judge(made["centre"] * 2 - 1)
            terms["adversarial"] = self.weights["adversarial"] * functional.softplus(-told).mean()
        return terms

    def pictures(self, batch: Batch, made: Made) -> list[Tensor]:
        return [made["shown"], made["composite"]]


def _centre(image: Tensor) -> Tensor:
    return image[:, :, PREDICTED, PREDICTED]
