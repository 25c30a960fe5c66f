"""Values on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True)
class Colour:
    """Red, green, blue, 0 to 255."""

    rgb: tuple[int, int, int]

    def __str__(self) -> str:
        return "#" + bytes(self.rgb).hex()


class ColourType(click.ParamType):
    """A colour as #rrggbb or #rgb, the # may be left out."""

    name = "#rrggbb"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Colour:
        """The colour that the text stands for."""
        if isinstance(value, Colour):
            return value
        digits = str(value).removeprefix("#")
        if re.fullmatch(r"[0-9a-fA-F]{3}", digits):
            digits = "".join(digit * 2 for digit in digits)
        if not re.fullmatch(r"[0-9a-fA-F]{6}", digits):
            self.fail(f"{value!r} is no colour; write it as #rrggbb, such as '#00ff00'.", param, ctx)
        red, green, blue = bytes.fromhex(digits)
        return Colour((red, green, blue))


class SettingType(click.ParamType):
    """A setting as name=value."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """The name and the text of the value."""
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not equals or not name.strip():
            self.fail(f"{value!r} is no setting; write it as name=value.", param, ctx)
        return name.strip(), text.strip()


class DeviceType(click.ParamType):
    """A device as PyTorch names it, or auto."""

    name = "device"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, in lower case; whether there is such a device is not known yet."""
        device = str(value).lower()
        if not re.fullmatch(r"auto|cpu|(cuda|mps|xpu)(:\d+)?", device):
            self.fail(f"{value!r} is no device; use auto, cpu, cuda, cuda:1 or mps.", param, ctx)
        return device


COLOUR = ColourType()
DEVICE = DeviceType()
SETTING = SettingType()

_TRUTH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def typed(value: Any, kind: str) -> Any:
    """A text as what a setting of this kind takes; unchanged where it is none, for the check to refuse."""
    if not isinstance(value, str):
        return value
    if kind == "bool":
        return _TRUTH.get(value.lower(), value)
    if kind in ("int", "float"):
        try:
            return int(value) if kind == "int" else float(value)
        except ValueError:
            return value
    return value
