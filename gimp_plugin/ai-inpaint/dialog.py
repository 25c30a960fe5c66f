"""The dialog, built from the backend's cards.

The procedure's arguments are the truth: what the user changes is written into them at once, and whatever
else changes them (Reset, saved settings) is shown at once. So GIMP's own memory serves the dialog.
"""

from __future__ import annotations

from typing import Any, Dict

import fields
import filling
import host
from download import Download
from gi.repository import Gimp, GimpUi, Gtk
from options import ARGUMENTS, LAYER, VISIBLE, Options, read, written

from backend.client import form
from backend.wire.errors import InpaintError


def ask(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, image: Gimp.Image) -> bool:
    """Let the user choose; what was chosen is then in `config`.

    Returns:
        False if the user wants nothing.

    Raises:
        InpaintError: the backend cannot say what there is to choose from.
    """
    GimpUi.init("ai-inpaint")
    Gimp.progress_init("AI Inpaint")
    with filling.connect() as session:
        offered = filling.offer(session)
    Gimp.progress_end()
    dialog = _Dialog(procedure, config, image, offered)
    try:
        return dialog.window.run()
    finally:
        dialog.close()


class _Dialog:
    """The window, and what keeps it and the procedure's arguments the same."""

    def __init__(
        self, procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, image: Gimp.Image, offered: form.Form
    ) -> None:
        self.window = GimpUi.ProcedureDialog.new(procedure, config, "AI Inpaint")
        self._config, self._form = config, offered
        self._known = {one.name for one in offered.models}
        channels, self._layers = host.names(image)
        self._busy = True  # while it is not the user who changes a widget
        self._built = ""  # the model whose rows are there
        self._settings: Dict[str, Any] = {}
        self._guides: Dict[str, fields.Choice] = {}

        self._model = fields.Choice([(one.name, _title(one)) for one in offered.models], self._model_chosen)
        self._sentence = Gtk.Label(xalign=0, wrap=True, max_width_chars=50)
        self._download = Download(self._fetched)
        self._source = fields.Choice([(LAYER, "This layer"), (VISIBLE, "All that is visible")], self._store)
        places = [(name, name) for name in [*channels, *self._layers]]
        self._sample_from = fields.Choice([("", "Everywhere"), *places], self._store)
        self._rows = Gtk.Grid(row_spacing=6, column_spacing=12)

        top = Gtk.Grid(row_spacing=6, column_spacing=12)
        _row(top, 0, "Model:", self._model.widget, "What fills the hole.")
        top.attach(self._sentence, 1, 1, 1, 1)
        top.attach(self._download.widget, 1, 2, 1, 1)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12, border_width=12)
        box.pack_start(top, False, False, 0)
        box.pack_start(self._rows, False, False, 0)
        box.show_all()
        self.window.get_content_area().pack_start(box, True, True, 0)
        self._handler = config.connect("notify", lambda *_: self._show())
        self._busy = False
        self._show()

    def close(self) -> None:
        """Take the window away."""
        self._config.disconnect(self._handler)
        self._download.close()
        self.window.destroy()

    # From the arguments to the widgets

    def _show(self) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            asked = self._asked()
            self._write(asked)
            self._model.set(asked.model)
            self._build(asked.model)
            self._source.set(asked.source)
            self._sample_from.set(asked.sample_from)
            for name, choice in self._guides.items():
                choice.set(asked.guidance.get(name, ""))
            for name, widget in self._settings.items():
                widget.set(asked.values[name])
        finally:
            self._busy = False

    def _asked(self) -> Options:
        """What the arguments mean; what cannot be meant for this backend gives way to what was used last."""
        try:
            asked = read({name: self._config.get_property(name) for name in ARGUMENTS})
            asked.values = self._form.checked(asked.model, asked.values)
        except InpaintError:
            model = self._form.model
            asked = Options(model, values=self._form.values(model))
        return asked

    def _build(self, model: str) -> None:
        """Make the rows of a model."""
        if model == self._built:
            return
        self._built = model
        card = self._form.card(model)
        self._sentence.set_text(str(card.get("sentence", "")))
        self._show_download(model)
        # These two widgets outlive their rows.
        for kept in (self._source.widget, self._sample_from.widget):
            if kept.get_parent() is not None:
                kept.get_parent().remove(kept)
        self._rows.foreach(lambda child: child.destroy())
        rows = [("Look at:", self._source.widget, "The pixels that the fill has to fit.")]
        if self._form.takes_source(model):
            words = "The fill is taken from this channel's white, or this layer's opaque parts alone."
            rows.append(("Sample only from:", self._sample_from.widget, words))
        layers = [("", "None"), *((name, name) for name in self._layers)]
        self._guides = {name: fields.Choice(layers, self._store) for name in self._form.guidance(model)}
        for name, choice in self._guides.items():
            rows.append((f"{name.capitalize()} layer:", choice.widget, "Strokes that the fill follows."))
        self._settings = {}
        for spec in self._form.fields(model):
            one = self._settings[spec["name"]] = fields.make(spec, self._store)
            widget = self._with_dice(one.widget) if spec["name"] == "seed" else one.widget
            rows.append((fields.label(spec), widget, spec.get("help", "")))
        for line, (title, widget, words) in enumerate(rows):
            _row(self._rows, line, title, widget, words)
        self._rows.show_all()

    def _with_dice(self, seed: Gtk.Widget) -> Gtk.Widget:
        box = Gtk.Box(spacing=6)
        box.pack_start(seed, True, True, 0)
        another = Gtk.Button(label="New")
        another.set_tooltip_text("Another number, for another fill.")
        another.connect("clicked", lambda _: self._settings["seed"].set(form.new_seed()))
        box.pack_start(another, False, False, 0)
        return box

    # From the widgets to the arguments

    def _model_chosen(self) -> None:
        """The user wants another model: it comes with the settings that it was used with last."""
        if self._busy:
            return
        model = self._model.get()
        asked = self._asked()
        self._busy = True
        self._write(Options(model, asked.source, asked.sample_from, {}, self._form.values(model)))
        self._busy = False
        self._show()

    def _store(self) -> None:
        if self._busy:
            return
        self._busy = True
        self._write(
            Options(
                self._model.get(),
                self._source.get(),
                self._sample_from.get() if self._form.takes_source(self._built) else "",
                {name: choice.get() for name, choice in self._guides.items() if choice.get()},
                {name: widget.get() for name, widget in self._settings.items()},
            )
        )
        self._busy = False

    def _write(self, asked: Options) -> None:
        for name, value in written(asked).items():
            if (self._config.get_property(name) or "") != (value or ""):
                self._config.set_property(name, value)

    # Models that have to be fetched first

    def _show_download(self, model: str) -> None:
        (chosen,) = (one for one in self._form.models if one.name == model)
        self._download.show(chosen)
        self.window.set_response_sensitive(Gtk.ResponseType.OK, chosen.installed)

    def _fetched(self, offered: form.Form) -> None:
        """A model has arrived: the backend's cards say so."""
        self._form = offered
        for one in offered.models:
            if one.name in self._known:
                self._model.retitle(one.name, _title(one))
        self._show_download(self._model.get())


def _title(model: form.Choice) -> str:
    return model.title if model.installed else f"{model.title} (not downloaded)"


def _row(grid: Gtk.Grid, line: int, words: str, widget: Gtk.Widget, tip: str) -> None:
    label = Gtk.Label(label=words, xalign=0)
    for part in (label, widget):
        part.set_tooltip_text(tip)
    grid.attach(label, 0, line, 1, 1)
    grid.attach(widget, 1, line, 1, 1)
