"""One worker process, as the server sees it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil

from ..wire.errors import OUT_OF_MEMORY, WORKER_DIED, InpaintError
from .jobs import Job

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "backend.worker")

# Ctrl+C in a terminal is for the server, which then ends its workers itself.
DETACHED: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    DETACHED = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}


class Worker:
    """One process, from its start to its end.

    Attributes:
        name: routing id of its socket; no two processes ever have the same.
        device: as asked for at first, as the worker reports it later.
        job: what it is working on.
        last_words: the last line that it wrote to its standard error.
    """

    def __init__(self, command: Sequence[str], device: str, connect: dict[str, Any]) -> None:
        self.name = f"{device}-{uuid.uuid4().hex[:8]}"
        self.device = device
        self.job: Job | None = None
        self.ready = False
        self.loaded: list[str] = []
        self.last_words = ""
        self.beaten = time.monotonic()
        self.kills = kills_for_memory()
        self.process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[2],  # `-m` looks there first, and nowhere a user keeps files
            **DETACHED,
        )
        assert self.process.stdin is not None and self.process.stderr is not None
        orders = {**connect, "name": self.name, "device": device, "log_level": log.getEffectiveLevel()}
        with suppress(OSError):  # if it is dead already, `exited` tells in a moment
            self.process.stdin.write(json.dumps(orders).encode() + b"\n")
            self.process.stdin.flush()
        self._listener = threading.Thread(target=self._listen, args=(self.process.stderr,), daemon=True)
        self._listener.start()
        log.info("started worker %s, process %d", self.name, self.process.pid)

    def _listen(self, stderr: IO[bytes]) -> None:
        """Pass what the worker writes on to the log: one file, written by one process."""
        own, level = log.getChild(self.name), logging.WARNING
        with stderr:
            for line in stderr:
                text = line.decode("utf-8", "replace").rstrip()
                if not text:
                    continue
                word, _, rest = text.partition(" ")
                known = logging.getLevelName(word)
                level, text = (known, rest) if isinstance(known, int) else (level, text)
                self.last_words = text[:200]
                own.log(level, "%s", text)

    def exited(self) -> InpaintError | None:
        """Why the process ended; None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        self._listener.join(0.2)  # its last words are on their way
        log.error("worker %s ended with exit code %d", self.name, code)
        if code == -9 and kills_for_memory() > self.kills:
            return InpaintError(
                OUT_OF_MEMORY,
                "The computer ran out of memory, and the system ended the worker that filled the hole.",
                "Select a smaller area, or close other programs.",
            )
        if code < 0:
            return InpaintError(
                WORKER_DIED,
                f"The worker that filled the hole was killed (signal {-code}).",
                "Try again; if it happens again, select a smaller area.",
            )
        return InpaintError(
            WORKER_DIED,
            f"The worker that filled the hole ended unexpectedly (exit code {code}).",
            "Try again; the backend's log says more.",
        )

    def end(self) -> None:
        """Tell the process to exit."""
        if self.process.stdin:
            with suppress(OSError):  # its end of the pipe was gone first
                self.process.stdin.close()

    def as_dict(self) -> dict[str, Any]:
        """The worker's entry in a `status` message; `memory` in bytes."""
        try:
            memory = psutil.Process(self.process.pid).memory_info().rss
        except psutil.Error:
            memory = 0
        return {
            "pid": self.process.pid,
            "device": self.device,
            "state": "starting" if not self.ready else "busy" if self.job else "idle",
            "models": self.loaded,
            "memory": memory,
        }


def kills_for_memory() -> int:
    """How often Linux has killed a process because memory ran out, since it was started; else 0."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
