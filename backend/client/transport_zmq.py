"""The transport over pyzmq. The only file that imports it, and not before a connection is opened."""

from __future__ import annotations

import struct
import time
from typing import Any, List, Optional, Sequence

from ..wire.errors import InpaintError
from ..wire.messages import MAX_FRAME_BYTES, Bytes
from .discovery import Connection
from .transport import (
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


class ZmqTransport(Transport):
    """A DEALER socket with a monitor, so that a refusal is noticed instead of being retried for ever."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        """Connect and wait for the end of the handshake.

        Raises:
            ImportError: pyzmq is not there or does not fit this Python.
            InpaintError: see `open_transport`.
        """
        try:
            import zmq
        except Exception as problem:  # a build for another Python fails in more ways than one
            raise ImportError(str(problem) or repr(problem)) from problem
        self._zmq = zmq
        self._connection = connection
        self._problem: Optional[InpaintError] = None
        self._unsent: List[Any] = []
        # A context of our own: closing it waits for nobody else's sockets, and ends its thread.
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        try:
            self._set_up()
            self._monitor = self._socket.get_monitor_socket(
                zmq.EVENT_CLOSED
                | zmq.EVENT_CONNECT_RETRIED
                | zmq.EVENT_DISCONNECTED
                | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
                | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
                | zmq.EVENT_HANDSHAKE_FAILED_AUTH
                | zmq.EVENT_HANDSHAKE_SUCCEEDED
            )
            self._socket.connect(connection.endpoint)
            self._shake_hands(timeout)
        except BaseException:
            self.close()
            raise

    def _set_up(self) -> None:
        zmq, connection, socket = self._zmq, self._connection, self._socket
        socket.linger = 0
        socket.reconnect_ivl = -1  # a backend that is gone is reported, and another one is another session
        socket.maxmsgsize = MAX_FRAME_BYTES
        # A client has a handful of requests under way; a thousand unread progress messages are a minute's.
        socket.sndhwm, socket.rcvhwm = 64, 1000
        socket.sndtimeo = int(STALL * 1000)
        socket.ipv6 = 1
        socket.tcp_keepalive, socket.tcp_keepalive_idle, socket.tcp_keepalive_intvl = 1, 30, 10
        try:
            if connection.mechanism == "PLAIN":
                socket.plain_username = connection.username.encode()
                socket.plain_password = connection.secret.encode()
            elif connection.mechanism == "CURVE":
                socket.curve_serverkey = connection.server_key.encode()
                socket.curve_publickey = connection.client_key.encode()
                socket.curve_secretkey = connection.client_secret.encode()
        except (zmq.ZMQError, ValueError) as problem:  # a key of a wrong form or, without libsodium, any
            raise unauthorised(connection) from problem

    def _shake_hands(self, timeout: float) -> None:
        zmq = self._zmq
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not self._monitor.poll(int(left * 1000) + 1):
                raise no_handshake(self._connection)
            event = self._event()
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                raise unauthorised(self._connection)
            if event in (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL):
                raise stranger(self._connection)
            if event == zmq.EVENT_DISCONNECTED:
                raise stranger(self._connection)
            raise refused(self._connection)

    def _event(self) -> int:
        number, _ = struct.unpack("=hi", self._monitor.recv_multipart()[0])
        return int(number)

    def send(self, frames: Sequence[Bytes]) -> None:
        self._notice_end()
        if self._problem:
            raise self._problem
        try:
            self._unsent.append(self._socket.send_multipart(frames, copy=False, track=True))
        except self._zmq.Again:
            raise self._fail(stalled()) from None

    def receive(self, timeout: float) -> Optional[List[Bytes]]:
        zmq = self._zmq
        deadline = time.monotonic() + timeout
        while True:
            # The socket is looked at before an end that was noticed is told: what came before it counts.
            message = self._waiting()
            if message is not None:
                return message
            if self._problem:
                raise self._problem
            self._notice_end()
            if self._problem:
                continue
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            poller = zmq.Poller()
            poller.register(self._socket, zmq.POLLIN)
            poller.register(self._monitor, zmq.POLLIN)
            poller.poll(int(left * 1000) + 1)

    def _waiting(self) -> Optional[List[Bytes]]:
        if self._socket.closed:
            raise self._problem or closed()
        try:
            frames = self._socket.recv_multipart(self._zmq.NOBLOCK, copy=False)
        except self._zmq.Again:
            return None
        return [frame.buffer for frame in frames]

    def _notice_end(self) -> None:
        # After the handshake every event that we asked for is an end.
        if self._problem is None and self._monitor.poll(0):
            self._fail(gone(self._connection))

    def _fail(self, problem: InpaintError) -> InpaintError:
        self._problem = problem
        return problem

    @property
    def sending(self) -> bool:
        self._unsent = [tracker for tracker in self._unsent if not tracker.done]
        return bool(self._unsent) and self._problem is None

    def close(self) -> None:
        if self._problem is None:
            self._problem = closed()
        if not self._socket.closed:
            self._socket.disable_monitor()
            self._socket.close(0)
        self._context.destroy(0)
