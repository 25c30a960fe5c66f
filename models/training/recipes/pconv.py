"""Training of PConv, Liu 2018 (arXiv 1804.07723)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...pconv import PConv, PConvNetwork
from .. import losses
from .base import Batch, Made, Recipe, Terms, sum_of

_MEAN = (0.485, 0.456, 0.406)  # of ImageNet's pictures, with their deviation
_DEVIATION = (0.229, 0.224, 0.225)


class PConvRecipe(Recipe):
    """The five losses of section 3.3, features of VGG-16's first three pools.

    Options:
        frozen: whether the encoder's normalisation keeps its statistics, as in the second half of the
            paper's training (section 4.2): the zeros of the holes spoil them.
    """

    network = PConv
    terms = ("valid", "hole", "perceptual", "style", "tv")
    options: ClassVar[Mapping[str, Any]] = {"frozen": False}

    def train(self) -> None:
        super().train()
        network = self.generator
        if self.chosen["frozen"] and isinstance(network, PConvNetwork):
            for n in range(1, network.levels + 1):
                for module in network.get_submodule(f"enc_{n}").modules():
                    if isinstance(module, nn.BatchNorm2d):
                        module.eval().requires_grad_(False)

    def generate(self, batch: Batch) -> Made:
        image, hole = batch["image"], batch["hole"]
        mean, deviation = (image.new_tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _DEVIATION))
        valid = (1 - hole).expand(-1, 3, -1, -1)
        raw = self.generator((image - mean) / deviation * valid, valid) * deviation + mean
        return {"raw": raw, "composite": losses.composite(raw, image, hole)}

    def generator_losses(self, batch: Batch, made: Made) -> Terms:
        image, hole = batch["image"], batch["hole"]
        raw, composite = made["raw"], made["composite"]
        terms = self.weigh(
            {
                "valid": lambda: losses.valid_l1(raw, image, hole),
                "hole": lambda: losses.hole_l1(raw, image, hole),
                "tv": lambda: losses.total_variation_near(composite, hole),
            }
        )
        terms.update(features_compared(self, image, raw, composite))
        return terms


def features_compared(recipe: Recipe, image: Tensor, raw: Tensor, composite: Tensor) -> Terms:
    """The terms "perceptual" and "style", each of the raw picture and of the composite."""
    if not (recipe.weights["perceptual"] or recipe.weights["style"]):
        return {}
    with torch.no_grad():
        wanted = recipe.features(image)
    seen = [recipe.features(raw), recipe.features(composite)]
    return recipe.weigh(
        {
            "perceptual": lambda: sum_of(losses.perceptual_l1(f, wanted) for f in seen),
            "style": lambda: sum_of(losses.style_l1(f, wanted) for f in seen),
        }
    )
