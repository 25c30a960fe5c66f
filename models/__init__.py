"""The models: an explicit list, their cards, and the way to load one.

A new model is one new file and one line in `MODELS`.
"""

from __future__ import annotations

from importlib import import_module

from .base import Cancelled, Card, FillError, Model, Param

__all__ = ["MODELS", "Cancelled", "Card", "FillError", "Model", "Param", "cards", "load"]

MODELS: dict[str, str] = {
    "patchmatch": "patchmatch:PatchMatch",
    "smooth": "smooth:SmoothFill",
}
"""Name to `module:class`. Modules are imported when first asked for, so that a command which needs
one model does not wait for the libraries of all."""


def cards() -> list[Card]:
    """The card of every model, `auto` first."""
    from .auto import CARD

    return [CARD, *(_model_class(name).card for name in MODELS)]


def load(name: str, device: str = "cpu") -> Model:
    """Load a model, ready to fill.

    Args:
        name: a key of `MODELS`. (`auto` is no model: `models.auto.choose` picks one for a hole.)
        device: where its network runs, as torch names it; the classical models run on the CPU.

    Raises:
        FillError: `unknown-model`, with the names that are known.
    """
    if name not in MODELS:
        raise FillError(
            "unknown-model",
            f"There is no model named {name!r}.",
            f"Known are: {', '.join(['auto', *MODELS])}.",
        )
    return _model_class(name)(device)


def _model_class(name: str) -> type[Model]:
    module, _, attribute = MODELS[name].partition(":")
    return getattr(import_module(f".{module}", __name__), attribute)
