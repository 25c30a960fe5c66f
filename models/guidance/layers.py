"""What is drawn on a guidance layer."""

from __future__ import annotations

from torch import Tensor

from ..base import FillError

SEEN = 0.25
"""Opacity, or contrast with the paper, from which a sketch layer has a line. A quarter is enough, so that
thin lines outlive a picture's being scaled down."""


def lines(layer: Tensor) -> Tensor:
    """Where a sketch layer has a line.

    Where any of the layer is transparent, lines are what is not, whatever their colour; else what stands out
    from its median colour.

    Args:
        layer: N x C x H x W in [0, 1]: gray, gray and alpha, RGB, or RGBA.

    Returns:
        N x 1 x H x W in {0, 1}.

    Raises:
        FillError: `bad-guidance`, another number of channels.
    """
    shades, alpha = split(layer, "sketch")
    if alpha is not None and (alpha < SEEN).any():
        return (alpha >= SEEN).to(layer)
    paper = shades.flatten(2).median(2).values[..., None, None]
    return ((shades - paper).abs().mean(1, keepdim=True) >= SEEN).to(layer)


def drawn(name: str, layer: Tensor) -> Tensor:
    """Where anything is drawn on a guidance layer: N x 1 x H x W in {0, 1}.

    Args:
        name: of the layer: on a "sketch" it is lines; on others all that is not transparent.
        layer: as of `lines`.
    """
    if name == "sketch":
        return lines(layer)
    shades, alpha = split(layer, name)
    return (shades[:, :1] * 0 + 1) if alpha is None else (alpha >= 0.5).to(layer)


def split(layer: Tensor, name: str) -> tuple[Tensor, Tensor | None]:
    """Shades and, if there is one, alpha, each N x C x H x W."""
    count = layer.shape[1]
    if not 1 <= count <= 4:
        raise FillError(
            "bad-guidance",
            f"The {name} layer has {count} channels; it has to be gray or RGB, with or without transparency.",
            "Convert the layer.",
        )
    return (layer[:, :-1], layer[:, -1:]) if count in (2, 4) else (layer, None)
