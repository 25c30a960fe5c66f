"""The server: answers every client at once, queues jobs, and hands them to workers.

One loop, one thread, and nothing in it that waits: neither torch nor a model is ever imported here.
Pixels pass through without being copied or looked at.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psutil
import zmq

from .. import __version__
from ..wire import codec
from ..wire.errors import (
    BAD_MESSAGE,
    CANCELLED,
    INTERNAL,
    SHUTTING_DOWN,
    TIMEOUT,
    UNKNOWN_MODEL,
    UNKNOWN_TYPE,
    InpaintError,
)
from ..wire.messages import PROTOCOL, Message, check_inpaint, check_select, check_sketch, error
from ..wire.params import check_settings
from . import fetches
from .asking import Asking
from .clients import Clients
from .fetches import Fetches
from .jobs import Job, Jobs
from .security import CurveKeys, Gate, listen
from .supervisor import Pool
from .worker_process import COMMAND, Worker

log = logging.getLogger(__name__)

SOFTWARE = f"ai-inpaint {__version__}"
TELL_EVERY = 0.25  # seconds between progress messages when nothing moves
_LONGEST_NAME = 64
STOP_WITHIN = 0.8  # seconds that a worker has to stop a job; for a client that has gone, from its going


def serve(
    address: str = "127.0.0.1",
    port: int = 0,
    *,
    devices: Sequence[str] = ("auto",),
    idle_timeout: float = 0.0,
    worker_timeout: float = 600.0,
    beat_timeout: float = 30.0,
    mechanism: str = "auto",
    keys: CurveKeys | None = None,
    worker_command: Sequence[str] = COMMAND,
    fetch_command: Sequence[str] = fetches.COMMAND,
    on_ready: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Serve until a client asks to shut down, SIGTERM or Ctrl+C arrives, or nobody came for long.

    Args:
        address: IP address or host name; "*" is every interface.
        port: 0 for any free one.
        devices: one worker for each: "auto" (the best there is), "cpu", "cuda:1", "mps".
        idle_timeout: seconds without jobs and messages after which to end; 0 is never.
        worker_timeout: seconds that a job may stand still before its worker is ended.
        beat_timeout: seconds without a sign of life after which a worker is ended.
        mechanism: "auto" (PLAIN on the loopback interface, CURVE elsewhere), "plain" or "curve".
        keys: for CURVE; fresh ones if None.
        worker_command: program and arguments of a worker process.
        fetch_command: program and arguments of a process that fetches weights.
        on_ready: called once, as soon as clients may connect, with what they have to know: `endpoint`,
            `mechanism`, `username`, `secret` | `server_key`, `client_key`, `client_secret`, `pid`,
            `host`, `software`, `protocol`. It holds secrets.

    Raises:
        InpaintError: `bad-param` or `launch-failed`, if it cannot listen as asked.
    """
    context = zmq.Context()
    try:
        gate = Gate(context)
        clients, known = listen(context, gate, "clients", address, port, mechanism, keys)
        pool = Pool(context, gate, devices, worker_command, beat_timeout)
        fetching = Fetches(fetch_command, TELL_EVERY)
        server = Server(gate, clients, pool, fetching, idle_timeout, worker_timeout)
        log.info("listening on %s (%s)", known["endpoint"], known["mechanism"])
        with _signals(server.stop):
            if on_ready is not None:
                on_ready({**known, **_identity(), "protocol": list(PROTOCOL)})
            server.run()
    finally:
        context.destroy()


def _identity() -> dict[str, Any]:
    return {"software": SOFTWARE, "pid": os.getpid(), "host": socket.gethostname()}


