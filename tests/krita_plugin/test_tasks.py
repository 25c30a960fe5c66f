"""Threads that work while the editor looks, and the backend asked from one."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installer import ROOT
from krita_fakes import make_picture


def news(task: Any, seconds: float = 60.0) -> list[Any]:
    """All that a task says until it ends, with every question answered by its matter doubled."""
    heard: list[Any] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for one in task.take():
            heard.append(one)
            if type(one).__name__ in ("Done", "Failed"):
                return heard
        time.sleep(0.01)
    raise TimeoutError(heard)


def test_a_task_tells_asks_and_ends(plugin: Any) -> None:
    tasks = plugin.tasks

    def work(task: Any) -> str:
        task.tell("first", 0.5)
        return f"{task.ask('how much')} in {threading.current_thread().name}"

    task = tasks.Task(work)
    heard: list[Any] = []
    while tasks.Question("how much") not in heard:
        heard += task.take()
    task.answer("much")
    heard += news(task)
    assert heard == [
        tasks.Stage("first", 0.5),
        tasks.Question("how much"),
        tasks.Done("much in ai-inpaint"),
    ]


def test_nothing_is_heard_of_a_task_after_its_cancel(plugin: Any) -> None:
    begun = threading.Event()

    def work(task: Any) -> None:
        begun.set()
        task.ask("nobody answers")

    task = plugin.tasks.Task(work)
    begun.wait(10)
    task.cancel()
    assert task.join(10)
    assert task.take() == []


@pytest.mark.parametrize("known", [True, False])
def test_a_failure_is_a_sentence(plugin: Any, known: bool, caplog: pytest.LogCaptureFixture) -> None:
    error = plugin.backend.wire.errors.InpaintError

    def work(task: Any) -> None:
        raise error("no-source", "Nothing there.") if known else ZeroDivisionError("insides")

    (failed,) = news(plugin.tasks.Task(work))
    assert failed.error.code == ("no-source" if known else "internal")
    assert "insides" not in str(failed.error)
    assert ("insides" in caplog.text) is not known, "a defect is logged, a refusal is not"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder in which this checkout is installed."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "installation.json").write_text(json.dumps({"python": sys.executable, "root": str(ROOT)}))
    monkeypatch.setenv("AI_INPAINT_HOME", str(folder))
    return folder


def test_the_backend_is_started_asked_and_stopped(plugin: Any, state: Path) -> None:
    tasks, jobs, form = plugin.tasks, plugin.jobs, plugin.backend.client.form
    assert news(tasks.Task(jobs.status)) == [tasks.Done({})]
    assert news(tasks.Task(jobs.stop)) == [tasks.Done(False)]
    started = news(tasks.Task(jobs.start))
    try:
        assert isinstance(started[-1], tasks.Done), started
        assert tasks.Stage("Starting the backend") in started
        assert "runs on" in plugin.backend.client.words.status(started[-1].value)
        picture = make_picture(plugin)
        settings = plugin.backend.client.settings.Settings(state / "settings.json")
        task = tasks.Task(jobs.fill)
        known: dict[str, Any] = {}

        def answer(cards: Any) -> Any:
            known["offer"] = form.Form(cards.models, cards.common, settings)
            wish = plugin.fill.Wish("smooth", {"seed": 4})
            known["order"] = plugin.fill.prepare(picture, known["offer"], wish)
            return known["order"].request

        heard = filled(task, answer)
        plugin.fill.deliver(picture, known["offer"], known["order"], heard[-1].value)
        (fills, _, rect, *_) = picture.inserted[0]
        assert fills[0].name.endswith("seed 4")
        assert len(fills[0].data) == rect.width * rect.height * 4
        assert any(isinstance(one, tasks.Stage) and one.fraction is not None for one in heard)
        assert isinstance(news(tasks.Task(jobs.cards))[-1].value, jobs.Cards)
    finally:
        stopped = news(tasks.Task(jobs.stop))
    assert stopped[-1] == tasks.Done(True)
    assert not (state / "connection.json").exists(), "it has ended"


def filled(task: Any, answer: Callable[[Any], Any]) -> list[Any]:
    """The news of a fill, whose question is answered."""
    heard: list[Any] = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for one in task.take():
            heard.append(one)
            name = type(one).__name__
            assert name != "Failed", one
            if name == "Question":
                task.answer(answer(one.matter))
            if name == "Done":
                return heard
        time.sleep(0.01)
    raise TimeoutError(heard)


def test_a_waiting_job_says_its_place(plugin: Any) -> None:
    progress = plugin.backend.client.session.Progress
    assert plugin.jobs.words(progress("id", "waiting", 0.0, 2)) == "Waiting, place 2 in the queue"
    assert plugin.jobs.words(progress("id", "matching", 0.4)) == "Matching"


def test_of_a_programs_last_words_a_message_shows_the_last_line(plugin: Any) -> None:
    error = plugin.backend.wire.errors.InpaintError
    trace = 'Traceback (most recent call last):\n  File "x.py", line 1\nImportError: no torch'
    said = plugin.words.sentence(error("launch-failed", f"It ended. It said: {trace}", "Look there."))
    assert said == "It ended. It said: ImportError: no torch\n\nLook there."
    assert plugin.words.sentence(error("busy", "Too much.", "Wait.")) == "Too much.\n\nWait."
