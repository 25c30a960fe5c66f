"""The server's end of the clients' connections: nothing here ever waits for one of them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator

import zmq

from ..wire import codec
from ..wire.messages import Message

log = logging.getLogger(__name__)

MAX_BACKLOG = 100  # answers kept for a client that does not read
_AT_ONCE = 100  # messages received before others have a turn


class Clients:
    """A guarded ROUTER, and what could not be sent yet.

    Args:
        socket: with `ROUTER_MANDATORY`, so that a client that has gone is noticed.
        gone: called with the routing id of a client to which nothing can be sent any more.
    """

    def __init__(self, socket: zmq.Socket, gone: Callable[[bytes], None]) -> None:
        self.socket = socket
        self._gone = gone
        self._backlog: dict[bytes, deque[Message]] = {}

    @property
    def behind(self) -> bool:
        """Whether answers wait for a client that reads too slowly."""
        return bool(self._backlog)

    def receive(self) -> Iterator[tuple[bytes, list[memoryview]]]:
        """What has come in: routing id and frames, not copied."""
        for _ in range(_AT_ONCE):
            if not self.socket.poll(0):
                break
            client, *frames = self.socket.recv_multipart(copy=False)
            yield client.bytes, [frame.buffer for frame in frames]

    def send(self, client: bytes, message: Message) -> None:
        """Send, or keep for a client that reads too slowly; its stale progress is not kept."""
        backlog = self._backlog.get(client, deque())
        if not backlog and self._sent(client, message):
            return
        if message.type != "progress" and len(backlog) < MAX_BACKLOG:
            backlog.append(message)
            self._backlog[client] = backlog

    def catch_up(self) -> None:
        """Send of what was kept as much as there is room for by now."""
        for client, backlog in list(self._backlog.items()):
            while backlog:
                message = backlog.popleft()
                if not self._sent(client, message):
                    backlog.appendleft(message)
                    break
            else:
                self._backlog.pop(client, None)

    def _sent(self, client: bytes, message: Message) -> bool:
        """False if there is no room; true also if nobody is there to have it."""
        try:
            self.socket.send_multipart([client, *codec.encode(message)], zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return False
        except zmq.ZMQError as problem:
            log.info("a client has gone (%s)", problem.strerror)
            self._backlog.pop(client, deque()).clear()
            self._gone(client)
        return True
