"""What an editor's dialog asks, worked out once for every editor: models, settings, names of layers.

A dialog shows `Form.models`, builds one widget for each of `Form.fields(model)`, fills it with
`Form.values(model)` and gives what the user chose to `Form.remember`.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..wire.errors import UNKNOWN_MODEL, InpaintError
from ..wire.geometry import Rect, request_rect
from ..wire.params import Spec, check_all
from .settings import Settings

RECORD = "ai-inpaint"
"""Under this name a layer carries the record of its request, where the editor has a place for such texts."""

_AROUND_SKETCH = 64  # px; so far the backend looks around what it draws

SKETCH = "Sketch"
"""The name of a layer with the lines of a picture; as layers are remembered by name, the same everywhere."""

MARKS: Tuple[Spec, ...] = (
    {
        "name": "colour",
        "kind": "text",
        "default": "00ff00",
        "title": "Colour",
        "help": "Of the marks, as rrggbb or rgb.",
        "minimum": None,
        "maximum": None,
        "unit": "",
    },
    {
        "name": "tolerance",
        "kind": "int",
        "default": 16,
        "title": "Tolerance",
        "help": "How far a channel may be off the colour, of 255.",
        "minimum": 0,
        "maximum": 255,
        "unit": "",
    },
    {
        "name": "smallest",
        "kind": "int",
        "default": 0,
        "title": "Smallest mark",
        "help": "Pieces of fewer pixels are the art's own colour.",
        "minimum": 0,
        "maximum": 1_000_000,
        "unit": "px",
    },
)
"""The settings with which marks of a colour are selected."""

_LARGEST_SEED = 2**31 - 1  # every editor's integer widget can show it


@dataclass(frozen=True)
class Choice:
    """A model, as a list shows it.

    Attributes:
        name: by which it is asked for.
        title: its name for people.
        sentence: what it is good for.
        installed: whether it can fill now.
        download: what fetching it means: {"bytes", "licence", "commercial", "page"}; None where there is
            nothing to fetch.
    """

    name: str
    title: str
    sentence: str
    installed: bool
    download: Optional[Dict[str, Any]]


class Form:
    """The models that a backend offers, and what the user chose last."""

    def __init__(
        self,
        cards: Sequence[Mapping[str, Any]],
        common: Sequence[Spec],
        settings: Settings,
    ) -> None:
        """Take the two answers of `Session.models`, and the place where choices are remembered."""
        self._cards = {str(card["name"]): card for card in cards}
        self._common = list(common)
        self._settings = settings

    @property
    def models(self) -> List[Choice]:
        """Every model, in the backend's order."""
        return [
            Choice(
                name,
                str(card.get("title") or name),
                str(card.get("sentence", "")),
                bool(card.get("installed", True)),
                card.get("download"),
            )
            for name, card in self._cards.items()
        ]

    @property
    def model(self) -> str:
        """The model that was used last, if the backend still has it; else the first of the list."""
        last = self._settings.model()
        return last if last in self._cards else next(iter(self._cards), last)

    def card(self, model: str) -> Mapping[str, Any]:
        """The card of a model.

        Raises:
            InpaintError: `unknown-model`.
        """
        if model not in self._cards:
            raise InpaintError(
                UNKNOWN_MODEL,
                f"The backend has no model named {model[:40]!r}.",
                "Choose another one in the dialog.",
            )
        return self._cards[model]

    def fields(self, model: str) -> List[Spec]:
        """The settings to show: those of all models, then the model's own. See `wire.params` for a spec."""
        return [*self._common, *self.card(model)["params"]]

    def values(self, model: str) -> Dict[str, Any]:
        """A value for every field: the one used last with this model, or the default."""
        return self._settings.values(model, self.fields(model))

    def checked(self, model: str, values: Mapping[str, Any]) -> Dict[str, Any]:
        """`values` in the fields' own types, completed with the defaults.

        Raises:
            InpaintError: `unknown-model`, or `bad-param` with a sentence that names the setting.
        """
        return check_all(self.fields(model), values)

    def remember(self, model: str, values: Mapping[str, Any]) -> None:
        """Begin with this next time.

        Raises:
            InpaintError: as `checked`.
            OSError: the settings cannot be written.
        """
        self._settings.save(model, self.checked(model, values))

    def guidance(self, model: str) -> List[str]:
        """The names of the guidance layers that the model takes, such as "sketch"."""
        return list(self.card(model).get("guidance", ()))

    def takes_source(self, model: str) -> bool:
        """Whether "sample only from" means something to the model."""
        return bool(self.card(model).get("takes_source", False))


def region(
    selection: Rect,
    canvas: Rect,
    card: Mapping[str, Any],
    values: Mapping[str, Any],
    source: Optional[Rect] = None,
) -> Rect:
    """What has to be read from the document for a request.

    Args:
        selection: bounds of the selected pixels.
        canvas: bounds of the pixels that exist.
        card: of the model.
        values: of the request's settings.
        source: bounds of what the fill may be taken from, where the user chose it.

    Returns:
        A rectangle inside `canvas`; empty if the selection lies outside it.
    """
    return request_rect(
        selection,
        canvas,
        card,
        values["grow"],
        values["feather"],
        values.get("context", 0),
        source,
        bool(values.get("tile", False)),
    )


def sketch_region(part: Rect, canvas: Rect) -> Rect:
    """What has to be read from the document for a sketch of a part of it.

    Args:
        part: bounds of the selected pixels, or of all.
        canvas: bounds of the pixels that exist.

    Returns:
        A rectangle inside `canvas`; empty if the part lies outside it.
    """
    drawn = part.clipped(canvas)
    if drawn.empty:
        return drawn
    return drawn.enlarged(max(_AROUND_SKETCH, max(drawn.width, drawn.height) // 4)).clipped(canvas)


def sketch_record(detector: str) -> str:
    """The record of a sketch: no request, but a sign that its layer is no picture to fill from.

    Args:
        detector: what found the lines, `Result.model`.
    """
    return json.dumps({"sketch": detector}, sort_keys=True)


def new_seed() -> int:
    """A seed that nobody chose."""
    return random.SystemRandom().randint(1, _LARGEST_SEED)


def layer_name(title: str, seed: int) -> str:
    """The name of a filled layer, such as "Automatic, seed 7"."""
    return f"{title}, seed {seed}"


def group_name(title: str, count: int) -> str:
    """The name of the group that holds several candidates."""
    return f"{title}, {count} candidates"


def describe(model: str, params: Mapping[str, Any], seed: int) -> str:
    """The record of a request, for the layer that came of it: one line of JSON."""
    values = {name: value for name, value in params.items() if name not in ("seed", "count")}
    return json.dumps({"model": model, "seed": seed, "params": values}, sort_keys=True, ensure_ascii=False)


def parse(text: str) -> Optional[Dict[str, Any]]:
    """Read what `describe` wrote.

    Returns:
        {"model", "seed", "params"}, or None if the text is no such record. The settings are not checked:
        use `Form.checked`.
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if (
        isinstance(record, dict)
        and isinstance(record.get("model"), str)
        and type(record.get("seed")) is int
        and isinstance(record.get("params"), dict)
    ):
        return {"model": record["model"], "seed": record["seed"], "params": record["params"]}
    return None
