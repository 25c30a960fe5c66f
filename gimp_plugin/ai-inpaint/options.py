"""What a fill is asked for, as GIMP's procedures take it: their arguments, and the way to check them.

GIMP answers a value out of an argument's range with a warning and the default. So the arguments allow more
than the backend does, and the backend's own words refuse what is wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Tuple, Union

from backend.client import refusals
from backend.wire.errors import BAD_PARAM, InpaintError

LAYER, VISIBLE = "layer", "visible"
LARGEST = 2**31 - 1

Default = Union[bool, int, str]

SHARED: Tuple[Tuple[str, Default, str, str], ...] = (
    ("grow", 4, "Grow selection", "Fill so many pixels around the selection, too: 0 to 512."),
    ("feather", 2, "Feather", "Let the fill fade into the picture over so many pixels: 0 to 256."),
    ("context", 0, "Context", "How many pixels around a hole are looked at; 0 lets the model decide."),
    ("seed", 0, "Seed", "The same number gives the same fill; another one may give another."),
    ("count", 1, "Candidates", "How many different fills to make, 1 to 16; several come as a group."),
    ("pinholes", 0, "Fill pin-holes", "Fill unselected spots in the selection up to so many pixels."),
    ("seam", "auto", "Match colours", "Meet the picture's tone at the border: auto, on or off."),
    ("tile", False, "Seamless tile", "The picture goes on at the opposite edge: the fill fits there, too."),
    ("mosaic", False, "Follow the mosaic", "A mosaic is selected: the fill follows it, without growing."),
)
"""The settings that all models share: name, default, title, help."""

TEXTS: Tuple[Tuple[str, str, str, str], ...] = (
    (
        "model",
        "auto",
        "Model",
        "What fills: auto, or a name that `ai-inpaint models list` gives.",
    ),
    ("source", LAYER, "Look at", "layer: the layer's own pixels. visible: the picture as it is seen."),
    (
        "sample-from",
        "",
        "Sample only from",
        "Name of a channel or layer: the fill is taken from its white, or opaque, parts alone.",
    ),
    (
        "guidance",
        "",
        "Guidance layers",
        'For models that take them: JSON with the names of layers, such as {"sketch": "My lines"}.',
    ),
    (
        "params",
        "",
        "Model's settings",
        'Settings of the model\'s own: JSON, such as {"refine": true}; see `ai-inpaint models list`.',
    ),
)
"""The other arguments: name, default, title, help."""

ARGUMENTS = tuple(name for name, _, _, _ in (*TEXTS, *SHARED))
"""The names of all."""


@dataclass
class Options:
    """What is asked for.

    Attributes:
        model: its name.
        source: `LAYER` or `VISIBLE`.
        sample_from: name of a channel or layer, or "".
        guidance: name of a guidance to name of a layer.
        values: settings by name, not yet checked.
    """

    model: str = "auto"
    source: str = LAYER
    sample_from: str = ""
    guidance: Dict[str, str] = field(default_factory=dict)
    values: Dict[str, Any] = field(default_factory=dict)


def declare(procedure: Any, flags: Any) -> None:
    """Give a procedure its arguments."""
    for name, default, title, words in TEXTS[:1] + SHARED + TEXTS[1:]:
        if isinstance(default, bool):
            procedure.add_boolean_argument(name, title, words, default, flags)
        elif isinstance(default, str):
            procedure.add_string_argument(name, title, words, default, flags)
        else:
            procedure.add_int_argument(name, title, words, -LARGEST, LARGEST, default, flags)


def read(arguments: Mapping[str, Any]) -> Options:
    """The options that a procedure's arguments mean.

    Args:
        arguments: value by name, for every argument that `declare` makes.

    Raises:
        InpaintError: `bad-param`.
    """
    source = arguments["source"] or LAYER
    if source not in (LAYER, VISIBLE):
        raise InpaintError(
            BAD_PARAM, f"The setting source cannot be {source!r}.", f"It takes one of {LAYER}, {VISIBLE}."
        )
    guidance = {name: layer for name, layer in _json(arguments, "guidance").items() if layer}
    if not all(isinstance(layer, str) for layer in guidance.values()):
        raise refusals.bad_text("guidance")
    values = {name: arguments[name] for name, _, _, _ in SHARED}
    values.update(_json(arguments, "params"))
    return Options(arguments["model"] or "auto", source, arguments["sample-from"] or "", guidance, values)


def written(options: Options) -> Dict[str, Default]:
    """The arguments that mean `options`: the other way round."""
    shared = {name: default for name, default, _, _ in SHARED}
    own = {name: value for name, value in options.values.items() if name not in shared}
    arguments: Dict[str, Default] = {
        "model": options.model,
        "source": options.source,
        "sample-from": options.sample_from,
        "guidance": _text(options.guidance),
        "params": _text(own),
    }
    arguments.update({name: options.values.get(name, default) for name, default in shared.items()})
    return arguments


def _json(arguments: Mapping[str, Any], name: str) -> Dict[str, Any]:
    text = (arguments[name] or "").strip()
    try:
        content = json.loads(text) if text else {}
    except (ValueError, RecursionError) as problem:
        raise refusals.bad_text(name) from problem
    if not isinstance(content, dict):
        raise refusals.bad_text(name)
    return content


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False) if content else ""
