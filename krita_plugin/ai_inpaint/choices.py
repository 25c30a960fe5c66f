"""Which layers were chosen last with a model: remembered by name, as ids mean one document's layers."""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping, Protocol

from .fill import Wish
from .picture import THIS_LAYER, VISIBLE, Picture

_SETTING = "layers"


class Memory(Protocol):
    """Where texts are remembered: `host.KritaHost`."""

    def setting(self, name: str) -> str:
        """The text remembered under a name; "" if there is none."""

    def remember(self, name: str, text: str) -> None:
        """Remember a text."""


def recall(memory: Memory, picture: Picture, model: str, values: Mapping[str, Any]) -> Wish:
    """The wish with this document's layers of the names chosen last; without those that it lacks."""
    chosen = _read(memory).get(model)
    if not isinstance(chosen, dict):
        return Wish(model, dict(values))
    ids = {layer.name: layer.id for layer in reversed(picture.places())}
    source = str(chosen.get("source", THIS_LAYER))
    if source not in (THIS_LAYER, VISIBLE):
        source = ids.get(source.partition(":")[2], THIS_LAYER)
    guidance = chosen.get("guidance")
    named = guidance if isinstance(guidance, dict) else {}
    return Wish(
        model,
        dict(values),
        source,
        ids.get(str(chosen.get("sample_from", "")), ""),
        {name: ids[layer] for name, layer in named.items() if layer in ids},
    )


def save(memory: Memory, picture: Picture, wish: Wish) -> None:
    """Begin with this next time."""
    names = {layer.id: layer.name for layer in picture.places()}
    source = wish.source
    if source not in (THIS_LAYER, VISIBLE):
        source = "name:" + names.get(source, "")
    content = _read(memory)
    content[wish.model] = {
        "source": source,
        "sample_from": names.get(wish.sample_from, ""),
        "guidance": {name: names[layer] for name, layer in wish.guidance.items() if layer in names},
    }
    memory.remember(_SETTING, json.dumps(content, ensure_ascii=False))


def _read(memory: Memory) -> Dict[str, Any]:
    try:
        content = json.loads(memory.setting(_SETTING) or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
