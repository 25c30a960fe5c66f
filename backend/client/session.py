"""A conversation with the backend: find or start it, ask, watch, take the result."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Tuple, Type, TypeVar, Union

from ..wire import codec
from ..wire.errors import CANCELLED, NOT_RUNNING, TIMEOUT, UNKNOWN_TYPE, VERSION, InpaintError
from ..wire.messages import PROTOCOL, Message, new_id
from . import discovery, launcher, paths
from .discovery import Connection
from .jobs import (
    Event,
    Failure,
    Fetched,
    InpaintRequest,
    Progress,
    Request,
    Result,
    Selected,
    SelectRequest,
    SketchRequest,
    event,
    nonsense,
)
from .transport import Transport, gone, open_transport

__all__ = [
    "Event",
    "Failure",
    "Fetched",
    "InpaintRequest",
    "Progress",
    "Result",
    "SelectRequest",
    "Selected",
    "Session",
    "SketchRequest",
]

CONNECTION_VARIABLE = "AI_INPAINT_CONNECTION"
"""Environment variable that names the connection file of a backend that is not to be started from here."""

_ANSWER = 10.0  # seconds for what the server answers by itself
_MODELS = 90.0  # the first worker has to be up to know the models
_GIVE_UP = 30.0  # seconds of silence after which a job is lost though the backend seems to run
_GIVE_UP_REMOTE = 180.0  # a large picture on a slow line keeps signs of life waiting
_CANCELLING = 5.0  # seconds for a cancelled job to say so


Answer = TypeVar("Answer", Result, Selected)


class Session:
    """Talks to one backend; used from one thread at a time.

    A session ends with its backend: every open job then gets a `Failure`, and later calls raise. Connect
    again to find or start the next one.

    Attributes:
        backend: what the server said of itself: software, pid, host.
        silence: seconds without a sign of life after which the backend's process is looked for.
    """

    def __init__(self, connection: Connection, transport: Transport, silence: float = 10.0) -> None:
        """Made by `connect` and `open`."""
        self.silence = silence
        self.backend: Dict[str, Any] = {}
        self._connection = connection
        self._transport = transport
        self._heard: Dict[str, float] = {}  # open job to when it last gave a sign of life
        self._events: Deque[Event] = deque()
        self._problem: Optional[InpaintError] = None
        self._looked = time.monotonic()

    @classmethod
    def connect(
        cls,
        state_dir: Union[str, Path, None] = None,
        launch: bool = True,
        progress: Optional[Callable[[str], None]] = None,
        timeout: float = 60.0,
        software: str = "",
        prefer: Optional[str] = None,
    ) -> Session:
        """Find the backend that runs, or start one, and say hello.

        Args:
            state_dir: where its connection file is; None is the usual place. The variable
                AI_INPAINT_CONNECTION names another file, whose backend is never started from here.
            launch: start a backend if none runs.
            progress: called with a sentence while a backend starts.
            timeout: seconds for a start.
            software: who is asking, for the backend's log.
            prefer: transport, see `open_transport`.

        Raises:
            InpaintError: `not-running`, `not-installed`, `launch-failed`, `unauthorised`, `version`,
                `transport` or `timeout`.
        """
        named = os.environ.get(CONNECTION_VARIABLE)
        if named and state_dir is None:
            if not os.path.exists(named):
                raise InpaintError(
                    NOT_RUNNING,
                    f"There is no connection file {named}, which {CONNECTION_VARIABLE} names.",
                    "Copy it from the computer on which the backend runs.",
                )
            return cls.open(discovery.read(Path(named)), software, prefer)
        folder = Path(os.path.abspath(state_dir)) if state_dir is not None else paths.state_dir()
        launcher.collect()

        def look() -> Optional[Session]:
            connection = discovery.find(paths.connection_file(folder))
            if connection is None:
                return None
            try:
                return cls.open(connection, software, prefer)
            except InpaintError as problem:
                if problem.code == NOT_RUNNING:
                    return None
                raise

        found = look()
        if found is not None:
            return found
        if not launch:
            raise InpaintError(NOT_RUNNING, "The backend is not running.", "Start it with: ai-inpaint serve.")
        return launcher.launch(look, folder, progress, timeout)

    @classmethod
    def open(cls, connection: Connection, software: str = "", prefer: Optional[str] = None) -> Session:
        """Talk to the backend of a connection file.

        Raises:
            InpaintError: as `connect`, without those of a start.
        """
        if connection.protocol[0] != PROTOCOL[0]:
            raise _version(connection.protocol[0], connection)
        session = cls(connection, open_transport(connection, prefer))
        try:
            reply = session._ask("hello", {"software": software})
        except BaseException:
            session.close()
            raise
        session.backend = reply.fields
        return session

    # What can be asked

    def models(self) -> Tuple[List[Dict[str, Any]], List[Dict[str, Any]]]:
        """The models' cards, and the specs of the settings that all models share."""
        reply = self._ask("models", {}, _MODELS)
        cards, common = reply.fields.get("models"), reply.fields.get("common")
        if not isinstance(cards, list) or not isinstance(common, list):
            raise nonsense(reply)
        return cards, common

    def status(self) -> Dict[str, Any]:
        """What the backend is doing: the fields of a `status` message."""
        return self._ask("status", {}).fields

    def shutdown(self) -> None:
        """Ask the backend to end; its other clients' jobs end with it."""
        self._ask("shutdown", {})

    def submit(self, request: Request) -> str:
        """Begin a job; `poll` tells how it goes on. Leave the buffers unchanged until it has ended.

        Returns:
            The job's id.
        """
        job = new_id()
        self._send(request.message(job))
        self._heard[job] = time.monotonic()
        return job

    def fetch(self, model: str) -> str:
        """Begin to fetch a model's weights, if its card has a `download`; `poll` tells how it goes on.

        It ends with `Fetched` or a `Failure`. A licence that does not allow commercial use (see the
        card) is to be shown to the user before this is called.

        Args:
            model: name from the cards.

        Returns:
            The job's id.
        """
        job = new_id()
        self._send(Message("fetch", job, {"model": model}))
        self._heard[job] = time.monotonic()
        return job

    def cancel(self, job: str) -> None:
        """Ask for a job's end; it comes as a `Failure` with code `cancelled`, or a result that was faster."""
        if job in self._heard:
            self._send(Message("cancel", new_id(), {"job": job}))

    def poll(self, timeout: float = 0.0) -> Optional[Event]:
        """The next event of any job, or None if there was none for `timeout` seconds.

        Raises:
            InpaintError: the backend is gone, and every job has been told.
        """
        deadline = time.monotonic() + timeout
        while not self._events:
            if self._problem is not None:
                raise self._problem
            left = deadline - time.monotonic()
            self._forgive()
            try:
                message = self._receive(min(max(left, 0.0), 1.0))
                if message is None:
                    self._check_silence()
            except InpaintError as problem:
                self._end(problem)
                continue
            if message is not None:
                self._sort(message)
            elif left <= 0 and not self._events:
                return None
        return self._events.popleft()

    def inpaint(
        self,
        request: InpaintRequest,
        on_progress: Optional[Callable[[Progress], None]] = None,
        cancelled: Optional[Callable[[], bool]] = None,
    ) -> Result:
        """Fill and wait.

        Args:
            request: what to fill.
            on_progress: called with each `Progress`.
            cancelled: asked ten times a second; True stops the job.

        Raises:
            InpaintError: whatever went wrong; `cancelled` after a cancel.
        """
        return self._wait(request, Result, on_progress, cancelled)

    def sketch(
        self,
        request: SketchRequest,
        on_progress: Optional[Callable[[Progress], None]] = None,
        cancelled: Optional[Callable[[], bool]] = None,
    ) -> Result:
        """Draw the lines of a picture and wait; as `inpaint`."""
        with _newer("draws no sketches yet"):
            return self._wait(request, Result, on_progress, cancelled)

    def select(
        self,
        request: SelectRequest,
        on_progress: Optional[Callable[[Progress], None]] = None,
        cancelled: Optional[Callable[[], bool]] = None,
    ) -> Selected:
        """Find what is to be filled and wait; as `inpaint`."""
        with _newer("finds no marks and mosaics for an editor yet"):
            return self._wait(request, Selected, on_progress, cancelled)

    def close(self) -> None:
        """End the conversation; the backend stops the jobs of a client that is gone."""
        self._transport.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # How it works

    def _wait(
        self,
        request: Request,
        wanted: Type[Answer],
        on_progress: Optional[Callable[[Progress], None]],
        cancelled: Optional[Callable[[], bool]],
    ) -> Answer:
        job = self.submit(request)
        others: List[Event] = []
        stop_by: Optional[float] = None
        try:
            while True:
                news = self.poll(0.1)
                if news is not None and news.job != job:
                    others.append(news)
                elif isinstance(news, wanted):
                    return news
                elif isinstance(news, Failure):
                    raise news.error
                elif isinstance(news, Progress):
                    if on_progress is not None:
                        on_progress(news)
                elif news is not None:
                    raise nonsense(Message(type(news).__name__.lower(), job))
                if stop_by is None and cancelled is not None and cancelled():
                    self.cancel(job)
                    stop_by = time.monotonic() + _CANCELLING
                if stop_by is not None and time.monotonic() > stop_by:
                    raise InpaintError(CANCELLED, "The fill was cancelled.")
        except BaseException:
            with contextlib.suppress(InpaintError):
                self.cancel(job)
            self._heard.pop(job, None)
            raise
        finally:
            self._events.extendleft(reversed(others))

    def _send(self, message: Message) -> None:
        if self._problem is not None:
            raise self._problem
        frames = codec.encode(message)
        try:
            self._transport.send(frames)
        except InpaintError as problem:
            self._end(problem)
            raise

    def _receive(self, timeout: float) -> Optional[Message]:
        """The next message of the protocol; None after the time-out, or for one that cannot be read."""
        frames = self._transport.receive(timeout)
        if frames is None:
            return None
        try:
            return codec.decode(frames)
        except InpaintError as problem:
            # What cannot be read is told to whoever asked; without an id, it was said to nobody.
            told = _version(None, self._connection) if problem.code == VERSION else problem
            return Message("error", getattr(problem, "id", ""), told.as_fields())

    def _ask(self, kind: str, fields: Dict[str, Any], timeout: float = _ANSWER) -> Message:
        """Send a request and wait for its reply; what comes for jobs meanwhile waits for `poll`."""
        request = Message(kind, new_id(), fields)
        self._send(request)
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            try:
                message = self._receive(max(left, 0.0))
            except InpaintError as problem:
                self._end(problem)
                raise
            if message is None and left <= 0:
                raise InpaintError(
                    TIMEOUT,
                    f"The backend did not answer within {timeout:.0f} seconds.",
                    "Try again; if that does not help, end the backend and start it again.",
                )
            if message is not None and message.id != request.id:
                self._sort(message)
            elif message is not None and message.type == "error":
                raise InpaintError.from_fields(message.fields)
            elif message is not None:
                if message.type not in (kind, "ok"):
                    raise nonsense(message)
                return message

    def _sort(self, message: Message) -> None:
        """Make an event of a reply to a job; a reply to nobody is dropped."""
        if message.id not in self._heard:
            return
        news = event(message)
        if isinstance(news, Progress):
            self._heard[message.id] = time.monotonic()
        else:
            del self._heard[message.id]
        self._events.append(news)

    def _forgive(self) -> None:
        """Time in which nobody looked, or in which a picture is still on its way, is no silence."""
        now = time.monotonic()
        unseen = now - self._looked
        self._looked = now
        if self._transport.sending:
            self._heard = dict.fromkeys(self._heard, now)
        elif unseen > 2.0:  # an editor that was busy, a computer that slept
            self._heard = {job: min(heard + unseen, now) for job, heard in self._heard.items()}

    def _check_silence(self) -> None:
        now = time.monotonic()
        if any(now - heard > self.silence for heard in self._heard.values()) and self._connection.stale:
            raise gone(self._connection)
        limit = max(_GIVE_UP if self._connection.local else _GIVE_UP_REMOTE, self.silence)
        for job in [job for job, heard in self._heard.items() if now - heard > limit]:
            problem = InpaintError(
                TIMEOUT,
                f"The backend has said nothing about this job for {limit:.0f} seconds.",
                "Try again; if that does not help, end the backend and start it again.",
            )
            self.cancel(job)
            del self._heard[job]
            self._events.append(Failure(job, problem))

    def _end(self, problem: InpaintError) -> None:
        """The backend is gone: every job that is open has failed, and so does whatever is asked from now."""
        self._problem = problem
        self._events.extend(Failure(job, problem) for job in self._heard)
        self._heard.clear()
        self._transport.close()


@contextlib.contextmanager
def _newer(lacks: str) -> Iterator[None]:
    """What a backend of an older minor version does not know becomes a sentence that says so."""
    try:
        yield
    except InpaintError as problem:
        if problem.code != UNKNOWN_TYPE:
            raise
        raise InpaintError(
            VERSION,
            f"The backend is older than this plugin, and {lacks}.",
            "End it, and run install.py of the newer version where it is installed.",
        ) from problem


def _version(theirs: Optional[int], connection: Connection) -> InpaintError:
    ours = PROTOCOL[0]
    if theirs is None or theirs == ours:
        hint = "Install both from the same version: run install.py again."
    elif theirs < ours:
        hint = "Update the backend: end it, and run install.py of the newer version where it is installed."
    else:
        hint = "Update the plugin: run install.py of the backend's version, then restart the editor."
    named = f" ({connection.software})" if connection.software else ""
    return InpaintError(
        VERSION,
        f"The backend{named} and this plugin speak different versions of the protocol"
        + (f": {theirs} and {ours}." if theirs is not None else "."),
        hint,
    )
