"""Training of SC-FEGAN, Jo and Park 2019 (arXiv 1902.06838), on any pictures.

No training code is published. What the paper leaves open is as in PConv's recipe, from which it takes the
other weights; see the settings.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ... import guidance
from ...sc_fegan import SCFEGAN, channels
from .. import discriminators, losses, masks
from .base import Batch, Made, Prepare, Recipe, Terms
from .pconv import features_compared

_STROKE = (
    4 / 512,
    24 / 512,
)  # of a picture's side: as thick as the authors' program paints, and more


class SCFEGANRecipe(Recipe):
    """The six losses of section 3.3; the judge's are WGAN-GP's with a term against drift.

    The network is shown the lines and colours of what is hidden. The paper always shows it both, the
    colours as a whole map; people leave out much of it, and paint strokes, which the options teach.

    Options:
        lines: what finds the lines, of `guidance.DETECTORS`.
        without_sketch, without_colour: share of the samples that do without.
        strokes: share of the colours that are shown along a few strokes only.
        judge: channels of the judge's first layer.
    """

    network = SCFEGAN
    terms = ("valid", "hole", "perceptual", "style", "tv", "adversarial", "penalty", "drift")
    options: ClassVar[Mapping[str, Any]] = {
        "lines": "auto",
        "without_sketch": 0.0,
        "without_colour": 0.0,
        "strokes": 0.0,
        "judge": 64,
    }

    def make_judge(self) -> nn.Module:
        return discriminators.SpectralPatches(8, self.chosen["judge"])

    def preparation(self) -> Prepare:
        finder = guidance.detector(self.chosen["lines"]).name  # says at once if it is not there
        shares = (self.chosen[name] for name in ("without_sketch", "without_colour", "strokes"))
        return functools.partial(draw, finder, tuple(shares))

    def generate(self, batch: Batch) -> Made:
        image, hole = batch["image"], batch["hole"]
        noise = (torch.randn_like(hole) * 255 >= 254.5).to(hole)  # as `sc_fegan.saturated_noise`
        x = channels(image, hole, batch["sketch"], batch["colour"], noise)
        raw = (self.generator(x).float().flip(1) + 1) / 2
        return {"raw": raw, "composite": losses.composite(raw, image, hole)}

    def judge_losses(self, batch: Batch, made: Made) -> Terms:
        assert self.judge is not None
        real = self._judged(batch, batch["image"])
        fake = self._judged(batch, made["composite"].detach())
        told_real, told_fake = self.judge(real), self.judge(fake)
        share = torch.rand(len(real), 1, 1, 1, device=real.device)
        judge = self.judge

        def penalty() -> Tensor:
            with torch.autocast(real.device.type, enabled=False):
                return losses.gradient_penalty_between(judge, real, fake, batch["hole"], share)

        return {
            "adversarial": told_fake.mean() - told_real.mean(),
            **self.weigh({"penalty": penalty, "drift": lambda: told_real.square().mean()}),
        }

    def generator_losses(self, batch: Batch, made: Made) -> Terms:
        image, hole = batch["image"], batch["hole"]
        raw, composite = made["raw"], made["composite"]
        terms = self.weigh(
            {
                "valid": lambda: losses.valid_l1(raw, image, hole),
                "hole": lambda: losses.hole_l1(raw, image, hole),
                "tv": lambda: losses.total_variation(composite),
            }
        )
        terms.update(features_compared(self, image, raw, composite))
        if self.judge is not None:
            told = self.judge(self._judged(batch, composite))
            terms["adversarial"] = self.weights["adversarial"] * -told.mean()
        return terms

    def pictures(self, batch: Batch, made: Made) -> list[Tensor]:
        shown, filled = super().pictures(batch, made)
        hole = batch["hole"]
        drawing = shown * (1 - hole) + (batch["colour"] + 1) / 2 * hole
        return [shown, (drawing - hole * batch["sketch"]).abs(), filled]  # lines on black are white

    def _judged(self, batch: Batch, picture: Tensor) -> Tensor:
        """Picture, sketch, colours and hole: N x 8 x H x W."""
        hole = batch["hole"]
        return torch.cat([picture * 2 - 1, batch["sketch"] * hole, batch["colour"] * hole, hole], 1)


def draw(
    finder: str, shares: tuple[float, float, float], sample: dict[str, Tensor], rng: np.random.Generator
) -> None:
    """Add a drawing of the picture to a sample, as somebody might have made it.

    Args:
        finder: what finds the lines.
        shares: of the samples without sketch, without colours, and with colours along strokes only.
        sample: gets `sketch`, 1 x H x W in {0, 1}; `colour`, 3 x H x W in [-1, 1], -1 where there is none.
        rng: which of them it is.
    """
    image = sample["image"][None]
    without_sketch, without_colour, along_strokes = (rng.random() < share for share in shares)
    size = image.shape[-2:]
    sketch, colour = torch.zeros(1, *size), torch.full((3, *size), -1.0)
    if not without_sketch:
        sketch = guidance.sketch(image, guidance.detector(finder))[0]
    if not without_colour:
        colour = guidance.colours(image)[0] * 2 - 1
        if along_strokes:
            thickness = rng.uniform(*_STROKE) * min(size)
            painted = torch.from_numpy(masks.strokes(size[0], size[1], rng, thickness))
            colour = torch.where(painted, colour, -1.0)
    sample["sketch"], sample["colour"] = sketch, colour
