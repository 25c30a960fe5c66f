"""A worker process: `python -m backend.worker`, started by the server and by nobody else.

Two threads. The first owns the socket, takes orders and gives a sign of life at least every half
second; the second imports the models and computes, one job after the other (see `compute`). The
messages are described in `supervisor`.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import zmq

from ..wire import codec
from ..wire.messages import MAX_FRAME_BYTES, Message

if TYPE_CHECKING:
    from .compute import Computer

log = logging.getLogger(__name__)

BEAT_EVERY = 400  # milliseconds; the server is promised half a second
TELL_AT_MOST_EVERY = 100


def main() -> None:
    """Work for the server that wrote its orders to standard input, until that pipe ends."""
    line = sys.stdin.buffer.readline()
    if not line:
        sys.exit("This program is started by the backend's server; run `ai-inpaint serve`.")
    orders = json.loads(line)
    threading.Thread(target=_die_with_the_server, daemon=True).start()
    _prepare_process(orders["log_level"])
    try:
        Worker(orders).run()
    except BaseException:
        _fail()


class Worker:
    """The thread that talks.

    Args:
        orders: endpoint, username, secret, name, device.
    """

    def __init__(self, orders: dict[str, Any]) -> None:
        self._name, self._device = orders["name"], orders["device"]
        context = zmq.Context()
        self._server = context.socket(zmq.DEALER)
        self._server.setsockopt_string(zmq.IDENTITY, self._name)
        self._server.setsockopt_string(zmq.PLAIN_USERNAME, orders["username"])
        self._server.setsockopt_string(zmq.PLAIN_PASSWORD, orders["secret"])
        self._server.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        self._server.connect(orders["endpoint"])
        self._bell = context.socket(zmq.PULL)
        self._bell.bind("inproc://bell")
        self._ring = context.socket(zmq.PUSH)  # the computing thread's end
        self._ring.connect("inproc://bell")
        self._todo: SimpleQueue[Message] = SimpleQueue()
        self._done: SimpleQueue[Message] = SimpleQueue()
        self._computer: Computer | None = None
        # Both are replaced as a whole, never changed: the other thread always sees a pair that fits.
        self._job: tuple[str, threading.Event] = ("", threading.Event())
        self._state: tuple[str, float] = ("starting", 0.0)

    def run(self) -> None:
        """Never returns: the process ends when the server's pipe does."""
        threading.Thread(target=self._compute, daemon=True).start()
        poller = zmq.Poller()
        poller.register(self._server, zmq.POLLIN)
        poller.register(self._bell, zmq.POLLIN)
        told, beaten = None, 0.0
        while True:
            now = 1000 * time.monotonic()
            state = (self._job[0], *self._state)
            if now - beaten >= (BEAT_EVERY if state == told else TELL_AT_MOST_EVERY):
                self._beat(*state)
                told, beaten = state, now
            poller.poll(TELL_AT_MOST_EVERY if self._job[0] else BEAT_EVERY)
            while self._bell.poll(0):
                self._bell.recv()
                self._send(self._done.get())
            while self._server.poll(0):
                self._obey(codec.decode([frame.buffer for frame in self._server.recv_multipart(copy=False)]))

    def _beat(self, job: str, stage: str, fraction: float) -> None:
        computer = self._computer
        device, loaded = (computer.device, computer.loaded) if computer else (self._device, [])
        fields = {"device": device, "loaded": loaded, "job": job, "stage": stage, "fraction": fraction}
        with suppress(MemoryError):  # the job that ate it fails as well, and lets go of it
            self._send(Message("beat", self._name, fields))

    def _obey(self, message: Message) -> None:
        if message.type in ("inpaint", "sketch", "select"):
            self._job, self._state = (message.id, threading.Event()), ("starting", 0.0)
            self._todo.put(message)
        elif message.type == "cancel" and message.id == self._job[0]:
            self._job[1].set()
        elif message.type == "look" and self._computer is not None:
            try:
                self._send(Message("cards", message.id, self._computer.cards()))
            except Exception:  # the server goes on with those it knows; a fill must not suffer from it
                log.exception("cannot list the models")

    def _send(self, message: Message) -> None:
        if message.type in ("result", "selected", "error"):
            self._job = ("", threading.Event())
        self._server.send_multipart(codec.encode(message), copy=False)

    # The thread that computes

    def _compute(self) -> None:
        try:
            from .compute import Computer  # takes seconds: numba, scipy and every model's module

            computer = self._computer = Computer(self._device)
            self._report(Message("ready", self._name, {"pid": os.getpid(), **computer.introduction()}))
            while True:
                message = self._todo.get()
                self._report(computer.answer(message, self._progress, self._job[1].is_set))
                del message  # its pixels are not to be kept until the next job
                computer.tidy()
        except BaseException:
            _fail()

    def _progress(self, fraction: float, stage: str) -> None:
        self._state = (str(stage), min(max(float(fraction), 0.0), 1.0))

    def _report(self, message: Message) -> None:
        self._done.put(message)
        self._ring.send(b"")


def _die_with_the_server() -> None:
    os.read(sys.stdin.fileno(), 1)  # returns when the other end is closed, also by the server's death
    os._exit(0)


def _fail() -> None:
    """End at once, whatever the other thread does, and say why in the log's last line."""
    log.exception("the worker cannot go on")
    logging.shutdown()
    os._exit(1)


def _prepare_process(log_level: int) -> None:
    faulthandler.enable()
    # To standard error, which the server writes to its own log line by line.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for name in ("backend", "models"):
        logging.getLogger(name).setLevel(log_level)
    if sys.platform == "linux":
        # The pipe's end does not reach a worker that was stopped, or that is deep in compiled code.
        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
        # Where memory runs out, this process shall go first, not an editor with a day's work in it.
        try:
            Path("/proc/self/oom_score_adj").write_text("700")
        except OSError as problem:
            log.info("cannot offer itself to the out-of-memory killer: %s", problem)
