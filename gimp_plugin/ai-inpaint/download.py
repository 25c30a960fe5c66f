"""The part of the dialog that fetches a model which is not on this computer yet."""

from __future__ import annotations

from typing import Callable, Optional

import filling
from gi.repository import GLib, Gtk

from backend.client import form, refusals, words
from backend.client.jobs import Failure, Progress
from backend.client.session import Session
from backend.wire.errors import InpaintError

_LOOK_EVERY = 100  # ms


class Download:
    """A button with what it means, then a bar; nothing where there is nothing to fetch.

    Attributes:
        widget: to be put into the dialog.
    """

    def __init__(self, arrived: Callable[[form.Form], None]) -> None:
        """`arrived` is called with the backend's new offer."""
        self.widget = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, no_show_all=True)
        self._words = Gtk.Label(xalign=0, wrap=True, max_width_chars=50, selectable=True, visible=True)
        self._button = Gtk.Button(label="Download", visible=True, halign=Gtk.Align.START)
        self._button.connect("clicked", lambda _: self._begin())
        self._bar = Gtk.ProgressBar(show_text=True)
        for part in (self._words, self._button, self._bar):
            self.widget.pack_start(part, False, False, 0)
        self._arrived = arrived
        self._model = ""
        self._session: Optional[Session] = None

    def show(self, model: form.Choice) -> None:
        """Say what fetching `model` means, if it has to be fetched."""
        if self._session is not None:
            return  # one after the other
        self._model = model.name
        self.widget.set_visible(not model.installed)
        if model.installed:
            return
        self._button.set_visible(bool(model.download))
        terms = words.terms(model)
        by_hand = f"“ai-inpaint models get {model.name}” says how to bring it."
        self._words.set_text("Not on this computer yet.\n" + (terms or by_hand))

    def close(self) -> None:
        """Stop; the backend notices that nobody waits any more."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _begin(self) -> None:
        try:
            self._session = filling.connect()
            self._session.fetch(self._model)
        except InpaintError as problem:
            self._failed(problem)
            return
        self._button.set_visible(False)
        self._bar.set_visible(True)
        GLib.timeout_add(_LOOK_EVERY, self._look)

    def _look(self) -> bool:
        """Take what has come since the last time; False ends the timer."""
        try:
            while self._session is not None:
                news = self._session.poll()
                if news is None:
                    return True
                if isinstance(news, Progress):
                    self._bar.set_fraction(news.fraction)
                    self._bar.set_text(news.stage)
                elif isinstance(news, Failure):
                    self._failed(news.error)
                else:
                    offered = filling.offer(self._session)
                    self._end()
                    self._arrived(offered)
        except InpaintError as problem:
            self._failed(problem)
        return False

    def _failed(self, problem: InpaintError) -> None:
        self._end()
        self._button.set_visible(True)
        self._words.set_text(refusals.sentence(problem))

    def _end(self) -> None:
        self.close()
        self._bar.set_visible(False)
