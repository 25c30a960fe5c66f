"""The worker processes: started, watched, replaced.

One worker per device. Each is a process of its own that gets its orders over a guarded loopback socket
(`wire` messages, `id` being the server's key of a job, or the worker's name where there is no job):

    worker to server   ready     pid, device, models, common     its cards; from now on it takes jobs
                       cards     models, common; answers `look`, with its id, also during a job
                       beat      device, loaded (model names), job (key or ""), stage, fraction;
                                 at least every half second, from its very start
                       result    as the client gets it
                       error     as the client gets it
    server to worker   inpaint   as the client sent it
                       cancel    job
                       look      -; weights may have come or gone

What it has to know to connect is the first line of its standard input, in JSON. That pipe then stays
open for as long as the server lives: its end is the order to exit, and needs no goodbye of the server.
"""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import zmq

from ..wire import codec
from ..wire.errors import INTERNAL, TIMEOUT, WORKER_DIED, InpaintError
from ..wire.messages import Message
from .jobs import Job
from .security import Gate, listen
from .worker_process import Worker

log = logging.getLogger(__name__)

START_TIMEOUT = 60.0  # a first import from a cold, slow disk
PATIENCE = 3  # starts in a row that may fail before jobs are told so
LONGEST_PAUSE = 30.0  # between two attempts to start a worker that does not start


@dataclass
class _Place:
    """Where one device's worker is, or will be."""

    device: str
    worker: Worker | None = None
    failures: int = 0
    start_at: float = 0.0
    problem: InpaintError = field(default_factory=lambda: InpaintError(INTERNAL, ""))


