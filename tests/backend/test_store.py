"""Weights come whole or not at all, from whatever server and however often it breaks off."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from downloads import CONTENT, FileServer, empty_store, until, write_zoo

from backend import store
from backend.store import shelf
from backend.wire.errors import InpaintError
from models import zoo

ROOT = Path(__file__).resolve().parents[2]
NO_PAUSES = (0.0, 0.0, 0.0)


@pytest.fixture
def server() -> Iterator[FileServer]:
    running = FileServer()
    yield running
    running.close()


@pytest.fixture
def folder(tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    return empty_store(tmp_path, server, monkeypatch)


def fetch(name: str = "tested", **options: Any) -> zoo.Weights:
    said: list[tuple[float, str]] = options.pop("said", [])
    return store.fetch(name, lambda *news: said.append(news), **{"pauses": NO_PAUSES, **options})


def refused(**options: Any) -> InpaintError:
    with pytest.raises(InpaintError) as caught:
        fetch(**options)
    assert "tested" not in zoo.installed(), "what failed is not there"
    assert caught.value.message.endswith(".") and "Traceback" not in str(caught.value)
    return caught.value


def left(folder: Path) -> set[str]:
    """What lies in the folder, but for locks."""
    return {entry for entry in os.listdir(folder) if not entry.endswith(".lock")}


def test_fetched_weights_are_the_published_file_and_say_what_they_are(
    folder: Path, server: FileServer
) -> None:
    said: list[tuple[float, str]] = []
    server.chunk = 50_000
    weights = fetch(said=said)
    assert weights.path == folder / "tested" / "tested.pt"
    assert weights.path.read_bytes() == CONTENT
    assert (weights.architecture, weights.licence, weights.commercial) == ("lama", "MIT", True)
    assert weights.files == {"tested.pt": {"size": len(CONTENT), "sha256": sha256(CONTENT)}}
    assert not weights.imported
    assert zoo.installed()["tested"] == weights
    assert zoo.find("tested") == zoo.find("lama") == weights.path
    assert left(folder) == {"tested"}
    fractions = [fraction for fraction, stage in said if stage == "downloading"]
    assert fractions == sorted(fractions) and fractions[-1] == 1 and len(fractions) >= 3
    assert said[-1] == (1.0, "checking")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_what_is_there_is_not_fetched_again(folder: Path, server: FileServer) -> None:
    first = fetch()
    asked = len(server.requests)
    assert fetch() == first and len(server.requests) == asked


def test_a_download_that_breaks_off_goes_on_where_it_stopped(folder: Path, server: FileServer) -> None:
    server.break_after = [100_000, 50_000, None]
    assert fetch().path.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_server_that_breaks_off_often_but_always_sends_more_is_good_enough(
    folder: Path, server: FileServer
) -> None:
    server.break_after = [20_000]
    assert fetch().path.read_bytes() == CONTENT
    assert len(server.requests) == 15


def test_a_server_that_knows_no_ranges_is_asked_for_the_whole_again(folder: Path, server: FileServer) -> None:
    server.ranges = False
    server.break_after = [200_000, 250_000, None]
    assert fetch().path.read_bytes() == CONTENT
    assert server.requests[1][1] == "bytes=200000-"


def test_a_server_that_always_breaks_off_is_given_up_and_what_came_is_kept(
    folder: Path, server: FileServer
) -> None:
    server.ranges = False
    server.break_after = [120_000]
    problem = refused()
    assert problem.code == "download-failed" and "breaks off" in problem.message
    assert (folder / ".tested.part").read_bytes() == CONTENT[:120_000]
    server.ranges, server.break_after = True, [None]
    assert fetch().path.read_bytes() == CONTENT
    assert server.requests[-1][1] == "bytes=120000-"


def test_a_server_that_is_slow_is_waited_for(folder: Path, server: FileServer) -> None:
    said: list[tuple[float, str]] = []
    server.slow(chunk=30_000, pause=0.05)
    assert fetch(said=said).path.read_bytes() == CONTENT
    assert len([stage for _, stage in said if stage == "downloading"]) >= 8, "progress comes as bytes do"


@pytest.mark.parametrize("lie", [-100_000, 1000])
def test_a_length_that_is_not_the_published_one_is_refused_at_once(
    folder: Path, server: FileServer, lie: int
) -> None:
    server.lie = lie
    problem = refused()
    assert problem.code == "bad-weights" and "300000" in problem.message
    assert len(server.requests) == 1


def test_where_the_length_is_not_published_a_lie_about_it_is_found_all_the_same(
    folder: Path, server: FileServer, tmp_path: Path
) -> None:
    write_zoo(tmp_path / "zoo.toml", server.url, size=None)
    server.lie = -100_000  # the rest is never read: the hash tells
    assert refused().code == "bad-weights"
    server.lie = 1000  # the connection seems to break off before the end
    assert refused().code in ("download-failed", "bad-weights")
    server.lie = 0
    assert fetch().path.read_bytes() == CONTENT


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_wrong_bytes_are_thrown_away(
    folder: Path, server: FileServer, tmp_path: Path, algorithm: str
) -> None:
    write_zoo(tmp_path / "zoo.toml", server.url, **{{"sha256": "md5", "md5": "sha256"}[algorithm]: None})
    server.content = CONTENT[:-1] + b"?"
    problem = refused()
    assert problem.code == "bad-weights" and algorithm.upper() in problem.message
    assert left(folder) == set()
    server.content = CONTENT
    assert fetch().path.read_bytes() == CONTENT


def test_the_rest_of_another_file_is_not_taken_for_ours(folder: Path, server: FileServer) -> None:
    folder.mkdir()
    (folder / ".tested.part").write_bytes(b"something else" * 1000)
    assert fetch().path.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == ["bytes=14000-", None]


@pytest.mark.parametrize("size", [len(CONTENT) + 5, len(CONTENT)])
def test_a_partial_file_that_is_no_part_is_fetched_anew(folder: Path, server: FileServer, size: int) -> None:
    folder.mkdir()
    (folder / ".tested.part").write_bytes(b"x" * size)
    assert fetch().path.read_bytes() == CONTENT


def test_a_finished_download_that_was_never_checked_is_used(folder: Path, server: FileServer) -> None:
    folder.mkdir()
    (folder / ".tested.part").write_bytes(CONTENT)
    assert fetch().path.read_bytes() == CONTENT and server.requests == []


def test_redirections_are_followed_with_the_range(folder: Path, server: FileServer) -> None:
    server.redirects, server.break_after = 1, [None, 100_000, None]
    assert fetch().path.read_bytes() == CONTENT
    assert server.requests[1] == ("/moved/files/tested.pt", None)
    assert server.requests[2][1] == "bytes=100000-"


def test_endless_redirections_are_an_error(folder: Path, server: FileServer) -> None:
    server.redirects = 1000
    assert refused().code == "download-failed"


def test_what_is_not_there_is_said_at_once(folder: Path, server: FileServer) -> None:
    server.status = [404]
    problem = refused()
    assert problem.code == "download-failed" and "404" in problem.message
    assert "models import" in problem.hint and len(server.requests) == 1


def test_a_server_in_trouble_is_asked_again_some_times(folder: Path, server: FileServer) -> None:
    server.status = [500, 503, 0]
    assert fetch().path.read_bytes() == CONTENT
    server.requests.clear()
    store.remove("tested")
    server.status = [500]
    problem = refused()
    assert problem.code == "download-failed" and "500" in problem.message
    assert len(server.requests) == 4


def test_the_second_address_is_taken_where_the_first_fails(
    folder: Path, server: FileServer, tmp_path: Path
) -> None:
    other = FileServer(b"a page that asks to log in")
    try:
        write_zoo(
            tmp_path / "zoo.toml", "", urls=[f"{other.url}/files/tested.pt", f"{server.url}/b/tested.pt"]
        )
        assert fetch().path.read_bytes() == CONTENT
        assert len(other.requests) == 1
    finally:
        other.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_without_a_connection_there_is_a_sentence_that_says_so(
    folder: Path, server: FileServer, tmp_path: Path
) -> None:
    for url in (f"http://127.0.0.1:{free_port()}", "http://no.such.host.invalid"):
        write_zoo(tmp_path / "zoo.toml", url)
        problem = refused()
        assert problem.code == "offline" and "There is no connection to" in problem.message
        assert "ai-inpaint models import" in problem.hint


def test_downloads_can_be_switched_off(
    folder: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_INPAINT_OFFLINE", "1")
    problem = refused()
    assert problem.code == "offline" and "AI_INPAINT_OFFLINE" in problem.hint
    assert server.requests == []
    assert fetch(offline=False).path.read_bytes() == CONTENT, "what is said here counts more"


def test_a_mirror_is_asked_instead(
    folder: Path, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_zoo(tmp_path / "zoo.toml", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AI_INPAINT_MIRROR", f"{server.url}/mirror/")
    assert fetch().path.read_bytes() == CONTENT
    assert server.requests == [("/mirror/tested.pt", None)]


def test_a_mirror_may_be_a_folder_and_works_offline(
    folder: Path, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_INPAINT_OFFLINE", "1")
    stick = tmp_path / "stick"
    stick.mkdir()
    assert refused(mirror=str(stick)).code == "no-weights"
    (stick / "tested.pt").write_bytes(CONTENT + b"?")
    assert refused(mirror=str(stick)).code == "bad-weights"
    (stick / "tested.pt").write_bytes(CONTENT)
    assert fetch(mirror=str(stick)).path.read_bytes() == CONTENT
    assert server.requests == [] and (stick / "tested.pt").exists()


def test_a_proxy_is_used_where_one_is_set(
    folder: Path, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_zoo(tmp_path / "zoo.toml", "http://weights.invalid")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url)
    assert fetch().path.read_bytes() == CONTENT
    assert server.requests == [("http://weights.invalid/files/tested.pt", None)]


def test_a_full_disk_is_said_to_be_full(folder: Path, server: FileServer, tmp_path: Path) -> None:
    folder.mkdir()
    if os.path.exists("/dev/full"):
        (folder / ".tested.part").symlink_to("/dev/full")
        problem = refused()
        assert problem.code == "no-space" and "AI_INPAINT_MODELS" in problem.hint
        (folder / ".tested.part").unlink()
    write_zoo(tmp_path / "zoo.toml", server.url, size=1 << 60)
    server.lie = (1 << 60) - len(CONTENT)
    problem = refused()
    assert problem.code == "no-space" and "MB are free" in problem.message


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_named(folder: Path, server: FileServer) -> None:
    folder.mkdir(mode=0o500)
    assert str(folder) in refused().message


def test_a_folder_that_is_a_file_is_named(folder: Path, server: FileServer) -> None:
    folder.write_text("")
    assert str(folder) in refused().message


def test_names_that_cannot_be_fetched(folder: Path) -> None:
    assert refused(name="nobody").code == "unknown-model"
    by_hand = refused(name="sc-fegan")
    assert by_hand.code == "no-weights"
    assert "https://github.com/run-youngjoo" in by_hand.hint and "--name sc-fegan" in by_hand.hint


# Several processes

PROGRAM = """
import sys
from backend import store
print(store.fetch("tested", lambda fraction, stage: print(stage, flush=True)).path)
"""


def start() -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def test_two_processes_fetch_once(folder: Path, server: FileServer) -> None:
    server.slow(chunk=1000, pause=0.1)
    first = start()
    until(lambda: server.requests)
    second = start()
    assert second.stdout is not None
    assert "another program" in second.stdout.readline()
    server.pause = 0
    said = [process.communicate(timeout=60)[0].splitlines() for process in (first, second)]
    assert [lines[-1] for lines in said] == [str(folder / "tested" / "tested.pt")] * 2
    assert len(server.requests) == 1


def test_a_process_that_is_killed_leaves_its_part_to_the_next(folder: Path, server: FileServer) -> None:
    server.slow(chunk=10_000, pause=0.05)
    first = start()
    until(lambda: (folder / ".tested.part").exists() and (folder / ".tested.part").stat().st_size > 50_000)
    first.kill()
    first.communicate()
    assert "tested" not in zoo.installed()
    came = (folder / ".tested.part").stat().st_size
    server.slow(chunk=len(CONTENT), pause=0)
    assert fetch().path.read_bytes() == CONTENT
    assert server.requests[-1][1] == f"bytes={came}-"


def test_what_a_dead_process_left_half_placed_is_cleared_away(folder: Path, server: FileServer) -> None:
    for name in (".tested.new-0123", ".tested.old-0123"):
        (folder / name).mkdir(parents=True)
        (folder / name / "tested.pt").write_bytes(b"half")
    assert zoo.installed() == {}
    fetch()
    assert left(folder) == {"tested"}


def test_whoever_looks_meanwhile_sees_all_or_nothing(folder: Path, server: FileServer) -> None:
    server.slow(chunk=20_000, pause=0.01)
    seen, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            path = zoo.find("tested")
            seen.append(path is not None and sha256(path.read_bytes()) == sha256(CONTENT))
            if path is not None and not seen[-1]:
                raise AssertionError("half a file")

    watcher = threading.Thread(target=look)
    watcher.start()
    fetch()
    until(lambda: seen and seen[-1])
    done.set()
    watcher.join()
    assert seen == sorted(seen)


# Verify and remove


def test_verify_finds_what_has_changed(folder: Path, server: FileServer) -> None:
    weights = fetch()
    assert store.verify(weights, lambda *_: None) == ""
    content = bytearray(CONTENT)
    content[1000] ^= 1
    weights.path.write_bytes(content)
    assert "SHA256" in store.verify(weights, lambda *_: None)
    weights.path.write_bytes(CONTENT[:-1])
    assert "length" in store.verify(weights, lambda *_: None)


def test_verify_compares_with_what_is_published_too(folder: Path, server: FileServer, tmp_path: Path) -> None:
    weights = fetch()
    write_zoo(tmp_path / "zoo.toml", server.url + "/", md5="0" * 32)
    assert "MD5" in store.verify(weights, lambda *_: None)


def test_removed_weights_are_gone(folder: Path, server: FileServer) -> None:
    fetch()
    assert store.remove("tested").name == "tested"
    assert zoo.installed() == {} and left(folder) == set()
    with pytest.raises(InpaintError, match="no weights named 'tested'"):
        store.remove("tested")


def test_weights_can_be_replaced_in_one_step(folder: Path, server: FileServer) -> None:
    before = fetch().stamp

    def bring(fresh: Path) -> None:
        (fresh / "tested.pt").write_bytes(b"new")

    files = {"tested.pt": {"size": 3, "sha256": sha256(b"new")}}
    after = shelf.place(zoo.Weights("tested", folder, "tested.pt", files, "lama"), bring)
    assert after.path.read_bytes() == b"new" and after.stamp != before
    assert left(folder) == {"tested"}
