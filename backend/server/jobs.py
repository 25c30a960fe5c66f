"""The jobs of the server, and in which order they are done.

The queue is fair between clients: whoever was served longest ago is next, so that a batch of a hundred
pictures does not keep an editor waiting for the hundredth.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..wire.errors import BAD_MESSAGE, BUSY, InpaintError
from ..wire.messages import Message

MAX_JOBS_PER_CLIENT = 32
MAX_JOBS = 256


@dataclass(eq=False)
class Job:
    """One `inpaint` request on its way.

    Attributes:
        client: routing id of the client that asked; it gets the answer.
        id: the client's word for the job.
        key: the server's word for it, towards the workers.
        request: what the worker is sent; None once it was.
        stage, fraction: how far it is.
        moved: when stage or fraction last changed (this and other times: `time.monotonic()`).
        told: when the client last got a progress message.
        stop_by: when a cancelled job's worker is killed, None while the job is wanted.
        client_gone: nobody is there to be answered.
    """

    client: bytes
    id: str
    model: str
    request: Message | None
    size: int
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    running: bool = False
    stage: str = "waiting"
    fraction: float = 0.0
    created: float = field(default_factory=time.monotonic)
    moved: float = 0.0
    told: float = 0.0
    stop_by: float | None = None
    client_gone: bool = False

    def move(self, stage: str, fraction: float, now: float) -> bool:
        """Note how far the job is; true if that is new."""
        if (stage, fraction) == (self.stage, self.fraction):
            return False
        self.stage, self.fraction, self.moved = stage, fraction, now
        return True

    def as_dict(self) -> dict[str, Any]:
        """The job's entry in a `status` message."""
        return {
            "id": self.id,
            "model": self.model[:64],
            "state": "running" if self.running else "waiting",
            "stage": self.stage,
            "fraction": self.fraction,
            "seconds": round(time.monotonic() - self.created, 1),
        }


class Jobs:
    """All jobs that were accepted and not yet answered.

    Args:
        room: bytes that the pixels of all waiting jobs may have together. A job that is larger by itself
            is accepted when none waits.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._by_key: dict[str, Job] = {}
        self._by_owner: dict[tuple[bytes, str], Job] = {}
        self._waiting: OrderedDict[bytes, list[Job]] = OrderedDict()
        self._waiting_bytes = 0

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._by_key.values()))

    def add(self, job: Job) -> None:
        """Queue a job.

        Raises:
            InpaintError: `bad-message` if its client has one of that id, `busy` if there are too many.
        """
        if (job.client, job.id) in self._by_owner:
            raise InpaintError(BAD_MESSAGE, f"There is already a job with the id {job.id!r}.")
        own = sum(client == job.client for client, _ in self._by_owner)
        if own >= MAX_JOBS_PER_CLIENT:
            raise InpaintError(
                BUSY, f"{own} of your jobs wait or run already.", "Ask again when one of them is done."
            )
        full = self._waiting_bytes and self._waiting_bytes + job.size > self._room
        if full or len(self) >= MAX_JOBS:
            raise InpaintError(
                BUSY, "Too many jobs wait for the backend.", "Ask again when some of them are done."
            )
        self._by_key[job.key] = self._by_owner[job.client, job.id] = job
        self._waiting.setdefault(job.client, []).append(job)
        self._waiting_bytes += job.size

    def remove(self, job: Job) -> None:
        """Forget a job, wherever it is."""
        if self._by_key.pop(job.key, None) is None:
            return
        del self._by_owner[job.client, job.id]
        if not job.running:
            self._leave_queue(job)

    def find(self, client: bytes, id: str) -> Job | None:
        """The job that this very client calls `id`."""
        return self._by_owner.get((client, id))

    def of(self, client: bytes) -> list[Job]:
        """All jobs of a client."""
        return [job for job in self if job.client == client]

    def running(self) -> list[Job]:
        """The jobs that workers have."""
        return [job for job in self if job.running]

    def waiting(self) -> list[Job]:
        """The jobs that no worker has, in the order in which they will be taken."""
        queues = list(self._waiting.values())
        rounds = range(max(map(len, queues), default=0))
        return [queue[turn] for turn in rounds for queue in queues if turn < len(queue)]

    def take(self) -> Job | None:
        """The next job, from now on running; None if none waits."""
        if not self._waiting:
            return None
        client, queue = next(iter(self._waiting.items()))
        job = queue[0]
        self._leave_queue(job)
        if client in self._waiting:
            self._waiting.move_to_end(client)
        job.running = True
        return job

    def _leave_queue(self, job: Job) -> None:
        queue = self._waiting[job.client]
        queue.remove(job)
        if not queue:
            del self._waiting[job.client]
        self._waiting_bytes -= job.size
