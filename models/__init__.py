"""The models: an explicit list, their cards, and the way to load one.

A new model is one new file and one line in `MODELS`; a network's card is one entry in `catalogue.py`, too.
The weights of networks have names of their own: see `zoo`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from . import zoo
from .base import Cancelled, Card, FillError, Model, Param
from .catalogue import CARDS

__all__ = ["MODELS", "Cancelled", "Card", "FillError", "Model", "Param", "cards", "kinds", "load"]

MODELS: dict[str, str] = {
    "patchmatch": "patchmatch:PatchMatch",
    "smooth": "smooth:SmoothFill",
    "sketcher": "sketcher:Sketcher",
    "lama": "lama:LaMa",
    "pconv": "pconv:PConv",
    "deepcreampy": "deepcreampy:DeepCreamPy",
    "sc-fegan": "sc_fegan:SCFEGAN",
    "deepfill": "deepfill:DeepFill",
    "deepfill-v1": "deepfill_v1:DeepFillV1",
    "migan": "migan:MIGAN",
    "telea": "opencv:Telea",
    "navier-stokes": "opencv:NavierStokes",
    "context-encoder": "context_encoder:ContextEncoder",
    "patch-synthesis": "patch_synthesis:PatchSynthesis",
    "finisher": "finisher:Finisher",
    "liner": "liner:Liner",
}
"""Name to `module:class`. Modules are imported when first asked for, so that a command which needs
one model does not wait for the libraries of all."""


def cards() -> list[Card]:
    """The card of every model that can be asked for: `auto`, the classical ones, then all weights known.

    Weights that are published but not on this computer are among them, with `installed` false.
    """
    from .auto import CARD

    classical = [name for name in MODELS if not _card(name).network]
    known, published = zoo.installed(), zoo.published()
    sources: dict[str, Any] = {**published, **known}
    names = [name for name in {**known, **published} if sources[name].architecture in MODELS]
    return [
        CARD,
        *(_card(name) for name in classical),
        *(_weights_card(name, known.get(name), published.get(name)) for name in names),
    ]


def _weights_card(name: str, weights: zoo.Weights | None, entry: zoo.Published | None) -> Card:
    """An architecture's card as it stands for weights of that name."""
    source: Any = weights or entry
    return replace(
        _card(source.architecture),
        name=name,
        title=source.title or name,
        architecture=source.architecture,
        installed=weights is not None,
        download=None if entry is None else entry.download(),
        **{key: value for key in ("sentence", "licence", "good_at") if (value := getattr(source, key))},
    )


def load(
    name: str | os.PathLike[str],
    device: str = "cpu",
    variant: str | None = None,
    precision: str = "single",
) -> Model:
    """Load a model, ready to fill.

    Args:
        name: of a classical model; of weights, published or brought by the user ("big-lama"); of a network
            ("lama"), which stands for its recommended weights; or a file or folder of weights, which are
            recognised by what is in them. (`auto` is no model: `models.auto.choose` picks one for a hole.)
        device: where a network runs, as torch names it; the classical models run on the CPU.
        variant: where weights fit several networks, which; one of the card's `variants`. None takes what
            is known of the weights, or the first.
        precision: of a network. "single" computes as its authors' code does; "auto" as fast as the device
            can, with rounding errors that nobody sees; "half" in half precision even where that is slow.

    Raises:
        FillError: `unknown-model`, with the names that are known; `no-weights`, with the way to get
            them; `bad-weights`, a file that is none or damaged; `bad-variant`.
    """
    text = os.fspath(name)
    if text in MODELS and not _card(text).network:
        return _model_class(text)(device)
    from_zoo = zoo.resolve(text)
    if from_zoo is None and (text in MODELS or text in zoo.published()):
        title = _card(text).title if text in MODELS else zoo.published()[text].title
        raise FillError(
            "no-weights", f"The weights of {title} are not on this computer.", zoo.suggestion(text)
        )
    if from_zoo is None and not _is_file(text):
        raise FillError(
            "unknown-model",
            f"There is no model named {text!r}.",
            f"Known are: {', '.join(card.name for card in cards())}; or give a file with weights.",
        )

    if from_zoo is not None and from_zoo.architecture in zoo.TOOLS:
        raise FillError("unknown-model", f"{from_zoo.title or text} fills nothing.", "Choose a model.")

    from . import network

    if from_zoo is None:
        return network.load(text, kinds(), device, variant, precision)
    described = {
        key: value
        for key in ("name", "title", "sentence", "licence", "good_at")
        if (value := getattr(from_zoo, key))
    }
    return network.load(from_zoo.path, kinds(), device, variant or from_zoo.variant, precision, described)


def kinds() -> dict[str, Any]:
    """The classes of all neural networks, by name; imports torch."""
    return {name: _model_class(name) for name in MODELS if _card(name).network}


def _is_file(text: str) -> bool:
    path = Path(text)
    return path.exists() or path.with_name(path.name + ".index").is_file()


def _card(name: str) -> Card:
    return CARDS[name] if name in CARDS else _model_class(name).card


def _model_class(name: str) -> type[Model]:
    module, _, attribute = MODELS[name].partition(":")
    return getattr(import_module(f".{module}", __name__), attribute)
