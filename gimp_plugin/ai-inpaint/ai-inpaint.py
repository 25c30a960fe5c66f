#!/usr/bin/env python3
"""GIMP: Filters ▸ AI Inpaint…, and the same for Python-Fu, Script-Fu and batch runs.

What may be missing is imported when a procedure runs: a plug-in that fails before would leave no entry in
the menu, and nobody would know why.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Callable, List, Optional

import gi

for name, version in {"Babl": "0.1", "Gegl": "0.4", "Gimp": "3.0", "GimpUi": "3.0", "Gtk": "3.0"}.items():
    gi.require_version(name, version)

from gi.repository import Gimp, GLib, GObject  # noqa: E402

# Where this file is found, not where a link of it leads; its pyzmq and msgpack after those of GIMP's Python.
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(HERE, "vendor"))

FILL = "plug-in-ai-inpaint"
AGAIN = "plug-in-ai-inpaint-new-seed"
SKETCH = "plug-in-ai-inpaint-sketch"
MARKS = "plug-in-ai-inpaint-select-marks"
MOSAICS = "plug-in-ai-inpaint-select-mosaics"
START = "plug-in-ai-inpaint-backend-start"
STOP = "plug-in-ai-inpaint-backend-stop"
STATUS = "plug-in-ai-inpaint-backend-status"

LAST = "ai-inpaint-last"
"""Global parasite with the arguments used last: GIMP gives a procedure's last values to no other one."""

_PERSISTENT = 1  # GIMP_PARASITE_PERSISTENT

_HELP = (
    "Fills what is selected, from its surroundings or by a network, and puts the fill above the layer as a "
    "layer of its own, transparent outside of the hole. The layer below stays as it is. Settings out of "
    "range are refused with a sentence that says what is allowed."
)

_SKETCH_HELP = (
    "Draws the lines of what is visible, in the selection or, if nothing is selected, everywhere, on a new "
    "layer: black, and transparent between the lines. Redraw them, and give the layer to a model that "
    "follows sketches. The other layers stay as they are."
)


_SELECT_HELP = (
    "What is looked at is all that is visible; what was selected is not looked at, and is replaced, as by "
    "GIMP's own Select by Color. Marks are taken with the rims in which their colour and the picture's are "
    "mixed. Where it is not certain that something is a mosaic, it is left out, and the message says so."
)


class AiInpaint(Gimp.PlugIn):
    """The procedures, and how GIMP calls them."""

    def do_query_procedures(self) -> List[str]:
        """Their names."""
        return [FILL, AGAIN, SKETCH, MARKS, MOSAICS, START, STOP, STATUS]

    def do_set_i18n(self, _: str) -> bool:
        """There are no translations."""
        return False

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        """Describe one of them to GIMP."""
        if name == FILL:
            return self._filter(name, _fill, "AI Inpaint…", "Fill what is selected so that nobody sees it")
        if name == AGAIN:
            return self._filter(
                name, _again, "AI Inpaint Again with New Seed", "Fill as the last time, but differently"
            )
        if name == SKETCH:
            return self._filter(
                name,
                _sketch,
                "AI Inpaint Sketch Layer from Picture",
                "Draw the lines of what is visible on a new layer",
                _SKETCH_HELP,
            )
        if name == MARKS:
            blurb = "Select all that was painted over in one colour"
            return self._selector(name, "Select Marks of a Colour…", blurb)
        if name == MOSAICS:
            return self._selector(name, "Select Mosaics", "Select what is certain to be a mosaic")
        run, label, blurb = {
            START: (_start, "Start", "Start AI Inpaint's backend"),
            STOP: (_stop, "Stop", "End AI Inpaint's backend"),
            STATUS: (_status, "Status", "Say what AI Inpaint's backend is doing"),
        }[name]
        procedure = Gimp.Procedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_menu_label(label)
        procedure.add_menu_path("<Image>/Filters/AI Inpaint Backend")
        procedure.set_documentation(blurb, blurb + ".", name)
        procedure.set_attribution("AI Inpaint", "AI Inpaint", "2026")
        procedure.add_enum_argument(
            "run-mode",
            "Run mode",
            "The run mode",
            Gimp.RunMode.__gtype__,
            Gimp.RunMode.NONINTERACTIVE,
            GObject.ParamFlags.READWRITE,
        )
        procedure.add_string_return_value(
            "text", "Text", "What is to be said", "", GObject.ParamFlags.READWRITE
        )
        return procedure

    def _filter(
        self, name: str, run: Callable[..., Any], label: str, blurb: str, help: str = _HELP
    ) -> Gimp.ImageProcedure:
        procedure = self._on_image(name, run, label, blurb, help)
        procedure.add_menu_path("<Image>/Filters")
        procedure.add_menu_path("<Image>/Filters/Development/Python-Fu")
        procedure.set_icon_name("gimp-tool-heal")
        if name == FILL:
            from options import declare

            declare(procedure, GObject.ParamFlags.READWRITE)
        elif name == SKETCH:
            procedure.add_int_argument(
                "detail",
                "Detail",
                "0 draws the plainest outlines only, 100 every trace of one.",
                0,
                100,
                50,
                GObject.ParamFlags.READWRITE,
            )
        procedure.add_layer_return_value(
            "layer", "Layer", "The new layer, or the group of several", True, GObject.ParamFlags.READWRITE
        )
        return procedure

    def _selector(self, name: str, label: str, blurb: str) -> Gimp.ImageProcedure:
        procedure = self._on_image(name, _select, label, blurb, _SELECT_HELP)
        procedure.add_menu_path("<Image>/Select")
        procedure.set_icon_name("gimp-tool-by-color-select")
        if name == MARKS:
            from selecting import declare

            declare(procedure, GObject.ParamFlags.READWRITE)
        procedure.add_string_return_value("text", "Text", "What was found", "", GObject.ParamFlags.READWRITE)
        return procedure

    def _on_image(
        self, name: str, run: Callable[..., Any], label: str, blurb: str, help: str
    ) -> Gimp.ImageProcedure:
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        # Never gray: what cannot be done is answered with a sentence that says why.
        procedure.set_image_types("*")
        mask = Gimp.ProcedureSensitivityMask
        procedure.set_sensitivity_mask(mask.DRAWABLE | mask.DRAWABLES | mask.NO_DRAWABLES)
        procedure.set_menu_label(label)
        procedure.set_documentation(blurb, help, name)
        procedure.set_attribution("AI Inpaint", "AI Inpaint", "2026")
        return procedure


