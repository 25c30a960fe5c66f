"""Likeness to the truth, against the blur that it rewards: losses over windows that show some of the hole.

Features are costly: they are computed only where there is something to see.

Terms, all means over the windows' hole pixels:
    hole: |difference|.
    perceptual: squared difference of VGG features of unit length (Zhang 2018, arXiv 1801.03924,
        section 3, without its learnt weights), summed over layers.
    style: squared difference of their correlations, summed over layers.
    sharpness: how far the fill is rougher, or less rough, than the truth, relative to the truth.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...finisher import roughness
from .base import Recipe, Terms

TERMS = ("hole", "perceptual", "style", "sharpness")

_FEATURES = ("perceptual", "style")


def compared(recipe: Recipe, fill: Tensor, truth: Tensor, hole: Tensor, side: int, count: int) -> Terms:
    """The weighted terms.

    Args:
        recipe: knows the weights and the features.
        fill, truth: N x 3 x H x W in [0, 1].
        hole: N x 1 x H x W in {0, 1}.
        side: of a window, px.
        count: windows of each picture.
    """
    fill, truth, hole = cut((fill, truth, hole), hole, side, count)
    terms = recipe.weigh(
        {
            "hole": lambda: mean_inside((fill - truth).abs().mean(1, keepdim=True), hole),
            "sharpness": lambda: sharpness(fill, truth, hole),
        }
    )
    if any(recipe.weights[name] for name in _FEATURES):
        with torch.no_grad():
            wanted = [functional.normalize(layer, dim=1) for layer in recipe.features(truth).values()]
        seen = [functional.normalize(layer, dim=1) for layer in recipe.features(fill).values()]
        terms.update(
            recipe.weigh(
                {
                    "perceptual": lambda: perceptual(seen, wanted, hole),
                    "style": lambda: style(seen, wanted, hole),
                }
            )
        )
    return terms


def cut(tensors: Sequence[Tensor], hole: Tensor, side: int, count: int) -> list[Tensor]:
    """The same windows of several tensors."""
    side = min(side, *hole.shape[2:])
    boxes = windows(hole, side, count)
    return [
        torch.stack([tensor[n, :, y : y + side, x : x + side] for n, y, x in boxes]) for tensor in tensors
    ]


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
