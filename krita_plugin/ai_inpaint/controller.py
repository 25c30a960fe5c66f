"""What the menu entries do. All here runs in Krita's own thread; what takes time is a `Task`."""

from __future__ import annotations

import logging
from typing import Any, Callable, Dict, List, Optional

from . import choices, fill, jobs, selecting, sketches, words
from .backend.client import discovery, paths, refusals
from .backend.client import words as shared
from .backend.client.form import Choice, Form
from .backend.client.settings import Settings
from .backend.wire.errors import CANCELLED, INTERNAL, InpaintError
from .dialog import InpaintDialog
from .host import KritaHost, KritaPicture
from .marks_dialog import MarksDialog
from .picture import Picture
from .qt import QtCore
from .tasks import Done, Failed, Question, Stage, Task
from .windows import ProgressWindow, ask, say

_LOOK_EVERY = 40  # ms
_CLOSING = 2.0  # seconds that Krita's end waits for threads

_log = logging.getLogger(__name__)


class Errand:
    """A task on its way: its window, and what to do with its news."""

    def __init__(
        self,
        task: Task[Any],
        window: ProgressWindow,
        done: Callable[[Any], None],
        question: Optional[Callable[[Any], Any]] = None,
        picture: Optional[KritaPicture] = None,
    ) -> None:
        self.task = task
        self.window = window
        self.done = done
        self.question = question
        self.picture = picture


