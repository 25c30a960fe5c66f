"""The connection file: what is written, what is trusted, what is stale."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.client import discovery
from backend.client.discovery import Connection
from backend.client.processes import alive
from backend.wire.errors import NOT_RUNNING, TRANSPORT, UNAUTHORISED, InpaintError

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX's")
PLAIN = Connection(
    "tcp://127.0.0.1:5555", "PLAIN", software="1.2", username="client", secret="ab" * 32, pid=os.getpid()
)
CURVE = Connection(
    "tcp://[::1]:5555", "CURVE", server_key="s" * 40, client_key="k" * 40, client_secret="c" * 40, pid=1
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "connection.json"


@pytest.fixture
def ended() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("connection", [PLAIN, CURVE], ids=["PLAIN", "CURVE"])
def test_what_was_written_is_read(path: Path, connection: Connection) -> None:
    discovery.write(connection, path)
    assert discovery.read(path) == connection
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@POSIX
def test_nobody_else_can_read_it(path: Path) -> None:
    before = os.umask(0)
    try:
        discovery.write(PLAIN, path)
        discovery.write(PLAIN, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_secrets_are_not_printed() -> None:
    assert PLAIN.secret not in repr(PLAIN) and CURVE.client_secret not in repr(CURVE)


@POSIX
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_not_trusted(path: Path, mode: int) -> None:
    discovery.write(PLAIN, path)
    path.chmod(mode)
    for look in (discovery.read, discovery.find):
        with pytest.raises(InpaintError) as caught:
            look(path)
        assert caught.value.code == UNAUTHORISED
    assert not discovery.remove_if_mine(path) and path.exists()


@POSIX
def test_a_file_that_somebody_else_wrote_is_not_trusted(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only the administrator can give a file away")
    discovery.write(PLAIN, path)
    os.chown(str(path), 12345, 12345)
    with pytest.raises(InpaintError) as caught:
        discovery.read(path)
    assert caught.value.code == UNAUTHORISED


def test_no_file_is_no_backend(path: Path) -> None:
    assert discovery.find(path) is None
    with pytest.raises(InpaintError) as caught:
        discovery.read(path)
    assert caught.value.code == NOT_RUNNING


def good() -> dict[str, Any]:
    return {
        "protocol": [1, 0],
        "endpoint": "tcp://127.0.0.1:5555",
        "mechanism": "PLAIN",
        "username": "u",
        "secret": "s",
        "pid": 7,
        "host": "h",
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        json.dumps(good()).encode()[:-5],
        json.dumps({**good(), "protocol": "1"}).encode(),
        json.dumps({**good(), "protocol": []}).encode(),
        json.dumps({**good(), "protocol": [1.5]}).encode(),
        json.dumps({**good(), "endpoint": 5}).encode(),
        json.dumps({**good(), "endpoint": ""}).encode(),
        json.dumps({**good(), "secret": None}).encode(),
        json.dumps({**good(), "secret": ""}).encode(),
        json.dumps({**good(), "secret": "s" * 256}).encode(),
        json.dumps({**good(), "pid": "7"}).encode(),
        json.dumps({**good(), "mechanism": "CURVE"}).encode(),
        json.dumps({**good(), "filler": "x" * 100_000}).encode(),
    ],
    ids=range(17),
)
def test_a_broken_file_is_no_backend(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    assert discovery.find(path) is None
    with pytest.raises(InpaintError) as caught:
        discovery.read(path)
    assert caught.value.code == NOT_RUNNING and str(path) in caught.value.message


def test_unknown_fields_are_ignored(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({**good(), "invented": [1]}), encoding="utf-8")
    path.chmod(0o600)
    connection = discovery.read(path)
    assert connection.secret == "s" and connection.pid == 7 and connection.protocol == (1, 0)


@pytest.mark.parametrize("mechanism", ["NULL", "GSSAPI", ""])
def test_a_mechanism_that_is_not_known_is_refused(path: Path, mechanism: str) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({**good(), "mechanism": mechanism}), encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(InpaintError) as caught:
        discovery.read(path)
    assert caught.value.code == TRANSPORT


def test_a_dead_backend_s_file_counts_as_none(path: Path, ended: int) -> None:
    discovery.write(PLAIN, path)
    assert discovery.find(path) == PLAIN
    discovery.write(replace(PLAIN, pid=ended), path)
    assert discovery.find(path) is None
    assert discovery.read(path).pid == ended


def test_another_machine_s_or_sandbox_s_numbers_say_nothing(path: Path, ended: int) -> None:
    for elsewhere in ({"host": "another machine"}, {"namespace": "pid:[1]"}):
        discovery.write(replace(PLAIN, pid=ended, **elsewhere), path)
        found = discovery.find(path)
        assert found is not None and not found.local


def test_only_the_writer_removes_it(path: Path) -> None:
    assert not discovery.remove_if_mine(path)
    for somebody in (
        replace(PLAIN, pid=os.getppid()),
        replace(PLAIN, host="another machine"),
        replace(PLAIN, namespace="pid:[1]"),
    ):
        discovery.write(somebody, path)
        assert not discovery.remove_if_mine(path) and path.exists()
    discovery.write(PLAIN, path)
    assert discovery.remove_if_mine(path) and not path.exists()


def test_a_reader_sees_one_version_or_the_other(path: Path) -> None:
    versions = [replace(PLAIN, secret=letter * 250, software=letter) for letter in "ab"]
    discovery.write(versions[0], path)
    seen: list[Connection] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(discovery.read(path))

    reader = threading.Thread(target=read)
    reader.start()
    for index in range(200):
        discovery.write(versions[index % 2], path)
    done.set()
    reader.join()
    assert seen and all(connection in versions for connection in seen)


def test_a_write_that_fails_leaves_the_old_file(path: Path) -> None:
    discovery.write(PLAIN, path)
    with pytest.raises(TypeError):
        discovery.write(replace(PLAIN, software=b"bytes are no JSON"), path)  # type: ignore[arg-type]
    assert discovery.read(path) == PLAIN
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_who_is_alive(ended: int) -> None:
    assert alive(os.getpid())
    assert not alive(ended)
    assert not alive(0) and not alive(-1) and not alive(2**40)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="known on Linux only")
def test_a_process_that_nobody_collected_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert alive(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not alive(process.pid)
    process.communicate()
