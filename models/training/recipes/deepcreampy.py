"""Training of DeepCreamPy's network, for bars and for mosaics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ...deepcreampy import DeepCreamPy
from .. import discriminators, losses, masks
from .base import Batch, Made, Prepare, Recipe, Terms


class DeepCreamPyRecipe(Recipe):
    """L1 of the refined picture, a fading L1 of the coarse one, and a hinge, as deeppomf trains it.

    Of bars the network is shown black, of mosaics (the variant "mosaic") the cells' colours; holes are
    mosaics then, whatever the settings say.

    Options:
        fade: steps after which the coarse picture's loss weighs nothing.
        judge: channels of the judge's first layer.
    """

    network = DeepCreamPy
    terms = ("refined", "coarse", "adversarial")
    options: ClassVar[Mapping[str, Any]] = {"fade": 1_000_000, "judge": 64}

    def make_generator(self, build: Mapping[str, Any]) -> nn.Module:
        self._mosaic = build.get("variant") == "mosaic"
        return super().make_generator(build)

    def make_judge(self) -> nn.Module:
        return discriminators.SpectralPatches(4, self.chosen["judge"])

    @classmethod
    def sides(cls, build: Mapping[str, Any]) -> range:
        return range(136, 4096, 8)  # the widest reflection needs 17 features

    def preparation(self) -> Prepare | None:
        return cover if self._mosaic else None

    def generate(self, batch: Batch) -> Made:
        image, hole = batch["image"], batch["hole"]
        shown = batch["shown"] if self._mosaic else image * (1 - hole)
        valid = (1 - hole).expand(-1, 3, -1, -1)
        coarse, refined = self.generator(torch.cat([shown * 2 - 1, valid], 1))
        raw = (refined.float() + 1) / 2
        return {
            "coarse": (coarse.float() + 1) / 2,
            "raw": raw,
            "composite": losses.composite(raw, image, hole),
        }

    def judge_losses(self, batch: Batch, made: Made) -> Terms:
        assert self.judge is not None
        real = self.judge(_judged(batch["image"], batch["hole"]))
        fake = self.judge(_judged(made["composite"].detach(), batch["hole"]))
        return {"adversarial": losses.hinge_discriminator(real, fake)}

    def generator_losses(self, batch: Batch, made: Made) -> Terms:
        image = batch["image"]
        left = max(0.0, 1 - self.step / self.chosen["fade"])
        terms = self.weigh(
            {
                "refined": lambda: 2 * (made["raw"] - image).abs().mean(),
                "coarse": lambda: left * 2 * (made["coarse"] - image).abs().mean(),
            }
        )
        if self.judge is not None:
            told = self.judge(_judged(made["composite"], batch["hole"]))
            terms["adversarial"] = self.weights["adversarial"] * losses.hinge_generator(told)
        return terms

    def pictures(self, batch: Batch, made: Made) -> list[Tensor]:
        columns = super().pictures(batch, made)
        return [batch["shown"], columns[1]] if self._mosaic else columns


def cover(sample: dict[str, Tensor], rng: np.random.Generator) -> None:
    """Cover a part of a sample by a mosaic: `hole` is a new one, `shown` what is seen.

    Raises:
        ValueError: the picture is too small for one.
    """
    image = sample["image"].numpy()
    hole, cell, phase = masks.make_mosaic(image.shape[1], image.shape[2], rng)
    sample["hole"] = torch.from_numpy(hole[None].astype(np.float32))
    sample["shown"] = torch.from_numpy(masks.pixelate(image, hole, cell, phase))


def _judged(picture: Tensor, hole: Tensor) -> Tensor:
    return torch.cat([picture * 2 - 1, hole], 1)
