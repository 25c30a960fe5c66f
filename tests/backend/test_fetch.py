"""Fetching through a running backend: beside the fills, for several clients, and usable at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from downloads import CONTENT, FileServer, until, write_zoo
from weights_files import small_lama

from backend import store
from backend.client.discovery import Connection
from backend.client.session import Failure, Fetched, Progress, Session
from models import zoo

Start = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[2]
SOON = 2.0  # seconds: what is promised within one, and a slow machine's allowance


@pytest.fixture(scope="module")
def served() -> Iterator[FileServer]:
    running = FileServer()
    yield running
    running.close()


@pytest.fixture(scope="module")
def folder(served: FileServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of weights, and a zoo with one entry, `tested`, that `files` serves."""
    place = tmp_path_factory.mktemp("store")
    write_zoo(place / "zoo.toml", served.url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI_INPAINT_ZOO", str(place / "zoo.toml"))
        patch.setenv("AI_INPAINT_MODELS", str(place / "models"))
        yield place / "models"


@pytest.fixture
def files(served: FileServer, folder: Path) -> FileServer:
    """The server of files as good as new, and nothing fetched yet."""
    served.reset()
    until(lambda: not any(process.is_running() for process in fetchers()))
    shutil.rmtree(folder, ignore_errors=True)
    return served


@pytest.fixture(scope="module")
def shared(start_for_module: Start, folder: Path) -> Any:
    running = start_for_module()
    running.workers()
    return running


@pytest.fixture
def server(shared: Any, files: FileServer) -> Any:
    """A server whose weights are in `folder`, for tests that leave it as it was."""
    return shared


@pytest.fixture
def own(start: Start, files: FileServer) -> Any:
    """A server that a test may end."""
    return start()


def fetchers(process: int | None = None) -> list[psutil.Process]:
    """The processes that fetch, below this or another process."""
    children = psutil.Process(process or os.getpid()).children(recursive=True)
    return [child for child in children if "backend.store" in _command(child)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it ended meanwhile
        return ""


def code(message: Any) -> str:
    assert message.type == "error", message
    return message.fields["code"]


def card(client: Any, name: str) -> dict[str, Any] | None:
    return next((card for card in client.ask("models").fields["models"] if card["name"] == name), None)


def fetching(client: Any, job: str, part: float = 0.0) -> None:
    """Wait until so much has arrived."""
    client.wait(lambda message: message.id == job and message.fields.get("fraction", -1) > part)


def processes(server: Any) -> list[psutil.Process]:
    return fetchers(server.process.pid)


def test_a_fetch_tells_how_far_it_is_and_the_model_is_there(server: Any, files: FileServer) -> None:
    client = server.client()
    before = card(client, "tested")
    assert before is not None and not before["installed"]
    assert before["download"] == {
        "bytes": len(CONTENT),
        "licence": "MIT",
        "commercial": True,
        "page": "https://example.org/tested",
    }
    files.slow(chunk=20_000, pause=0.05)
    job = client.send("fetch", model="tested")
    answer = client.answer(job)
    assert (answer.type, answer.fields) == ("fetched", {"model": "tested"})
    told = [message.fields for message in client.heard if message.id == job]
    assert {fields["stage"] for fields in told} <= {"downloading", "checking"} and len(told) >= 4
    fractions = [fields["fraction"] for fields in told]
    assert fractions == sorted(fractions) and fractions[-1] > 0.5
    after = card(client, "tested")
    assert after is not None and after["installed"]
    assert zoo.installed()["tested"].path.read_bytes() == CONTENT
    assert client.ask("fetch", model="tested").type == "fetched", "what is there is there"
    assert len(files.requests) == 1


def test_fills_and_questions_do_not_wait_for_it(server: Any, files: FileServer) -> None:
    client = server.client()
    files.slow(chunk=1000, pause=0.1)
    job = client.send("fetch", model="tested")
    fetching(client, job)
    assert client.ask("hello").type == "hello"
    assert client.answer(client.inpaint(seconds=0.2)).type == "result"
    (entry,) = client.ask("status").fields["fetches"]
    assert entry["model"] == "tested" and entry["stage"] == "downloading" and 0 < entry["fraction"] < 1
    client.ask("cancel", job=job)


def test_a_cancelled_fetch_ends_at_once_and_goes_on_later(
    server: Any, files: FileServer, folder: Path
) -> None:
    client = server.client()
    files.slow(chunk=10_000, pause=0.1)
    job = client.send("fetch", model="tested")
    fetching(client, job, 0.1)
    (process,) = processes(server)
    assert client.answer(client.send("cancel", job=job)).type == "ok"
    assert code(client.answer(job, seconds=SOON)) == "cancelled"
    process.wait(SOON)
    came = (folder / ".tested.part").stat().st_size
    assert 0 < came < len(CONTENT) and "tested" not in zoo.installed()
    assert client.ask("status").fields["fetches"] == []
    files.slow(chunk=len(CONTENT), pause=0)
    assert client.ask("fetch", model="tested").type == "fetched"
    assert files.requests[-1][1] == f"bytes={came}-"


def test_two_clients_wait_for_one_download(server: Any, files: FileServer) -> None:
    first, second = server.client(), server.client()
    files.slow(chunk=5000, pause=0.05)
    jobs = [client.send("fetch", model="tested", id="same") for client in (first, second)]
    for client, job in zip((first, second), jobs, strict=True):
        fetching(client, job)
    assert len(processes(server)) == 1
    first.ask("cancel", job=jobs[0])
    assert code(first.answer(jobs[0])) == "cancelled"
    files.pause = 0
    assert second.answer(jobs[1]).type == "fetched", "somebody still wanted it"
    assert len(files.requests) == 1


def test_a_download_ends_with_the_client_that_wanted_it(server: Any, files: FileServer) -> None:
    client = server.client()
    files.slow(chunk=1000, pause=0.1)
    fetching(client, client.send("fetch", model="tested"))
    (process,) = processes(server)
    client.close()
    process.wait(3 * SOON)


def test_nobody_cancels_the_fetch_of_another(server: Any, files: FileServer) -> None:
    owner, other = server.client(), server.client()
    files.slow(chunk=5000, pause=0.05)
    job = owner.send("fetch", model="tested")
    fetching(owner, job)
    other.ask("cancel", job=job)
    files.pause = 0
    assert owner.answer(job).type == "fetched"


def test_what_goes_wrong_is_told_in_the_same_words(server: Any, files: FileServer) -> None:
    client = server.client()
    files.status = [404]
    answer = client.ask("fetch", model="tested")
    assert code(answer) == "download-failed" and "404" in answer.fields["message"]
    assert code(client.ask("fetch", model="nobody")) == "unknown-model"
    assert code(client.ask("fetch", model="x" * 1000)) == "unknown-model"
    by_hand = client.ask("fetch", model="sc-fegan")
    assert code(by_hand) == "no-weights" and "models import" in by_hand.fields["hint"]
    for odd in ({}, {"model": None}, {"model": ["tested"]}):
        assert code(client.ask("fetch", **odd)) == "bad-message"
    files.status = [0]
    assert client.ask("fetch", model="tested").type == "fetched"


def test_an_id_that_is_in_use_is_refused(server: Any, files: FileServer) -> None:
    client = server.client()
    files.slow(chunk=1000, pause=0.1)
    job = client.send("fetch", model="tested", id="one")
    fetching(client, job)
    client.send("fetch", model="tested", id="one")
    client.wait(lambda message: message.fields.get("code") == "bad-message")
    client.send("cancel", job="one")
    client.wait(lambda message: message.fields.get("code") == "cancelled")


def test_a_fetch_that_is_killed_is_an_error_of_its_own(server: Any, files: FileServer) -> None:
    client = server.client()
    files.slow(chunk=1000, pause=0.1)
    job = client.send("fetch", model="tested")
    fetching(client, job)
    processes(server)[0].kill()
    assert code(client.answer(job, seconds=SOON)) == "download-failed"
    files.pause = 0
    assert client.ask("fetch", model="tested").type == "fetched"


def test_a_program_that_does_not_start_is_an_error(start: Start, files: FileServer) -> None:
    for command in (["/no/such/program"], [sys.executable, "-c", "raise SystemExit('no')"]):
        client = start(fetch_command=command).client()
        assert code(client.ask("fetch", model="tested")) == "download-failed"
        assert client.ask("hello").type == "hello"


def test_the_end_of_the_backend_ends_its_fetches(own: Any, files: FileServer) -> None:
    client = own.client()
    files.slow(chunk=1000, pause=0.1)
    job = client.send("fetch", model="tested")
    fetching(client, job)
    (process,) = processes(own)
    assert client.ask("shutdown").type == "ok"
    assert code(client.answer(job)) == "shutting-down"
    process.wait(SOON)
    assert own.wait() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_fetch_does_not_outlive_a_backend_that_is_killed(own: Any, files: FileServer) -> None:
    client = own.client()
    files.slow(chunk=1000, pause=0.1)
    fetching(client, client.send("fetch", model="tested"))
    (process,) = processes(own)
    own.process.kill()
    process.wait(2 * SOON)


def test_an_idle_backend_waits_for_its_fetch(start: Start, files: FileServer) -> None:
    server = start(idle_timeout=0.7)
    client = server.client()
    files.slow(chunk=15_000, pause=0.1)
    assert client.answer(client.send("fetch", model="tested")).type == "fetched"
    assert server.wait() == 0


# Through the plugins' own client


@pytest.mark.parametrize("prefer", ["zmq", "zmtp"])
def test_a_session_fetches(server: Any, files: FileServer, prefer: str) -> None:
    known = {name: value for name, value in server.info.items() if name not in ("modules", "protocol")}
    connection = Connection(**known, protocol=tuple(server.info["protocol"]))
    with Session.open(connection, "a test", prefer) as session:
        files.slow(chunk=10_000, pause=0.05)
        job = session.fetch("tested")
        news = session.poll(20)
        assert isinstance(news, Progress) and news.job == job
        session.cancel(job)
        while not isinstance(news, Failure):
            news = session.poll(20)
        assert news.error.code == "cancelled"
        files.slow(chunk=len(CONTENT), pause=0)
        job = session.fetch("tested")
        while not isinstance(news, Fetched):
            news = session.poll(20)
            assert not isinstance(news, Failure) or news.job != job, news
        assert (news.job, news.model) == (job, "tested")
        assert {entry["name"]: entry["installed"] for entry in session.models()[0]}["tested"]


# What comes and goes while the backend runs


def imported(folder: Path, path: Path, name: str) -> None:
    """Import as a user does beside the running backend."""
    command = [sys.executable, "-m", "backend.cli", "models", "import", str(path), "--name", name]
    environment = {**os.environ, "AI_INPAINT_MODELS": str(folder)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)


def test_an_imported_model_is_usable_at_once(server: Any, folder: Path, tmp_path: Path) -> None:
    client = server.client()
    assert card(client, "mine") is None
    assert code(client.answer(client.inpaint("mine"))) == "unknown-model"
    imported(folder, small_lama(tmp_path / "one.ckpt"), "mine")
    # By its name alone, before anybody asks which models there are; and while the worker is busy.
    busy = client.inpaint(seconds=1)
    client.running(busy)
    job = client.inpaint("mine", side=64)
    assert client.answer(busy).type == "result"
    result = client.answer(job, seconds=100)
    assert result.type == "result" and result.fields["model"] == "mine"
    seen = card(client, "mine")
    assert seen is not None and seen["installed"] and seen["architecture"] == "lama"
    deadline = time.monotonic() + 10  # what is loaded is told after the result
    while [worker["models"] for worker in client.ask("status").fields["workers"]] != [["patient", "mine"]]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # Other weights under the same name are other weights.
    first = bytes(result.buffers["candidate:0"].data)
    assert first == bytes(client.answer(client.inpaint("mine", side=64)).buffers["candidate:0"].data)
    store.remove("mine")
    assert card(client, "mine") is None
    assert code(client.answer(client.inpaint("mine"))) == "unknown-model"
    store.import_weights(small_lama(tmp_path / "other.ckpt", seed=1), lambda *_: None, "mine")
    after = client.answer(client.inpaint("mine", side=64), seconds=100)
    assert first != bytes(after.buffers["candidate:0"].data)


def test_models_are_listed_while_the_worker_is_hung(server: Any, folder: Path, files: FileServer) -> None:
    client, asking = server.client(), server.client()
    job = client.inpaint("hog", seconds=60)  # lets no other thread run
    client.wait(lambda message: message.id == job and message.fields.get("stage") == "starting")
    assert "tested" in [entry["name"] for entry in asking.ask("models").fields["models"]]
    client.send("cancel", job=job)
    until(lambda: code(client.answer(job)) == "cancelled")


def test_a_fill_that_waits_to_be_known_can_be_cancelled(server: Any, folder: Path) -> None:
    client = server.client()
    hog = client.inpaint("hog", seconds=60)
    client.wait(lambda message: message.id == hog and message.fields.get("stage") == "starting")
    job = client.inpaint("mine")
    client.send("cancel", job=job)
    assert code(client.answer(job, seconds=1.5)) == "cancelled"
    client.send("cancel", job=hog)
