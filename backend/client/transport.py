"""Frames to the backend and back, whichever library carries them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import List, Optional, Sequence

from ..wire.errors import INTERNAL, NOT_RUNNING, TIMEOUT, TRANSPORT, UNAUTHORISED, InpaintError
from ..wire.messages import MAX_BUFFERS, Bytes
from .discovery import Connection, is_loopback

MAX_FRAMES = 1 + MAX_BUFFERS
"""A message is a header and its buffers."""

STALL = 60.0
"""Seconds after which a peer that takes no more bytes counts as gone."""


class Transport(ABC):
    """A connection to one backend whose handshake has succeeded.

    It is used from one thread at a time and ends with the backend: once a call has raised `InpaintError`,
    every further one raises the same. It never connects again by itself.
    """

    @abstractmethod
    def send(self, frames: Sequence[Bytes]) -> None:
        """Send one message. Large frames are not copied: leave them unchanged until the answer is there.

        Raises:
            InpaintError: the backend is gone, or takes nothing any more.
        """

    @abstractmethod
    def receive(self, timeout: float) -> Optional[List[Bytes]]:
        """The next message, or None if there was none for `timeout` seconds (0 only looks).

        A message of which a part has arrived stays in the making until the next call.

        Raises:
            InpaintError: the backend is gone; the messages that it sent before have been handed out.
        """

    @property
    @abstractmethod
    def sending(self) -> bool:
        """True while bytes of earlier messages are still on their way."""

    @abstractmethod
    def close(self) -> None:
        """Give everything back; may be called twice."""


def open_transport(connection: Connection, prefer: Optional[str] = None, timeout: float = 10.0) -> Transport:
    """Connect, authenticate, and return a transport that is ready.

    Args:
        connection: of the backend.
        prefer: "zmq" (pyzmq) or "zmtp" (standard library); None takes pyzmq where it can be loaded.
        timeout: seconds for the whole handshake.

    Raises:
        InpaintError: `not-running`, `unauthorised`, `timeout`, or `transport` if the connection asks for
            something that no transport here can do.
    """
    host, _ = connection.address
    if connection.mechanism != "CURVE" and not is_loopback(host):
        raise InpaintError(
            TRANSPORT,
            f"The connection to {host} would not be encrypted, so it is refused.",
            "Start the backend there with CURVE, or reach it through an SSH tunnel.",
        )
    if prefer != "zmtp":
        from .transport_zmq import ZmqTransport

        try:
            return ZmqTransport(connection, timeout)
        except ImportError as problem:
            if prefer == "zmq" or connection.mechanism == "CURVE":
                raise InpaintError(
                    TRANSPORT,
                    f"This connection needs pyzmq, which cannot be loaded here ({problem}).",
                    "Run install.py again, or reach the backend through an SSH tunnel.",
                ) from problem
    from .zmtp import ZmtpTransport

    return ZmtpTransport(connection, timeout)


def refused(connection: Connection) -> InpaintError:
    """Nobody listens where the backend should be."""
    return InpaintError(
        NOT_RUNNING,
        f"No backend answers at {connection.endpoint}.",
        "Start it with: ai-inpaint serve." if connection.local else "Start it on that machine.",
    )


def stranger(connection: Connection) -> InpaintError:
    """Somebody else listens where the backend should be."""
    return InpaintError(
        NOT_RUNNING,
        f"Something other than the backend answers at {connection.endpoint}.",
        "Start the backend again; it then takes another address.",
    )


def unauthorised(connection: Connection) -> InpaintError:
    """The backend knows another secret or key."""
    return InpaintError(
        UNAUTHORISED,
        f"The backend at {connection.endpoint} does not accept this connection file's secret.",
        "Start the backend again."
        if connection.local
        else "Copy the connection file of that machine once more.",
    )


def no_handshake(connection: Connection) -> InpaintError:
    """Somebody listens and does not answer."""
    return InpaintError(
        TIMEOUT,
        f"The backend at {connection.endpoint} does not answer.",
        "Try again; if that does not help, end the backend and start it again.",
    )


def gone(connection: Connection) -> InpaintError:
    """The backend ended, or the network between."""
    return InpaintError(
        NOT_RUNNING,
        "The backend has ended." if connection.local else f"The connection to {connection.endpoint} is lost.",
        "Try again: it is then started anew, and its log says why it ended."
        if connection.local
        else "Try again when the backend there can be reached.",
    )


def stalled() -> InpaintError:
    """The backend takes no more bytes."""
    return InpaintError(TIMEOUT, "The backend has stopped taking data.", "End it and try again.")


def closed() -> InpaintError:
    """Our own side was closed before."""
    return InpaintError(INTERNAL, "The connection to the backend was closed.", "Connect again.")
