"""The transport without pyzmq: a DEALER that speaks ZMTP 3.1 over a plain socket.

For editors whose Python cannot load pyzmq. It knows the mechanisms NULL and PLAIN.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections import deque
from typing import Deque, List, Optional, Sequence

from ..wire.errors import BAD_MESSAGE, OUT_OF_MEMORY, TRANSPORT, InpaintError
from ..wire.messages import MAX_FRAME_BYTES, Bytes
from .discovery import Connection
from .transport import (
    MAX_FRAMES,
    STALL,
    Transport,
    closed,
    gone,
    no_handshake,
    refused,
    stalled,
    stranger,
    unauthorised,
)
from .zmtp_frames import (
    COMMAND,
    GREETING,
    MORE,
    Frame,
    FrameReader,
    Malformed,
    check_greeting,
    command,
    frame_header,
    greeting,
    hello,
    metadata,
    parse_command,
    parse_metadata,
)

_IO_VECTORS = 64  # buffers for one sendmsg; every system takes as many
_HANDSHAKE_BYTES = 65536  # no frame before its end is larger
_OURSELVES = {"Socket-Type": b"DEALER", "Identity": b""}
_PEERS = (b"ROUTER", b"DEALER", b"REP")  # that a DEALER may talk to


class ZmtpTransport(Transport):
    """A non-blocking socket; reading goes on while writing, so that two busy sides never wait in a ring."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        """Connect and shake hands.

        Raises:
            InpaintError: see `open_transport`.
        """
        if connection.mechanism not in ("NULL", "PLAIN"):
            raise InpaintError(
                TRANSPORT,
                f"The security mechanism {connection.mechanism} needs pyzmq, which is not here.",
                "Run install.py again, or reach the backend through an SSH tunnel.",
            )
        self._connection = connection
        self._problem: Optional[InpaintError] = None
        self._outgoing: Deque[memoryview] = deque()
        self._parts: List[Bytes] = []  # of the message in the making
        self._messages: Deque[List[Bytes]] = deque()
        self._reader = FrameReader(_HANDSHAKE_BYTES)
        self._greeted = self._ready = False
        deadline = time.monotonic() + timeout
        self._socket = self._connect(timeout)
        self._selector = selectors.DefaultSelector()
        try:
            self._selector.register(self._socket, selectors.EVENT_READ)
            self._queue(greeting(connection.mechanism))
            while not self._ready:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise no_handshake(connection)
                self._pump(left)
                if self._problem:
                    raise self._problem
        except BaseException:
            self.close()
            raise

    def _connect(self, timeout: float) -> socket.socket:
        try:
            peer = socket.create_connection(self._connection.address, timeout=timeout)
        except socket.timeout:  # before Python 3.10 it is not a TimeoutError
            raise no_handshake(self._connection) from None
        except OSError as problem:
            raise refused(self._connection) from problem
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return peer

    def send(self, frames: Sequence[Bytes]) -> None:
        if self._problem:
            raise self._problem
        for index, frame in enumerate(frames):
            data = memoryview(frame).cast("B")
            self._queue(frame_header(data.nbytes, more=index + 1 < len(frames)))
            if data.nbytes:
                self._outgoing.append(data)
        moved = time.monotonic()
        while self._outgoing:
            if self._pump(1.0):
                moved = time.monotonic()
            elif time.monotonic() - moved > STALL:
                self._fail(stalled())
            if self._problem:
                raise self._problem

    def receive(self, timeout: float) -> Optional[List[Bytes]]:
        deadline = time.monotonic() + timeout
        left = timeout
        while not self._messages:
            if self._problem:
                raise self._problem
            # Bytes that are already there are taken even when the time is over: a caller that only looks
            # from time to time must get a large message nevertheless.
            if not self._pump(max(left, 0.0)) and left <= 0:
                return None
            left = deadline - time.monotonic()
        return self._messages.popleft()

    @property
    def sending(self) -> bool:
        return False  # `send` returns when the system has taken every byte

    def close(self) -> None:
        self._messages.clear()
        self._fail(closed())

    # Bytes

    def _pump(self, timeout: float) -> bool:
        """Wait until the socket can do something, and do it; False if it could not until the time-out.

        Whatever goes wrong becomes `_problem`.
        """
        writing = selectors.EVENT_WRITE if self._outgoing else 0
        self._selector.modify(self._socket, selectors.EVENT_READ | writing)
        ready = self._selector.select(timeout)
        try:
            for _, events in ready:
                if events & selectors.EVENT_READ:
                    self._read()
                if events & selectors.EVENT_WRITE:
                    self._write()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._fail(self._lost())
        except Malformed:
            self._fail(self._misunderstood())
        except MemoryError:
            self._fail(
                InpaintError(
                    OUT_OF_MEMORY,
                    "There is not enough memory for the backend's answer.",
                    "Close other documents, or select a smaller area.",
                )
            )
        return bool(ready)

    def _read(self) -> None:
        count = self._socket.recv_into(self._reader.space())
        if not count:
            raise ConnectionResetError
        for frame in self._reader.filled(count):
            self._take(frame)

    def _write(self) -> None:
        if not self._outgoing:
            return
        if hasattr(self._socket, "sendmsg"):
            count = min(len(self._outgoing), _IO_VECTORS)
            sent = self._socket.sendmsg([self._outgoing[index] for index in range(count)])
        else:  # Windows
            sent = self._socket.send(self._outgoing[0])
        while self._outgoing and sent >= self._outgoing[0].nbytes:
            sent -= self._outgoing.popleft().nbytes
        if sent:
            self._outgoing[0] = self._outgoing[0][sent:]

    def _queue(self, data: bytes) -> None:
        self._outgoing.append(memoryview(data))

    # Frames

    def _take(self, frame: Frame) -> None:
        if frame.flags == GREETING:
            check_greeting(frame.body, self._connection.mechanism)
            self._greeted = True
            if self._connection.mechanism == "NULL":
                self._queue(command(b"READY", metadata(_OURSELVES)))
            else:
                self._queue(hello(self._connection.username, self._connection.secret))
        elif frame.flags & COMMAND:
            self._obey(*parse_command(frame.body))
        elif not self._ready:
            raise Malformed("a message before the handshake")
        else:
            self._parts.append(frame.body)
            if len(self._parts) > MAX_FRAMES:
                raise Malformed("a message of too many frames")
            if not frame.flags & MORE:
                self._messages.append(self._parts)
                self._parts = []

    def _obey(self, name: bytes, data: bytes) -> None:
        if self._ready:
            if name == b"PING":
                # Two bytes say how long the peer waits; what follows has to come back.
                self._queue(command(b"PONG", data[2:]))
            return  # commands of later versions mean nothing to a DEALER
        if name == b"ERROR":
            self._fail(unauthorised(self._connection))
        elif name == b"WELCOME" and self._connection.mechanism == "PLAIN":
            self._queue(command(b"INITIATE", metadata(_OURSELVES)))
        elif name == b"READY" and parse_metadata(data).get("socket-type") in _PEERS:
            self._ready = True
            self._reader.limit = MAX_FRAME_BYTES
        else:
            raise Malformed("an unexpected command")

    # The end

    def _fail(self, problem: InpaintError) -> None:
        if self._problem is None:
            self._problem = problem
            self._outgoing.clear()
            self._parts.clear()
            self._selector.close()
            with contextlib.suppress(OSError):
                self._socket.close()

    def _lost(self) -> InpaintError:
        return gone(self._connection) if self._greeted else stranger(self._connection)

    def _misunderstood(self) -> InpaintError:
        if not self._ready:
            return stranger(self._connection)
        return InpaintError(
            BAD_MESSAGE,
            "What the backend sends is not understood.",
            "Install plugin and backend again, from the same version.",
        )
