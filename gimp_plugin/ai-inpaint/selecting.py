"""Marks of a colour, and mosaics, as the picture's selection."""

from __future__ import annotations

from typing import Any, Dict

import filling
import host
from gi.repository import Gimp

from backend.client import form, words
from backend.client.jobs import SelectRequest

MOSAICS = {"what": "mosaics"}
"""The settings with which mosaics are selected."""


def declare(procedure: Gimp.Procedure, flags: Any) -> None:
    """Give the procedure for marks its arguments."""
    for spec in form.MARKS:
        name, title, help = spec["name"], spec["title"], spec["help"]
        if name == "colour":
            default = host.colour(spec["default"])
            procedure.add_color_argument(name, title, "What the marks are painted in.", False, default, flags)
            procedure.add_boolean_argument(
                "foreground",
                "The foreground colour instead",
                "Take what GIMP paints with.",
                False,
                flags,
            )
        else:
            low, high = spec["minimum"], spec["maximum"]
            procedure.add_int_argument(name, title, help, low, high, spec["default"], flags)


def ask(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig) -> bool:
    """Let the user choose; what was chosen is then in `config`. False if he wants nothing."""
    from gi.repository import GimpUi

    GimpUi.init("ai-inpaint")
    dialog = GimpUi.ProcedureDialog.new(procedure, config, "Select Marks of a Colour")
    try:
        dialog.fill(None)
        return bool(dialog.run())
    finally:
        dialog.destroy()


def marks(image: Gimp.Image, config: Gimp.ProcedureConfig) -> Dict[str, Any]:
    """The settings that the procedure's arguments mean for a picture.

    Raises:
        InpaintError: the picture has a palette, or a floating selection.
    """
    host.editable(image)
    colour = config.get_property("colour")
    if config.get_property("foreground"):
        colour = Gimp.context_get_foreground()
    elif colour is None or colour.get_rgba()[3] == 0:
        # GIMP 3.0 keeps no default of a colour for scripts that leave it out: they give none at all.
        colour = host.colour(form.MARKS[0]["default"])
    values = {str(spec["name"]): config.get_property(str(spec["name"])) for spec in form.MARKS[1:]}
    return {"what": "colour", "colour": host.digits(image, colour), **values}


def select(image: Gimp.Image, params: Dict[str, Any]) -> str:
    """Select what is found in all that is visible, in place of what was selected: one step of undo.

    Args:
        image: whose selection it becomes.
        params: as of `SelectRequest`.

    Returns:
        What to tell the user.

    Raises:
        InpaintError: whatever went wrong; the selection is as it was.
    """
    host.editable(image)
    with host.Source(image, None, True) as source:
        rect = source.bounds
        request = SelectRequest(source.layout, source.read(rect), params, (rect.x, rect.y))
    Gimp.progress_init("AI Inpaint")
    with filling.connect() as session:
        found = session.select(request, filling.show)
    host.select(image, found.offset, found.mask)
    return words.selected(found, params["what"])