class Controller:
    """The plugin, while Krita runs."""

    def __init__(self, host: KritaHost) -> None:
        """Nothing is begun, read or written yet."""
        self._host = host
        self._errands: List[Errand] = []
        self._last: Optional[fill.Wish] = None
        self._dialog: Optional[InpaintDialog] = None
        self._marks: Optional[MarksDialog] = None
        self._clock = QtCore.QTimer()
        self._clock.setInterval(_LOOK_EVERY)
        self._clock.timeout.connect(self._look)

    # The menu

    def inpaint(self) -> None:
        """Fill with the settings used last."""
        self._fill(self._remembered)

    def repeat(self) -> None:
        """Fill again, with another seed."""

        def wish(picture: KritaPicture, offer: Form) -> fill.Wish:
            last = self._last or self._remembered(picture, offer)
            return fill.repeat(picture, last)

        self._fill(wish)

    def choose(self) -> None:
        """Show the dialog, then fill with what was chosen."""
        if self._dialog is not None and self._dialog.shown:
            self._dialog.raise_()
            return
        picture = self._picture()
        if picture is None:
            return

        def show(cards: jobs.Cards) -> None:
            if not picture.open:
                self._say(refusals.document_closed())
                return
            offer = self._form(cards)
            self._dialog = InpaintDialog(
                self._host.window(),
                offer,
                lambda model: choices.recall(self._host, picture, model, offer.values(model)),
                picture,
                lambda wish: self._chosen(picture, offer, wish),
                self._fetch,
            )

        self._begin(jobs.cards, "Asking the backend for its models", show)

    def sketch(self) -> None:
        """Put the lines of what is visible, in the selection or everywhere, on a new layer."""
        picture = self._picture(sketches.check)
        if picture is None:
            return
        orders: List[sketches.Order] = []

        def ask(_: Any) -> Any:
            orders.append(sketches.prepare(picture))
            return orders[0].request

        def put_in(result: Any) -> None:
            sketches.deliver(picture, orders[0], result)

        self._begin(jobs.sketch, "Looking for the backend", put_in, ask, picture)

    def select_marks(self) -> None:
        """Ask for a colour, then select the marks that were painted in it."""
        if self._marks is not None and self._marks.shown:
            self._marks.raise_()
            return
        picture = self._picture(lambda _: None)
        if picture is None:
            return

        def chosen(values: Dict[str, Any]) -> None:
            selecting.save(self._host, values)
            self._select(picture, {"what": "colour", **values})

        self._marks = MarksDialog(
            self._host.window(), selecting.recall(self._host), picture.foreground, chosen
        )

    def select_mosaics(self) -> None:
        """Select what is certain to be a mosaic."""
        picture = self._picture(lambda _: None)
        if picture is not None:
            self._select(picture, selecting.MOSAICS)

    def start_or_stop(self) -> None:
        """Start the backend, or end the one that runs."""
        if not self.running():
            self._begin(jobs.start, "Starting the backend", lambda told: self._tell(shared.status(told)))
        else:
            self._begin(jobs.stop, "Stopping the backend", lambda _: self._tell("The backend has ended."))

    def status(self) -> None:
        """Say what the backend is doing."""
        self._begin(jobs.status, "Asking the backend", lambda told: self._tell(shared.status(told)))

    def running(self) -> bool:
        """Whether a backend seems to run; a look at its file, no question to it."""
        try:
            return discovery.find(paths.connection_file()) is not None
        except InpaintError:
            return True  # somebody's file is there: stopping it says what is wrong with it

    def close(self) -> None:
        """Krita ends: stop everything, and let the threads end while there is still a Python for them."""
        self._clock.stop()
        errands, self._errands = self._errands, []
        for errand in errands:
            errand.task.cancel()
            errand.window.close()
        for errand in errands:
            errand.task.join(_CLOSING)

    def _fetch(self, choice: Choice) -> None:
        """Fetch a model, if the user agrees to its terms; the dialog then offers it."""

        def show(cards: jobs.Cards) -> None:
            if self._dialog is not None:
                self._dialog.update(self._form(cards))

        def agreed() -> None:
            self._begin(lambda task: jobs.fetch(task, choice.name), f"Fetching {choice.title}", show)

        ask(self._host.window(), words.fetch(choice), "Fetch", agreed)

    # How it works

    def _picture(self, check: Callable[[Picture], None] = fill.check) -> Optional[KritaPicture]:
        """What the user points at, if `check` lets it pass; else he is told why not."""
        try:
            picture = self._host.picture()
            check(picture)
            if any(errand.picture is not None and errand.picture.same(picture) for errand in self._errands):
                raise words.already(picture.name)
        except InpaintError as problem:
            self._say(problem)
            return None
        return picture

    def _fill(self, wish: Callable[[KritaPicture, Form], fill.Wish]) -> None:
        picture = self._picture()
        if picture is not None:
            self._fill_in(picture, wish)

    def _fill_in(self, picture: KritaPicture, wish: Callable[[KritaPicture, Form], fill.Wish]) -> None:
        known: Dict[str, Any] = {}

        def ask(cards: jobs.Cards) -> Any:
            offer = self._form(cards)
            wanted = wish(picture, offer)
            order = fill.prepare(picture, offer, wanted)
            self._last = wanted
            known.update(offer=offer, order=order)
            return order.request

        def put_in(result: Any) -> None:
            fill.deliver(picture, known["offer"], known["order"], result)

        self._begin(jobs.fill, "Looking for the backend", put_in, ask, picture)

    def _select(self, picture: KritaPicture, params: Dict[str, Any]) -> None:
        def done(found: Any) -> None:
            selecting.deliver(picture, found)
            said = shared.selected(found, params["what"])
            if found.doubts:
                self._tell(said)
            else:
                self._host.float_message(said)

        def ask(_: Any) -> Any:
            return selecting.prepare(picture, params)

        self._begin(jobs.select, "Looking for the backend", done, ask, picture)

    def _chosen(self, picture: KritaPicture, offer: Form, wish: fill.Wish) -> None:
        try:
            offer.remember(wish.model, wish.values)
            choices.save(self._host, picture, wish)
        except InpaintError as problem:
            self._say(problem)
            return
        except OSError as problem:
            say(self._host.window(), f"The settings cannot be remembered: {problem.strerror}.")
        self._fill_in(picture, lambda *_: wish)

    def _remembered(self, picture: KritaPicture, offer: Form) -> fill.Wish:
        model = offer.model
        return choices.recall(self._host, picture, model, offer.values(model))

    def _form(self, cards: jobs.Cards) -> Form:
        return Form(cards.models, cards.common, Settings())

    def _begin(
        self,
        work: Callable[[Task[Any]], Any],
        text: str,
        done: Callable[[Any], None],
        question: Optional[Callable[[Any], Any]] = None,
        picture: Optional[KritaPicture] = None,
    ) -> None:
        window = ProgressWindow(self._host.window(), text, lambda: self._cancel(errand))
        errand = Errand(Task(work), window, done, question, picture)
        self._errands.append(errand)
        self._clock.start()

    def _cancel(self, errand: Errand) -> None:
        errand.task.cancel()
        self._end(errand)

    def _end(self, errand: Errand) -> None:
        errand.window.close()
        if errand in self._errands:
            self._errands.remove(errand)
        if not self._errands:
            self._clock.stop()

    def _look(self) -> None:
        """Take the tasks' news, several times a second."""
        for errand in list(self._errands):
            if errand.picture is not None and not errand.picture.open:
                self._cancel(errand)
                self._host.float_message(refusals.document_closed().message)
                continue
            for news in errand.task.take():
                self._hear(errand, news)

    def _hear(self, errand: Errand, news: Any) -> None:
        try:
            if isinstance(news, Stage):
                errand.window.show(news.text, news.fraction)
            elif isinstance(news, Question) and errand.question is not None:
                errand.task.answer(errand.question(news.matter))
            elif isinstance(news, Failed):
                raise news.error
            elif isinstance(news, Done):
                self._end(errand)
                errand.done(news.value)
        except InpaintError as problem:
            self._cancel(errand)
            self._say(problem)
        except Exception:
            _log.exception("AI Inpaint")
            self._cancel(errand)
            self._say(
                InpaintError(
                    INTERNAL,
                    "AI Inpaint met a defect of its own.",
                    "Save your work and try again; Krita's standard error output says what happened.",
                )
            )

    def _say(self, problem: InpaintError) -> None:
        if problem.code == CANCELLED:  # by closing the picture, perhaps: no box for what the user did himself
            self._host.float_message(problem.message)
        else:
            say(self._host.window(), words.sentence(problem))

    def _tell(self, text: str) -> None:
        say(self._host.window(), text, warning=False)