class Server:
    """The loop and what it does with each message. Made by `serve`."""

    def __init__(
        self,
        gate: Gate,
        clients: zmq.Socket,
        pool: Pool,
        fetching: Fetches,
        idle_timeout: float,
        worker_timeout: float,
    ) -> None:
        self._gate, self._pool, self._fetches = gate, pool, fetching
        self._clients = Clients(clients, self._forget)
        self._idle_timeout, self._worker_timeout = idle_timeout, worker_timeout
        self._jobs = Jobs(room=psutil.virtual_memory().total // 4)
        self._asking = Asking(pool)
        self._stop_reason = ""
        self._started = self._active = self._ticked = time.monotonic()
        self._handlers: Mapping[str, Callable[[bytes, Message], Message | None]] = {
            "hello": self._hello,
            "models": self._models,
            "inpaint": self._inpaint,
            "fetch": self._fetch,
            "sketch": self._sketch,
            "select": self._select,
            "cancel": self._cancel,
            "status": self._status,
            "shutdown": self._shutdown,
        }

    def stop(self, reason: str) -> None:
        """End the loop soon; may be called at any time by a signal handler."""
        self._stop_reason = self._stop_reason or reason

    def run(self) -> None:
        """Serve until stopped, then end jobs and workers."""
        poller = zmq.Poller()
        for source in (self._gate.socket, self._clients.socket, self._pool.socket):
            poller.register(source, zmq.POLLIN)
        try:
            while not self._stop_reason:
                busy = self._jobs or self._fetches or self._asking or self._clients.behind
                poller.poll(100 if busy else 500)
                try:
                    self._turn()
                except Exception:  # a defect must cost as little as possible, never every client's jobs
                    log.exception("defect in the server's loop")
                    time.sleep(0.1)
        finally:
            log.info("ending: %s", self._stop_reason or "defect")
            self._close()

    def _turn(self) -> None:
        self._gate.answer()
        now = time.monotonic()
        for worker, message in self._pool.receive(now):
            self._answered(worker, message)
        for client, frames in self._clients.receive():
            self._active = now
            self._handle(client, frames)
        self._tick(time.monotonic())

    # What clients say

    def _handle(self, client: bytes, frames: list[memoryview]) -> None:
        id = ""
        try:
            try:
                message = codec.decode(frames)
                id = message.id
                handler = self._handlers.get(message.type)
                if handler is None:
                    raise InpaintError(UNKNOWN_TYPE, f"The backend knows no message {message.type!r}.")
                reply = handler(client, message)
            except InpaintError as problem:
                log.info("refused a message: %.200s", problem)
                reply = error(id or getattr(problem, "id", ""), problem)
            except Exception:
                log.exception("defect in handling a message")
                reply = error(id, InpaintError(INTERNAL, "The backend made a mistake; its log says more."))
            if reply is not None:
                self._clients.send(client, reply)
        except Exception:
            log.exception("defect in answering a message")

    def _hello(self, client: bytes, message: Message) -> Message:
        log.info("hello from %.80r", message.fields.get("software"))
        return Message("hello", message.id, _identity())

    def _models(self, client: bytes, message: Message) -> None:
        self._asking.add(client, message)

    def _inpaint(self, client: bytes, message: Message) -> None:
        check_inpaint(message)
        _check_name(message.fields["model"])
        if self._pool.cards is not None and not self._knows(message.fields["model"]):
            self._asking.add(client, message)
        else:
            self._accept(client, message)

    def _knows(self, model: str) -> bool:
        cards = self._pool.cards
        return cards is not None and any(card["name"] == model for card in cards["models"])

    def _accept(self, client: bytes, message: Message) -> None:
        """Queue a fill."""
        model, params = message.fields["model"], message.fields.get("params", {})
        if self._pool.cards is not None:  # else the worker alone checks, when it is there
            check_settings(self._pool.cards, model, params)
        self._queue(client, message, model)

    def _sketch(self, client: bytes, message: Message) -> None:
        check_sketch(message)
        self._queue(client, message, "sketch")

    def _select(self, client: bytes, message: Message) -> None:
        check_select(message)
        self._queue(client, message, "select")

    def _queue(self, client: bytes, message: Message, model: str) -> None:
        """Queue a job with what is known of its message; `model` is what `status` calls it."""
        asked = message.fields
        fields = {
            "model": model,
            "params": asked.get("params", {}),
            "image": {"layout": asked["image"]["layout"]},
            "offset": asked.get("offset", [0, 0]),
        }
        broken = self._pool.broken()
        if broken is not None:
            raise broken
        size = sum(memoryview(buffer.data).nbytes for buffer in message.buffers.values())
        job = Job(client, message.id, model, None, size)
        job.request = Message(message.type, job.key, fields, message.buffers)
        self._jobs.add(job)
        log.info("job %s: %s, %d bytes", job.key[:8], list(message.buffers["image"].shape), size)

    def _fetch(self, client: bytes, message: Message) -> None:
        model = message.fields.get("model")
        if not isinstance(model, str):
            raise InpaintError(BAD_MESSAGE, "The request names no model.")
        _check_name(model)
        if self._jobs.find(client, message.id) is not None:
            raise InpaintError(BAD_MESSAGE, f"There is already a job with the id {message.id!r}.")
        self._fetches.add(client, message.id, model)

    def _cancel(self, client: bytes, message: Message) -> Message:
        id = message.fields.get("job")
        if not isinstance(id, str):
            raise InpaintError(BAD_MESSAGE, "The cancel message names no job.")
        job = self._jobs.find(client, id)
        if job is not None:
            self._abandon(job)
        elif (ended := self._fetches.cancel(client, id)) is not None:
            self._clients.send(client, ended)
        elif self._asking.take(client, id, "inpaint"):
            self._clients.send(client, error(id, _cancelled()))
        return Message("ok", message.id)  # that it has ended already is no error: the two crossed

    def _status(self, client: bytes, message: Message) -> Message:
        jobs = self._jobs.running() + self._jobs.waiting()
        fields = {
            **_identity(),
            "uptime": round(time.monotonic() - self._started, 1),
            "idle_timeout": self._idle_timeout,
            "workers": [worker.as_dict() for worker in self._pool.workers],
            "jobs": [job.as_dict() for job in jobs],
            "queued": sum(not job.running for job in jobs),
            "fetches": self._fetches.as_dicts(),
        }
        return Message("status", message.id, fields)

    def _shutdown(self, client: bytes, message: Message) -> Message:
        self.stop("a client asked for it")
        return Message("ok", message.id)

    # What workers say

    def _answered(self, worker: Worker, message: Message) -> None:
        job, worker.job = worker.job, None
        assert job is not None
        self._finish(job, message)

    # What time brings

    def _tick(self, now: float) -> None:
        stood_still = now - self._ticked - 5.0
        self._ticked = now
        if stood_still > 0:
            self._pool.forgive(stood_still)
            for job in self._jobs:
                job.moved += stood_still
        for job, problem in self._pool.check(now):
            self._fail(job, problem)
        self._end_overdue(now)
        for client, message in self._fetches.news(now):
            self._clients.send(client, message)
        self._answer_asking(now)
        self._hand_out(now)
        self._tell(now)
        self._clients.catch_up()
        idle = now - self._active
        if self._jobs or self._fetches:
            self._active = now
        elif self._idle_timeout and idle > self._idle_timeout:
            self.stop(f"nobody came for {idle:.0f} s")

    def _end_overdue(self, now: float) -> None:
        for worker in self._pool.workers:
            job = worker.job
            if job is None:
                continue
            if job.stop_by is not None and now >= job.stop_by:
                self._fail(job, _cancelled())
            elif now - job.moved > self._worker_timeout:
                seconds = f"{self._worker_timeout:.0f}"
                self._fail(
                    job,
                    InpaintError(
                        TIMEOUT,
                        f"The fill stood still for {seconds} seconds and was ended.",
                        "Try again; if it happens again, select a smaller area.",
                    ),
                )
            else:
                continue
            self._pool.replace(worker)

    def _answer_asking(self, now: float) -> None:
        for client, message in self._asking.ready(now):
            self._go_on(client, message)
        broken = self._pool.broken()
        if broken is None:
            return
        for client, message in self._asking.clear():
            self._clients.send(client, error(message.id, broken))
        for job in self._jobs.waiting():
            self._fail(job, broken)

    def _go_on(self, client: bytes, message: Message) -> None:
        """Do what had to wait for the cards."""
        try:
            if message.type == "models":
                assert self._pool.cards is not None
                self._clients.send(client, Message("models", message.id, self._pool.cards))
            else:
                self._accept(client, message)
        except InpaintError as problem:
            log.info("refused a message: %.200s", problem)
            self._clients.send(client, error(message.id, problem))

    def _hand_out(self, now: float) -> None:
        while (worker := self._pool.idle()) is not None:
            job = self._jobs.take()
            if job is None:
                break
            request, job.request = job.request, None
            assert request is not None
            job.move("starting", 0.0, now)
            worker.job = job
            self._pool.send(worker, request)

    def _tell(self, now: float) -> None:
        """Send progress; that it cannot be sent is how a client's end is noticed."""
        waiting = {job.key: place for place, job in enumerate(self._jobs.waiting(), 1)}
        for job in self._jobs:
            if job.client_gone or not (job.moved > job.told or now - job.told >= TELL_EVERY):
                continue
            job.told = now
            fields: dict[str, Any] = {"stage": job.stage, "fraction": job.fraction}
            if job.key in waiting:
                fields["position"] = waiting[job.key]
            self._clients.send(job.client, Message("progress", job.id, fields))

    # How jobs end

    def _abandon(self, job: Job) -> None:
        """Stop a job that nobody wants any more."""
        if not job.running:
            self._fail(job, _cancelled())
        elif job.stop_by is None:
            gone_since = TELL_EVERY if job.client_gone else 0.0
            job.stop_by = time.monotonic() + STOP_WITHIN - gone_since
            for worker in self._pool.workers:
                if worker.job is job:
                    self._pool.send(worker, Message("cancel", job.key, {"job": job.key}))

    def _fail(self, job: Job, problem: InpaintError) -> None:
        self._finish(job, error(job.id, problem))

    def _finish(self, job: Job, answer: Message) -> None:
        self._jobs.remove(job)
        log.info("job %s: %s", job.key[:8], answer.fields.get("code", answer.type))
        if not job.client_gone:
            self._clients.send(job.client, Message(answer.type, job.id, answer.fields, answer.buffers))

    def _forget(self, client: bytes) -> None:
        """Stop the jobs of a client that has gone."""
        self._asking.forget(client)
        self._fetches.forget(client)
        for job in self._jobs.of(client):
            if not job.client_gone:
                job.client_gone = True
                self._abandon(job)

    def _close(self) -> None:
        problem = InpaintError(SHUTTING_DOWN, "The backend is shutting down.", "Start the fill again.")
        for job in self._jobs:
            self._fail(job, problem)
        for client, message in self._asking.clear():
            self._clients.send(client, error(message.id, problem))
        for client, message in self._fetches.close(problem):
            self._clients.send(client, message)
        self._pool.close()
        self._clients.socket.close()
        self._gate.socket.close()


def _check_name(model: str) -> None:
    """Refuse at once what no model can be called."""
    if len(model) > _LONGEST_NAME:
        raise InpaintError(UNKNOWN_MODEL, f"There is no model named {model[:40]!r}.")


def _cancelled() -> InpaintError:
    return InpaintError(CANCELLED, "The fill was cancelled.")


@contextmanager
def _signals(stop: Callable[[str], None]) -> Iterator[None]:
    """Let the signals that ask a program to end call `stop`, for as long as the block runs."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in names:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup does
                before[number] = signal.signal(number, lambda got, _: stop(signal.Signals(got).name))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
