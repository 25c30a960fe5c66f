"""Work that takes time, in a thread of its own; what it has to say waits until somebody takes it.

Nothing here knows Qt or Krita, and nothing in a thread may call them: the editor's side looks with `take`
several times a second, and answers what the thread asks with `answer`.
"""

from __future__ import annotations

import logging
import queue
import threading
from dataclasses import dataclass
from typing import Any, Callable, Generic, List, Optional, TypeVar, Union

from .backend.wire.errors import CANCELLED, INTERNAL, InpaintError

Value = TypeVar("Value")


@dataclass(frozen=True)
class Stage:
    """What is being done: a few words, and how much of it is done (0 to 1; None where nobody knows)."""

    text: str
    fraction: Optional[float] = None


@dataclass(frozen=True)
class Question:
    """The thread needs something that only the editor's side can give; `Task.answer` goes on with it."""

    matter: Any


@dataclass(frozen=True)
class Done:
    """The work has ended well."""

    value: Any


@dataclass(frozen=True)
class Failed:
    """The work has ended badly."""

    error: InpaintError


News = Union[Stage, Question, Done, Failed]


class Task(Generic[Value]):
    """One piece of work, begun at once.

    After `cancel` nothing is heard of it again, even where the thread needs a moment longer to notice.
    """

    def __init__(self, work: Callable[[Task[Value]], Value]) -> None:
        """`work` is called in the thread with this task; what it returns or raises ends the task."""
        self._work = work
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ai-inpaint", daemon=True)
        self._thread.start()

    # For the editor's side

    def take(self) -> List[News]:
        """What has come since the last look, oldest first; nothing after `cancel`."""
        news: List[News] = []
        while not self._cancelled.is_set():
            try:
                news.append(self._news.get_nowait())
            except queue.Empty:
                break
        return news

    def answer(self, value: Any) -> None:
        """Give the thread what it asked for."""
        self._answers.put(value)

    def cancel(self) -> None:
        """Stop as soon as the thread looks, which it does several times a second."""
        self._cancelled.set()
        self._answers.put(None)

    def join(self, seconds: float) -> bool:
        """Wait for the thread; False if it still runs after that time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # For the thread

    @property
    def cancelled(self) -> bool:
        """Whether to stop."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Stop here if the task was cancelled.

        Raises:
            InpaintError: `cancelled`.
        """
        if self.cancelled:
            raise InpaintError(CANCELLED, "The fill was cancelled.")

    def tell(self, text: str, fraction: Optional[float] = None) -> None:
        """Say what is being done."""
        self._news.put(Stage(text, fraction))

    def ask(self, matter: Any) -> Any:
        """Ask the editor's side, and wait for the answer.

        Raises:
            InpaintError: `cancelled`.
        """
        self._news.put(Question(matter))
        value = self._answers.get()
        self.check()
        return value

    def _run(self) -> None:
        try:
            end: News = Done(self._work(self))
        except InpaintError as problem:
            end = Failed(problem)
        except Exception:
            logging.getLogger(__name__).exception("AI Inpaint")
            end = Failed(
                InpaintError(
                    INTERNAL,
                    "AI Inpaint met a defect of its own.",
                    "Try again; Krita's standard error output says what happened.",
                )
            )
        self._news.put(end)
