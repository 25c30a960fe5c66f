"""Training of the finisher: for each pixel, how much of the smooth fill PatchMatch's is to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...finisher import Finisher, fills, roughness
from .. import losses
from .base import Batch, Made, Prepare, Recipe, Terms


class FinisherRecipe(Recipe):
    """Likeness to the truth, against the blur that it rewards.

    Both fills are made of the whole sample, in the loading processes, which is half of the work. So that
    each of them is used well, and so that features are computed only where there is something to see, the
    losses look at windows that contain a piece of the hole.

    Terms, all means over the windows' hole pixels:
        hole: |difference|.
        perceptual: squared difference of VGG features of unit length (Zhang 2018, arXiv 1801.03924,
            section 3, without its learnt weights), summed over layers.
        style: squared difference of their correlations, summed over layers.
        sharpness: how far the fill is rougher, or less rough, than the truth, relative to the truth.

    Options:
        window: side of a window, px.
        windows: how many of each picture are looked at.
    """

    network = Finisher
    terms = ("hole", "perceptual", "style", "sharpness")
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
        side = min(self.chosen["window"], *batch["hole"].shape[2:])
        boxes = windows(batch["hole"], side, self.chosen["windows"])
        fill, truth, hole = (
            torch.stack([tensor[n, :, y : y + side, x : x + side] for n, y, x in boxes])
            for tensor in (made["composite"], batch["image"], batch["hole"])
        )
        terms = self.weigh(
            {
                "hole": lambda: mean_inside((fill - truth).abs().mean(1, keepdim=True), hole),
                "sharpness": lambda: sharpness(fill, truth, hole),
            }
        )
        if self.weights["perceptual"] or self.weights["style"]:
            with torch.no_grad():
                wanted = [functional.normalize(layer, dim=1) for layer in self.features(truth).values()]
            seen = [functional.normalize(layer, dim=1) for layer in self.features(fill).values()]
            terms.update(
                self.weigh(
                    {
                        "perceptual": lambda: perceptual(seen, wanted, hole),
                        "style": lambda: style(seen, wanted, hole),
                    }
                )
            )
        return terms

    def pictures(self, batch: Batch, made: Made) -> list[Tensor]:
        return [batch["smooth"], batch["matched"], made["composite"]]


def add_fills(sample: dict[str, Tensor], rng: np.random.Generator) -> None:
    """Both fills of a sample, as `smooth` and `matched`."""
    inside = sample["hole"][0].numpy() > 0
    image = np.where(inside, np.float32(0), sample["image"].numpy())
    seed = int(rng.integers(1 << 31))
    smooth, matched = fills(image, inside, ~inside, seed, lambda fraction, stage: None, lambda: False)
    sample["smooth"], sample["matched"] = torch.from_numpy(smooth), torch.from_numpy(matched)


def windows(hole: Tensor, side: int, count: int) -> list[tuple[int, int, int]]:
    """Windows with hole in them: number of the picture, top, left. Takes torch's random numbers."""
    height, width = hole.shape[2:]
    boxes = []
    for n in range(len(hole)):
        places = hole[n, 0].nonzero().cpu()
        for y, x in places[torch.randint(len(places), (count,))].tolist():
            top, left = (torch.randint(side, (2,)) - side + 1).tolist()
            boxes.append((n, min(max(y + top, 0), height - side), min(max(x + left, 0), width - side)))
    return boxes


def mean_inside(x: Tensor, weight: Tensor) -> Tensor:
    """Mean over pixels, weighted, of each picture, and over pictures; `x` has one channel."""
    return ((x * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1e-3)).mean()


def sharpness(fill: Tensor, truth: Tensor, hole: Tensor) -> Tensor:
    """Relative difference of the mean roughness."""
    inside = hole / hole.sum((1, 2, 3), keepdim=True).clamp(min=1)
    rough, wanted = ((roughness(picture) * inside).sum((1, 2, 3)) for picture in (fill, truth))
    return ((rough - wanted).abs() / (wanted + 0.02)).mean()


def perceptual(seen: Sequence[Tensor], wanted: Sequence[Tensor], hole: Tensor) -> Tensor:
    """Squared difference of features, summed over channels and layers."""
    distances = [(a - b).square().sum(1, keepdim=True) for a, b in zip(seen, wanted, strict=True)]
    shares = (shrunk(hole, layer) for layer in seen)
    return torch.stack([mean_inside(x, share) for x, share in zip(distances, shares, strict=True)]).sum()


def style(seen: Sequence[Tensor], wanted: Sequence[Tensor], hole: Tensor) -> Tensor:
    """Squared difference of the mean correlations of features in the hole, summed over layers."""
    terms = []
    for a, b in zip(seen, wanted, strict=True):
        share = shrunk(hole, a).flatten(2)
        share = share / share.sum(2, keepdim=True).clamp(min=1e-3)
        flat = (layer.flatten(2) for layer in (a, b))
        first, second = ((layer * share) @ layer.transpose(1, 2) for layer in flat)
        terms.append((first - second).square().sum((1, 2)).mean())
    return torch.stack(terms).sum()


def shrunk(hole: Tensor, layer: Tensor) -> Tensor:
    """The hole's share of what each of a layer's positions stands for."""
    height, width = layer.shape[2:]
    return functional.adaptive_avg_pool2d(hole, (height, width))
