"""A run over a folder: check, fill what is not done yet, tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .. import __version__
from ..files import FileError
from ..files.outputs import cannot_write
from ..wire.errors import BAD_PARAM, WORKER_DIED, InpaintError
from . import folder, work
from .clock import Clock, Show
from .folder import Found, Pair
from .holes import Request
from .journal import Journal, key_of
from .work import Outcome, Task

FILLED, SKIPPED, UNMARKED, FAILED = "filled", "skipped", "unmarked", "failed"
GOOD = "good"
"""What pictures become; the last where they are looked at only."""


Function = Callable[[Task, work.Progress], Outcome]

_DIED = InpaintError(
    WORKER_DIED,
    "The process that worked on it ended, and so did the one that tried again.",
    "There may be too little memory: try fewer --jobs, or fill it alone with ai-inpaint run.",
)


class Engine(Protocol):
    """A way to have a function of `work` called with many tasks."""

    def run(
        self, function: Function, tasks: Iterable[Task], show: Callable[[Task, float, str], None]
    ) -> Iterator[tuple[Task, Outcome | None]]:
        """Yields each task with its outcome as they end; None where its process died again and again."""
        ...


@dataclass(frozen=True)
class Order:
    """What a run is to do.

    Attributes:
        source, output, masks, originals: folders; see `folder.find`.
        request: what is wanted of every picture.
        show_masks: folder for pictures of what is taken as mask.
        redo: fill what has been filled already, too.
        only_check: end after the check.
        thumbnails: whether the report needs small pictures.
    """

    source: Path
    output: Path
    request: Request
    masks: Path | None = None
    originals: Path | None = None
    show_masks: Path | None = None
    redo: bool = False
    only_check: bool = False
    thumbnails: bool = False


@dataclass
class Line:
    """What the report says of a picture.

    Attributes:
        name: relative to the folder.
        state: "filled", "skipped" (filled by an earlier run), "unmarked" (nothing to fill), "failed", or
            "good" where it was not to be filled, or not yet.
        error: why it failed: code, message and hint.
        told: of the fill, as `Outcome.told`.
        results: relative to the output folder.
        before, after: small JPEG files.
    """

    name: str
    state: str
    image: Path | None = None
    error: Mapping[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    told: Mapping[str, Any] = field(default_factory=dict)
    results: tuple[str, ...] = ()
    before: bytes = b""
    after: bytes = b""


@dataclass
class Summary:
    """All pictures of a run, by name, and how long it took."""

    lines: dict[str, Line] = field(default_factory=dict)
    ignored: int = 0
    seconds: float = 0.0

    def count(self, state: str) -> int:
        """How many pictures ended so."""
        return sum(line.state == state for line in self.lines.values())


class Run:
    """One run: `find`, `skip`, `check`, `fill`.

    Attributes:
        summary: what is known so far.
    """

    def __init__(self, order: Order, engine: Engine, say: Callable[[str], None]) -> None:
        """
        Args:
            engine: where the work is done.
            say: called with sentences for the user as soon as they are known.
        """
        self._order = order
        self._engine = engine
        self._say = say
        self._started = time.monotonic()
        self._areas: dict[str, int] = {}
        self._keys: dict[str, str] = {}
        self.summary = Summary()

    def end(self) -> None:
        """Take the time."""
        self.summary.seconds = time.monotonic() - self._started

    def find(self) -> list[Task]:
        """The pictures that can be filled; others go into the summary.

        Raises:
            InpaintError: the folders are not as they should be.
        """
        order = self._order
        marked = order.request.colour is not None or order.request.find
        found = folder.find(order.source, order.output, order.masks, order.originals, marked)
        self.summary.ignored = found.ignored
        for name, error in found.failed.items():
            self._fail(name, order.source / name, error.as_fields())
        for name in found.unmarked:
            self.summary.lines[name] = Line(name, UNMARKED, order.source / name, warnings=["It has no mask."])
        return self._tasks(found)

    def _tasks(self, found: Found) -> list[Task]:
        taken: dict[str, str] = {}
        tasks = []
        for pair in found.pairs:
            results = self._results(pair)
            double = next((name for name in results if name.lower() in taken), None)
            if double is not None:
                mask = "" if pair.mask is None else f" with {pair.mask.name}"
                self._fail(
                    pair.image.relative_to(self._order.source).as_posix() + mask,
                    pair.image,
                    InpaintError(
                        BAD_PARAM,
                        f"Its result {double} would overwrite that of {taken[double.lower()]}.",
                        "Rename one of them.",
                    ).as_fields(),
                )
                continue
            taken.update((name.lower(), pair.name) for name in results)
            tasks.append(Task(pair, self._order.request, results, self._order.thumbnails))
        return tasks

    def _results(self, pair: Pair) -> tuple[str, ...]:
        count = int(self._order.request.settings.get("count", 1))
        if count == 1:
            return (pair.name,)
        stem, _, suffix = pair.name.rpartition(".")
        return tuple(f"{stem}-{number}.{suffix}" for number in range(1, count + 1))

    def check(self, tasks: list[Task], show: Show) -> list[Task]:
        """Look at all pictures; those are given back that can be filled."""
        masks = self._order.show_masks
        function = work.check if masks is None else work.check_and_show
        good = []
        for number, (task, outcome) in enumerate(self._outcomes(function, tasks, lambda *_: None), start=1):
            show(number / len(tasks), "checking")
            name = task.pair.name
            if outcome.error is not None:
                self._fail(name, task.pair.image, outcome.error)
                continue
            if masks is not None:
                _write_masked(masks, name, outcome.masked)
            for doubt in outcome.doubts:
                self._say(f"{name}: {doubt}")
            if outcome.area:
                self._areas[name] = outcome.area
                self._line(task, GOOD, {}, outcome.doubts)
                good.append(task)
            else:
                self._unmarked(task, outcome)
        return sorted(good, key=lambda task: task.pair.name)

    def skip(self, tasks: list[Task], journal: Journal) -> list[Task]:
        """Find out what an earlier run has done; what is left is given back."""
        left = []
        for task in tasks:
            name = task.pair.name
            try:
                key = self._keys[name] = self._key(task)
            except FileError as error:
                self._fail(name, task.pair.image, error.as_fields())
                continue
            told = None if self._order.redo else journal.has(name, key)
            if told is None:
                left.append(task)
            else:
                self._line(task, SKIPPED, told, list(told.get("warnings", [])))
        return left

    def fill(self, tasks: list[Task], journal: Journal, show: Show) -> None:
        """Fill what `check` and `skip` left; every result appears as soon as it is there."""
        clock = Clock(tasks, self._areas, show)
        for task, outcome in self._outcomes(work.fill, tasks, clock.report):
            self._ended(task, outcome, journal)
            clock.ended(task)

    def _outcomes(
        self,
        function: Function,
        tasks: list[Task],
        show: Callable[[Task, float, str], None],
    ) -> Iterator[tuple[Task, Outcome]]:
        for task, outcome in self._engine.run(function, tasks, show):
            yield task, outcome or Outcome(_DIED.as_fields())

    def _ended(self, task: Task, outcome: Outcome, journal: Journal) -> None:
        name = task.pair.name
        if outcome.error is None and not outcome.results:
            self._unmarked(task, outcome)
            return
        error = outcome.error
        if error is None:
            try:
                journal.write(name, self._keys[name], outcome.results, outcome.told)
            except FileError as problem:
                error = problem.as_fields()
        if error is not None:
            self._fail(name, task.pair.image, error)
            return
        said = self.summary.lines[name].warnings
        for doubt in outcome.doubts:
            if doubt not in said:
                self._say(f"{name}: {doubt}")
        line = self._line(task, FILLED, outcome.told, outcome.doubts)
        line.before, line.after = outcome.before, outcome.after

    def _unmarked(self, task: Task, outcome: Outcome) -> None:
        line = Line(task.pair.name, UNMARKED, task.pair.image, warnings=outcome.doubts)
        self.summary.lines[line.name] = line

    def _line(self, task: Task, state: str, told: Mapping[str, Any], warnings: list[str]) -> Line:
        line = Line(task.pair.name, state, task.pair.image, None, warnings, told, task.results)
        self.summary.lines[line.name] = line
        return line

    def _fail(self, name: str, image: Path | None, error: Mapping[str, Any]) -> None:
        self._say(f"{name}: {error['message']} {error['hint']}".strip())
        self.summary.lines[name] = Line(name, FAILED, image, error)

    def _key(self, task: Task) -> str:
        """What decides about the result: the files, the request, the weights, this version."""
        from models import zoo

        request = asdict(self._order.request)
        del request["device"]  # where it is computed decides about rounding at most
        weights = {weights.name: zoo.stamp(weights.name) for weights in _candidates(request["model"])}
        pair = task.pair
        what = {"request": request, "results": task.results, "weights": weights, "version": __version__}
        return key_of([pair.image, pair.mask, pair.original], what)


def _candidates(model: str) -> list[Any]:
    """The weights that may fill."""
    from models import auto, zoo

    if model == "auto":
        return auto.usable()
    weights = zoo.resolve(model)
    return [] if weights is None else [weights]


def _write_masked(place: Path, name: str, data: bytes) -> None:
    """Save a picture of what was taken as mask: page.png, page.jpg.png."""
    path = place / (name if name.lower().endswith(".png") else name + ".png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as problem:
        raise cannot_write(path, problem) from problem
