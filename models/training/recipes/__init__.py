"""Recipes: what each network is trained with. A new one is one file, one line here, and settings.

A recipe says what its network is shown, who judges it, and what both are blamed for; the trainer does the
rest, the same for all.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch

from ..settings import Settings
from .base import Batch, Made, Perceive, Prepare, Recipe, RecipeError, Terms, sum_of

__all__ = [
    "RECIPES",
    "Batch",
    "Made",
    "Perceive",
    "Prepare",
    "Recipe",
    "RecipeError",
    "Terms",
    "kind",
    "make",
    "sum_of",
]

RECIPES: dict[str, str] = {
    "pconv": "pconv:PConvRecipe",
    "lama": "lama:LaMaRecipe",
    "deepfill": "deepfill:DeepFillRecipe",
    "sc-fegan": "sc_fegan:SCFEGANRecipe",
    "context-encoder": "context_encoder:ContextEncoderRecipe",
    "deepcreampy": "deepcreampy:DeepCreamPyRecipe",
    "finisher": "finisher:FinisherRecipe",
    "liner": "liner:LinerRecipe",
}
"""Name to `module:class`."""

_SEEING = ("perceptual", "style")  # the terms that look at features


def kind(name: str) -> type[Recipe]:
    """A recipe's class.

    Raises:
        RecipeError: there is none of that name.
    """
    if name not in RECIPES:
        raise RecipeError(f"There is no recipe {name}; known are {', '.join(RECIPES)}.")
    module, _, attribute = RECIPES[name].partition(":")
    return getattr(import_module(f".{module}", __name__), attribute)


def make(settings: Settings, vgg: Path | None = None) -> Recipe:
    """The recipe that the settings name, with fresh weights from their seed.

    Args:
        settings: of the training.
        vgg: file of VGG weights, for recipes whose losses look at features; None takes those of the edge
            detector, which are a VGG-16's, if they are on this computer.

    Raises:
        RecipeError: no such recipe, loss, option or setting of the network, or the features are missing.
    """
    chosen = kind(settings.recipe)
    seeing = [name for name in _SEEING if settings.losses.get(name)]
    perceive = None
    if seeing:
        from ...guidance import hed
        from . import perception

        vgg = vgg or hed.find()
        if vgg is None:
            raise RecipeError(
                f"The losses {' and '.join(seeing)} look at pictures through a VGG network: fetch one with "
                "`ai-inpaint models get hed`, name torchvision's vgg16 or vgg19 with --vgg, or set the "
                "losses to 0."
            )
        perceive = perception.read(vgg)
    torch.manual_seed(settings.seed)
    from ...base import FillError

    try:
        sides = chosen.sides(settings.build)
        name = "window" if settings.kept else "size"
        if getattr(settings, name) not in sides:
            rule = f", a multiple of {sides.step}, up to {sides[-1]}" if len(sides) > 1 else ""
            raise ValueError(f"{name} has to be {sides[0]}{rule}")
        return chosen(settings.build, settings.losses, perceive, settings.options)
    except (TypeError, ValueError) as problem:
        raise RecipeError(f"The settings do not suit {settings.recipe}: {problem}.") from problem
    except FillError as problem:
        raise RecipeError(f"{problem}") from problem
