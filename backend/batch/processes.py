"""Tasks in processes of this computer. A process that dies costs nothing but the time of its task."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Progress = Callable[[float, str], None]
Function = Callable[[T, Progress], R]
"""What is done with a task; a function of a module's top level. It raises nothing."""

Done = tuple[T, "R | None"]
"""A task, and what became of it: None where its process died `ATTEMPTS` times."""

ATTEMPTS = 2


class _Worker:
    """A process that does one task after the other."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # torch and numba do not survive a fork
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(theirs, threads), daemon=True)
        self.process.start()
        theirs.close()
        self.task: Any = None
        self.fraction = 0.0

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class Processes:
    """So many processes at once.

    with Processes(4) as processes:
        for task, outcome in processes.run(work.fill, tasks, show):
            ...
    """

    def __init__(self, jobs: int) -> None:
        """
        Args:
            jobs: how many; the processor's cores are shared out among them.
        """
        self._jobs = jobs
        self._threads = max(1, (os.cpu_count() or 1) // jobs)
        self._workers: list[_Worker] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.stop()

    def run(
        self, function: Function[T, R], tasks: Iterable[T], show: Callable[[T, float, str], None]
    ) -> Iterator[Done[T, R]]:
        """Do all tasks; they end in any order.

        Args:
            function: called with each task in one of the processes.
            tasks: what `function` takes; pickled on its way.
            show: called with a task, the fraction of it that is done, and its stage.
        """
        waiting = deque((task, 1) for task in tasks)
        attempts: dict[int, int] = {}
        while waiting or any(worker.task is not None for worker in self._workers):
            while waiting and (worker := self._free()) is not None:
                task, attempt = waiting.popleft()
                worker.task = task
                attempts[id(worker)] = attempt
                with contextlib.suppress(OSError):  # it died meanwhile, which is seen below
                    worker.pipe.send((function, task))
            for worker in self._ready():
                ended, outcome = self._hear(worker, show)
                if not ended:
                    continue
                task, worker.task = worker.task, None
                attempt = attempts.pop(id(worker))
                if worker.process.exitcode is not None or outcome is None:
                    self._workers.remove(worker)
                    worker.stop()
                if outcome is not None:
                    yield task, outcome
                elif attempt < ATTEMPTS:
                    waiting.append((task, attempt + 1))
                else:
                    yield task, None

    def _free(self) -> _Worker | None:
        for worker in self._workers:
            if worker.task is None:
                return worker
        if len(self._workers) < self._jobs:
            self._workers.append(_Worker(self._threads))
            return self._workers[-1]
        return None

    def _ready(self) -> list[_Worker]:
        """Workers with something to hear, or dead."""
        busy = [worker for worker in self._workers if worker.task is not None]
        ready = set(wait([worker.pipe for worker in busy]))
        return [worker for worker in busy if worker.pipe in ready]

    @staticmethod
    def _hear(worker: _Worker, show: Callable[[T, float, str], None]) -> tuple[bool, R | None]:
        """What a worker says: whether its task has ended, and how (None: with the process)."""
        try:
            kind, *said = worker.pipe.recv()
        except (EOFError, OSError):
            return True, None
        if kind == "done":
            return True, said[0]
        show(worker.task, *said)
        return False, None


def _work(pipe: Connection, threads: int) -> None:
    """What a process does: tasks, until the pipe is closed or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C goes to all; the parent ends its children
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    threading.Thread(target=_follow_parent, daemon=True).start()
    while True:
        try:
            function, task = pipe.recv()
        except EOFError:
            return
        told = -1

        def show(fraction: float, stage: str) -> None:
            nonlocal told
            if int(100 * fraction) > told:
                told = int(100 * fraction)
                pipe.send(("progress", fraction, stage))

        pipe.send(("done", function(task, show)))


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
