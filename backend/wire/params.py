"""Settings: checked once, here, whoever sends them.

A spec is a dictionary as on a model's card: name, kind (int, float, bool, choice, text), default,
title, help, minimum, maximum, choices, unit.
"""

from __future__ import annotations

import math
from typing import Any, Dict, Iterable, Mapping

from .errors import BAD_PARAM, UNKNOWN_MODEL, InpaintError

Spec = Mapping[str, Any]


def check(spec: Spec, value: Any) -> Any:
    """Return `value` in the spec's own type, or raise.

    Args:
        spec: what is allowed.
        value: a number, boolean or string; an int may stand for a float, a whole float for an int.

    Raises:
        InpaintError: `bad-param`, with a sentence that names the setting and its bounds.
    """
    kind = spec["kind"]
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "text" and isinstance(value, str):
        return value
    if kind == "choice" and value in spec["choices"]:
        return value
    if kind in ("int", "float") and _is_number(value) and (kind == "float" or value == int(value)):
        number = int(value) if kind == "int" else float(value)
        low, high = spec.get("minimum"), spec.get("maximum")
        if (low is None or number >= low) and (high is None or number <= high):
            return number
    raise InpaintError(
        BAD_PARAM,
        "The setting {} cannot be {!r}.".format(spec["name"], value),
        f"It takes {describe(spec)}.",
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def check_all(specs: Iterable[Spec], values: Mapping[str, Any]) -> Dict[str, Any]:
    """Check every value and fill in the defaults.

    Returns:
        One entry for every spec.

    Raises:
        InpaintError: `bad-param`, for the first bad value or a name without a spec.
    """
    by_name = {spec["name"]: spec for spec in specs}
    for name in values:
        if name not in by_name:
            raise InpaintError(
                BAD_PARAM,
                f"There is no setting named {name!r}.",
                "Known are: {}.".format(", ".join(sorted(by_name)) or "none"),
            )
    return {
        name: check(spec, values[name]) if name in values else spec["default"]
        for name, spec in by_name.items()
    }


def check_settings(cards: Mapping[str, Any], model: str, values: Mapping[str, Any]) -> Dict[str, Any]:
    """Check a request's settings against the cards.

    Args:
        cards: the fields of a `models` message.
        model: name of the model that is to fill.
        values: the request's `params`.

    Returns:
        One entry for every shared setting and every one of the model's own.

    Raises:
        InpaintError: `unknown-model`, or `bad-param` as `check_all`.
    """
    for card in cards["models"]:
        if card["name"] == model:
            return check_all([*cards["common"], *card["params"]], values)
    raise InpaintError(
        UNKNOWN_MODEL,
        f"There is no model named {model[:40]!r}.",
        "Known are: {}.".format(", ".join(card["name"] for card in cards["models"])),
    )


def describe(spec: Spec) -> str:
    """What a setting takes, in words: `a whole number from 0 to 64`."""
    kind = spec["kind"]
    if kind == "choice":
        return "one of " + ", ".join(str(choice) for choice in spec["choices"])
    if kind in ("bool", "text"):
        return {"bool": "true or false", "text": "a text"}[kind]
    words = "a whole number" if kind == "int" else "a number"
    low, high = spec.get("minimum"), spec.get("maximum")
    if low is not None:
        words += f" from {_digits(low)}"
    if high is not None:
        words += f" {'up to' if low is None else 'to'} {_digits(high)}"
    return words


def _digits(number: float) -> str:
    """Whole numbers in full: nobody wants to read that a seed goes up to 2.14748e+09."""
    return str(int(number)) if number == int(number) else f"{number:g}"
