"""Tasks on a Ray cluster: the same folder, done by many computers.

The computers need AI Inpaint installed, of this version, with the weights that are asked for. They share no
folders: pictures travel to them and results come back, and only this computer writes. Ray itself does a task
again whose computer or process has died.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from ..wire.errors import BAD_PARAM, INTERNAL, LAUNCH_FAILED, InpaintError
from .folder import Pair
from .work import Outcome, Progress, Task

log = logging.getLogger(__name__)

Function = Callable[[Task, Progress], Outcome]

ATTEMPTS = 4  # of a task whose process dies each time

_SECONDS = 10  # to wait for a cluster to answer
_AHEAD = 2  # tasks that are sent ahead for each one that is being done


def check() -> None:
    """Find out, before the work, whether Ray is there.

    Raises:
        InpaintError: `bad-param`.
    """
    if importlib.util.find_spec("ray") is None:
        raise InpaintError(
            BAD_PARAM,
            "Ray is not installed.",
            "Install it beside AI Inpaint with: pip install 'ai-inpaint[ray]'.",
        )


@dataclass(frozen=True)
class _Parcel:
    """A task with the contents of its files; images by field of `Pair`."""

    task: Task
    files: dict[str, bytes]


class Cluster:
    """An engine that has its tasks done by Ray.

    with Cluster("auto", 8) as cluster:
        for task, outcome in cluster.run(work.fill, tasks, show):
            ...
    """

    def __init__(
        self,
        address: str | None,
        jobs: int | None = None,
        device: str = "auto",
    ) -> None:
        """
        Args:
            address: of the cluster as `ray.init` takes it ("auto", "ray://host:10001"); None starts one on
                this computer, with that many processes.
            jobs: how many tasks are done at a time; None: as many as there are processors.
            device: "cuda" asks for a computer with a graphics processor.
        """
        self._address = address
        self._jobs = jobs
        self._gpus = 1 if device.startswith("cuda") else 0
        self._connected = False

    def __enter__(self) -> Cluster:
        return self

    def _connect(self) -> None:
        import ray

        if self._address is not None:
            _check_address(self._address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would tell its makers of each start
        options: dict[str, Any] = {"address": self._address}
        if self._address is None:
            options = {"address": "local", "num_cpus": self._jobs, "include_dashboard": False}
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
        except (ConnectionError, RuntimeError, OSError, ValueError) as problem:
            raise _unreachable(self._address or "this computer") from problem
        self._connected = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connected:
            import ray

            ray.shutdown()

    def run(
        self, function: Function, tasks: Iterable[Task], show: Callable[[Task, float, str], None]
    ) -> Iterator[tuple[Task, Outcome | None]]:
        """Do all tasks; they end in any order. Only their ends are shown.

        Args:
            function: called with each task on one of the computers.

        Yields:
            Each task with its outcome; None where the processes died that tried it.
        """
        import ray

        if not self._connected:
            self._connect()
        remote = ray.remote(
            num_cpus=1, num_gpus=self._gpus, max_retries=ATTEMPTS - 1, max_calls=0, retry_exceptions=False
        )(_unpack_and_do)
        jobs = self._jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting = iter(tasks)
        running: dict[Any, Task] = {}
        while True:
            while len(running) < jobs * _AHEAD and (task := next(waiting, None)) is not None:
                try:
                    parcel = _pack(task)
                except OSError as problem:
                    yield task, _unreadable(task, problem)
                    continue
                running[remote.remote(function, parcel)] = task
            if not running:
                return
            ended, _ = ray.wait(list(running), num_returns=1)
            for reference in ended:
                task = running.pop(reference)
                try:
                    outcome: Outcome = ray.get(reference)
                except ray.exceptions.RayTaskError as problem:
                    yield task, _defect(problem)
                except ray.exceptions.RayError as problem:  # the process or the computer went away
                    log.warning("%s: %s", task.pair.name, problem)
                    yield task, None
                else:
                    show(task, 1.0, "done")
                    yield task, outcome


def _check_address(address: str) -> None:
    """Find out whether anybody listens there: Ray itself takes minutes to say no."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return  # "auto", or a name that Ray knows
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS).close()
    except OSError as problem:
        raise _unreachable(address) from problem


def _unreachable(address: str) -> InpaintError:
    return InpaintError(
        LAUNCH_FAILED,
        f"There is no Ray cluster to be reached at {address}.",
        "Start one with: ray start --head; and give its --address.",
    )


def _unreadable(task: Task, problem: OSError) -> Outcome:
    error = InpaintError("bad-file", f"{task.pair.image} cannot be read: {problem.strerror}.")
    return Outcome(error.as_fields())


def _defect(problem: Exception) -> Outcome:
    """Nothing that `work` does raises; most likely the other computer has another version of it."""
    last = str(problem).strip().splitlines()[-1]
    error = InpaintError(
        INTERNAL, f"The cluster could not do it: {last}.", "Install this version of AI Inpaint there."
    )
    return Outcome(error.as_fields())


def _pack(task: Task) -> _Parcel:
    paths = {"image": task.pair.image, "mask": task.pair.mask, "original": task.pair.original}
    return _Parcel(task, {name: path.read_bytes() for name, path in paths.items() if path is not None})


def _unpack_and_do(function: Function, parcel: _Parcel) -> Outcome:
    """What a computer of the cluster does: the files are laid into a folder of their own meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        pair = parcel.task.pair
        paths: dict[str, Path] = {}
        for name, data in parcel.files.items():
            place = Path(folder, name)
            place.mkdir()
            paths[name] = place / getattr(pair, name).name
            paths[name].write_bytes(data)
        moved = Pair(pair.name, **paths)
        outcome = function(replace(parcel.task, pair=moved), lambda fraction, stage: None)
        if outcome.error is not None:  # what is said is to name the user's files
            words = dict(outcome.error)
            for name, path in paths.items():
                words["message"] = str(words["message"]).replace(str(path), str(getattr(pair, name)))
            outcome.error = words
        return outcome
