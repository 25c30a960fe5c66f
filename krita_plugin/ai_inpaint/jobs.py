"""What is asked of the backend, each as the work of a `Task`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping

from .backend.client import discovery, paths
from .backend.client.session import Failure, Progress, Result, Selected, Session
from .backend.wire.errors import NOT_RUNNING, InpaintError
from .tasks import Task

SOFTWARE = "Krita plugin"

_WAITING = "waiting"
_ENDING = 10.0  # seconds in which a backend ends that was asked to


@dataclass(frozen=True)
class Cards:
    """The two answers of `Session.models`."""

    models: List[Dict[str, Any]]
    common: List[Dict[str, Any]]


def fill(task: Task[Result]) -> Result:
    """Fill. The thread asks for the request with the `Cards`: what has to be read depends on them."""
    with _connect(task) as session:
        task.tell("Asking for the models")
        request = task.ask(Cards(*session.models()))
        return session.inpaint(request, _shows(task), lambda: task.cancelled)


def sketch(task: Task[Result]) -> Result:
    """Draw the lines of a picture. The thread asks for the request."""
    with _connect(task) as session:
        request = task.ask(None)
        return session.sketch(request, _shows(task), lambda: task.cancelled)


def select(task: Task[Selected]) -> Selected:
    """Find what is to be filled. The thread asks for the request."""
    with _connect(task) as session:
        request = task.ask(None)
        return session.select(request, _shows(task), lambda: task.cancelled)


def _shows(task: Task[Any]) -> Callable[[Progress], None]:
    """What tells the task's window how far it is."""
    return lambda progress: task.tell(words(progress), progress.fraction)


def cards(task: Task[Cards]) -> Cards:
    """What a dialog is built from."""
    with _connect(task) as session:
        task.tell("Asking for the models")
        return Cards(*session.models())


def fetch(task: Task[Cards], name: str) -> Cards:
    """Fetch a model's weights; what the backend offers then."""
    with _connect(task) as session:
        job = session.fetch(name)
        while True:
            if task.cancelled:
                session.cancel(job)
            task.check()
            news = session.poll(0.1)
            if isinstance(news, Progress):
                task.tell(words(news), news.fraction)
            elif isinstance(news, Failure):
                raise news.error
            elif news is not None:
                return Cards(*session.models())


def start(task: Task[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Start the backend if it does not run; its status."""
    with _connect(task) as session:
        return session.status()


def stop(task: Task[bool]) -> bool:
    """End the backend, and wait until it has ended; False if none runs."""
    try:
        with _connect(task, launch=False) as session:
            session.shutdown()
    except InpaintError as problem:
        if problem.code == NOT_RUNNING:
            return False
        raise
    deadline = time.monotonic() + _ENDING
    while discovery.find(paths.connection_file()) is not None and time.monotonic() < deadline:
        task.check()
        time.sleep(0.05)
    return True


def status(task: Task[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the backend is doing; {} if none runs."""
    try:
        with _connect(task, launch=False) as session:
            return session.status()
    except InpaintError as problem:
        if problem.code == NOT_RUNNING:
            return {}
        raise


def words(progress: Progress) -> str:
    """What the progress window says."""
    if progress.stage == _WAITING and progress.position:
        return f"Waiting, place {progress.position} in the queue"
    return progress.stage[:1].upper() + progress.stage[1:]


def _connect(task: Task[Any], launch: bool = True) -> Session:
    def starting(sentence: str) -> None:
        task.check()
        task.tell(sentence[:1].upper() + sentence[1:])

    task.check()
    return Session.connect(launch=launch, progress=starting, software=SOFTWARE)
