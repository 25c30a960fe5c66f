"""How far a run is, and how long it will take yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from .work import Task

Show = Callable[[float, str], None]
"""Called with the fraction of the run that is done, and words."""


class Clock:
    """Tells how far a run is, measured by the pixels to fill, and how long it will take yet."""

    def __init__(self, tasks: list[Task], areas: Mapping[str, int], show: Show) -> None:
        # Reading and writing take their time, too, however small the hole is.
        self._weights = {task.pair.name: 20_000 + areas.get(task.pair.name, 0) for task in tasks}
        self._total = sum(self._weights.values())
        self._count = len(tasks)
        self._under_way: dict[str, float] = {}
        self._done = 0.0
        self._ended = 0
        self._show = show
        self._started = time.monotonic()

    def report(self, task: Task, fraction: float, stage: str) -> None:
        """A picture goes on."""
        self._under_way[task.pair.name] = fraction
        self._tell(stage)

    def ended(self, task: Task) -> None:
        """A picture has ended."""
        self._under_way.pop(task.pair.name, None)
        self._done += self._weights[task.pair.name]
        self._ended += 1
        self._tell("writing")

    def _tell(self, stage: str) -> None:
        running = sum(self._weights[name] * fraction for name, fraction in self._under_way.items())
        fraction = (self._done + running) / self._total
        words = f"{stage}, {self._ended} of {self._count}"
        seconds = time.monotonic() - self._started
        if fraction > 0.02 and seconds > 2:
            words += f", {span(seconds / fraction - seconds)} left"
        self._show(fraction, words)


def span(seconds: float) -> str:
    """A time in words: `45 s`, `3 min 20 s`, `2 h 10 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