def _answer(procedure: Gimp.Procedure, work: Callable[[], Optional[GObject.Value]]) -> Gimp.ValueArray:
    """Do the work; whatever is wrong becomes a sentence for the user."""
    try:
        from backend.client import refusals
        from backend.wire.errors import InpaintError
    except ImportError as problem:
        return _failed(procedure, f"The plug-in is incomplete ({problem}).\n\nRun install.py again.")
    try:
        value = work()
    except InpaintError as problem:
        return _failed(procedure, refusals.sentence(problem))
    if value is None:
        return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
    values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    values.remove(1)
    values.insert(1, value)
    return values


def _failed(procedure: Gimp.Procedure, words: str) -> Gimp.ValueArray:
    error = GLib.Error.new_literal(GLib.quark_from_string("ai-inpaint"), words, 1)
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, error)


def _fill(
    procedure: Gimp.Procedure,
    mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: List[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    _: Any,
) -> Gimp.ValueArray:
    def work() -> Optional[GObject.Value]:
        import filling
        import options

        if mode == Gimp.RunMode.INTERACTIVE:
            filling.check(image, drawables)
            import dialog

            if not dialog.ask(procedure, config, image):
                return None
        asked = options.read({name: config.get_property(name) for name in options.ARGUMENTS})
        by_hand = mode != Gimp.RunMode.NONINTERACTIVE
        layer = filling.fill(image, drawables, asked, remember=by_hand)
        if by_hand:
            _remember(options.written(asked))
        return GObject.Value(Gimp.Layer, layer)

    return _answer(procedure, work)


def _again(
    procedure: Gimp.Procedure,
    _mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: List[Gimp.Drawable],
    _config: Gimp.ProcedureConfig,
    _: Any,
) -> Gimp.ValueArray:
    def work() -> GObject.Value:
        import filling
        import host
        import options

        from backend.client import form

        layer = filling.check(image, drawables)
        last = Gimp.get_parasite(LAST)
        arguments = options.written(options.Options())
        if last is not None:
            arguments.update(json.loads(bytes(last.get_data()).decode("utf-8")))
        asked = options.read(arguments)
        made = form.parse(host.record(layer))
        if made is not None:  # a fill that is active is what is to be made again
            asked.model, asked.values = made["model"], made["params"]
        asked.values.update(seed=form.new_seed(), count=1)
        return GObject.Value(Gimp.Layer, filling.fill(image, drawables, asked))

    return _answer(procedure, work)


def _sketch(
    procedure: Gimp.Procedure,
    _mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: List[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    _: Any,
) -> Gimp.ValueArray:
    def work() -> GObject.Value:
        import filling

        return GObject.Value(Gimp.Layer, filling.sketch(image, drawables, config.get_property("detail")))

    return _answer(procedure, work)


def _select(
    procedure: Gimp.Procedure,
    mode: Gimp.RunMode,
    image: Gimp.Image,
    _drawables: List[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    _: Any,
) -> Gimp.ValueArray:
    def work() -> Optional[GObject.Value]:
        import selecting

        params = selecting.MOSAICS
        if procedure.get_name() == MARKS:
            if mode == Gimp.RunMode.INTERACTIVE and not selecting.ask(procedure, config):
                return None
            params = selecting.marks(image, config)
        words = selecting.select(image, params)
        if mode != Gimp.RunMode.NONINTERACTIVE:
            Gimp.message(words)
        return GObject.Value(GObject.TYPE_STRING, words)

    return _answer(procedure, work)


def _remember(arguments: Any) -> None:
    text = json.dumps(arguments, ensure_ascii=False).encode("utf-8")
    Gimp.attach_parasite(Gimp.Parasite.new(LAST, _PERSISTENT, text))


def _start(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, _: Any) -> Gimp.ValueArray:
    def say() -> str:
        import filling

        from backend.client import words

        Gimp.progress_init("AI Inpaint")
        with filling.connect() as session:
            return words.status(session.status())

    return _said(procedure, config, say)


def _status(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, _: Any) -> Gimp.ValueArray:
    def say() -> str:
        import filling

        from backend.client import words

        session = filling.running()
        if session is None:
            return words.status({})
        with session:
            return words.status(session.status())

    return _said(procedure, config, say)


def _stop(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, _: Any) -> Gimp.ValueArray:
    def say() -> str:
        import filling

        session = filling.running()
        if session is None:
            return "The backend is not running."
        with session:
            session.shutdown()
        return "The backend has been ended."

    return _said(procedure, config, say)


def _said(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, say: Callable[[], str]) -> Gimp.ValueArray:
    def work() -> GObject.Value:
        words = say()
        if config.get_property("run-mode") != Gimp.RunMode.NONINTERACTIVE:
            Gimp.message(words)
        return GObject.Value(GObject.TYPE_STRING, words)

    return _answer(procedure, work)


Gimp.main(AiInpaint.__gtype__, sys.argv)
