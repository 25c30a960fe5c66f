"""The client with the real backend: found, started, shared, killed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.client import discovery, paths
from backend.client.discovery import Connection
from backend.client.session import Failure, InpaintRequest, Progress, Result, Session
from backend.wire.errors import (
    CANCELLED,
    LAUNCH_FAILED,
    NOT_RUNNING,
    UNAUTHORISED,
    WORKER_DIED,
    InpaintError,
)
from backend.wire.messages import Buffer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["zmq", "zmtp"])
def prefer(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A state folder in which this checkout is installed; whatever runs in the end is ended."""
    home = tmp_path / "state"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("AI_INPAINT_HOME", str(home))
    monkeypatch.delenv("AI_INPAINT_CONNECTION", raising=False)
    record = {"python": sys.executable, "root": str(ROOT), "software": "test"}
    paths.installation_file().write_text(json.dumps(record), encoding="utf-8")
    yield home
    for process in backends(home):
        kill(process)


def backends(home: Path) -> list[psutil.Process]:
    """The servers of a state folder."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = "serve" in process.cmdline() and process.environ().get("AI_INPAINT_HOME") == str(home)
        except psutil.Error:
            continue
        if ours and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def kill(process: psutil.Process) -> None:
    """End a server and its workers without a warning."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(family, timeout=10)


