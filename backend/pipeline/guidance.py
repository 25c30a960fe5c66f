"""The layers that a fill has to follow: which model can, whether anything is drawn, and what a model sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

import models
from models.base import Card, FillError

from ..imaging import convert
from ..imaging.crop import Box
from ..imaging.mask import Hole
from ..imaging.torus import Canvas
from .request import Request


def check(names: Iterable[str], card: Card) -> None:
    """Refuse layers that the model would ignore.

    Args:
        names: of the layers.
        card: of the model.

    Raises:
        FillError: `bad-guidance`, with the models that would not.
    """
    surplus = [name for name in names if name not in card.guidance]
    if surplus:
        raise FillError(
            "bad-guidance", f"{card.title} cannot follow a {' or a '.join(surplus)} layer.", _others(surplus)
        )


def follower(names: Iterable[str]) -> str:
    """The first model on this computer that follows all layers of these names.

    Raises:
        FillError: `bad-guidance`, there is none.
    """
    wanted = list(names)
    for card in models.cards():
        if card.installed and set(wanted) <= set(card.guidance):
            return card.name
    raise FillError(
        "bad-guidance",
        f"No model on this computer follows a {' and a '.join(wanted)} layer.",
        _others(wanted),
    )


def _others(wanted: Sequence[str]) -> str:
    names = [card.name for card in models.cards() if set(wanted) <= set(card.guidance)]
    if not names:
        return "Leave the layer out."
    return f"Leave the layer out, or choose a model that does: {', '.join(names)}."


def check_drawn(request: Request, canvas: Canvas, holes: Sequence[Hole]) -> None:
    """Refuse layers on which nothing is drawn where the picture is filled: they would be of no effect.

    Raises:
        FillError: `bad-guidance`.
    """
    if not request.guidance:
        return
    for hole in holes:
        for name, layer in layers(request, hole.box, canvas).items():
            if drawn(name, layer)[0, hole.inside].any():
                return
    raise FillError(
        "bad-guidance",
        f"Nothing is drawn on the {' or the '.join(request.guidance)} layer where it is to be filled.",
        "Draw over that part, or leave the layer out.",
    )


def drawn(name: str, layer: np.ndarray) -> np.ndarray:
    """Where anything is drawn on a layer, float32 C x h x w in [0, 1]: float32 1 x h x w in {0, 1}."""
    import torch

    from models import guidance

    return guidance.drawn(name, torch.from_numpy(layer)[None])[0].numpy()


def layers(request: Request, box: Box, canvas: Canvas) -> dict[str, np.ndarray]:
    """The request's layers in a box of the picture: float32 C x h x w in [0, 1], by name."""
    return {name: planes(canvas.cut(layer, box)) for name, layer in request.guidance.items()}


def planes(pixels: np.ndarray) -> np.ndarray:
    """A layer of any depth, h x w or h x w x C: float32 C x h x w in [0, 1]."""
    channels = np.moveaxis(pixels[..., None] if pixels.ndim == 2 else pixels, 2, 0)
    unit = 1.0 if pixels.dtype == bool else convert.full(pixels.dtype)
    return np.ascontiguousarray(channels, dtype=np.float32) / np.float32(unit)
