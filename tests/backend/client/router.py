"""The other ends of a connection: a real ROUTER, and TCP servers that are none."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from backend.client.discovery import Connection

USER, SECRET = "client", "5e" * 32


class Router:
    """A ROUTER socket that a thread answers from.

    It sends every message back as it came; the first frame can ask for more: `count N` for N small
    messages, `hush` for none at all.
    """

    def __init__(self, mechanism: str) -> None:
        self.context = zmq.Context()
        self.authenticator = ThreadAuthenticator(self.context)
        self.authenticator.start()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.sndhwm = 0
        known = {}
        if mechanism == "PLAIN":
            self.authenticator.configure_plain(domain="*", passwords={USER: SECRET})
            self.socket.plain_server = True
            known = {"username": USER, "secret": SECRET}
        elif mechanism == "CURVE":
            (server_key, server_secret), (key, secret) = zmq.curve_keypair(), zmq.curve_keypair()
            self.authenticator.thread.authenticator.certs["*"] = {key: True}
            self.authenticator.thread.authenticator.allow_any = False
            self.socket.curve_server = True
            self.socket.curve_publickey, self.socket.curve_secretkey = server_key, server_secret
            known = {
                "server_key": server_key.decode(),
                "client_key": key.decode(),
                "client_secret": secret.decode(),
            }
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.connection = Connection(f"tcp://127.0.0.1:{port}", mechanism, **known)
        self._stopper = self.context.socket(zmq.PAIR)
        self._stopper.bind(f"inproc://stop-{id(self)}")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        stop = self.context.socket(zmq.PAIR)
        stop.connect(f"inproc://stop-{id(self)}")
        poller = zmq.Poller()
        poller.register(stop, zmq.POLLIN)
        poller.register(self.socket, zmq.POLLIN)
        while not stop.poll(0):
            poller.poll()
            while self.socket.poll(0):
                self._answer(self.socket.recv_multipart(copy=False))
        stop.close(0)
        self.socket.close(0)

    def _answer(self, frames: list[Any]) -> None:
        word, _, number = frames[1].bytes[:40].partition(b" ")
        if word == b"count":
            for index in range(int(number)):
                self.socket.send_multipart([frames[0], b"%d" % index, b"x" * (index % 300)])
        elif word != b"hush":
            self.socket.send_multipart(frames, copy=False)

    def stop(self) -> None:
        """Close the socket as a server does that ends; may be called twice."""
        if self._thread.is_alive():
            self._stopper.send(b"")
            self._thread.join()

    def close(self) -> None:
        """Stop and give everything back."""
        self.stop()
        self.authenticator.stop()
        self.context.destroy(0)


@contextlib.contextmanager
def tcp_server(behave: Callable[[socket.socket], None]) -> Iterator[Connection]:
    """A TCP server that treats each client as `behave` says; yields how to connect to it."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def run() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                peer.settimeout(10)
                behave(peer)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield Connection(f"tcp://127.0.0.1:{port}", "PLAIN", username=USER, secret=SECRET)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(15)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
