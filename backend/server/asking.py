"""Messages that wait until a worker has told which models there are: weights come and go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..wire.errors import BUSY, InpaintError
from ..wire.messages import Message
from .supervisor import Pool

MAX_ASKING = 1000
LOOK_WITHIN = 2.0  # seconds that a worker has to look; then the cards known before are taken


@dataclass(eq=False)
class _Waiting:
    client: bytes
    message: Message
    look: int
    since: float


class Asking:
    """Asks the workers to look, and keeps the messages meanwhile."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: list[_Waiting] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, client: bytes, message: Message) -> None:
        """Keep a message until a worker has looked.

        Raises:
            InpaintError: `busy`, there are too many.
        """
        if len(self) >= MAX_ASKING:
            raise InpaintError(BUSY, "Too many clients wait for the backend.", "Ask again later.")
        self._waiting.append(_Waiting(client, message, self._pool.look(), time.monotonic()))

    def ready(self, now: float) -> Iterator[tuple[bytes, Message]]:
        """The messages that need not wait any longer; from now on they are forgotten here."""
        if self._pool.cards is None:
            return
        for one in list(self._waiting):
            if self._pool.looked >= one.look or now - one.since > LOOK_WITHIN:
                self._waiting.remove(one)
                yield one.client, one.message

    def take(self, client: bytes, id: str, type: str) -> bool:
        """Forget a client's message; true if there was one."""
        found = [one for one in self._waiting if (one.client, one.message.id) == (client, id)]
        found = [one for one in found if one.message.type == type]
        self._waiting = [one for one in self._waiting if one not in found]
        return bool(found)

    def forget(self, client: bytes) -> None:
        """Forget what a client that has gone has asked."""
        self._waiting = [one for one in self._waiting if one.client != client]

    def clear(self) -> Iterator[tuple[bytes, Message]]:
        """All messages; none waits any longer."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            yield one.client, one.message