class Pool:
    """One worker for every device, and the socket over which they are spoken to.

    Attributes:
        cards: what the workers said last of the models: the fields of a `models` message; None until one
            is ready.
        looked: the number of the last `look` that `cards` answers.

    Args:
        devices: one worker is started for each.
        command: program and arguments of a worker.
        beat_timeout: seconds without a sign of life after which a worker counts as hung.
    """

    def __init__(
        self,
        context: zmq.Context,
        gate: Gate,
        devices: Sequence[str],
        command: Sequence[str],
        beat_timeout: float,
    ) -> None:
        self.cards: dict[str, Any] | None = None
        self.looked = 0
        self._looks = 0
        self._command, self._beat_timeout = command, beat_timeout
        self.socket, self._connect = listen(context, gate, "workers")
        self._places = [_Place(device) for device in devices]
        self._dying: list[Worker] = []

    @property
    def workers(self) -> list[Worker]:
        """Those that are there."""
        return [place.worker for place in self._places if place.worker]

    def idle(self) -> Worker | None:
        """One that could take a job."""
        return next((worker for worker in self.workers if worker.ready and not worker.job), None)

    def broken(self) -> InpaintError | None:
        """Why no worker can be had at all; None if there is one or hope for one."""
        if any(place.failures < PATIENCE for place in self._places):
            return None
        return self._places[0].problem

    def look(self) -> int:
        """Ask a worker for its cards; a number that `looked` reaches when they are there."""
        self._looks += 1
        worker = next((worker for worker in self.workers if worker.ready), None)
        if worker is not None:
            self.send(worker, Message("look", str(self._looks)))
        return self._looks

    def receive(self, now: float) -> list[tuple[Worker, Message]]:
        """The answers that have come in; signs of life are dealt with here."""
        answers = []
        for _ in range(100):
            if not self.socket.poll(0):
                break
            name, *frames = self.socket.recv_multipart(copy=False)
            worker = self._named(name.bytes)
            if worker is None:
                continue  # killed meanwhile
            try:
                message = codec.decode([frame.buffer for frame in frames])
            except InpaintError as problem:
                log.error("worker %s sent something odd: %s", worker.name, problem)
                continue
            worker.beaten = now
            if message.type == "ready":
                self._welcome(worker, message.fields)
            elif message.type == "beat":
                _note_beat(worker, message.fields, now)
            elif message.type == "cards":
                self.cards = {"models": message.fields["models"], "common": message.fields["common"]}
                self.looked = int(message.id)
            elif worker.job and worker.job.key == message.id:
                answers.append((worker, message))
        return answers

    def _named(self, name: bytes) -> Worker | None:
        return next((worker for worker in self.workers if worker.name.encode() == name), None)

    def _welcome(self, worker: Worker, fields: dict[str, Any]) -> None:
        worker.ready = True
        worker.device = fields["device"]
        self.cards = {"models": fields["models"], "common": fields["common"]}
        self.looked = self._looks
        for place in self._places:
            if place.worker is worker:
                place.failures = 0
        log.info("worker %s is ready", worker.name)

    def send(self, worker: Worker, message: Message) -> None:
        """Send to a worker; one that cannot be reached is found by `check`."""
        frames = [worker.name.encode(), *codec.encode(message)]
        try:
            self.socket.send_multipart(frames, zmq.DONTWAIT, copy=False)
        except zmq.ZMQError as problem:
            log.error("worker %s cannot be reached: %s", worker.name, problem)
            worker.process.kill()

    def check(self, now: float) -> list[tuple[Job, InpaintError]]:
        """Look after the workers: end the hung, bury the dead, start the missing.

        Returns:
            The jobs that were lost by this, and why.
        """
        lost = []
        self._dying = [worker for worker in self._dying if worker.process.poll() is None]
        for place in self._places:
            worker = place.worker
            if worker is None:
                if now >= place.start_at:
                    self._start(place)
                continue
            problem = worker.exited() or self._hung(worker, now)
            if problem is None:
                continue
            if worker.job:
                lost.append((worker.job, problem))
            self._vacate(place, now, problem)
        return lost

    def _start(self, place: _Place) -> None:
        try:
            place.worker = Worker(self._command, place.device, self._connect)
        except OSError as problem:
            log.error("cannot start a worker: %s", problem)
            self._failed(place, time.monotonic(), str(problem))

    def _hung(self, worker: Worker, now: float) -> InpaintError | None:
        if now - worker.beaten <= (self._beat_timeout if worker.ready else START_TIMEOUT):
            return None
        log.error("worker %s does not answer", worker.name)
        return InpaintError(
            TIMEOUT,
            "The worker that filled the hole stopped answering and was ended.",
            "Try again; if it happens again, select a smaller area.",
        )

    def replace(self, worker: Worker) -> None:
        """Kill a worker and start another."""
        for place in self._places:
            if place.worker is worker:
                self._vacate(place, time.monotonic(), None)

    def _vacate(self, place: _Place, now: float, problem: InpaintError | None) -> None:
        worker, place.worker = place.worker, None
        assert worker is not None
        worker.job = None
        worker.process.kill()
        worker.end()
        self._dying.append(worker)
        place.start_at = now
        if not worker.ready:
            self._failed(place, now, worker.last_words or (problem.message if problem else "it was ended"))

    def _failed(self, place: _Place, now: float, why: str) -> None:
        place.failures += 1
        place.start_at = now + min(0.25 * 2**place.failures, LONGEST_PAUSE)
        place.problem = InpaintError(
            WORKER_DIED,
            f"The backend's worker process does not start: {why}",
            "Run install.py again; the backend's log says more.",
        )

    def forgive(self, seconds: float) -> None:
        """The server itself stood still (the computer slept): nobody's silence counts for so long."""
        for worker in self.workers:
            worker.beaten += seconds

    def close(self, patience: float = 2.0) -> None:
        """End all workers; those that do not go within `patience` seconds are killed."""
        leaving = [*self.workers, *self._dying]
        for worker in leaving:
            worker.end()
        deadline = time.monotonic() + patience
        for worker in leaving:
            try:
                worker.process.wait(max(deadline - time.monotonic(), 0.01))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        self.socket.close(linger=0)


def _note_beat(worker: Worker, fields: dict[str, Any], now: float) -> None:
    worker.device, worker.loaded = fields["device"], fields["loaded"]
    if worker.job and worker.job.key == fields["job"]:
        worker.job.move(fields["stage"], fields["fraction"], now)