def picture(side: int = 48, **params: Any) -> InpaintRequest:
    """A gradient with a square hole."""
    image = bytes(
        4 * ((x + y) % 60) + channel for y in range(side) for x in range(side) for channel in range(3)
    )
    mask = bytearray(side * side)
    for row in range(side // 3, side // 2):
        mask[row * side + side // 3 : row * side + side // 2] = b"\xff" * (side // 2 - side // 3)
    model = params.pop("model", "auto")
    return InpaintRequest(
        "RGB",
        Buffer((side, side, 3), "u1", image),
        Buffer((side, side), "u1", mask),
        model=model,
        params=params,
        offset=(1000, -200),
    )


def test_the_first_client_starts_the_backend_and_the_next_finds_it(home: Path, prefer: str) -> None:
    told: list[str] = []
    with Session.connect(progress=told.append, software="a test", prefer=prefer) as session:
        assert told and set(told) == {"starting the backend"}
        pid = session.backend["pid"]
        cards, common = session.models()
        assert "auto" in [card["name"] for card in cards] or "patchmatch" in [card["name"] for card in cards]
        assert "grow" in [spec["name"] for spec in common]
        seen: list[Progress] = []
        result = session.inpaint(picture(seed=7, grow=2), seen.append)
        assert seen and all(0 <= progress.fraction <= 1 for progress in seen)
        assert isinstance(result, Result) and result.layout == "RGBA"
        ((seed, patch),) = result.candidates
        height, width, channels = patch.shape
        assert seed == 7 and channels == 4 and memoryview(patch.data).nbytes == height * width * 4
        assert 1000 < result.offset[0] <= 1016 and -200 < result.offset[1] <= -184
        again = session.inpaint(picture(seed=7, grow=2))
        assert bytes(again.candidates[0][1].data) == bytes(patch.data)
    told.clear()
    with Session.connect(launch=False, progress=told.append, prefer=prefer) as session:
        assert session.backend["pid"] == pid and not told
        assert session.status()["pid"] == pid
        session.shutdown()
    psutil.wait_procs(backends(home), timeout=20)
    assert not paths.connection_file().exists()
    with pytest.raises(InpaintError) as caught:
        Session.connect(launch=False)
    assert caught.value.code == NOT_RUNNING


CONNECT = """
import sys
from backend.client.session import Session
sys.stdin.readline()
with Session.connect(timeout=50) as session:
    print(session.status()["pid"])
"""


def test_clients_that_start_at_once_share_one_backend(home: Path) -> None:
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", CONNECT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(3)
    ]
    time.sleep(0.5)  # all of them are up and wait for the word
    for client in clients:
        assert client.stdin is not None
        client.stdin.write("\n")
        client.stdin.flush()
    pids = {client.communicate(timeout=60)[0].strip() for client in clients}
    assert all(client.returncode == 0 for client in clients)
    assert len(pids) == 1
    assert [str(process.pid) for process in backends(home)] == list(pids)


def test_a_stale_file_is_replaced(home: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stale = Connection("tcp://127.0.0.1:9", "PLAIN", username="u", secret="s", pid=ended.pid)
    discovery.write(stale, paths.connection_file())
    with pytest.raises(InpaintError) as caught:
        Session.connect(launch=False)
    assert caught.value.code == NOT_RUNNING
    # The number was given to another process meanwhile: then it is the silence at the address that tells.
    discovery.write(replace(stale, pid=os.getpid()), paths.connection_file())
    with pytest.raises(InpaintError) as caught:
        Session.connect(launch=False)
    assert caught.value.code == NOT_RUNNING
    with Session.connect() as session:
        assert discovery.read(paths.connection_file()).pid == session.backend["pid"]


def test_a_backend_killed_between_jobs_is_started_again(home: Path, prefer: str) -> None:
    with Session.connect(prefer=prefer) as session:
        first = session.backend["pid"]
        kill(psutil.Process(first))
        with pytest.raises(InpaintError) as caught:
            session.inpaint(picture())
        assert caught.value.code == NOT_RUNNING
    with Session.connect(prefer=prefer) as session:
        assert session.backend["pid"] != first
        assert session.status()["pid"] == session.backend["pid"]


def test_the_folder_may_be_named(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_INPAINT_HOME", str(tmp_path / "another"))
    monkeypatch.chdir(tmp_path)
    with Session.connect(state_dir="state") as session:
        assert discovery.read(home / "connection.json").pid == session.backend["pid"]
    assert not (tmp_path / "another").exists()


def test_a_wrong_secret_is_reported_and_starts_nothing(home: Path, prefer: str) -> None:
    Session.connect().close()
    right = discovery.read(paths.connection_file())
    discovery.write(replace(right, secret="0" * 64), paths.connection_file())
    with pytest.raises(InpaintError) as caught:
        Session.connect(prefer=prefer)
    assert caught.value.code == UNAUTHORISED
    assert [process.pid for process in backends(home)] == [right.pid]


def test_a_backend_that_cannot_be_found_is_not_started_twice(home: Path) -> None:
    Session.connect().close()
    paths.connection_file().unlink()
    with pytest.raises(InpaintError) as caught:
        Session.connect(timeout=10)
    assert caught.value.code == LAUNCH_FAILED and "runs already" in caught.value.message
    assert len(backends(home)) == 1


def test_a_named_file_is_used_and_never_started(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Session.connect().close()
    elsewhere = tmp_path / "copied.json"
    paths.connection_file().rename(elsewhere)
    monkeypatch.setenv("AI_INPAINT_CONNECTION", str(elsewhere))
    with Session.connect() as session:
        kill(psutil.Process(session.backend["pid"]))
    for missing in (False, True):
        with pytest.raises(InpaintError) as caught:
            Session.connect()
        assert caught.value.code == NOT_RUNNING
        assert (str(elsewhere) in caught.value.message) is missing
        elsewhere.unlink(missing_ok=True)
    assert not backends(home)


# With models that take their time


@pytest.fixture
def connect(start: Callable[..., Any], prefer: str) -> Iterator[Callable[..., Session]]:
    """Starts a server with odd models and connects to it."""
    sessions: list[Session] = []

    def connect(**options: Any) -> Session:
        server = start(**options)
        known = {**server.info, "protocol": tuple(server.info["protocol"])}
        known.pop("modules")
        session = Session.open(Connection(**known), "a test", prefer)
        session.server = server  # type: ignore[attr-defined]
        sessions.append(session)
        return session

    yield connect
    for session in sessions:
        session.close()


def dreaming(session: Session, job: str) -> None:
    """Wait until the model works on a job."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        event = session.poll(1)
        assert not isinstance(event, Failure), event
        if isinstance(event, Progress) and event.job == job and event.stage == "dreaming":
            return
    raise TimeoutError


def ending(session: Session, job: str) -> Any:
    """The event that ends a job."""
    while True:
        event = session.poll(60)
        assert event is not None
        if event.job == job and not isinstance(event, Progress):
            return event


def test_a_server_killed_during_a_job_fails_it_at_once(connect: Callable[..., Session]) -> None:
    session = connect()
    job = session.submit(picture(model="patient", seconds=60))
    dreaming(session, job)
    server = psutil.Process(session.backend["pid"])
    workers = server.children(recursive=True)
    server.kill()
    killed = time.monotonic()
    failure = ending(session, job)
    assert isinstance(failure, Failure) and failure.error.code == NOT_RUNNING
    assert time.monotonic() - killed < 10
    _, left = psutil.wait_procs(workers, timeout=30)
    assert not left, "workers that outlive their server"


def test_a_worker_killed_during_a_job_costs_that_job_alone(connect: Callable[..., Session]) -> None:
    session = connect()
    job = session.submit(picture(model="patient", seconds=60))
    dreaming(session, job)
    (worker,) = session.status()["workers"]
    psutil.Process(worker["pid"]).kill()
    failure = ending(session, job)
    assert isinstance(failure, Failure) and failure.error.code == WORKER_DIED
    assert session.inpaint(picture(model="patient", value=9)).model == "patient"


def test_cancelling_while_others_wait(connect: Callable[..., Session]) -> None:
    session = connect()
    running = session.submit(picture(model="patient", seconds=60))
    waiting = session.submit(picture(model="patient", value=3))
    dreaming(session, running)
    session.cancel(running)
    events = [ending(session, job) for job in (running, waiting)]
    assert isinstance(events[0], Failure) and events[0].error.code == CANCELLED
    assert isinstance(events[1], Result)


def test_a_blocking_fill_is_cancelled_by_its_callback(connect: Callable[..., Session]) -> None:
    session = connect()
    seen: list[Progress] = []
    with pytest.raises(InpaintError) as caught:
        session.inpaint(
            picture(model="patient", seconds=60),
            seen.append,
            lambda: bool(seen) and seen[-1].stage == "dreaming",
        )
    assert caught.value.code == CANCELLED
    assert session.inpaint(picture(model="patient")).model == "patient"


def test_a_backend_elsewhere_speaks_curve(start: Callable[..., Any]) -> None:
    server = start(mechanism="curve")
    known = {**server.info, "protocol": tuple(server.info["protocol"])}
    known.pop("modules")
    with Session.open(Connection(**known)) as session:
        assert session.inpaint(picture(model="patient", value=5)).model == "patient"
