"""Fetching weights while everything else goes on.

Each fetch is a small process of its own (see `backend.store`): the server imports neither the models nor
what downloads, a name server that does not answer holds nobody up, and a fetch that is not wanted any more
is ended at once, wherever it waits. Who asks for what is being fetched already joins in.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from ..wire.errors import BAD_MESSAGE, BUSY, CANCELLED, DOWNLOAD_FAILED, InpaintError
from ..wire.messages import Message, error
from .worker_process import DETACHED

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "backend.store")
MAX_FETCHES = 4
_MAX_WAITING = 64  # clients for one fetch


@dataclass(eq=False)
class _Waiting:
    """Somebody who wants to know."""

    client: bytes
    id: str
    told: float = 0.0


@dataclass(eq=False)
class _Fetch:
    model: str
    process: subprocess.Popen[bytes]
    waiting: list[_Waiting]
    stage: str = "downloading"
    fraction: float = 0.0
    moved: float = field(default_factory=time.monotonic)
    began: float = field(default_factory=time.monotonic)
    answer: dict[str, Any] | None = None
    lines: SimpleQueue[bytes | None] = field(default_factory=SimpleQueue)


class Fetches:
    """All fetches that go on.

    Args:
        command: program and arguments of a process that fetches.
        tell_every: seconds between progress messages when nothing moves.
    """

    def __init__(self, command: Sequence[str], tell_every: float) -> None:
        self._command, self._tell_every = command, tell_every
        self._fetches: dict[str, _Fetch] = {}
        self._dying: list[subprocess.Popen[bytes]] = []

    def __len__(self) -> int:
        return len(self._fetches)

    def as_dicts(self) -> list[dict[str, Any]]:
        """The fetches in a `status` message."""
        now = time.monotonic()
        return [
            {
                "model": fetch.model,
                "stage": fetch.stage,
                "fraction": fetch.fraction,
                "seconds": round(now - fetch.began, 1),
            }
            for fetch in self._fetches.values()
        ]

    def add(self, client: bytes, id: str, model: str) -> None:
        """Fetch a model's weights for a client.

        Raises:
            InpaintError: `bad-message` if the client fetches something under that id already, `busy` if
                too much is fetched, `download-failed` if no process can be started.
        """
        if self._find(client, id) is not None:
            raise InpaintError(BAD_MESSAGE, f"There is already a job with the id {id!r}.")
        fetch = self._fetches.get(model)
        if fetch is None:
            if len(self) >= MAX_FETCHES:
                raise InpaintError(
                    BUSY, f"{len(self)} models are fetched already.", "Ask again when one of them is there."
                )
            fetch = self._fetches[model] = self._start(model)
        elif len(fetch.waiting) >= _MAX_WAITING:
            raise InpaintError(BUSY, "Too many wait for this model already.", "Ask again later.")
        fetch.waiting.append(_Waiting(client, id))

    def cancel(self, client: bytes, id: str) -> Message | None:
        """The answer that ends a client's fetch; None if it has none of that id.

        The download itself ends when nobody else waits for it.
        """
        found = self._find(client, id)
        if found is None:
            return None
        fetch, waiting = found
        self._leave(fetch, waiting)
        return error(id, InpaintError(CANCELLED, "The download was cancelled; what has arrived is kept."))

    def forget(self, client: bytes) -> None:
        """End what only a client that has gone waited for."""
        for fetch in list(self._fetches.values()):
            for waiting in [one for one in fetch.waiting if one.client == client]:
                self._leave(fetch, waiting)

    def news(self, now: float) -> Iterator[tuple[bytes, Message]]:
        """What to tell to whom. A fetch that has ended is left out from then on."""
        self._dying = [process for process in self._dying if process.poll() is None]
        for fetch in list(self._fetches.values()):
            ended = _listen(fetch, now)
            if ended:
                self._end(fetch)
                log.info("fetch of %s: %s", fetch.model, fetch.answer or "no answer")
            for waiting in list(fetch.waiting):
                if ended:
                    yield waiting.client, _last(fetch, waiting.id)
                elif fetch.moved > waiting.told or now - waiting.told >= self._tell_every:
                    waiting.told = now
                    fields = {"stage": fetch.stage, "fraction": fetch.fraction}
                    yield waiting.client, Message("progress", waiting.id, fields)

    def close(self, problem: InpaintError) -> Iterator[tuple[bytes, Message]]:
        """End everything; what to tell to whom."""
        for fetch in list(self._fetches.values()):
            self._end(fetch)
            for waiting in fetch.waiting:
                yield waiting.client, error(waiting.id, problem)
        for process in self._dying:
            process.wait()

    def _find(self, client: bytes, id: str) -> tuple[_Fetch, _Waiting] | None:
        for fetch in self._fetches.values():
            for waiting in fetch.waiting:
                if (waiting.client, waiting.id) == (client, id):
                    return fetch, waiting
        return None

    def _start(self, model: str) -> _Fetch:
        try:
            process = subprocess.Popen(
                list(self._command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=Path(__file__).parents[2],
                **DETACHED,
            )
        except OSError as problem:
            raise InpaintError(
                DOWNLOAD_FAILED, f"The download cannot be started: {problem.strerror}.", "Try again later."
            ) from problem
        fetch = _Fetch(model, process, [])
        assert process.stdin is not None
        with suppress(OSError):  # if it is dead already, that is told in a moment
            process.stdin.write(json.dumps({"model": model}).encode() + b"\n")
            process.stdin.flush()
        threading.Thread(target=_read, args=(fetch,), daemon=True).start()
        log.info("fetching %s, process %d", model, process.pid)
        return fetch

    def _leave(self, fetch: _Fetch, waiting: _Waiting) -> None:
        fetch.waiting.remove(waiting)
        if not fetch.waiting:
            self._end(fetch)
            log.info("fetch of %s: nobody wants it any more", fetch.model)

    def _end(self, fetch: _Fetch) -> None:
        del self._fetches[fetch.model]
        if fetch.process.stdin is not None:
            with suppress(OSError):
                fetch.process.stdin.close()
        fetch.process.kill()  # what has arrived is in its file, and nothing else of it matters
        self._dying.append(fetch.process)


def _read(fetch: _Fetch) -> None:
    assert fetch.process.stdout is not None
    with fetch.process.stdout as lines:
        for line in lines:
            fetch.lines.put(line)
    fetch.lines.put(None)


def _listen(fetch: _Fetch, now: float) -> bool:
    """Note what the process has said; true if it has ended."""
    while True:
        try:
            line = fetch.lines.get_nowait()
        except Empty:
            return False
        if line is None:
            return True
        try:
            said = json.loads(line)
            if "fraction" in said:
                fetch.stage, fetch.fraction = str(said["stage"]), float(said["fraction"])
                fetch.moved = now
            else:
                fetch.answer = said
        except (ValueError, TypeError, LookupError):
            log.warning("fetch of %s: %.300s", fetch.model, line.decode("utf-8", "replace").rstrip())


def _last(fetch: _Fetch, id: str) -> Message:
    if fetch.answer is not None and "done" in fetch.answer:
        return Message("fetched", id, {"model": str(fetch.answer["done"])})
    if fetch.answer is not None and isinstance(fetch.answer.get("error"), dict):
        return error(id, InpaintError.from_fields(fetch.answer["error"]))
    return error(
        id,
        InpaintError(
            DOWNLOAD_FAILED,
            "The program that fetches the model ended unexpectedly.",
            "Try again; the backend's log says more.",
        ),
    )
